package fault

import (
	"bytes"
	"context"
	"encoding/json"
	"syscall"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"

	"github.com/coredns-headless/headless/test/controlplane"
)

// A Proxy stands between CoreDNS and the API server, and harms what passes.
type Proxy struct{ p *toxiproxy.Proxy }

// NewProxy passes connections on to a server until the test ends.
func NewProxy(tb testing.TB, to string) *Proxy {
	tb.Helper()
	port, err := controlplane.FreePort()
	if err != nil {
		tb.Fatal(err)
	}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	x := &Proxy{toxiproxy.NewProxy(server, "apiserver", "127.0.0.1:"+port, to)}
	if err := x.p.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(x.p.Stop)
	return x
}

// Address is where the server is reached through the proxy.
func (x *Proxy) Address() string { return x.p.Listen }

// Cut breaks all connections. New ones are accepted.
func (x *Proxy) Cut(tb testing.TB) {
	tb.Helper()
	x.Lead(tb, x.p.Upstream)
}

// Lead breaks all connections. New ones lead to another server.
func (x *Proxy) Lead(tb testing.TB, to string) {
	tb.Helper()
	syscall.ForkLock.RLock() // as in FreePort: the old listener must be gone before the new one begins
	defer syscall.ForkLock.RUnlock()
	x.p.Stop()
	x.p.Upstream = to
	if err := x.p.Start(); err != nil {
		tb.Fatal(err)
	}
}

// Harm does harm of a kind to what the server says, until mend is called.
func (x *Proxy) Harm(tb testing.TB, kind string, attributes map[string]int) (mend func()) {
	tb.Helper()
	text, err := json.Marshal(map[string]any{"type": kind, "attributes": attributes})
	if err != nil {
		tb.Fatal(err)
	}
	w, err := x.p.Toxics.AddToxicJson(bytes.NewReader(text))
	if err != nil {
		tb.Fatal(err)
	}
	return func() {
		if err := x.p.Toxics.RemoveToxic(context.Background(), w.Name); err != nil {
			tb.Error(err)
		}
	}
}

func init() {
	zerolog.SetGlobalLevel(zerolog.Disabled) // toxics have loggers of their own
	toxics.Register("garbage", new(garbage))
}

// garbage is a toxic that flips a bit of every chunk of data.
type garbage struct{}

// Pipe implements toxics.Toxic.
func (*garbage) Pipe(stub *toxics.ToxicStub) {
	for {
		select {
		case <-stub.Interrupt:
			return
		case c := <-stub.Input:
			if c == nil {
				stub.Close()
				return
			}
			data := bytes.Clone(c.Data)
			data[len(data)/2] ^= 1
			stub.Output <- &stream.StreamChunk{Data: data, Timestamp: c.Timestamp}
		}
	}
}
