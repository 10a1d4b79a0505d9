package source

import "sync"

// Shared are the sources that are in use, by key. A reload of the Corefile acquires its sources before the old
// Corefile releases them, so a source that both use goes on without listing again. The zero Shared is ready for use.
type Shared struct {
	mu      sync.Mutex
	entries map[string]*entry
}

type entry struct {
	source *Source
	users  int
}

// Acquire returns the source with that key, and a function that releases it. If nobody uses one, it opens one; the
// caller starts it. The last release stops it.
func (l *Shared) Acquire(key string, open func() (*Source, error)) (s *Source, release func(), err error) {
	if s = l.use(key, nil); s == nil {
		if s, err = open(); err != nil {
			return nil, nil, err
		}
		s = l.use(key, s)
	}
	return s, sync.OnceFunc(func() { l.release(key) }), nil
}

// use adds a user to the source with that key. If there is none, it is fresh, unless that is nil.
func (l *Shared) use(key string, fresh *Source) *Source {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[key]
	if e == nil {
		if fresh == nil {
			return nil
		}
		if l.entries == nil {
			l.entries = make(map[string]*entry)
		}
		e = &entry{source: fresh}
		l.entries[key] = e
	}
	e.users++
	return e.source
}

func (l *Shared) release(key string) {
	l.mu.Lock()
	e := l.entries[key]
	e.users--
	last := e.users == 0
	if last {
		delete(l.entries, key)
	}
	l.mu.Unlock()
	if last {
		e.source.Stop()
	}
}

// Running returns the sources that were started.
func (l *Shared) Running() []*Source {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []*Source
	for _, e := range l.entries {
		if e.source.Running() {
			list = append(list, e.source)
		}
	}
	return list
}
