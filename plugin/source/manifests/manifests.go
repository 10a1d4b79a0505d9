// Package manifests brings objects from YAML and JSON files into a tree.
package manifests

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	clog "github.com/coredns/coredns/plugin/pkg/log"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/source"
	"github.com/coredns-headless/headless/plugin/tree"
)

var log = clog.NewWithPlugin("headless")

// pollInterval is how often the files are looked at. A change counts once a file has not changed for one interval, so
// that no file is read while it is being written.
const pollInterval = 500 * time.Millisecond

// noticed is how many octets of files take a second or so. Start-up, which waits, says that it reads as many.
const noticed = 10e6

// Open returns a source of files, and of the files in folders, which it reads at once. One that cannot be read or is
// malformed is an error. A started source follows their changes; a file that becomes bad keeps its last good state.
func Open(name string, paths, namespaces []string) (*source.Source, error) {
	p, err := open(name, paths, namespaces)
	if err != nil {
		return nil, err
	}
	p.source.Run(p.poll)
	return p.source, nil
}

func open(name string, paths, namespaces []string) (*poller, error) {
	p := &poller{
		source: source.New(name, namespaces), namespaces: namespaces, files: make(map[string][]object.Object),
		lookErrors: make(map[string]string), readErrors: make(map[string]string),
	}
	for _, path := range paths {
		p.paths = append(p.paths, filepath.Clean(path))
	}
	for _, ns := range source.Scopes(namespaces) {
		p.writers = append(p.writers, p.source.Tree().Writer(ns))
	}
	var failed map[string]error
	p.seen, failed = p.look()
	for _, path := range p.paths {
		if err := failed[path]; err != nil {
			return nil, err
		}
	}
	octets := int64(0)
	for _, sig := range p.seen {
		octets += sig.info.Size()
	}
	if octets >= noticed {
		log.Infof("%s: reading %d MB in %d files", name, octets/1e6, len(p.seen))
	}
	for _, path := range slices.Sorted(maps.Keys(p.seen)) {
		objects, err := p.read(context.Background(), path)
		if err != nil {
			return nil, err
		}
		p.files[path] = objects
	}
	p.next = maps.Clone(p.seen)
	p.apply()
	return p, nil
}

// poller looks at files again and again, and reads those that changed.
type poller struct {
	source     *source.Source
	paths      []string
	namespaces []string
	writers    []*tree.Writer // one for each namespace, or one for all

	files map[string][]object.Object // the last good state by path
	seen  map[string]signature       // of what was read, good or bad
	next  map[string]signature       // of the last look: what is read if it stays so

	// The errors logged last, by path: of looking for files, and of reading them.
	lookErrors, readErrors map[string]string
}

func (p *poller) poll(ctx context.Context) {
	t := time.NewTicker(pollInterval)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			p.refresh(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// refresh reads the files that changed, and drops those that are gone, once they have not changed for one interval.
func (p *poller) refresh(ctx context.Context) {
	seen, failed := p.look()
	for _, path := range p.paths {
		p.report(p.lookErrors, path, failed[path])
	}
	last := p.next
	p.next = seen
	changed := false
	for path := range p.seen {
		_, now := seen[path]
		_, before := last[path]
		if now || before || failed[path] != nil || failed[filepath.Dir(path)] != nil {
			continue
		}
		delete(p.seen, path)
		delete(p.files, path)
		delete(p.readErrors, path)
		changed = true
	}
	for path, sig := range seen {
		if sig.is(p.seen[path]) || !sig.is(last[path]) {
			continue
		}
		objects, err := p.read(ctx, path)
		if ctx.Err() != nil {
			return
		}
		p.report(p.readErrors, path, err)
		if errors.Is(err, errUnreadable) {
			continue // the file may be unchanged when it can be read
		}
		p.seen[path] = sig
		if err == nil {
			p.files[path] = objects
			changed = true
		}
	}
	if changed {
		p.apply()
	}
}

// report logs a new error of a path, and when it is over.
func (p *poller) report(logged map[string]string, path string, err error) {
	was, failing := logged[path]
	switch {
	case err == nil && failing:
		delete(logged, path)
		log.Infof("%s: good again: %s", p.source.Name(), was)
	case err != nil && was != err.Error():
		logged[path] = err.Error()
		log.Warningf("%s: keeping the last good state: %v", p.source.Name(), err)
	}
}

// read reads one file, unless ctx ends.
func (p *poller) read(ctx context.Context, path string) ([]object.Object, error) {
	content, err := source.ReadFile(path)
	if err != nil {
		return nil, pathError(path, err)
	}
	d := newDecoder(ctx)
	if err := d.decode(content); err != nil {
		return nil, fmt.Errorf("manifests %q: %w", path, err)
	}
	for k, err := range d.left {
		p.source.Skip(k, err)
	}
	return d.objects, nil
}

// apply puts all files into the tree, in the order of their paths: the last of several objects with one name counts.
func (p *poller) apply() {
	lists := make([][]object.Object, len(p.writers))
	for _, path := range slices.Sorted(maps.Keys(p.files)) {
		for _, o := range p.files[path] {
			i := 0
			if len(p.namespaces) > 0 {
				if i = slices.Index(p.namespaces, o.Key().Namespace); i < 0 {
					continue
				}
			}
			lists[i] = append(lists[i], o)
			p.source.Count(o.Key().Kind).Applied.Add(1)
		}
	}
	for i, w := range p.writers {
		w.Replace(lists[i], uint64(time.Now().Unix())) // #nosec G115 -- after 1970
	}
}
