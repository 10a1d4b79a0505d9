package watch

import "sync"

// Registry shares watches: all that ask for the same one get the same. A Corefile reload starts the new generation before the
// old one ends, so a watch that both want goes on without listing again. The zero Registry is ready for use.
type Registry struct {
	mu      sync.Mutex
	entries map[string]*entry
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
// else fresh is forgotten.
func (r *Registry) Acquire(key string, holder any, fresh *Watch) (w *Watch, shared bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[key]
	if e == nil {
		e = &entry{watch: fresh, holders: make(map[any]bool)}
		if r.entries == nil {
			r.entries = make(map[string]*entry)
		}
		r.entries[key] = e
		fresh.Start()
	}
	e.holders[holder] = true
	return e.watch, len(e.holders) > 1
}

// Release takes all that holders selected by gone hold, and stops what nobody holds any more.
func (r *Registry) Release(gone func(holder any) bool) {
	var idle []*Watch
	r.mu.Lock()
	for key, e := range r.entries {
		for h := range e.holders {
			if gone(h) {
				delete(e.holders, h)
			}
		}
		if len(e.holders) == 0 {
			delete(r.entries, key)
			idle = append(idle, e.watch)
		}
	}
	r.mu.Unlock()
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
