package explain

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Listeners are the addresses that pages are served at. A reload of the Corefile acquires its addresses before the old
// Corefile releases them, so an address that both use stays open. The zero Listeners are ready for use.
type Listeners struct {
	mu   sync.Mutex
	open map[string]*listener
}

// listener is one address.
type listener struct {
	server *http.Server
	done   chan struct{}
	addr   net.Addr

	mu    sync.Mutex
	users []*user // those of the newest generation last
}

type user struct {
	generation any
	server     Server
}

// Acquire serves the pages of a server at the address, beside those of the same generation and instead of those of
// earlier ones. It returns where it listens, and a function that ends it.
func (l *Listeners) Acquire(address string, generation any, s Server) (addr net.Addr, release func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ln := l.open[address]
	if ln == nil {
		if ln, err = listen(address); err != nil {
			return nil, nil, fmt.Errorf("explain: %w", err)
		}
		if l.open == nil {
			l.open = make(map[string]*listener)
		}
		l.open[address] = ln
	}
	u := &user{generation, s}
	ln.mu.Lock()
	defer ln.mu.Unlock()
	ln.users = append(ln.users, u)
	return ln.addr, func() { l.release(address, ln, u) }, nil
}

func listen(address string) (*listener, error) {
	ln, err := net.Listen("tcp", address) //nolint:noctx // it does not wait: an address needs no look-up
	if err != nil {
		return nil, err
	}
	l := &listener{done: make(chan struct{}), addr: ln.Addr()}
	host, _, _ := net.SplitHostPort(address)
	l.server = &http.Server{
		Handler: newHandler(host, l.servers), ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second,
		IdleTimeout: 30 * time.Second, MaxHeaderBytes: 8 << 10,
	}
	go func() {
		defer close(l.done)
		_ = l.server.Serve(ln) // it returns when it is closed
	}()
	return l, nil
}

// servers returns those of the newest generation.
func (l *listener) servers() []Server {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []Server
	for _, u := range l.users {
		if u.generation == l.users[len(l.users)-1].generation {
			list = append(list, u.server)
		}
	}
	return list
}

// release removes a user, and closes the listener after the last one.
func (l *Listeners) release(address string, ln *listener, u *user) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ln.mu.Lock()
	ln.users = slices.DeleteFunc(ln.users, func(other *user) bool { return other == u })
	last := len(ln.users) == 0
	ln.mu.Unlock()
	if last && l.open[address] == ln {
		delete(l.open, address)
		_ = ln.server.Close() // nobody could do anything about it
		<-ln.done
	}
}
