package fault

import (
	"io"
	"net"
	"sync"
	"testing"
)

// A Line leads connections to an API server, and breaks them.
type Line struct {
	// Address is where the API server is reached over the line.
	Address string

	to   string
	mu   sync.Mutex
	shut bool
	open map[net.Conn]bool // both ends of each connection
}

// NewLine leads to a server until the test ends.
func NewLine(tb testing.TB, to string) *Line {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	x := &Line{Address: l.Addr().String(), to: to, open: make(map[net.Conn]bool)}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			wg.Go(func() { x.lead(conn) })
		}
	})
	tb.Cleanup(func() {
		l.Close()
		x.Shut()
		wg.Wait()
	})
	return x
}

// lead copies both ways until either end closes.
func (x *Line) lead(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", x.to)
	if err != nil {
		return // nobody listens there now
	}
	defer server.Close()
	x.mu.Lock()
	if x.shut {
		x.mu.Unlock()
		return
	}
	x.open[client], x.open[server] = true, true
	x.mu.Unlock()
	var wg sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{client: server, server: client} {
		wg.Go(func() {
			_, _ = io.Copy(to, from) // one end's end is both ends' end
			from.Close()
			to.Close()
		})
	}
	wg.Wait()
	x.mu.Lock()
	delete(x.open, client)
	delete(x.open, server)
	x.mu.Unlock()
}

// Cut breaks all connections. New ones are led on.
func (x *Line) Cut() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for conn := range x.open {
		conn.Close()
	}
}

// Shut breaks all connections, and new ones as soon as they begin, until Open.
func (x *Line) Shut() {
	x.mu.Lock()
	x.shut = true
	x.mu.Unlock()
	x.Cut()
}

// Open leads new connections on.
func (x *Line) Open() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.shut = false
}
