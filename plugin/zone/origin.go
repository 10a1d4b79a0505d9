package zone

import (
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/dnsname"
	"github.com/coredns-headless/headless/plugin/reply"
	"github.com/coredns-headless/headless/plugin/tree"
)

// Origin is a domain that answers come from: the tree, or what is below its target, under another name.
type Origin struct {
	name   dnsname.Name
	zone   string
	target [][]byte // its labels, from the root of the tree down
	stanza *stanza
	index  int  // into Set.names
	guest  bool // another plugin serves this zone
	shared bool // another plugin serves the rest of this suffix

	// volatile says that a transfer had records that change with other parts of the cluster, so the serial must, too.
	volatile atomic.Bool
	ns       []*nameserver // of a suffix
	inZone   []*nameserver // those of them whose names lie in it and are answered here
}

// newGuest returns the origin of a cluster zone. All of the zone is one origin, though only what lies below
// svc.<zone> can be ours: a suffix above the zone must not have the rest.
func newGuest(s *stanza, zone string, index int) *Origin {
	o := &Origin{zone: zone, stanza: s, index: index, guest: true}
	o.name.Parse(zone)
	return o
}

func newSuffix(s *stanza, x Suffix, listening []netip.Addr, index int) *Origin {
	o := &Origin{zone: x.Name, stanza: s, index: index, shared: x.Shared}
	o.name.Parse(x.Name)
	for _, label := range []string{x.Namespace, x.Service} {
		if label != "" {
			o.target = append(o.target, []byte(label))
		}
	}
	o.setNameservers(listening)
	return o
}

// Name is the origin's domain name.
func (o *Origin) Name() string { return o.zone }

// Authority reports whether the origin is a zone that no other plugin has a part in.
func (o *Origin) Authority() bool { return !o.guest && !o.shared }

// Synced reports whether all of the origin's target has been seen.
func (o *Origin) Synced() bool {
	p := o.targetPath()
	return o.synced(&p)
}

// Serial is that of the SOA record of a suffix.
func (o *Origin) Serial() uint32 {
	var p tree.Path
	if !o.volatile.Load() {
		p = o.targetPath()
	}
	return o.stanza.Tree.Serial(&p)
}

// below reports whether o is other or lies below it.
func (o *Origin) below(other *Origin) bool {
	_, ok := o.name.Below(&other.name)
	return ok
}

// path sets p to where in the tree a name leads that has labels more than the origin. It reports false for one that
// leads nowhere.
func (o *Origin) path(p *tree.Path, n *dnsname.Name, labels int) bool {
	p.N = copy(p.Labels[:], o.target)
	for i := labels - 1; i >= 0; i-- {
		if p.N == len(p.Labels) {
			return false
		}
		p.Labels[p.N] = n.Label(i)
		p.N++
	}
	return true
}

// guestPath sets p to where in the tree a name leads that can be a guest's, and reports false for any other.
func (o *Origin) guestPath(p *tree.Path, n *dnsname.Name, labels int) bool {
	return labels > 0 && string(n.Label(labels-1)) == "svc" && o.path(p, n, labels-1) && (p.N == 2 || p.N == 3)
}

func (o *Origin) targetPath() (p tree.Path) {
	o.path(&p, nil, 0)
	return p
}

// find says what the tree has for a name of this origin that is ours.
func (o *Origin) find(n *dnsname.Name, labels int, q tree.Query) (a tree.Answer) {
	var p tree.Path
	if o.guest {
		if o.guestPath(&p, n, labels) && o.synced(&p) {
			a = o.stanza.Tree.FindGuest(&p, q)
		}
	} else if o.path(&p, n, labels) && o.nameserver(n) == nil && o.synced(&p) {
		a = o.stanza.Tree.Find(&p, q)
	}
	return a
}

// findWaiting finds the hostname of endpoints that are not ready, which the plugin behind is asked for first. What may
// be out of date does not count: that plugin may know better.
func (o *Origin) findWaiting(p *tree.Path, q tree.Query) tree.Answer {
	st := o.stanza
	if !st.NotReady || st.Tree.Presumed() || st.Stale != nil && st.Stale() {
		return tree.Answer{}
	}
	return st.Tree.FindWaiting(p, q)
}

// synced reports whether all that p can lead to has been seen.
func (o *Origin) synced(p *tree.Path) bool {
	if p.N == 0 {
		return o.stanza.Tree.AllSynced()
	}
	return o.stanza.Tree.Synced(p.Labels[0])
}

// soa is the SOA record of a suffix, as the query spells its name.
func (o *Origin) soa(r *dns.Msg) *dns.SOA { return o.soaAt(spelled(r, o.zone), o.Serial()) }

// soaAt is the SOA record of the apex, which is spelled as given.
func (o *Origin) soaAt(apex string, serial uint32) *dns.SOA {
	return reply.SOA(apex, o.ns[0].spelled(o.zone, apex), o.stanza.TTL, serial)
}

// apexSOA is the SOA record as the apex has it. In negative replies its TTL is shorter.
func (o *Origin) apexSOA(apex string, serial uint32) *dns.SOA {
	soa := o.soaAt(apex, serial)
	soa.Hdr.Ttl = o.stanza.ApexTTL
	return soa
}

// spelled is zone as the query spells it: clients that mix case to detect spoofing want their own back.
func spelled(r *dns.Msg, zone string) string {
	q := r.Question[0].Name
	if at := len(q) - len(zone); at >= 0 && strings.EqualFold(q[at:], zone) {
		return q[at:]
	}
	return zone
}

func family(qtype uint16) tree.Family {
	switch qtype {
	case dns.TypeA:
		return tree.IPv4
	case dns.TypeAAAA:
		return tree.IPv6
	}
	return tree.NoFamily
}

func isTransfer(qtype uint16) bool { return qtype == dns.TypeAXFR || qtype == dns.TypeIXFR }
