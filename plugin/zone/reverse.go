package zone

import (
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/dnsname"
	"github.com/coredns-headless/headless/plugin/object"
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

// pointer is the one name that an address points back to, which r asks for: a peer's short name under the first
// suffix that has it, else its name below its Service in the cluster zone. The name leads to that address and to no
// other, or software that checks would refuse it. An address that several namespaces have gets no name: whoever may
// write EndpointSlices in one namespace could otherwise name the pods of another. *kubernetes* also knows Services
// that are not headless.
func (s *Set) pointer(st *stanza, addr netip.Addr, r *dns.Msg) (string, bool) {
	holders := st.Tree.Holders(addr)
	if len(holders) == 0 || severalNamespaces(holders) || s.isOfAnother(st, holders[0].Namespace, r) {
		return "", false
	}
	for _, o := range st.suffixes {
		for _, holder := range holders {
			labels := []string{holder.Namespace, holder.Label}
			if len(o.target) > 0 {
				if string(o.target[0]) != holder.Namespace ||
					len(o.target) > 1 && string(o.target[1]) != holder.Service {
					continue
				}
				labels = labels[1:]
			}
			if name, ok := dnsname.Join(o.zone, labels...); ok && s.leadsTo(o, name, addr) {
				return name, true
			}
		}
	}
	o := st.zones[0]
	for _, holder := range holders {
		name, ok := dnsname.Join(o.zone, "svc", holder.Namespace, holder.Service, holder.Label)
		if ok && s.leadsTo(o, name, addr) {
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
	q := tree.Query{Family: tree.IPv6, NotReady: o.stanza.NotReady}
	if addr.Is4() {
		q.Family = tree.IPv4
	}
	var n dnsname.Name
	n.Parse(name)
	at, labels := s.origin(&n)
	if at != o {
		return false // another suffix has it
	}
	a := o.find(&n, labels, q)
	if o.guest && a.Status == tree.None {
		// It may be the other plugin's name: a hostname or a dashed address, whatever the pod is called.
		if dashed, ok := object.ParseDashed(n.Label(0)); ok && dashed != addr {
			return false
		}
		var p tree.Path
		if !o.guestPath(&p, &n, labels) {
			return false
		}
		q.NotReady = false
		a = o.stanza.Tree.Find(&p, q)
	}
	return a.Status == tree.Peer && len(a.Addrs) == 1 && a.Addrs[0] == addr
}
