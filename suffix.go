package headless

import (
	"context"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/reply"
	"github.com/coredns-headless/headless/plugin/tree"
)

// dnsVersion is that of the Kubernetes DNS specification which zones of a whole cluster follow.
const dnsVersion = "1.1.0"

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
		return o.servfail()
	}
	if result, m := o.own(r, n, labels); m != nil {
		return o.count.write(w, result, m)
	}
	var a tree.Answer
	var buf [few]netip.Addr
	if ok {
		a = o.stanza.tree.Find(&p, tree.Query{Family: suffixFamily(qtype), NotReady: o.stanza.NotReady, Buf: buf[:0]})
	}
	if labels == 0 && a.Status != tree.Service && a.Status != tree.Alias || a.Status == tree.None && h.above(n) {
		// An apex exists, whether or not what it is grafted onto does; and so does what another origin lies below.
		a = tree.Answer{Status: tree.Empty}
	}
	switch {
	case o.shared && (a.Status == tree.None || a.Status == tree.Empty):
		o.count[resultNext].Inc()
		return h.next(ctx, w, r)
	case len(a.Addrs) > 0:
		return o.count.write(w, resultAnswer, reply.Addresses(r, o.stanza.TTL, a.Addrs))
	case a.Status == tree.Alias:
		return h.serveAlias(ctx, w, r, o, strings.Clone(a.External), labels == 0) // a clone, or buf would be moved to the heap
	case a.Status == tree.Port && (qtype == dns.TypeSRV || qtype == dns.TypeANY):
		return o.serveServices(w, r, &p)
	case a.Status == tree.None:
		return o.count.write(w, resultNXDomain, reply.Negative(r, dns.RcodeNameError, o.soa(r)))
	}
	return o.count.write(w, resultNoData, reply.Negative(r, dns.RcodeSuccess, o.soa(r)))
}

// own answers for what the zone has beside the tree: its apex, its name servers, its version. It returns nil for other names.
func (o *origin) own(r *dns.Msg, n *tree.Name, labels int) (result int, m *dns.Msg) {
	qtype := r.Question[0].Qtype
	name := r.Question[0].Name
	if o.shared {
		return 0, nil
	}
	if labels == 0 {
		switch qtype {
		case dns.TypeSOA, dns.TypeANY:
			return resultAnswer, reply.Records(r, []dns.RR{o.soa(r)}, nil)
		case dns.TypeNS:
			return resultAnswer, reply.Records(r, o.nsRecords(name), o.glueRecords(name))
		}
	}
	if ns := o.nameserver(n); ns != nil {
		var addrs []netip.Addr
		for _, a := range ns.addrs {
			if suffixFamily(qtype).Has(a) {
				addrs = append(addrs, a)
			}
		}
		if len(addrs) > 0 {
			return resultAnswer, reply.Addresses(r, o.stanza.TTL, addrs)
		}
		return resultNoData, reply.Negative(r, dns.RcodeSuccess, o.soa(r))
	}
	if labels == 1 && len(o.graft) == 0 && string(n.Label(0)) == "dns-version" {
		if qtype == dns.TypeTXT || qtype == dns.TypeANY {
			return resultAnswer, reply.Records(r, []dns.RR{reply.TXT(name, o.stanza.TTL, dnsVersion)}, nil)
		}
		return resultNoData, reply.Negative(r, dns.RcodeSuccess, o.soa(r))
	}
	return 0, nil
}

// serveServices answers SRV below a Service.
func (o *origin) serveServices(w dns.ResponseWriter, r *dns.Msg, p *tree.Path) (int, error) {
	service := r.Question[0].Name
	for range 2 { // _port._protocol
		at, _ := dns.NextLabel(service, 0)
		service = service[at:]
	}
	m := reply.Services(r, o.stanza.TTL, o.stanza.tree.Targets(p), targetName(service))
	if len(m.Answer) == 0 {
		return o.count.write(w, resultNoData, reply.Negative(r, dns.RcodeSuccess, o.soa(r)))
	}
	return o.count.write(w, resultAnswer, m)
}

// targetName names a SRV record's target: a peer of the Service, or the Service itself.
func targetName(service string) func(string) (string, bool) {
	return func(peer string) (string, bool) {
		if peer == "" {
			return service, true
		}
		return reply.Name(service, peer)
	}
}

func (o *origin) servfail() (int, error) {
	o.count[resultServfail].Inc()
	return dns.RcodeServerFailure, nil
}

func (o *origin) soa(r *dns.Msg) *dns.SOA {
	zone := spelled(r, o.zone)
	return reply.SOA(zone, o.ns[0].spelled(o.zone, zone), o.stanza.TTL, o.serial())
}

func (o *origin) serial() uint32 {
	var p tree.Path
	if !o.wide.Load() {
		p, _ = o.path(nil, 0)
	}
	return o.stanza.tree.Serial(&p)
}

// above reports whether an origin, or a name server's name, lies below n.
func (h *Headless) above(n *tree.Name) bool {
	for _, o := range h.origins {
		if _, ok := o.name.Below(n); ok {
			return true
		}
		for _, ns := range o.inside {
			if _, ok := ns.name.Below(n); ok {
				return true
			}
		}
	}
	return false
}

// suffixFamily is family where ANY is answered, with all addresses (RFC 8482 section 4.1 lets a responder choose).
func suffixFamily(qtype uint16) tree.Family {
	if qtype == dns.TypeANY {
		return tree.AnyFamily
	}
	return family(qtype)
}

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
