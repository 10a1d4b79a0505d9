package explain

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/netutil"
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
	users  []*user // those of the newest generation last
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
		socket, err := net.Listen("tcp", address) //nolint:noctx // it does not wait: an address needs no look-up
		if err != nil {
			return nil, nil, fmt.Errorf("explain: %w", err)
		}
		host, _, _ := net.SplitHostPort(address)
		ln = l.serve(host, socket)
		if l.open == nil {
			l.open = make(map[string]*listener)
		}
		l.open[address] = ln
	}
	u := &user{generation, s}
	ln.users = append(ln.users, u)
	return ln.addr, func() { l.release(address, ln, u) }, nil
}

// maxConnections bounds the connections to one address, so that idle ones leave file descriptors to DNS over TCP.
const maxConnections = 64

func (l *Listeners) serve(host string, socket net.Listener) *listener {
	ln := &listener{done: make(chan struct{}), addr: socket.Addr()}
	ln.server = &http.Server{
		Handler:     newHandler(host, func() []Server { return l.newest(ln) }),
		ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 30 * time.Second,
		MaxHeaderBytes: 8 << 10,
	}
	go func() {
		defer close(ln.done)
		_ = ln.server.Serve(netutil.LimitListener(socket, maxConnections)) // it returns when it is closed
	}()
	return ln
}

// newest returns the servers of the newest generation.
func (l *Listeners) newest(ln *listener) []Server {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []Server
	for _, u := range ln.users {
		if u.generation == ln.users[len(ln.users)-1].generation {
			list = append(list, u.server)
		}
	}
	return list
}

// release removes a user, and closes the listener after the last one.
func (l *Listeners) release(address string, ln *listener, u *user) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ln.users = slices.DeleteFunc(ln.users, func(other *user) bool { return other == u })
	if len(ln.users) == 0 && l.open[address] == ln {
		delete(l.open, address)
		_ = ln.server.Close() // nobody could do anything about it
		<-ln.done
	}
}
