package watch

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
)

// Snapshot says where to keep what a watch knows. The zero Snapshot is none.
type Snapshot struct {
	Path string
	// After is how long the API server has before the file is served instead.
	After time.Duration
}

// A saver keeps what a watch knows in a file: it is read once if the API server is not there in time, and written as that changes.
type saver struct {
	Snapshot
	w       *Watch
	file    chan struct{} // filled while the file is written; all savers of a file have the same
	holders map[any]bool  // guarded by the registry's lock

	// active says that the file is ours. Of two watches that have the same one, as in a reload that names another API server, it is
	// the newer one's.
	active atomic.Bool
	cancel context.CancelFunc
	wg     sync.WaitGroup

	written atomic.Uint64 // the version of the tree that the file has, 0 if it may have another
	at      time.Time     // of the last attempt to write it
	took    time.Duration // the last time
	said    string        // the last failure
}

// A file is written no more often than saveEvery, and for no more than one part in saveShare of the time.
const (
	saveEvery = 10 * time.Second
	saveShare = 50
)

func newSaver(s Snapshot, w *Watch, file chan struct{}) *saver {
	return &saver{Snapshot: s, w: w, file: file, holders: make(map[any]bool)}
}

func (s *saver) start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.wg.Go(func() { s.run(ctx) })
}

// stop ends the saver, which writes the last state if it is active.
func (s *saver) stop() {
	s.cancel()
	s.wg.Wait()
}

func (s *saver) run(ctx context.Context) {
	s.tidy()
	late := time.NewTimer(s.After)
	defer late.Stop()
	select {
	case <-s.w.tree.Done():
	case <-late.C:
		s.recall()
	case <-ctx.Done():
		if !s.w.tree.IsDone() { // the file may know what was not seen yet
			return
		}
	}
	t := time.NewTicker(saveEvery / 10)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			if time.Since(s.at) >= max(saveEvery, saveShare*s.took) {
				s.save()
			}
		case <-ctx.Done():
			s.save()
			return
		}
	}
}

// tidy removes what crashes left of this file.
func (s *saver) tidy() {
	path := followed(s.Path)
	list, _ := filepath.Glob(filepath.Join(filepath.Dir(path), temporary(path))) // a name that is a bad pattern: nothing is removed
	for _, path := range list {
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > time.Hour {
			_ = os.Remove(path) // no harm if it stays
		}
	}
}

// recall serves what the file has, where the API server has said nothing yet.
func (s *saver) recall() {
	r, err := readSnapshot(s.Path, s.w.server)
	if errors.Is(err, fs.ErrNotExist) {
		log.Infof("%s: API server not reached within %s, and there is no snapshot %q yet", s.w.name, s.After, s.Path)
		return
	}
	if err != nil {
		log.Warningf("%s: API server not reached within %s, and snapshot %q is of no use: %v", s.w.name, s.After, s.Path, err)
		return
	}
	var lacks []string
	presumed, synced := false, false
	for _, from := range s.w.sources {
		switch {
		case !r.covers(from.namespace):
			if !slices.Contains(lacks, from.namespace) {
				lacks = append(lacks, from.namespace)
			}
		case from.source.Presume(r.of(from), r.Serial):
			presumed = true
		default:
			synced = true
		}
	}
	if len(lacks) > 0 {
		log.Warningf("%s: snapshot %q has only namespaces %q, not %q", s.w.name, s.Path, r.Namespaces, lacks)
	}
	if !presumed {
		return
	}
	if !synced && len(lacks) == 0 {
		s.written.Store(r.Serial) // what came since, the tree has a later version for
	}
	services, peers := s.w.tree.Size()
	log.Warningf("%s: API server not reached within %s: serving snapshot %q of %s until the first sync: Services %d, endpoints of headless Services %d",
		s.w.name, s.After, s.Path, r.Time.Format(time.RFC3339), services, peers)
}

// save writes the file if something changed.
func (s *saver) save() {
	s.file <- struct{}{}
	defer func() { <-s.file }()
	if !s.active.Load() {
		return
	}
	if now, written := time.Now(), s.written.Load(); written != 0 && written == s.w.tree.Version() {
		if !s.w.tree.Presumed() {
			s.w.saved.Store(now.Unix())
		}
		return
	}
	held := s.w.tree.Held()
	if len(held.Namespaces) == 0 {
		return
	}
	s.at = time.Now()
	err := writeSnapshot(s.Path, s.w, held)
	s.took = time.Since(s.at)
	if p := new(fs.PathError); errors.As(err, &p) {
		err = p.Err // the name differs from try to try
	}
	switch {
	case err == nil:
		s.written.Store(held.Version)
		s.w.saved.Store(s.at.Unix())
		if s.said != "" {
			s.said = ""
			log.Infof("%s: snapshot %q: written again", s.w.name, s.Path)
		}
	case err.Error() != s.said:
		s.said = err.Error()
		log.Warningf("%s: snapshot %q is not written: %v", s.w.name, s.Path, err)
	}
}
