package zone

import (
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/dnsname"
	"github.com/coredns-headless/headless/plugin/reply"
	"github.com/coredns-headless/headless/plugin/tree"
)

// decideGuest answers only names that no other plugin has. It never denies one. The hostname of an endpoint that is
// not ready is passed on first.
func (s *Set) decideGuest(d *Decision, r *dns.Msg, o *Origin, c *scratch, labels int) {
	d.Origin = o.index
	st, qtype := o.stanza, r.Question[0].Qtype
	if !o.guestPath(&c.path, &c.name, labels) || isTransfer(qtype) || !o.synced(&c.path) {
		return
	}
	q := tree.Query{Family: family(qtype), NotReady: st.NotReady, Buf: c.buf[:0]}
	a := st.Tree.FindGuest(&c.path, q)
	if a.Status == tree.None && st.NotReady && c.path.N == 3 {
		if a = o.findWaiting(&c.path, q); a.Status != tree.None {
			s.decidePeer(d, r, o, c, a)
			d.nextUnless(d.Result, d.Msg)
			return
		}
	}
	if a.Status != tree.None {
		s.decidePeer(d, r, o, c, a)
	}
}

// decidePeer answers for a name of a peer.
func (s *Set) decidePeer(d *Decision, r *dns.Msg, o *Origin, c *scratch, a tree.Answer) {
	st, qtype := o.stanza, r.Question[0].Qtype
	switch {
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
	if s.behind != nil {
		if minTTL, serial, ok := s.behind.SOA(r, apex); ok {
			soa := reply.SOA(apex, ns, minTTL, serial)
			soa.Hdr.Ttl = min(soa.Hdr.Ttl, 300) // seconds, as plugin.SOA of CoreDNS
			return soa
		}
	}
	return reply.SOA(apex, ns, st.TTL, st.Tree.Serial(new(tree.Path)))
}
