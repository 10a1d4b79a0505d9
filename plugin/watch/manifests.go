package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/tree"
)

// pollInterval is how often manifests are looked at. A change counts once it has stood still for one interval, so that a file
// is not read while it is being written.
const pollInterval = 500 * time.Millisecond

// Manifests reads files, and the files of folders, now; a file that is no good is an error. After Start it follows their
// changes, and a file that turns bad keeps its last good state.
func Manifests(name string, paths, namespaces []string) (*Watch, error) {
	m, err := openManifests(name, paths, namespaces)
	if err != nil {
		return nil, err
	}
	m.w.runs = append(m.w.runs, m.poll)
	return m.w, nil
}

func openManifests(name string, paths, namespaces []string) (*manifests, error) {
	m := newManifests(newWatch(name, namespaces), paths, namespaces)
	var err error
	m.seen = m.look(func(_ string, e error) { err = e })
	for _, path := range slices.Sorted(maps.Keys(m.seen)) {
		if err == nil {
			m.files[path], err = m.read(path)
		}
	}
	if err != nil {
		return nil, err
	}
	m.next = maps.Clone(m.seen)
	m.apply()
	return m, nil
}

func newManifests(w *Watch, paths, namespaces []string) *manifests {
	m := &manifests{
		w: w, namespaces: namespaces, files: make(map[string][]object.Object), seen: make(map[string]signature),
		unseen: make(map[string]string), bad: make(map[string]string),
	}
	for _, path := range paths {
		m.paths = append(m.paths, filepath.Clean(path))
	}
	for _, ns := range scopes(namespaces) {
		m.sources = append(m.sources, w.tree.Writer(ns))
	}
	return m
}

type manifests struct {
	w          *Watch
	paths      []string
	namespaces []string
	sources    []*tree.Writer // one a namespace, or one for all

	files map[string][]object.Object // the last good state by path
	seen  map[string]signature       // what was read, good or bad
	next  map[string]signature       // what was seen last, read if it stays

	// The errors said last: of paths that cannot be looked at, and of files that cannot be read.
	unseen, bad map[string]string
}

func (m *manifests) poll(ctx context.Context) {
	t := time.NewTicker(pollInterval)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			m.refresh()
		case <-ctx.Done():
			return
		}
	}
}

// refresh reads what changed, and forgets what is gone, once that has stood still.
func (m *manifests) refresh() {
	failed := make(map[string]bool)
	seen := m.look(func(path string, err error) {
		failed[path] = true
		m.say(m.unseen, path, err)
	})
	for _, path := range m.paths {
		if !failed[path] {
			m.say(m.unseen, path, nil)
		}
	}
	last := m.next
	m.next = seen
	changed := false
	for path := range m.seen {
		_, now := seen[path]
		_, before := last[path]
		if now || before || failed[path] || failed[filepath.Dir(path)] {
			continue
		}
		delete(m.seen, path)
		delete(m.files, path)
		delete(m.bad, path)
		changed = true
	}
	for path, sig := range seen {
		if sig.is(m.seen[path]) || !sig.is(last[path]) {
			continue
		}
		objects, err := m.read(path)
		m.say(m.bad, path, err)
		if errors.As(err, new(*fs.PathError)) {
			continue // the file may be as it was when it can be read
		}
		m.seen[path] = sig
		if err == nil {
			m.files[path] = objects
			changed = true
		}
	}
	if changed {
		m.apply()
	}
}

// say logs a new error of a path, and when it is over.
func (m *manifests) say(said map[string]string, path string, err error) {
	was, failing := said[path]
	switch {
	case err == nil && failing:
		delete(said, path)
		log.Infof("%s: good again: %s", m.w.name, was)
	case err != nil && was != err.Error():
		said[path] = err.Error()
		log.Warningf("%s: the last good state stays: %v", m.w.name, err)
	}
}

// read reads one file.
func (m *manifests) read(path string) ([]object.Object, error) {
	text, err := text(path)
	if err != nil {
		return nil, pathError(path, err)
	}
	d := newDecoder()
	if err := d.decode(text); err != nil {
		return nil, fmt.Errorf("manifests %q: %w", path, err)
	}
	left := make(map[object.Key]error) // an object that stands there twice counts once
	for _, o := range d.left {
		left[o.key] = o.err
	}
	for k, err := range left {
		m.w.skip(k, err)
	}
	return d.objects, nil
}

// apply puts all files into the tree, in the order of their paths: of two objects with one name the later counts.
func (m *manifests) apply() {
	lists := make([][]object.Object, len(m.sources))
	for _, path := range slices.Sorted(maps.Keys(m.files)) {
		for _, o := range m.files[path] {
			i := 0
			if len(m.namespaces) > 0 {
				if i = slices.Index(m.namespaces, o.Key().Namespace); i < 0 {
					continue
				}
			}
			lists[i] = append(lists[i], o)
			m.w.count[o.Key().Kind].applied.Add(1)
		}
	}
	for i, s := range m.sources {
		s.Replace(lists[i], uint64(time.Now().Unix())) // #nosec G115 -- after 1970
	}
}
