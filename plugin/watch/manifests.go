package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	w := newWatch(name, namespaces)
	m := &manifests{w: w, paths: paths, namespaces: namespaces, files: make(map[string]*file), said: make(map[string]string)}
	for _, ns := range scopes(namespaces) {
		m.sources = append(m.sources, w.tree.Source(ns))
	}
	var bad error
	m.seen = m.look(func(_ string, err error) { bad = err })
	for path := range m.seen {
		f, err := m.read(path)
		if err != nil {
			bad = err
		}
		m.files[path] = f
	}
	if bad != nil {
		return nil, bad
	}
	m.apply()
	w.runs = append(w.runs, m.poll)
	return w, nil
}

type manifests struct {
	w          *Watch
	paths      []string
	namespaces []string
	sources    []*tree.Source // one a namespace, or one for all

	files map[string]*file     // the last good state by path
	seen  map[string]signature // what was read, good or bad
	next  map[string]signature // what was seen last, read if it stays
	said  map[string]string    // the error logged last, by path
}

// file is what a file held.
type file struct {
	objects []object.Object
}

// signature changes when a file does.
type signature struct {
	size     int64
	modified time.Time
	target   string // where symlinks lead, as those of a ConfigMap's volume
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

// refresh reads what changed and has stood still.
func (m *manifests) refresh() {
	failed := make(map[string]bool)
	seen := m.look(func(path string, err error) {
		failed[path] = true
		m.warn(path, err)
	})
	for _, path := range m.paths {
		if !failed[path] && m.files[path] == nil {
			m.warn(path, nil) // a folder: its files have errors of their own
		}
	}
	last := m.next
	m.next = seen
	changed := false
	for path := range m.seen {
		if _, ok := seen[path]; !ok && !failed[path] && !failed[filepath.Dir(path)] {
			delete(m.seen, path)
			delete(m.files, path)
			changed = true
		}
	}
	for path, sig := range seen {
		if sig == m.seen[path] || sig != last[path] {
			continue
		}
		m.seen[path] = sig
		f, err := m.read(path)
		m.warn(path, err)
		if err == nil {
			m.files[path] = f
			changed = true
		}
	}
	if changed {
		m.apply()
	}
}

// warn logs a new error of a path, and when it is over.
func (m *manifests) warn(path string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	was := m.said[path]
	switch {
	case text == was:
	case err != nil:
		log.Warningf("%s: the last good state stays: %v", m.w.name, err)
	default:
		log.Infof("%s: good again: %s", m.w.name, was)
	}
	m.said[path] = text
}

// look lists the files there are, and calls fail for every path that cannot be looked at.
func (m *manifests) look(fail func(path string, err error)) map[string]signature {
	seen := make(map[string]signature)
	for _, path := range m.paths {
		info, err := os.Stat(path)
		if err != nil {
			fail(path, pathError(path, err))
			continue
		}
		if !info.IsDir() {
			seen[path] = sign(path, info)
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			fail(path, pathError(path, err))
			continue
		}
		for _, e := range entries {
			name := filepath.Join(path, e.Name())
			if strings.HasPrefix(e.Name(), ".") || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)) {
				continue
			}
			// An error is a file that went meanwhile, or a link that leads nowhere yet.
			if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
				seen[name] = sign(name, info)
			}
		}
	}
	return seen
}

func sign(path string, info fs.FileInfo) signature {
	target, _ := filepath.EvalSymlinks(path) // an error shows when the file is read
	return signature{size: info.Size(), modified: info.ModTime(), target: target}
}

func pathError(path string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Errorf("manifests %q: %w: allowed are YAML and JSON files that can be read, and folders of them", path, err)
}

// read reads one file.
func (m *manifests) read(path string) (*file, error) {
	text, err := os.ReadFile(path) // #nosec G304 -- the Corefile names it
	if err != nil {
		return nil, pathError(path, err)
	}
	f := new(file)
	skipped := make(map[object.Key]error)
	d := decoder{
		keep: func(o object.Object) { f.objects = append(f.objects, o) },
		skip: func(k object.Key, err error) { skipped[k] = err },
	}
	if err := d.decode(text); err != nil {
		return nil, fmt.Errorf("manifests %q: %w", path, err)
	}
	for k, err := range skipped {
		m.w.skip(k, err)
	}
	return f, nil
}

// apply puts all files into the tree, in the order of their paths: of two objects with one name the later counts.
func (m *manifests) apply() {
	paths := make([]string, 0, len(m.files))
	for path := range m.files {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	lists := make([][]object.Object, len(m.sources))
	for _, path := range paths {
		for _, o := range m.files[path].objects {
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
