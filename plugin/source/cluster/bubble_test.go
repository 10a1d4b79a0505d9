package cluster

import (
	"context"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/rest"

	"github.com/coredns-headless/headless/plugin/source"
)

// client-go's handlers of errors share a rate limiter, which would carry one bubble's clock into the next.
func TestMain(m *testing.M) {
	utilruntime.ErrorHandlers = nil
	os.Exit(m.Run())
}

// bubble runs a subtest in a bubble, where time passes only while everybody waits.
func bubble(t *testing.T, name string, test func(*testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// synced is a watch of s that is up to date, in a bubble.
func synced(t *testing.T, s *apiServer, namespaces ...string) *source.Source {
	t.Helper()
	w := watchCluster(t, s, namespaces...)
	synctest.Wait()
	if !w.Tree().IsDone() || w.Stale() {
		t.Fatalf("synced %t, stale %t", w.Tree().IsDone(), w.Stale())
	}
	return w
}

// watchCluster starts a watch of s, which the test's end stops.
func watchCluster(t *testing.T, s *apiServer, namespaces ...string) *source.Source {
	t.Helper()
	return start(t, s.config(), namespaces...)
}

func start(t *testing.T, config *rest.Config, namespaces ...string) *source.Source {
	t.Helper()
	w, err := Open("test", config, namespaces)
	must(t, err)
	w.Start()
	t.Cleanup(w.Stop)
	return w
}

// pipes is a listener whose connections lead through memory: a bubble's clock stands still while a goroutine waits for
// a socket.
type pipes struct {
	accept chan net.Conn
	closed chan struct{}
	close  func()

	mu   sync.Mutex
	open []net.Conn
}

var _ net.Listener = (*pipes)(nil)

func newPipes() *pipes {
	p := &pipes{accept: make(chan net.Conn), closed: make(chan struct{})}
	p.close = sync.OnceFunc(func() { close(p.closed) })
	return p
}

// dial is for rest.Config.
func (p *pipes) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.accept <- server:
		p.mu.Lock()
		defer p.mu.Unlock()
		p.open = append(p.open, server)
		return client, nil
	case <-p.closed:
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// cut closes all connections.
func (p *pipes) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.open {
		_ = c.Close() // a pipe's never fails
	}
	p.open = nil
}

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accept:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipes) Close() error {
	p.close()
	return nil
}

// Addr implements net.Listener.
func (p *pipes) Addr() net.Addr { return new(net.UnixAddr) }
