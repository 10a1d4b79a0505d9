package headless

import (
	"context"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/dnsname"
	"github.com/coredns-headless/headless/plugin/reply"
	"github.com/coredns-headless/headless/plugin/tree"
)

// dnsVersion is that of the Kubernetes DNS specification which zones of a whole cluster follow.
const dnsVersion = "1.1.0"

// decideSuffix answers everything below a suffix, or leaves the rest to whom it is shared with.
func (h *Headless) decideSuffix(v *verdict, r *dns.Msg, o *origin, s *scratch, labels int) {
	v.count = &o.count
	qtype := r.Question[0].Qtype
	ok := o.path(&s.path, &s.name, labels)
	switch {
	case isTransfer(qtype) && !o.shared:
		v.refused = true // *transfer* stands before and has declined
		return
	case o.shared && (labels == 0 || isTransfer(qtype)):
		return
	case !o.synced(&s.path):
		v.result, v.doubt = resultServfail, o.shared
		return
	}
	if o.own(v, r, &s.name, labels) {
		return
	}
	var a tree.Answer
	if ok {
		a = o.stanza.tree.Find(&s.path, tree.Query{Family: suffixFamily(qtype), NotReady: o.stanza.NotReady, Buf: s.buf[:0]})
	}
	if labels == 0 && a.Status != tree.Service && a.Status != tree.Alias || a.Status == tree.None && h.above(&s.name) {
		// An apex exists, whether or not what it is grafted onto does; and so does what another origin lies below.
		a = tree.Answer{Status: tree.EmptyNonTerminal}
	}
	switch {
	case o.shared && (a.Status == tree.None || a.Status == tree.EmptyNonTerminal):
		return
	case len(a.Addrs) > 0:
		v.answer(reply.Addresses(r, o.stanza.TTL, a.Addrs))
		return
	case a.Status == tree.Alias:
		v.alias = &alias{h: h, o: o, r: r, owner: r.Question[0].Name, target: a.External, flat: labels == 0}
		return
	case a.Status == tree.Port && (qtype == dns.TypeSRV || qtype == dns.TypeANY):
		if m := o.services(r, &s.path); len(m.Answer) > 0 {
			v.answer(m)
			return
		}
	case a.Status == tree.None:
		v.deny(resultNXDomain, r, o.soa(r))
		return
	}
	v.deny(resultNoData, r, o.soa(r))
}

// doubt hands a query on whose name may be ours: nobody knows before the first sync.
func (h *Headless) doubt(ctx context.Context, w dns.ResponseWriter, r *dns.Msg, count *counters) (int, error) {
	d := &doubter{ResponseWriter: w, r: r}
	code, err := h.next(ctx, d, r)
	if d.doubted {
		count[resultServfail].Inc()
	} else {
		count[resultNext].Inc()
	}
	return code, err
}

// own answers for what the zone has beside the tree: its apex, its name servers, its version. It reports false for other names.
func (o *origin) own(v *verdict, r *dns.Msg, n *dnsname.Name, labels int) bool {
	qtype := r.Question[0].Qtype
	name := r.Question[0].Name
	if o.shared {
		return false
	}
	if labels == 0 {
		switch qtype {
		case dns.TypeSOA, dns.TypeANY:
			v.answer(reply.Records(r, []dns.RR{o.soa(r)}, nil))
			return true
		case dns.TypeNS:
			v.answer(reply.Records(r, o.nsRecords(name), o.glueRecords(name)))
			return true
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
			v.answer(reply.Addresses(r, o.stanza.TTL, addrs))
		} else {
			v.deny(resultNoData, r, o.soa(r))
		}
		return true
	}
	if labels == 1 && len(o.graft) == 0 && string(n.Label(0)) == "dns-version" {
		if qtype == dns.TypeTXT || qtype == dns.TypeANY {
			v.answer(reply.Records(r, []dns.RR{reply.TXT(name, o.stanza.TTL, dnsVersion)}, nil))
		} else {
			v.deny(resultNoData, r, o.soa(r))
		}
		return true
	}
	return false
}

// services replies with what the SRV records of a Service's port point at.
func (o *origin) services(r *dns.Msg, p *tree.Path) *dns.Msg {
	return reply.Services(r, o.stanza.TTL, o.stanza.tree.Targets(p), targetName(r.Question[0].Name))
}

// targetName names the targets of SRV records at a name: peers of the Service, or the Service itself.
func targetName(service string) func(string) (string, bool) {
	for range 2 { // _port._protocol
		at, _ := dns.NextLabel(service, 0)
		service = service[at:]
	}
	return func(peer string) (string, bool) {
		if peer == "" {
			return service, true
		}
		return dnsname.Join(service, peer)
	}
}

func (o *origin) soa(r *dns.Msg) *dns.SOA { return o.soaAt(spelled(r, o.zone), o.serial()) }

// soaAt is the SOA of the apex, which is spelled as given.
func (o *origin) soaAt(apex string, serial uint32) *dns.SOA {
	return reply.SOA(apex, o.ns[0].spelled(o.zone, apex), o.stanza.TTL, serial)
}

func (o *origin) serial() uint32 {
	var p tree.Path
	if !o.wide.Load() {
		p = o.node()
	}
	return o.stanza.tree.Serial(&p)
}

// above reports whether an origin, or a name server's name, lies below n.
func (h *Headless) above(n *dnsname.Name) bool {
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
