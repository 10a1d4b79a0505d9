package explain

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Listeners are all addresses that are listened on. A Corefile reload starts the new generation before the old one ends, so an address that
// both want stays open. The zero Listeners are ready for use.
type Listeners struct {
	mu   sync.Mutex
	open map[string]*listener
}

type listener struct {
	server *http.Server
	done   chan struct{}
	at     net.Addr

	mu    sync.Mutex
	holds []hold // those of the newest holder last
}

type hold struct {
	holder any
	source Source
}

// Acquire has the address serve a holder's source, beside the same holder's others and instead of those of earlier holders. It returns
// where it listens.
func (l *Listeners) Acquire(address string, holder any, source Source) (net.Addr, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.open[address]
	if s == nil {
		ln, err := net.Listen("tcp", address) //nolint:noctx // it does not wait: an address needs no look-up
		if err != nil {
			return nil, fmt.Errorf("explain: %w", err)
		}
		s = &listener{done: make(chan struct{}), at: ln.Addr()}
		host, _, _ := net.SplitHostPort(address)
		s.server = &http.Server{
			Handler: newHandler(host, s.sources), ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second,
			IdleTimeout: 30 * time.Second, MaxHeaderBytes: 8 << 10,
		}
		if l.open == nil {
			l.open = make(map[string]*listener)
		}
		l.open[address] = s
		go func() {
			defer close(s.done)
			_ = s.server.Serve(ln) // it ends when it is closed
		}()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds = append(s.holds, hold{holder, source})
	return s.at, nil
}

// sources are those of the newest holder.
func (s *listener) sources() []Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Source
	for _, h := range s.holds {
		if h.holder == s.holds[len(s.holds)-1].holder {
			list = append(list, h.source)
		}
	}
	return list
}

// Release takes all that holders selected by gone hold, and closes what nobody holds any more.
func (l *Listeners) Release(gone func(holder any) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for address, s := range l.open {
		s.mu.Lock()
		s.holds = slices.DeleteFunc(s.holds, func(h hold) bool { return gone(h.holder) })
		idle := len(s.holds) == 0
		s.mu.Unlock()
		if idle {
			delete(l.open, address)
			_ = s.server.Close() // nobody could do anything about it
			<-s.done
		}
	}
}
