// Package headless is a CoreDNS plugin that makes the pods behind headless Services resolve: under short names in the
// cluster zone, as a guest of *kubernetes*, and under suffixes of which it is the authority.
package headless

import (
	"context"
	"net/netip"
	"strings"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/reply"
	"github.com/coredns-headless/headless/plugin/tree"
)

// Version is the plugin's own.
const Version = "0.1.0"

const name = "headless"

// Headless answers for all headless stanzas of a server block.
type Headless struct {
	Next plugin.Handler

	stanzas  []*stanza
	origins  []*origin  // most labels first: the longest match is the first
	networks []*network // longest prefix first
	// zoneSOA tells what *kubernetes* says of the cluster zones it shares with this plugin; nil where it is not in the chain.
	zoneSOA    soaSource
	generation *generation
	// upstream resolves a name through CoreDNS itself.
	upstream func(context.Context, request.Request, string, uint16) (*dns.Msg, error)
}

// soaSource is the part of plugin.ServiceBackend that a SOA record is made of.
type soaSource interface {
	Serial(request.Request) uint32
	MinTTL(request.Request) uint32
}

// few is how many addresses a look-up holds without allocating.
const few = 8

// Name implements plugin.Handler. It must equal the directive: other plugins find this one by it.
func (h *Headless) Name() string { return name }

// ServeDNS implements plugin.Handler.
func (h *Headless) ServeDNS(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	if r.Opcode == dns.OpcodeQuery && len(r.Question) == 1 && r.Question[0].Qclass == dns.ClassINET {
		var n tree.Name
		if n.Parse(r.Question[0].Name) {
			switch o, labels := h.origin(&n); {
			case o == nil && len(h.networks) > 0:
				return h.serveReverse(ctx, w, r, &n)
			case o == nil:
			case o.guest:
				return h.serveGuest(ctx, w, r, o, &n, labels)
			default:
				return h.serveSuffix(ctx, w, r, o, &n, labels)
			}
		}
	}
	return h.next(ctx, w, r)
}

// origin finds the origin that n lies in, and how many labels more n has.
func (h *Headless) origin(n *tree.Name) (o *origin, labels int) {
	for _, o := range h.origins {
		if labels, ok := n.Below(&o.name); ok {
			return o, labels
		}
	}
	return nil, 0
}

func (h *Headless) next(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	return plugin.NextOrFailure(name, h.Next, ctx, w, r)
}

// serveGuest answers only names that nobody else has. It never denies one.
func (h *Headless) serveGuest(ctx context.Context, w dns.ResponseWriter, r *dns.Msg, o *origin, n *tree.Name, labels int) (int, error) {
	qtype := r.Question[0].Qtype
	p, ok := o.guestPath(n, labels)
	if !ok || isTransfer(qtype) || !o.stanza.tree.Synced(p.Labels[0]) {
		o.count[resultNext].Inc()
		return h.next(ctx, w, r)
	}
	var buf [few]netip.Addr
	a := o.stanza.tree.FindGuest(&p, tree.Query{Family: family(qtype), NotReady: o.stanza.NotReady, Buf: buf[:0]})
	switch {
	case a.Status == tree.None:
		o.count[resultNext].Inc()
		return h.next(ctx, w, r)
	case len(a.Addrs) > 0:
		return o.count.write(w, resultAnswer, reply.Addresses(r, o.stanza.TTL, a.Addrs))
	case qtype == dns.TypeSRV:
		if targets := o.stanza.tree.GuestTargets(&p, o.stanza.NotReady); len(targets) > 0 {
			name := r.Question[0].Name // a pod's ports are the pod's
			return o.count.write(w, resultAnswer, reply.Services(r, o.stanza.TTL, targets, func(string) (string, bool) { return name, true }))
		}
	}
	return o.count.write(w, resultNoData, reply.Negative(r, dns.RcodeSuccess, h.guestSOA(w, r, o.zone, o.stanza)))
}

// guestPath is where in the tree a name leads that can be a guest's.
func (o *origin) guestPath(n *tree.Name, labels int) (p tree.Path, ok bool) {
	if labels == 0 || string(n.Label(labels-1)) != "svc" {
		return p, false
	}
	p, ok = o.path(n, labels-1)
	return p, ok && (p.N == 2 || p.N == 3)
}

// guestSOA is the SOA of the plugin that serves the zone, or what it would be.
func (h *Headless) guestSOA(w dns.ResponseWriter, r *dns.Msg, zone string, s *stanza) *dns.SOA {
	zone = spelled(r, zone)
	ns := reply.Under("ns.dns.", zone)
	if h.zoneSOA == nil {
		return reply.SOA(zone, ns, s.TTL, s.tree.Serial(new(tree.Path)))
	}
	state := request.Request{W: w, Req: r, Zone: zone}
	soa := reply.SOA(zone, ns, h.zoneSOA.MinTTL(state), h.zoneSOA.Serial(state))
	soa.Hdr.Ttl = min(soa.Hdr.Ttl, 300) // seconds, as plugin.SOA
	return soa
}

// write sends m. What WriteMsg says goes nowhere, as in the plugins of CoreDNS: the client is gone then.
func (c *counters) write(w dns.ResponseWriter, result int, m *dns.Msg) (int, error) {
	c[result].Inc()
	_ = w.WriteMsg(m)
	return dns.RcodeSuccess, nil // written, also where the rcode in m is another
}

// spelled is zone as the query spells it, since 0x20 clients want their own case back.
func spelled(r *dns.Msg, zone string) string {
	q := r.Question[0].Name
	if at := len(q) - len(zone); at >= 0 && strings.EqualFold(q[at:], zone) {
		return q[at:]
	}
	return zone
}

func family(qtype uint16) tree.Family {
	switch qtype {
	case dns.TypeA:
		return tree.IPv4
	case dns.TypeAAAA:
		return tree.IPv6
	}
	return tree.NoFamily
}

func isTransfer(qtype uint16) bool { return qtype == dns.TypeAXFR || qtype == dns.TypeIXFR }
