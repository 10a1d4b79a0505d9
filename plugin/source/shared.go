package source

import "sync"

// Shared are the sources that are in use, by key. A reload of the Corefile acquires its sources before the old
// Corefile releases them, so a source that both use goes on without listing again. The zero Shared is ready for use.
type Shared struct {
	mu      sync.Mutex
	sources sync.Map // *Source by key: Running must not wait for one that opens or stops
}

// Acquire returns the source with that key, and a function that releases it. If nobody uses one, it opens one; the
// caller starts it. The last release stops it.
func (l *Shared) Acquire(key string, open func() (*Source, error)) (s *Source, release func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if used, ok := l.sources.Load(key); ok {
		s = used.(*Source)
	} else {
		if s, err = open(); err != nil {
			return nil, nil, err
		}
		l.sources.Store(key, s)
	}
	s.users++
	return s, sync.OnceFunc(func() { l.release(key, s) }), nil
}

func (l *Shared) release(key string, s *Source) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.users--; s.users == 0 {
		l.sources.Delete(key)
		s.Stop()
	}
}

// Running returns the sources that were started.
func (l *Shared) Running() (list []*Source) {
	l.sources.Range(func(_, used any) bool {
		if s := used.(*Source); s.Running() {
			list = append(list, s)
		}
		return true
	})
	return list
}
