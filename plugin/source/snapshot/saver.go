package snapshot

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	clog "github.com/coredns/coredns/plugin/pkg/log"

	"github.com/coredns-headless/headless/plugin/source"
)

var log = clog.NewWithPlugin("headless")

// Shared are the snapshots that are kept. A reload of the Corefile acquires its snapshots before the old Corefile
// releases them. The zero Shared is ready for use.
type Shared struct {
	mu    sync.Mutex
	files map[string]*file // by path
}

// file is where a saver keeps what its source knows. Two sources have one file in a reload that names another API
// server.
type file struct {
	path    string
	savers  []*saver              // guarded by Shared.mu
	active  atomic.Pointer[saver] // the last of them, which alone writes the file
	writing chan struct{}         // holds a value while the file is written
}

// A saver keeps what a source knows in a file. It reads the file once, if the API server does not answer in time, and
// writes it when the tree changes.
type saver struct {
	*file
	after  time.Duration // how long the API server may take before the file is served
	source *source.Source
	users  int // guarded by Shared.mu

	cancel context.CancelFunc
	wg     sync.WaitGroup

	written  atomic.Uint64 // the version of the tree that the file has, 0 if unknown
	tried    time.Time     // when it was last written, or tried to
	took     time.Duration // how long that took
	lastFail string        // the last failure that was logged
}

// A file is written at most once in saveEvery, and for at most one part in saveShare of the time.
const (
	saveEvery = 10 * time.Second
	saveShare = 50
)

// Acquire keeps what a source knows in the file, until the function that it returns is called. If the source is not
// synced after the given time, its tree serves what the file has. If several sources have the same file, the last one
// writes it.
func (l *Shared) Acquire(path string, after time.Duration, s *source.Source) (release func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.files[path]
	if f == nil {
		if l.files == nil {
			l.files = make(map[string]*file)
		}
		f = &file{path: path, writing: make(chan struct{}, 1)}
		l.files[path] = f
	}
	i := slices.IndexFunc(f.savers, func(sv *saver) bool { return sv.source == s })
	if i < 0 {
		i = len(f.savers)
		f.savers = append(f.savers, &saver{file: f, after: after, source: s})
		f.activate()
		f.savers[i].start()
	}
	sv := f.savers[i]
	sv.users++
	return sync.OnceFunc(func() { l.release(sv) })
}

// release stops a saver that nobody uses any more. If it is active, it writes the last state.
func (l *Shared) release(s *saver) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.users--; s.users > 0 {
		return
	}
	s.savers = slices.DeleteFunc(s.savers, func(other *saver) bool { return other == s })
	if len(s.savers) > 0 {
		s.activate()
	} else {
		delete(l.files, s.path)
	}
	s.cancel()
	s.wg.Wait()
}

// activate has the last saver write the file: anew, if it is another one than before.
func (f *file) activate() {
	if s := f.savers[len(f.savers)-1]; f.active.Swap(s) != s {
		s.written.Store(0)
	}
}

func (s *saver) start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.wg.Go(func() { s.run(ctx) })
}

func (s *saver) run(ctx context.Context) {
	s.tidy()
	late := time.NewTimer(s.after)
	defer late.Stop()
	select {
	case <-s.source.Tree().Done():
	case <-late.C:
		s.recall()
	case <-ctx.Done():
		if !s.source.Tree().IsDone() { // the file may have what did not come yet
			return
		}
	}
	t := time.NewTicker(saveEvery / 10)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			if time.Since(s.tried) >= max(saveEvery, saveShare*s.took) {
				s.save()
			}
		case <-ctx.Done():
			s.save()
			return
		}
	}
}

// tidy removes the temporary files of this snapshot that a crash left behind.
func (s *saver) tidy() {
	path, err := follow(s.path)
	if err != nil {
		return // and it is not written either
	}
	pattern := filepath.Join(filepath.Dir(path), temporary(path))
	list, _ := filepath.Glob(pattern) // a name that is a bad pattern: nothing is removed
	for _, path := range list {
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > time.Hour {
			_ = os.Remove(path) // no harm if it stays
		}
	}
}

// recall serves what the file has of the parts that have not synced.
func (s *saver) recall() {
	name := s.source.Name()
	c, err := read(s.path, s.source.Server)
	if errors.Is(err, fs.ErrNotExist) {
		log.Infof("%s: not synced after %s, and there is no snapshot %q yet", name, s.after, s.path)
		return
	}
	if err != nil {
		log.Warningf("%s: not synced after %s, and snapshot %q cannot be used: %v", name, s.after, s.path, err)
		return
	}
	var missing []string
	presumed, synced := false, false
	for _, p := range s.source.Parts {
		switch {
		case !c.covers(p.Namespace):
			if !slices.Contains(missing, p.Namespace) {
				missing = append(missing, p.Namespace)
			}
		case p.Writer.Presume(c.of(p), c.Serial):
			presumed = true
		default:
			synced = true
		}
	}
	if len(missing) > 0 {
		log.Warningf("%s: snapshot %q has only namespaces %q, not %q", name, s.path, c.Namespaces, missing)
	}
	if !presumed {
		return
	}
	if !synced && len(missing) == 0 {
		s.written.Store(c.Serial) // the tree has a later version for what came since
	}
	services, peers := s.source.Tree().Size()
	log.Warningf("%s: not synced after %s: serving snapshot %q of %s until the first sync: "+
		"%d Services, %d endpoints of headless Services",
		name, s.after, s.path, c.Time.Format(time.RFC3339), services, peers)
}

// save writes the file if something changed.
func (s *saver) save() {
	s.writing <- struct{}{}
	defer func() { <-s.writing }()
	if s.active.Load() != s {
		return
	}
	t := s.source.Tree()
	if now, written := time.Now(), s.written.Load(); written != 0 && written == t.Version() {
		if !t.Presumed() {
			s.source.Saved.Store(now.Unix())
		}
		return
	}
	held := t.Held()
	if len(held.Namespaces) == 0 {
		return
	}
	s.tried = time.Now()
	err := write(s.path, s.source, held)
	s.took = time.Since(s.tried)
	if p := new(fs.PathError); errors.As(err, &p) {
		err = p.Err // the name differs from try to try
	}
	switch {
	case err == nil:
		s.written.Store(held.Version)
		s.source.Saved.Store(s.tried.Unix())
		if s.lastFail != "" {
			s.lastFail = ""
			log.Infof("%s: snapshot %q: written again", s.source.Name(), s.path)
		}
	case err.Error() != s.lastFail:
		s.lastFail = err.Error()
		log.Warningf("%s: snapshot %q is not written: %v", s.source.Name(), s.path, err)
	}
}
