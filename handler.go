// Package headless is a CoreDNS plugin that makes the pods behind headless Services resolve: under short names in the
// cluster zone, as a guest of *kubernetes*, and under suffixes of which it is the authority.
package headless

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/dnsname"
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
	// tell sends the secondaries of a zone a NOTIFY, through *transfer*; nil where that is not in the chain.
	tell func(zone string) error

	explains bool // a page does, of this server block
	server   atomic.Pointer[dnsserver.Server]
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

// verdict is what there is to do with a query: to write m, to go where an alias leads, or what result says.
type verdict struct {
	result int
	count  *counters // nil outside all origins
	m      *dns.Msg
	alias  *alias
	// refused and doubt stand instead of a result: a transfer that nobody allowed, and a name that nobody knows yet.
	refused, doubt bool
}

// ServeDNS implements plugin.Handler.
func (h *Headless) ServeDNS(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	// CoreDNS answers each query over UDP in a goroutine of its own, whose stack begins small and is copied whenever it must grow. So
	// what decides takes little of it, and has given that back before anybody else is called.
	if h.explains {
		h.trace(ctx, r)
	}
	v := h.decide(w, r)
	switch {
	case v.m != nil:
		return v.count.write(w, v.result, v.m)
	case v.alias != nil:
		return v.alias.serve(ctx, w)
	case v.refused:
		return dns.RcodeRefused, nil
	case v.doubt:
		return h.doubt(ctx, w, r, v.count)
	case v.result == resultServfail:
		return v.count.servfail()
	case v.count != nil:
		v.count[resultNext].Inc()
	}
	return h.next(ctx, w, r)
}

// scratch is what a decision is made on. It is reused, rather than taken from the stack of each query.
type scratch struct {
	name dnsname.Name
	path tree.Path
	buf  [few]netip.Addr
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// decide says what to do with a query.
//
//go:noinline
func (h *Headless) decide(w dns.ResponseWriter, r *dns.Msg) (v verdict) {
	v.result = resultNext
	if r.Opcode != dns.OpcodeQuery || len(r.Question) != 1 || r.Question[0].Qclass != dns.ClassINET {
		return v
	}
	s := scratches.Get().(*scratch)
	if s.name.Parse(r.Question[0].Name) {
		switch o, labels := h.origin(&s.name); {
		case o == nil && len(h.networks) > 0:
			h.decideReverse(&v, w, r, s)
		case o == nil:
		case o.guest:
			h.decideGuest(&v, w, r, o, s, labels)
		default:
			h.decideSuffix(&v, r, o, s, labels)
		}
	}
	scratches.Put(s)
	return v
}

// origin finds the origin that n lies in, and how many labels more n has.
func (h *Headless) origin(n *dnsname.Name) (o *origin, labels int) {
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

// decideGuest answers only names that nobody else has. It never denies one.
func (h *Headless) decideGuest(v *verdict, w dns.ResponseWriter, r *dns.Msg, o *origin, s *scratch, labels int) {
	v.count = &o.count
	qtype := r.Question[0].Qtype
	if !o.guestPath(&s.path, &s.name, labels) || isTransfer(qtype) || !o.stanza.tree.Synced(s.path.Labels[0]) {
		return
	}
	a := o.stanza.tree.FindGuest(&s.path, tree.Query{Family: family(qtype), NotReady: o.stanza.NotReady, Buf: s.buf[:0]})
	switch {
	case a.Status == tree.None:
		return
	case len(a.Addrs) > 0:
		v.answer(reply.Addresses(r, o.stanza.TTL, a.Addrs))
		return
	case qtype == dns.TypeSRV:
		if targets := o.stanza.tree.GuestTargets(&s.path, o.stanza.NotReady); len(targets) > 0 {
			name := r.Question[0].Name // a pod's ports are the pod's
			v.answer(reply.Services(r, o.stanza.TTL, targets, func(string) (string, bool) { return name, true }))
			return
		}
	}
	v.deny(resultNoData, r, h.guestSOA(w, r, o.zone, o.stanza))
}

func (v *verdict) answer(m *dns.Msg) { v.result, v.m = resultAnswer, m }

// deny says that there is no such name, or nothing of the type at it.
func (v *verdict) deny(result int, r *dns.Msg, soa *dns.SOA) {
	rcode := dns.RcodeSuccess
	if result == resultNXDomain {
		rcode = dns.RcodeNameError
	}
	v.result, v.m = result, reply.Negative(r, rcode, soa)
}

// guestPath sets p to where in the tree a name leads that can be a guest's, and reports false for any other.
func (o *origin) guestPath(p *tree.Path, n *dnsname.Name, labels int) bool {
	return labels > 0 && string(n.Label(labels-1)) == "svc" && o.path(p, n, labels-1) && (p.N == 2 || p.N == 3)
}

// guestSOA is the SOA of the plugin that serves the zone, or what it would be.
func (h *Headless) guestSOA(w dns.ResponseWriter, r *dns.Msg, zone string, s *stanza) *dns.SOA {
	zone = spelled(r, zone)
	ns := dnsname.Under("ns.dns.", zone)
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

// servfail lets the server reply.
func (c *counters) servfail() (int, error) {
	c[resultServfail].Inc()
	return dns.RcodeServerFailure, nil
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
