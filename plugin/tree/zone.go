package tree

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/coredns-headless/headless/plugin/object"
)

// Entry is a name with records in a zone transfer.
type Entry struct {
	// Labels are the labels of the name below the apex, the one next to the apex first.
	Labels []string
	// Answer has the addresses of both families. For an Alias they are the addresses that the zone has in place of a
	// CNAME record, if there are any.
	Answer Answer

	offers []offer // of a Port
}

// Targets returns the targets of the SRV records of a Port. They are not kept in memory, because a slice of one
// megabyte can have 20,000 ports and 1,000 endpoints, which is 20 million targets.
func (e *Entry) Targets() []Target { return combine(e.offers) }

// Zone returns the names with records at and below the node at p, sorted, and the serials of that node and of the
// root, all at one moment. The function alias returns the addresses of an Alias that is not a CNAME record, and may
// look up names in the tree. Writers wait for Zone, readers do not.
func (t *Tree) Zone(p *Path, notReady bool, alias func(target string) []netip.Addr) (list []Entry, serial,
	root uint32,
) {
	t.mu.Lock()
	defer t.mu.Unlock()
	z := zone{tree: t, graft: *p, q: Query{Family: AnyFamily, NotReady: notReady}, alias: alias}
	switch ns, svc, spec := t.at(p); p.N {
	case 0:
		for _, ns := range sorted(&t.namespaces) {
			z.namespace(ns, ns.name)
		}
	case 1:
		if ns != nil {
			z.namespace(ns)
		}
	case 2:
		if spec != nil {
			z.service(svc)
		}
	}
	return z.list, t.Serial(p), t.Serial(new(Path))
}

// zone collects the entries of Zone.
type zone struct {
	tree  *Tree
	graft Path
	q     Query
	alias func(target string) []netip.Addr
	list  []Entry
}

// add adds the name at labels if it has records. It looks the name up as a query does, so that a transfer has the same
// records.
func (z *zone) add(labels ...string) {
	p := z.graft
	for _, l := range labels {
		p.Labels[p.N] = []byte(l)
		p.N++
	}
	e := Entry{Labels: labels, Answer: z.tree.Find(&p, z.q)}
	if e.Answer.Status == Alias {
		e.Answer.Addrs = z.alias(e.Answer.External)
	}
	if len(e.Answer.Addrs) > 0 || e.Answer.Status == Alias {
		z.list = append(z.list, e)
	}
}

// namespace adds the names at and below ns. The labels at lead to it from the apex.
func (z *zone) namespace(ns *namespace, at ...string) {
	services := sorted(&ns.services)
	names := make(map[string]bool)
	for _, svc := range services {
		svc.names(names)
	}
	for _, svc := range services {
		if svc.spec.Load() != nil {
			delete(names, svc.name) // a Service wins over a peer
			z.service(svc, below(at, svc.name)...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		z.add(below(at, name)...)
	}
}

// service adds the names at and below svc. The labels at lead to it from the apex.
func (z *zone) service(svc *service, at ...string) {
	z.add(at...)
	names := make(map[string]bool)
	svc.names(names)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		z.add(below(at, name)...)
	}
	offers := svc.offers(svc.spec.Load(), func(p object.Port) bool { return p.Name != "" })
	for _, name := range slices.Sorted(maps.Keys(offers)) {
		z.list = append(z.list, Entry{
			Labels: below(at, strings.Split(name, ".")...), Answer: Answer{Status: Port, svc: svc},
			offers: offers[name],
		})
	}
}

// names adds the labels of the Service's endpoints to to.
func (s *service) names(to map[string]bool) {
	for sl := range s.slices.all {
		for _, e := range sl.content.Load().endpoints {
			to[e.pod], to[e.host] = true, true
		}
	}
	delete(to, "")
}

// below returns the labels at with labels appended, in memory of its own, which an Entry keeps.
func below(at []string, labels ...string) []string { return slices.Concat(at, labels) }
