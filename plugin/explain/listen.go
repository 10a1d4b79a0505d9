package explain

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Listeners are the addresses that explain listens on. A reload starts the new generation of the Corefile before it
// ends the old one, so an address that both have stays open. The zero value is ready to use.
type Listeners struct {
	mu   sync.Mutex
	open map[string]*listener
}

// listener is one address.
type listener struct {
	server *http.Server
	done   chan struct{}
	at     net.Addr

	mu    sync.Mutex
	holds []hold // the newest holder's last
}

// hold is one Acquire.
type hold struct {
	holder any
	source Source
}

// Acquire listens on address, unless it does already, and adds source to the holder's sources. The pages have the
// sources of the newest holder only. Acquire returns the address that it listens on.
func (l *Listeners) Acquire(address string, holder any, source Source) (net.Addr, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.open[address]
	if s == nil {
		ln, err := net.Listen("tcp", address) //nolint:noctx // does not wait: there is no name to look up
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
			_ = s.server.Serve(ln) // until Close
		}()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds = append(s.holds, hold{holder, source})
	return s.at, nil
}

// sources returns the sources of the newest holder.
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

// Release removes the sources of each holder for which gone returns true, and closes the addresses without a source.
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
			_ = s.server.Close() // nothing to do about an error
			<-s.done
		}
	}
}
