package headless

import (
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/config"
	"github.com/coredns-headless/headless/plugin/dnsname"
	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/reply"
	"github.com/coredns-headless/headless/plugin/tree"
)

// network is a pod network whose reverse names are answered, as a guest of whoever serves the reverse zone.
type network struct {
	prefix netip.Prefix
	zone   string // the smallest reverse zone around it
	stanza *stanza

	count counters
}

func newNetwork(s *stanza, p netip.Prefix) *network {
	return &network{prefix: p, zone: config.ReverseZone(p), stanza: s, count: newCounters(p.String())}
}

// decideReverse answers names of addresses that a peer has, and no others.
func (h *Headless) decideReverse(v *verdict, w dns.ResponseWriter, r *dns.Msg, s *scratch) {
	qtype := r.Question[0].Qtype
	whole, ok := s.name.Network()
	addr := whole.Addr()
	if !ok || !whole.IsSingleIP() || addr.Is4In6() || isTransfer(qtype) {
		return
	}
	for _, nw := range h.networks {
		if !nw.prefix.Contains(addr) {
			continue
		}
		v.count = &nw.count
		name, ok := h.pointer(nw.stanza, addr)
		switch {
		case !ok:
		case qtype == dns.TypePTR:
			v.answer(reply.Records(r, []dns.RR{reply.PTR(r.Question[0].Name, nw.stanza.TTL, name)}, nil))
		default:
			v.deny(resultNoData, r, h.guestSOA(w, r, nw.zone, nw.stanza))
		}
		return
	}
}

// pointer is the one name that an address points back to: a peer's short name under the first suffix that has it, else its name
// below its Service in the cluster zone. The name leads to that address and to no other, or software that checks would balk. An address
// that several namespaces have is nobody's: whoever may write EndpointSlices in one could else give another's pods a name.
func (h *Headless) pointer(s *stanza, addr netip.Addr) (string, bool) {
	holders := s.tree.Holders(addr)
	if slices.ContainsFunc(holders, func(x tree.Holder) bool { return x.Namespace != holders[0].Namespace }) {
		return "", false
	}
	for _, o := range s.suffixes {
		for _, holder := range holders {
			labels := []string{holder.Namespace, holder.Label}
			if len(o.graft) > 0 {
				if string(o.graft[0]) != holder.Namespace || len(o.graft) > 1 && string(o.graft[1]) != holder.Service {
					continue
				}
				labels = labels[1:]
			}
			if name, ok := dnsname.Join(o.zone, labels...); ok && h.leadsTo(o, name, addr) {
				return name, true
			}
		}
	}
	for _, holder := range holders {
		name, ok := dnsname.Join(s.zones[0].zone, "svc", holder.Namespace, holder.Service, holder.Label)
		if ok && h.leadsTo(s.zones[0], name, addr) {
			return name, true
		}
	}
	return "", false
}

// leadsTo reports whether o answers name with addr alone, in addr's family.
func (h *Headless) leadsTo(o *origin, name string, addr netip.Addr) bool {
	q := tree.Query{Family: tree.IPv6, NotReady: o.stanza.NotReady}
	if addr.Is4() {
		q.Family = tree.IPv4
	}
	var n dnsname.Name
	n.Parse(name)
	at, labels := h.origin(&n)
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
		a = o.stanza.tree.Find(&p, q)
	}
	return a.Status == tree.Peer && len(a.Addrs) == 1 && a.Addrs[0] == addr
}
