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

	stanzas []*stanza
	origins []*origin // most labels first: the longest match is the first
	// zoneSOA tells what *kubernetes* says of the cluster zones it shares with this plugin; nil where it is not in the chain.
	zoneSOA    soaSource
	generation *generation
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
			for _, o := range h.origins {
				labels, ok := n.Below(&o.name)
				switch {
				case !ok:
				case o.guest:
					return h.serveGuest(ctx, w, r, o, &n, labels)
				default:
					return h.serveSuffix(ctx, w, r, o, &n, labels)
				}
			}
		}
	}
	return h.next(ctx, w, r)
}

func (h *Headless) next(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	return plugin.NextOrFailure(name, h.Next, ctx, w, r)
}

// serveGuest answers only names that nobody else has. It never denies one.
func (h *Headless) serveGuest(ctx context.Context, w dns.ResponseWriter, r *dns.Msg, o *origin, n *tree.Name, labels int) (int, error) {
	qtype := r.Question[0].Qtype
	var p tree.Path
	ok := labels > 0 && string(n.Label(labels-1)) == "svc"
	if ok {
		p, ok = o.path(n, labels-1)
	}
	if !ok || p.N < 2 || isTransfer(qtype) || p.N == 3 && qtype == dns.TypeSRV || !o.stanza.tree.Synced(p.Labels[0]) {
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
		return o.write(w, resultAnswer, reply.Addresses(r, o.stanza.TTL, a.Addrs))
	}
	return o.write(w, resultNoData, reply.Negative(r, dns.RcodeSuccess, h.guestSOA(w, r, o)))
}

// guestSOA is the SOA of the plugin that serves the zone, or what it would be.
func (h *Headless) guestSOA(w dns.ResponseWriter, r *dns.Msg, o *origin) *dns.SOA {
	if h.zoneSOA == nil {
		return o.soa(r)
	}
	state := request.Request{W: w, Req: r, Zone: o.zone}
	soa := reply.SOA(spelled(r, o.zone), h.zoneSOA.MinTTL(state), h.zoneSOA.Serial(state))
	soa.Hdr.Ttl = min(soa.Hdr.Ttl, 300) // seconds, as plugin.SOA
	return soa
}

// serveSuffix answers everything below a suffix, or leaves the rest to whom it is shared with.
func (h *Headless) serveSuffix(ctx context.Context, w dns.ResponseWriter, r *dns.Msg, o *origin, n *tree.Name, labels int) (int, error) {
	qtype := r.Question[0].Qtype
	p, ok := o.path(n, labels)
	switch {
	case isTransfer(qtype) && !o.shared:
		return dns.RcodeRefused, nil // *transfer* stands before and has declined
	case o.shared && (labels == 0 || isTransfer(qtype)):
		o.count[resultNext].Inc()
		return h.next(ctx, w, r)
	case !o.synced(&p) && o.shared:
		d := &doubter{ResponseWriter: w, r: r}
		code, err := h.next(ctx, d, r)
		if d.doubted {
			o.count[resultServfail].Inc()
		} else {
			o.count[resultNext].Inc()
		}
		return code, err
	case !o.synced(&p):
		o.count[resultServfail].Inc()
		return dns.RcodeServerFailure, nil
	case labels == 0 && qtype == dns.TypeSOA:
		return o.write(w, resultAnswer, reply.Records(r, o.soa(r)))
	}
	var a tree.Answer
	var buf [few]netip.Addr
	if ok {
		a = o.stanza.tree.Find(&p, tree.Query{Family: family(qtype), NotReady: o.stanza.NotReady, Buf: buf[:0]})
	}
	if labels == 0 && a.Status != tree.Service || a.Status == tree.None && h.above(n) {
		// An apex exists, whether or not what it is grafted onto does; and so does what another origin lies below.
		a = tree.Answer{Status: tree.Empty}
	}
	switch {
	case o.shared && (a.Status == tree.None || a.Status == tree.Empty):
		o.count[resultNext].Inc()
		return h.next(ctx, w, r)
	case len(a.Addrs) > 0:
		return o.write(w, resultAnswer, reply.Addresses(r, o.stanza.TTL, a.Addrs))
	case a.Status == tree.None:
		return o.write(w, resultNXDomain, reply.Negative(r, dns.RcodeNameError, o.soa(r)))
	}
	return o.write(w, resultNoData, reply.Negative(r, dns.RcodeSuccess, o.soa(r)))
}

// write sends m. What WriteMsg says goes nowhere, as in the plugins of CoreDNS: the client is gone then.
func (o *origin) write(w dns.ResponseWriter, result int, m *dns.Msg) (int, error) {
	o.count[result].Inc()
	_ = w.WriteMsg(m)
	return dns.RcodeSuccess, nil // written, also where the rcode in m is another
}

func (o *origin) soa(r *dns.Msg) *dns.SOA {
	return reply.SOA(spelled(r, o.zone), o.stanza.TTL, o.stanza.tree.Serial())
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

// doubter turns a denial into SERVFAIL: before the first sync nobody can say that a name of a shared suffix does not exist.
type doubter struct {
	dns.ResponseWriter
	r       *dns.Msg
	doubted bool
}

// WriteMsg implements dns.ResponseWriter.
func (d *doubter) WriteMsg(m *dns.Msg) error {
	if m.Truncated {
		return d.ResponseWriter.WriteMsg(m) // it says nothing yet: the client asks again over TCP
	}
	referral := len(m.Ns) > 0 && m.Ns[0].Header().Rrtype == dns.TypeNS && !m.Authoritative
	if m.Rcode == dns.RcodeNameError || m.Rcode == dns.RcodeSuccess && len(m.Answer) == 0 && !referral {
		m = new(dns.Msg).SetRcode(d.r, dns.RcodeServerFailure)
		d.doubted = true
	}
	return d.ResponseWriter.WriteMsg(m)
}
