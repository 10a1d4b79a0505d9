package scale

import (
	"io"
	"net"
	"sync"
	"sync/atomic"

	"github.com/coredns-headless/headless/test/controlplane"
)

// A proxy stands between one CoreDNS and the API server, and counts what comes from there.
type proxy struct {
	address  string // on loopback
	received atomic.Int64

	to       string
	listener net.Listener
	wg       sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]bool
	open   chan struct{} // closed unless the proxy holds
	closed bool
}

func newProxy(to string) (*proxy, error) {
	port, err := controlplane.FreePort()
	if err != nil {
		return nil, err
	}
	p := &proxy{address: "127.0.0.1:" + port, to: to, conns: make(map[net.Conn]bool), open: make(chan struct{})}
	close(p.open)
	if p.listener, err = net.Listen("tcp", p.address); err != nil {
		return nil, err
	}
	p.wg.Go(func() {
		for {
			conn, err := p.listener.Accept()
			if err != nil {
				return // closed
			}
			p.wg.Go(func() { p.serve(conn) })
		}
	})
	return p, nil
}

func (p *proxy) serve(client net.Conn) {
	open, ok := p.keep(client)
	defer p.drop(client)
	if !ok {
		return
	}
	<-open
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		return // as a client sees it: closed
	}
	defer p.drop(server)
	if _, ok := p.keep(server); !ok {
		return
	}
	p.wg.Go(func() {
		_, _ = io.Copy(server, client) // either side's end is both sides' end
		p.drop(client)
		p.drop(server)
	})
	_, _ = io.Copy(counter{client, &p.received}, server)
}

// counter counts what is written.
type counter struct {
	io.Writer
	n *atomic.Int64
}

func (c counter) Write(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	return c.Writer.Write(b)
}

// keep notes a connection for hold and stop, and says what it has to wait for.
func (p *proxy) keep(c net.Conn) (open chan struct{}, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = true
	return p.open, !p.closed
}

func (p *proxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	c.Close()
}

// hold breaks all connections, and lets new ones wait.
func (p *proxy) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = make(chan struct{})
	for c := range p.conns {
		c.Close()
	}
}

// release lets those that wait go on.
func (p *proxy) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.open:
	default:
		close(p.open)
	}
}

func (p *proxy) stop() {
	p.mu.Lock()
	p.closed = true
	for c := range p.conns {
		c.Close()
	}
	p.mu.Unlock()
	p.listener.Close()
	p.release()
	p.wg.Wait()
}
