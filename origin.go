package headless

import (
	"slices"
	"sync/atomic"

	"github.com/coredns/coredns/plugin"

	"github.com/coredns-headless/headless/plugin/config"
	"github.com/coredns-headless/headless/plugin/dnsname"
	"github.com/coredns-headless/headless/plugin/source"
	"github.com/coredns-headless/headless/plugin/tree"
)

// stanza is one stanza at work.
type stanza struct {
	config.Stanza
	source   *source.Source
	snapshot string // the file that keeps its state, empty for none
	tree     *tree.Tree

	zones, suffixes []*origin // as the Corefile has them
}

// origin is a domain that answers come from: the tree, or a node of it, under another name.
type origin struct {
	name   dnsname.Name
	zone   string
	graft  [][]byte // the node, from the root down
	stanza *stanza
	guest  bool // another plugin has this zone
	shared bool // another plugin has the rest of this suffix

	// wide says that a transfer had records that change with other parts of the cluster, so the serial must, too.
	wide   atomic.Bool
	ns     []*nameserver // of a suffix
	inside []*nameserver // those of them whose names lie in it and are answered here

	count counters
}

// newOrigins lists the origins of a stanza. All of a cluster zone is one, though only what lies below svc.<zone> can be ours: a
// suffix above the zone must not have the rest.
func newOrigins(s *stanza) []*origin {
	list := make([]*origin, 0, len(s.Zones)+len(s.Suffixes))
	for _, z := range s.Zones {
		o := &origin{zone: z, stanza: s, guest: true}
		o.name.Parse(z)
		list = append(list, o)
	}
	for _, x := range s.Suffixes {
		o := &origin{zone: x.Name, stanza: s, shared: x.Shared}
		o.name.Parse(x.Name)
		for _, label := range []string{x.Target.Namespace, x.Target.Service} {
			if label != "" {
				o.graft = append(o.graft, []byte(label))
			}
		}
		o.setNameservers()
		list = append(list, o)
	}
	for _, o := range list {
		o.count = newCounters(o.zone)
	}
	s.zones, s.suffixes = list[:len(s.Zones)], list[len(s.Zones):]
	return list
}

// path sets p to where in the tree a name leads that has labels more than the origin. It reports false for one that leads nowhere.
func (o *origin) path(p *tree.Path, n *dnsname.Name, labels int) bool {
	p.N = copy(p.Labels[:], o.graft)
	for i := labels - 1; i >= 0; i-- {
		if p.N == len(p.Labels) {
			return false
		}
		p.Labels[p.N] = n.Label(i)
		p.N++
	}
	return true
}

// node is what the origin is grafted onto.
func (o *origin) node() (p tree.Path) {
	o.path(&p, nil, 0)
	return p
}

// authority reports whether the origin is a zone that nobody else has a part in.
func (o *origin) authority() bool { return !o.guest && !o.shared }

// find says what the tree has for a name of this origin that is ours.
func (o *origin) find(n *dnsname.Name, labels int, q tree.Query) (a tree.Answer) {
	var p tree.Path
	if o.guest {
		if o.guestPath(&p, n, labels) && o.stanza.tree.Synced(p.Labels[0]) {
			a = o.stanza.tree.FindGuest(&p, q)
		}
	} else if o.path(&p, n, labels) && o.nameserver(n) == nil && o.synced(&p) {
		a = o.stanza.tree.Find(&p, q)
	}
	return a
}

// synced reports whether all that p can lead to has been seen.
func (o *origin) synced(p *tree.Path) bool {
	if p.N == 0 {
		return o.stanza.tree.AllSynced()
	}
	return o.stanza.tree.Synced(p.Labels[0])
}

// CacheBypassZones implements the interface of *cache*: a pod's new address shows at once. A suffix that another plugin has a
// part of is not among them, since that wants the cache; and none lies below another, as each costs every query.
func (h *Headless) CacheBypassZones() []string {
	var zones []string
	for _, o := range h.origins { // most labels first
		if slices.ContainsFunc(h.origins, func(other *origin) bool {
			_, below := other.name.Below(&o.name)
			return below && (other.guest || other.shared)
		}) {
			continue
		}
		zones = slices.DeleteFunc(zones, func(z string) bool { return plugin.Name(o.zone).Matches(z) })
		zones = append(zones, o.zone)
	}
	return zones
}
