package headless

import (
	"context"
	"slices"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/dnsname"
	"github.com/coredns-headless/headless/plugin/reply"
	"github.com/coredns-headless/headless/plugin/tree"
)

// maxChain bounds CNAMEs in the tree, and look-ups through CoreDNS itself inside one another.
const maxChain = 8

// alias is the way from an ExternalName Service to where it leads.
type alias struct {
	h *Headless
	o *origin
	r *dns.Msg

	target string // of the Service
	owner  string // of the next record
	// flat says that addresses stand at owner, since a CNAME cannot stand at an apex (RFC 1034 section 3.6.2), or would tell a name
	// of the cluster zone.
	flat   bool
	answer []dns.RR
}

// place is what a domain name is to an origin.
type place struct {
	name   string // below the suffix, where it lies below the grafted node; else as given
	path   tree.Path
	known  bool // path leads to it
	hidden bool // it lies in a cluster zone, not below the grafted node
}

// serve answers at the name of an ExternalName Service.
func (a *alias) serve(ctx context.Context, w dns.ResponseWriter) (int, error) {
	o, r, target := a.o, a.r, a.target
	fam := family(r.Question[0].Qtype)
	seen := make([]string, 0, 1)
	for {
		at := o.place(target, spelled(r, o.zone))
		loops := slices.Contains(seen, target) || len(seen) == maxChain
		a.flat = a.flat || at.hidden
		if !a.flat && !loops {
			a.answer = append(a.answer, reply.CNAME(a.owner, o.stanza.TTL, at.name))
			a.owner = at.name
		}
		switch {
		case a.flat && loops:
			return o.count.servfail()
		case fam == tree.NoFamily && len(a.answer) == 0:
			return o.count.write(w, resultNoData, reply.Negative(r, dns.RcodeSuccess, o.soa(r)))
		case loops, fam == tree.NoFamily:
			return o.count.write(w, resultAnswer, reply.Records(r, a.answer, nil))
		case !at.known:
			return a.ask(ctx, w, target)
		case !o.synced(&at.path):
			return o.count.servfail()
		}
		found := o.stanza.tree.Find(&at.path, tree.Query{Family: fam, NotReady: o.stanza.NotReady})
		switch {
		case found.Status == tree.Alias:
			seen, target = append(seen, target), found.External
			continue
		case len(found.Addrs) > 0:
			for _, addr := range found.Addrs {
				a.answer = append(a.answer, reply.Address(a.owner, o.stanza.TTL, addr))
			}
			return o.count.write(w, resultAnswer, reply.Records(r, a.answer, nil))
		case found.Status == tree.None && at.hidden:
			return a.ask(ctx, w, target) // *kubernetes* may have it
		case found.Status == tree.None && !a.flat:
			return a.negative(w, resultNXDomain, dns.RcodeNameError, o.soa(r))
		}
		return a.negative(w, resultNoData, dns.RcodeSuccess, o.soa(r))
	}
}

// place finds out what name is to the origin, of which the query's spelling is zone.
func (o *origin) place(name, zone string) place {
	at := place{name: name}
	n := new(dnsname.Name)
	if !n.Parse(name) {
		return at
	}
	for _, z := range o.stanza.zones {
		labels, ok := n.Below(&z.name)
		if !ok {
			continue
		}
		at.hidden = true
		if labels == 0 || string(n.Label(labels-1)) != "svc" {
			break
		}
		at.known = z.path(&at.path, n, labels-1)
		var below []string
		for i, label := range at.path.Labels[:at.path.N] {
			switch {
			case i >= len(o.graft):
				below = append(below, string(label))
			case string(label) != string(o.graft[i]):
				return at
			}
		}
		if at.known && at.path.N >= len(o.graft) {
			if under, ok := dnsname.Join(zone, below...); ok {
				at.name, at.hidden = under, false
			}
		}
		break
	}
	return at
}

// ask resolves the target through CoreDNS, whose depth is bounded: nobody else does so.
func (a *alias) ask(ctx context.Context, w dns.ResponseWriter, target string) (int, error) {
	depth, _ := ctx.Value(dnsserver.LoopKey{}).(int)
	if depth >= maxChain {
		return a.o.count.servfail()
	}
	ctx = context.WithValue(ctx, dnsserver.LoopKey{}, depth+1)
	m, err := a.h.upstream(ctx, request.Request{W: w, Req: a.r}, target, a.r.Question[0].Qtype)
	switch {
	case err == nil && m != nil && (m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError):
	case err == nil && m != nil && m.Rcode == dns.RcodeRefused && !a.flat:
		// Nobody here serves the target: whoever asks goes on from the CNAME, as with any authority (RFC 1034 section 4.3.2).
		return a.o.count.write(w, resultAnswer, reply.Records(a.r, a.answer, nil))
	default:
		return a.o.count.servfail()
	}
	a.answer = append(a.answer, a.gather(m)...)
	qtype := a.r.Question[0].Qtype
	switch {
	case m.Truncated || slices.ContainsFunc(a.answer, func(rr dns.RR) bool { return rr.Header().Rrtype == qtype }):
		out := reply.Records(a.r, a.answer, nil)
		out.Truncated = m.Truncated // even if nothing is there: the client asks again over TCP
		return a.o.count.write(w, resultAnswer, out)
	case a.flat:
		return a.negative(w, resultNoData, dns.RcodeSuccess, a.o.soa(a.r))
	case m.Rcode == dns.RcodeNameError: // RFC 6604: the rcode is that of the end of the chain
		return a.negative(w, resultNXDomain, m.Rcode, soaOf(m))
	}
	return a.negative(w, resultNoData, m.Rcode, soaOf(m))
}

// gather takes over what CoreDNS answered: all of it behind a CNAME, else the addresses under the owner's name.
func (a *alias) gather(m *dns.Msg) []dns.RR {
	var rrs []dns.RR
	ttl := a.o.stanza.TTL
	for _, rr := range m.Answer {
		ttl = min(ttl, rr.Header().Ttl) // of a chain the shortest
	}
	for _, rr := range m.Answer {
		switch {
		case !a.flat:
			rrs = append(rrs, dns.Copy(rr)) // it may be a cache's
		case rr.Header().Rrtype == a.r.Question[0].Qtype:
			rr = dns.Copy(rr)
			rr.Header().Name, rr.Header().Ttl = a.owner, ttl
			rrs = append(rrs, rr)
		}
	}
	return rrs
}

// negative answers the chain as far as it goes, and that there is nothing at its end; soa may be nil.
func (a *alias) negative(w dns.ResponseWriter, result, rcode int, soa *dns.SOA) (int, error) {
	m := reply.Records(a.r, a.answer, nil)
	m.Rcode = rcode
	if soa != nil {
		m.Ns = []dns.RR{soa}
	}
	return a.o.count.write(w, result, m)
}

// soaOf is a copy of the SOA of a negative reply, nil where it has none.
func soaOf(m *dns.Msg) *dns.SOA {
	for _, rr := range m.Ns {
		if soa, ok := dns.Copy(rr).(*dns.SOA); ok {
			return soa
		}
	}
	return nil
}
