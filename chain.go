package headless

import (
	"context"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/etcd/msg"
	"github.com/coredns/coredns/plugin/pkg/nonwriter"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"
)

// backend is the part of plugin.ServiceBackend that this plugin asks of *kubernetes*, without the plugins behind that.
type backend interface {
	Serial(state request.Request) uint32
	MinTTL(state request.Request) uint32
	Reverse(ctx context.Context, state request.Request, exact bool, opt plugin.Options) ([]msg.Service, error)
}

// chain are the plugins that may serve the cluster zones: *kubernetes*, and *file*. It implements zone.Behind.
type chain struct {
	kubernetes backend                 // nil where the chain does not have it
	alone      func() []plugin.Handler // called at the first query, when they have started

	mu   sync.Mutex
	kept map[dns.Question]keptAddrs
}

type keptAddrs struct {
	addrs []netip.Addr
	until time.Time
}

// newChain returns the plugins of a chain, by the function that finds them.
func newChain(handler func(name string) plugin.Handler) *chain {
	c := &chain{kept: make(map[dns.Question]keptAddrs)}
	c.kubernetes, _ = handler("kubernetes").(backend)
	c.alone = sync.OnceValue(func() (list []plugin.Handler) {
		for _, name := range []string{"kubernetes", "file"} {
			if h := alone(handler(name)); h != nil {
				list = append(list, h)
			}
		}
		return list
	})
	return c
}

// alone returns a copy of a plugin that no plugin follows, so that a query which it would pass on has no answer. It
// returns nil for a plugin without a field Next.
func alone(handler plugin.Handler) plugin.Handler {
	v := reflect.ValueOf(handler)
	original := reflect.Indirect(v)
	if original.Kind() != reflect.Struct {
		return nil
	}
	other := reflect.New(original.Type())
	other.Elem().Set(original)
	next := other.Elem().FieldByName("Next")
	if !next.IsValid() || !next.CanSet() {
		return nil
	}
	next.SetZero()
	if v.Kind() == reflect.Struct {
		other = other.Elem()
	}
	h, _ := reflect.TypeAssert[plugin.Handler](other)
	return h
}

// SOA implements zone.Behind.
func (c *chain) SOA(r *dns.Msg, zone string) (minTTL, serial uint32, ok bool) {
	if c.kubernetes == nil {
		return 0, 0, false
	}
	state := request.Request{W: new(localClient), Req: r, Zone: zone}
	return c.kubernetes.MinTTL(state), c.kubernetes.Serial(state), true
}

// Names implements zone.Behind. An error is that it has none.
func (c *chain) Names(r *dns.Msg) []string {
	if c.kubernetes == nil {
		return nil
	}
	state := request.Request{W: new(localClient), Req: r}
	services, err := c.kubernetes.Reverse(context.Background(), state, true, plugin.Options{})
	if err != nil {
		return nil
	}
	names := make([]string, len(services))
	for i, s := range services {
		names[i] = s.Host
	}
	return names
}

// Addresses are kept for as long as their records say, but for no longer than maxKeep, and at most maxKept of them.
const (
	maxKeep = time.Minute
	maxKept = 10_000
)

// Addrs implements zone.Behind.
func (c *chain) Addrs(name string, qtype uint16) []netip.Addr {
	q := dns.Question{Name: name, Qtype: qtype, Qclass: dns.ClassINET}
	now := time.Now()
	c.mu.Lock()
	k, ok := c.kept[q]
	c.mu.Unlock()
	if ok && now.Before(k.until) {
		return k.addrs
	}
	k.addrs = nil
	keep := maxKeep
	for _, h := range c.alone() {
		w := nonwriter.New(new(localClient))
		_, err := h.ServeDNS(context.Background(), w, new(dns.Msg).SetQuestion(name, qtype))
		if err != nil || w.Msg == nil {
			continue
		}
		for _, rr := range w.Msg.Answer {
			keep = min(keep, time.Duration(rr.Header().Ttl)*time.Second)
			switch rr := rr.(type) {
			case *dns.A:
				k.addrs = appendAddr(k.addrs, rr.A)
			case *dns.AAAA:
				k.addrs = appendAddr(k.addrs, rr.AAAA)
			}
		}
		if len(k.addrs) > 0 {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) >= maxKept {
		clear(c.kept)
	}
	if k.until = now.Add(keep); len(k.addrs) > 0 {
		c.kept[q] = k
	}
	return k.addrs
}

func appendAddr(list []netip.Addr, ip []byte) []netip.Addr {
	a, ok := netip.AddrFromSlice(ip)
	if !ok {
		return list
	}
	return append(list, a.Unmap())
}

// exposed lists the namespaces that *kubernetes* is limited to, sorted; none if it is not. Only a field of it says
// so, and importing *kubernetes* would register it.
func exposed(handler plugin.Handler) []string {
	v := reflect.Indirect(reflect.ValueOf(handler))
	if v.Kind() != reflect.Struct {
		return nil
	}
	f := v.FieldByName("Namespaces")
	if !f.IsValid() {
		return nil
	}
	namespaces, _ := reflect.TypeAssert[map[string]struct{}](f)
	return slices.Sorted(maps.Keys(namespaces))
}
