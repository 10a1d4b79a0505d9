package zone

import (
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/dnsname"
	"github.com/coredns-headless/headless/plugin/reply"
	"github.com/coredns-headless/headless/plugin/tree"
)

// decideGuest answers only names that no other plugin has. It never denies one.
func (s *Set) decideGuest(d *Decision, r *dns.Msg, o *Origin, c *scratch, labels int) {
	d.Origin = o.index
	st, qtype := o.stanza, r.Question[0].Qtype
	if !o.guestPath(&c.path, &c.name, labels) || isTransfer(qtype) || !o.synced(&c.path) {
		return
	}
	a := st.Tree.FindGuest(&c.path, tree.Query{Family: family(qtype), NotReady: st.NotReady, Buf: c.buf[:0]})
	switch {
	case a.Status == tree.None:
		return
	case len(a.Addrs) > 0:
		d.answer(reply.Addresses(r, st.TTL, a.Addrs))
		return
	case qtype == dns.TypeSRV:
		if targets := st.Tree.GuestTargets(&c.path, st.NotReady); len(targets) > 0 {
			name := r.Question[0].Name // a pod's ports are the pod's
			d.answer(reply.Services(r, st.TTL, targets, func(string) (string, bool) { return name, true }))
			return
		}
	}
	d.deny(NoData, r, s.guestSOA(r, o.zone, st))
}

// guestSOA is the SOA record of the plugin that serves the zone, or one of that form.
func (s *Set) guestSOA(r *dns.Msg, zone string, st *stanza) *dns.SOA {
	apex := spelled(r, zone)
	ns := dnsname.Under("ns.dns.", apex)
	if s.behind == nil {
		return reply.SOA(apex, ns, st.TTL, st.Tree.Serial(new(tree.Path)))
	}
	minTTL, serial := s.behind.SOA(r, apex)
	soa := reply.SOA(apex, ns, minTTL, serial)
	soa.Hdr.Ttl = min(soa.Hdr.Ttl, 300) // seconds, as plugin.SOA of CoreDNS
	return soa
}
