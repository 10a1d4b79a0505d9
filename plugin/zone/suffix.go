package zone

import (
	"net/netip"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/dnsname"
	"github.com/coredns-headless/headless/plugin/reply"
	"github.com/coredns-headless/headless/plugin/tree"
)

// dnsVersion is that of the Kubernetes DNS specification which zones of a whole cluster follow.
const dnsVersion = "1.1.0"

// decideSuffix answers everything below a suffix, or leaves the rest to the plugin that it is shared with.
func (s *Set) decideSuffix(d *Decision, r *dns.Msg, o *Origin, c *scratch, labels int) {
	d.Origin = o.index
	st, qtype := o.stanza, r.Question[0].Qtype
	leads := o.path(&c.path, &c.name, labels)
	switch {
	case isTransfer(qtype) && !o.shared:
		d.fail(Refused) // *transfer* stands before and has declined
		return
	case o.shared && (labels == 0 || isTransfer(qtype)):
		return
	case !o.synced(&c.path) && o.shared:
		d.Action, d.Result, d.Msg = NextUnlessDenied, ServFail, new(dns.Msg).SetRcode(r, dns.RcodeServerFailure)
		return
	case !o.synced(&c.path):
		d.fail(ServFail)
		return
	case !o.shared && o.decideApex(d, r, labels), !o.shared && o.decideFixed(d, r, &c.name, labels):
		return
	}
	var a tree.Answer
	if leads {
		a = st.Tree.Find(&c.path, tree.Query{Family: suffixFamily(qtype), NotReady: st.NotReady, Buf: c.buf[:0]})
	}
	if labels == 0 && a.Status != tree.Service && a.Status != tree.Alias || a.Status == tree.None && s.above(&c.name) {
		// An apex exists, whether or not its target does; and so does a name that another origin lies below.
		a = tree.Answer{Status: tree.EmptyNonTerminal}
	}
	switch {
	case o.shared && (a.Status == tree.None || a.Status == tree.EmptyNonTerminal):
		return
	case len(a.Addrs) > 0:
		d.answer(reply.Addresses(r, st.TTL, a.Addrs))
		return
	case a.Status == tree.Alias:
		o.decideAlias(d, r, a.External, labels == 0)
		return
	case a.Status == tree.Port && (qtype == dns.TypeSRV || qtype == dns.TypeANY):
		m := reply.Services(r, st.TTL, st.Tree.Targets(&c.path), targetName(r.Question[0].Name))
		if len(m.Answer) > 0 {
			d.answer(m)
			return
		}
	case a.Status == tree.None:
		d.deny(NXDomain, r, o.soa(r))
		return
	}
	d.deny(NoData, r, o.soa(r))
}

// decideApex answers SOA and NS at the apex, and ANY with the former. It reports false for other queries.
func (o *Origin) decideApex(d *Decision, r *dns.Msg, labels int) bool {
	if labels > 0 {
		return false
	}
	switch r.Question[0].Qtype {
	case dns.TypeSOA, dns.TypeANY:
		d.answer(reply.Records(r, []dns.RR{o.soa(r)}, nil))
		return true
	case dns.TypeNS:
		apex := r.Question[0].Name
		d.answer(reply.Records(r, o.nsRecords(apex), o.glueRecords(apex)))
		return true
	}
	return false
}

// decideFixed answers for names that the zone has beside the tree: its name servers, and dns-version below a suffix
// of a whole cluster. It reports false for other names.
func (o *Origin) decideFixed(d *Decision, r *dns.Msg, n *dnsname.Name, labels int) bool {
	q := r.Question[0]
	var addrs []netip.Addr
	ns := o.nameserver(n)
	switch isVersion := labels == 1 && len(o.target) == 0 && string(n.Label(0)) == "dns-version"; {
	case ns != nil:
		for _, a := range ns.addrs {
			if suffixFamily(q.Qtype).Has(a) {
				addrs = append(addrs, a)
			}
		}
	case !isVersion:
		return false
	case q.Qtype == dns.TypeTXT, q.Qtype == dns.TypeANY:
		d.answer(reply.Records(r, []dns.RR{reply.TXT(q.Name, o.stanza.TTL, dnsVersion)}, nil))
		return true
	}
	if len(addrs) > 0 {
		d.answer(reply.Addresses(r, o.stanza.TTL, addrs))
	} else {
		d.deny(NoData, r, o.soa(r))
	}
	return true
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

// above reports whether an origin, or a name server's name, lies below n.
func (s *Set) above(n *dnsname.Name) bool {
	for _, o := range s.origins {
		if _, ok := o.name.Below(n); ok {
			return true
		}
		for _, ns := range o.inZone {
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
