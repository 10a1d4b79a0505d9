package zone

import (
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/dnsname"
	"github.com/coredns-headless/headless/plugin/reply"
	"github.com/coredns-headless/headless/plugin/tree"
)

// network is a pod network whose reverse names are answered, as a guest of the plugin that serves the reverse zone.
type network struct {
	prefix netip.Prefix
	zone   string // the smallest reverse zone around it
	stanza *stanza
	index  int // into Set.names
}

// decideReverse answers names of addresses that a peer has, and no others.
func (s *Set) decideReverse(d *Decision, r *dns.Msg, c *scratch) {
	qtype := r.Question[0].Qtype
	addr, ok := c.name.Addr()
	if !ok || isTransfer(qtype) {
		return
	}
	nw := s.network(addr)
	if nw == nil {
		return
	}
	d.Origin = nw.index
	name, ok := s.pointer(nw.stanza, addr, r)
	switch {
	case !ok:
	case qtype == dns.TypePTR:
		d.answer(reply.Records(r, []dns.RR{reply.PTR(r.Question[0].Name, nw.stanza.TTL, name)}, nil))
	default:
		d.deny(NoData, r, s.guestSOA(r, nw.zone, nw.stanza))
	}
}

// network is the smallest pod network that has an address, nil if none has.
func (s *Set) network(addr netip.Addr) *network {
	for _, nw := range s.networks {
		if nw.prefix.Contains(addr) {
			return nw
		}
	}
	return nil
}

// pointer is the one name that an address points back to, which r asks for: what the pod calls itself, else a peer's
// short name under the first suffix that has it, else its name below its Service in the cluster zone, else its short
// name there. With the option ptr, the suffix comes first. A peer with a governing Service has its short name before
// one below another Service. The name leads to that address and to no other, or software that checks would refuse it.
// An address that several namespaces have gets no name: whoever may write EndpointSlices in one namespace could
// otherwise name the pods of another. *kubernetes* also knows Services that are not headless.
func (s *Set) pointer(st *stanza, addr netip.Addr, r *dns.Msg) (string, bool) {
	holders := st.Tree.Holders(addr)
	if len(holders) == 0 || severalNamespaces(holders) || s.isOfAnother(st, holders[0].Namespace, r) {
		return "", false
	}
	find := []func() (string, bool){
		func() (string, bool) { return s.below(st, holders, addr, true) },
		func() (string, bool) { return s.underSuffix(st, holders, addr) },
		func() (string, bool) { return s.below(st, holders, addr, false) },
		func() (string, bool) { return s.short(st, holders, addr) },
	}
	if st.PTRSuffix {
		slices.Reverse(find[:2])
	}
	if slices.ContainsFunc(holders, func(x tree.Holder) bool { return x.Own }) {
		slices.Reverse(find[2:])
	}
	for _, f := range find {
		if name, ok := f(); ok {
			return name, true
		}
	}
	return "", false
}

// below finds a name below a Service in the cluster zone: of the governing Service, or of any.
func (s *Set) below(st *stanza, holders []tree.Holder, addr netip.Addr, own bool) (string, bool) {
	for _, x := range holders {
		name, ok := dnsname.Join(st.zones[0].zone, "svc", x.Namespace, x.Service, x.Label)
		if ok && (x.Own || !own) && s.leadsBelow(st.zones[0], name, addr) {
			return name, true
		}
	}
	return "", false
}

// underSuffix finds a short name under the first suffix that has one.
func (s *Set) underSuffix(st *stanza, holders []tree.Holder, addr netip.Addr) (string, bool) {
	for _, o := range st.suffixes {
		for _, x := range holders {
			labels := []string{x.Namespace, x.Label}
			if len(o.target) > 0 {
				if string(o.target[0]) != x.Namespace || len(o.target) > 1 && string(o.target[1]) != x.Service {
					continue
				}
				labels = labels[1:]
			}
			if name, ok := dnsname.Join(o.zone, labels...); ok && s.leadsTo(o, name, addr) {
				return name, true
			}
		}
	}
	return "", false
}

// short finds a short name in the cluster zone.
func (s *Set) short(st *stanza, holders []tree.Holder, addr netip.Addr) (string, bool) {
	for _, x := range holders {
		name, ok := dnsname.Join(st.zones[0].zone, "svc", x.Namespace, x.Label)
		if ok && s.leadsTo(st.zones[0], name, addr) {
			return name, true
		}
	}
	return "", false
}

// isOfAnother reports whether the plugin behind has a name outside the namespace for the address that r asks the name
// of.
func (s *Set) isOfAnother(st *stanza, namespace string, r *dns.Msg) bool {
	if s.behind == nil {
		return false
	}
	var n dnsname.Name
	return slices.ContainsFunc(s.behind.Names(r), func(name string) bool {
		if !n.Parse(name) {
			return true
		}
		for _, z := range st.zones {
			if at, ok := n.Below(&z.name); ok && at > 1 && string(n.Label(at-1)) == "svc" {
				return string(n.Label(at-2)) != namespace
			}
		}
		return true
	})
}

func severalNamespaces(holders []tree.Holder) bool {
	return slices.ContainsFunc(holders, func(x tree.Holder) bool { return x.Namespace != holders[0].Namespace })
}

// leadsTo reports whether o answers name with addr alone, in addr's family.
func (s *Set) leadsTo(o *Origin, name string, addr netip.Addr) bool {
	var n dnsname.Name
	n.Parse(name)
	at, labels := s.origin(&n)
	if at != o {
		return false // another suffix has it
	}
	a := o.find(&n, labels, tree.Query{Family: familyOf(addr), NotReady: o.stanza.NotReady})
	return isOnly(a, addr)
}

// leadsBelow is leadsTo for a name below a Service in the cluster zone, which may be that of the plugin behind.
func (s *Set) leadsBelow(o *Origin, name string, addr netip.Addr) bool {
	var n dnsname.Name
	n.Parse(name)
	at, labels := s.origin(&n)
	var p tree.Path
	if at != o || !o.guestPath(&p, &n, labels) {
		return false
	}
	q := tree.Query{Family: familyOf(addr), NotReady: o.stanza.NotReady}
	if a := o.stanza.Tree.FindGuest(&p, q); a.Status != tree.None {
		return isOnly(a, addr)
	}
	if s.behind != nil {
		if addrs := s.behind.Addrs(name, typeOf(addr)); len(addrs) > 0 {
			return len(addrs) == 1 && addrs[0] == addr
		}
	}
	return isOnly(o.findWaiting(&p, q), addr)
}

func isOnly(a tree.Answer, addr netip.Addr) bool {
	return a.Status == tree.Peer && len(a.Addrs) == 1 && a.Addrs[0] == addr
}

// familyOf is the family of an address, and typeOf the type of its records.
func familyOf(addr netip.Addr) tree.Family { return family(typeOf(addr)) }

func typeOf(addr netip.Addr) uint16 {
	if addr.Is4() {
		return dns.TypeA
	}
	return dns.TypeAAAA
}
