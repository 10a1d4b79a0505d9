package watch

import (
	"maps"
	"slices"
	"sync"
)

// Registry shares watches: all that ask for the same one get the same. A Corefile reload starts the new generation before the
// old one ends, so a watch that both want goes on without listing again. The zero Registry is ready for use.
type Registry struct {
	mu      sync.Mutex
	entries map[string]*entry
	savers  map[string][]*saver // by file, the active one last
}

type entry struct {
	watch   *Watch
	holders map[any]bool
}

// Has reports whether there is a watch of that key.
func (r *Registry) Has(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.entries[key] != nil
}

// Acquire returns the watch of that key for the holder, and whether somebody else has it too. If there is none, fresh is started;
// else fresh is forgotten. What the watch knows is kept in the snapshot as long as one of its holders wants that.
func (r *Registry) Acquire(key string, holder any, fresh *Watch, keep Snapshot) (w *Watch, shared bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[key]
	if e == nil {
		e = &entry{watch: fresh, holders: make(map[any]bool)}
		if r.entries == nil {
			r.entries, r.savers = make(map[string]*entry), make(map[string][]*saver)
		}
		r.entries[key] = e
		fresh.Start()
	}
	e.holders[holder] = true
	if keep.Path != "" {
		r.save(e.watch, holder, keep)
	}
	return e.watch, len(e.holders) > 1
}

// save has a saver keep what w knows. The caller holds r.mu.
func (r *Registry) save(w *Watch, holder any, keep Snapshot) {
	list := r.savers[keep.Path]
	i := slices.IndexFunc(list, func(s *saver) bool { return s.w == w })
	if i < 0 {
		i = len(list)
		file := make(chan struct{}, 1)
		if i > 0 {
			file = list[0].file
		}
		list = append(list, newSaver(keep, w, file))
		list[i].start()
	}
	list[i].holders[holder] = true
	r.savers[keep.Path] = list
	activate(list)
}

// activate gives a file to the last of its savers. One that gets it back writes it anew.
func activate(list []*saver) {
	for i, s := range list {
		if active := i == len(list)-1; s.active.Swap(active) != active {
			s.written.Store(0)
		}
	}
}

// Release takes all that holders selected by gone hold, and stops what nobody holds any more.
func (r *Registry) Release(gone func(holder any) bool) {
	var savers []*saver
	var idle []*Watch
	drop := func(holders map[any]bool) (none bool) {
		maps.DeleteFunc(holders, func(h any, _ bool) bool { return gone(h) })
		return len(holders) == 0
	}
	r.mu.Lock()
	for path, list := range r.savers {
		var ended, left []*saver
		for _, s := range list {
			if drop(s.holders) {
				ended = append(ended, s)
			} else {
				left = append(left, s)
			}
		}
		savers = append(savers, ended...)
		if len(left) == 0 {
			delete(r.savers, path)
			continue
		}
		activate(append(ended, left...)) // those that end leave the file to those that stay
		r.savers[path] = left
	}
	for key, e := range r.entries {
		if drop(e.holders) {
			delete(r.entries, key)
			idle = append(idle, e.watch)
		}
	}
	r.mu.Unlock()
	for _, s := range savers {
		s.stop()
	}
	for _, w := range idle {
		w.Stop()
	}
}

// Watches returns all there are.
func (r *Registry) Watches() []*Watch {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*Watch, 0, len(r.entries))
	for _, e := range r.entries {
		list = append(list, e.watch)
	}
	return list
}
