package headless

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/zone"
)

// lookup is Upstream.Lookup of CoreDNS: it resolves a name through all of CoreDNS.
type lookup func(ctx context.Context, state request.Request, name string, qtype uint16) (*dns.Msg, error)

// upstream resolves the targets of ExternalName Services. Look-ups of one target that are under way for one client are
// joined, so that two servers that send each other a target in a loop make a few queries and not hundreds.
type upstream struct {
	lookup lookup

	mu    sync.Mutex
	calls map[call]*result
}

// call is what makes two look-ups the same one: plugins may answer clients differently, and with DNSSEC records or
// without.
type call struct {
	target, client string
	qtype          uint16
	do, cd         bool
}

type result struct {
	done chan struct{}
	m    *dns.Msg
}

// joinFor is how long a query waits for the look-up of another one.
const joinFor = 2 * time.Second

type callsKey struct{}

// ask returns the answer for a target, which callers share and must not change, and nil where there is none. It bounds
// how deep look-ups lie in one another: no other plugin does. One that lies in itself has no answer.
func (u *upstream) ask(ctx context.Context, w dns.ResponseWriter, r *dns.Msg, target string) *dns.Msg {
	state := request.Request{W: w, Req: r}
	c := call{strings.ToLower(target), state.IP(), state.QType(), state.Do(), r.CheckingDisabled}
	depth, _ := ctx.Value(dnsserver.LoopKey{}).(int)
	outer, _ := ctx.Value(callsKey{}).([]call)
	if depth >= zone.MaxChain || slices.Contains(outer, c) {
		return nil
	}
	u.mu.Lock()
	if other := u.calls[c]; other != nil {
		u.mu.Unlock()
		return other.wait(ctx)
	}
	res := &result{done: make(chan struct{})}
	if u.calls == nil {
		u.calls = make(map[call]*result)
	}
	u.calls[c] = res
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		delete(u.calls, c)
		u.mu.Unlock()
		close(res.done)
	}()
	ctx = context.WithValue(ctx, dnsserver.LoopKey{}, depth+1)
	ctx = context.WithValue(ctx, callsKey{}, append(slices.Clip(outer), c))
	m, err := u.lookup(ctx, state, target, c.qtype)
	if err == nil {
		res.m = m
	}
	return res.m
}

func (r *result) wait(ctx context.Context) *dns.Msg {
	ctx, cancel := context.WithTimeout(ctx, joinFor)
	defer cancel()
	select {
	case <-r.done:
		return r.m
	case <-ctx.Done():
		return nil
	}
}

// isAsking reports whether a query is a look-up of ask.
func isAsking(ctx context.Context) bool { return ctx.Value(callsKey{}) != nil }
