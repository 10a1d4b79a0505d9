package zone

import (
	"net"
	"net/netip"
	"slices"

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
	qtype := r.Question[0].Qtype
	leads := o.path(&c.path, &c.name, labels)
	switch {
	case isTransfer(qtype) && !o.shared:
		d.fail(Refused) // *transfer* stands before and has declined
		return
	case o.shared && (labels == 0 || isTransfer(qtype)):
		return
	case qtype == dns.TypeDS && labels == 0: // the parent zone has it (RFC 4035 section 3.1.4.1)
		d.nextUnless(NoData, reply.Negative(r, dns.RcodeSuccess, o.soa(r)))
		return
	case !o.synced(&c.path):
		s.decideUnsynced(d, r, o, c, leads)
		return
	case !o.shared && o.decideApex(d, r, labels), !o.shared && o.decideFixed(d, r, &c.name, labels):
		return
	}
	st := o.stanza
	var a tree.Answer
	if leads {
		a = st.Tree.Find(&c.path, tree.Query{Family: suffixFamily(qtype), NotReady: st.NotReady, Buf: c.buf[:0]})
	}
	if labels == 0 && a.Status != tree.Service && a.Status != tree.Alias || a.Status == tree.None && s.above(&c.name) {
		// An apex exists, whether or not its target does; and so does a name that another origin lies below.
		a = tree.Answer{Status: tree.EmptyNonTerminal}
	}
	switch {
	case len(a.Addrs) > 0:
		d.answer(reply.Addresses(r, st.TTL, a.Addrs))
		return
	case a.Status == tree.Alias:
		s.decideAlias(d, r, o, c.chain, a.External, labels == 0)
		return
	case a.Status == tree.Port && (qtype == dns.TypeSRV || qtype == dns.TypeANY):
		if m := s.services(r, o, st.Tree.Targets(&c.path)); len(m.Answer) > 0 {
			d.answer(m)
			return
		}
	case a.Status == tree.None && o.shared:
		return
	case a.Status == tree.None:
		d.deny(NXDomain, r, o.soa(r))
		return
	}
	if o.shared {
		d.nextUnless(NoData, nil)
		return
	}
	d.deny(NoData, r, o.soa(r))
}

// decideUnsynced decides before the first sync. A name that no tree can have does not exist, whatever there will be.
func (s *Set) decideUnsynced(d *Decision, r *dns.Msg, o *Origin, c *scratch, leads bool) {
	never := (!leads || !canExist(&c.path)) && o.nameserver(&c.name) == nil && !s.above(&c.name)
	switch {
	case never && o.shared:
	case never:
		d.deny(NXDomain, r, o.soa(r))
	case o.shared:
		d.nextUnless(ServFail, new(dns.Msg).SetRcode(r, dns.RcodeServerFailure))
	default:
		d.fail(ServFail)
	}
}

// canExist reports whether some tree can have a name at p. Four labels are those of a port, _name._protocol.
func canExist(p *tree.Path) bool {
	return p.N < 4 || p.Labels[2][0] == '_' && p.Labels[3][0] == '_'
}

// decideApex answers SOA and NS at the apex, and ANY with the former. It reports false for other queries.
func (o *Origin) decideApex(d *Decision, r *dns.Msg, labels int) bool {
	if labels > 0 {
		return false
	}
	apex := r.Question[0].Name
	switch r.Question[0].Qtype {
	case dns.TypeSOA, dns.TypeANY:
		d.answer(reply.Records(r, []dns.RR{o.apexSOA(apex, o.Serial())}, nil))
		return true
	case dns.TypeNS:
		d.answer(reply.Records(r, o.nsRecords(apex), o.glueRecords(apex)))
		return true
	}
	return false
}

// decideFixed answers for names that the zone has beside the tree: its name servers, and dns-version below a suffix
// of a whole cluster. It reports false for other names.
func (o *Origin) decideFixed(d *Decision, r *dns.Msg, n *dnsname.Name, labels int) bool {
	q := r.Question[0]
	if ns := o.nameserver(n); ns != nil {
		other := func(a netip.Addr) bool { return !suffixFamily(q.Qtype).Has(a) }
		if addrs := slices.DeleteFunc(slices.Clone(ns.addrs), other); len(addrs) > 0 {
			d.answer(reply.Addresses(r, ns.ttl, addrs))
			return true
		}
	} else if isVersion := labels == 1 && len(o.target) == 0 && string(n.Label(0)) == "dns-version"; !isVersion {
		return false
	} else if q.Qtype == dns.TypeTXT || q.Qtype == dns.TypeANY {
		d.answer(reply.Records(r, []dns.RR{reply.TXT(q.Name, o.stanza.TTL, dnsVersion)}, nil))
		return true
	}
	d.deny(NoData, r, o.soa(r))
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

// services replies with SRV records. A target whose name another origin or a name server has gets the addresses of
// that one.
func (s *Set) services(r *dns.Msg, o *Origin, targets []tree.Target) *dns.Msg {
	name := targetName(r.Question[0].Name)
	var n dnsname.Name
	if service, _ := name(""); n.Parse(service) && s.above(&n) {
		for i := range targets {
			if target, ok := name(targets[i].Peer); ok && !s.owns(o, target) {
				targets[i].Addrs = s.addrs(r, target)
			}
		}
	}
	return reply.Services(r, o.stanza.TTL, targets, name)
}

// owns reports whether the tree tells what o answers at a name.
func (s *Set) owns(o *Origin, name string) bool {
	var n dnsname.Name
	n.Parse(name)
	at, _ := s.origin(&n)
	return at == o && o.nameserver(&n) == nil
}

// addrs are the addresses that a query for a name gets here, in order.
func (s *Set) addrs(r *dns.Msg, name string) (list []netip.Addr) {
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		d := s.decide(question(r, name, qtype), nil)
		if d.Action != Write || d.Result != Answered {
			continue
		}
		for _, rr := range d.Msg.Answer {
			var ip net.IP
			switch rr := rr.(type) {
			case *dns.A:
				ip = rr.A
			case *dns.AAAA:
				ip = rr.AAAA
			default:
				return nil // RFC 2782: a target is no alias
			}
			if a, ok := netip.AddrFromSlice(ip); ok {
				list = append(list, a.Unmap())
			}
		}
	}
	return list
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
