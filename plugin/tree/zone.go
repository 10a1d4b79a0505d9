package tree

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/coredns-headless/headless/plugin/object"
)

// Entry is a name of a zone and what is there.
type Entry struct {
	// Labels lead to it from the node that the zone is grafted onto.
	Labels []string
	Answer Answer // with the addresses of both families, for an Alias those that stand for it

	offers []offer // of a Port
}

// Targets are what the SRV records of a Port point at. They are listed when asked for: a slice of 20,000 ports and 1,000 endpoints, which
// is one megabyte, has 20 million.
func (e *Entry) Targets() []Target { return combine(e.offers) }

// Zone lists the names at and below the node at p that have records, in order, as they are at one moment, and the serials of that
// node and of the root then. What stands for an Alias that is no CNAME record alias tells, by looking into the tree. Writers wait
// meanwhile, readers do not.
func (t *Tree) Zone(p *Path, notReady bool, alias func(target string) []netip.Addr) (list []Entry, serial, root uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	z := zone{tree: t, graft: *p, q: Query{Family: AnyFamily, NotReady: notReady}, alias: alias}
	switch p.N {
	case 0:
		for _, ns := range inOrder(t.namespaces.all, func(ns *namespace) string { return ns.name }) {
			z.namespace(ns, ns.name)
		}
	case 1:
		if ns := t.namespace(hashOfBytes(p.Labels[0]), p.Labels[0]); ns != nil {
			z.namespace(ns)
		}
	case 2:
		if svc, spec := t.known(p); spec != nil {
			z.service(svc)
		}
	}
	return z.list, t.Serial(p), t.Serial(new(Path))
}

// zone is a Zone in the making.
type zone struct {
	tree  *Tree
	graft Path
	q     Query
	alias func(target string) []netip.Addr
	list  []Entry
}

// add looks up the name as a query would, so that a transfer cannot say anything else than answers do.
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

func (z *zone) namespace(ns *namespace, at ...string) {
	services := inOrder(ns.services.all, func(s *service) string { return s.name })
	names := make(map[string]bool)
	for _, svc := range services {
		svc.names(names)
	}
	for _, svc := range services {
		if svc.spec.Load() != nil {
			delete(names, svc.name) // a Service always wins
			z.service(svc, below(at, svc.name)...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		z.add(below(at, name)...)
	}
}

func (z *zone) service(svc *service, at ...string) {
	z.add(at...)
	names := make(map[string]bool)
	svc.names(names)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		z.add(below(at, name)...)
	}
	offers := svc.offers()
	for _, name := range slices.Sorted(maps.Keys(offers)) {
		z.list = append(z.list, Entry{Labels: below(at, strings.Split(name, ".")...), Answer: Answer{Status: Port, svc: svc}, offers: offers[name]})
	}
}

// offers are what Targets has, for all ports at once, by their labels: asked one by one they would take time with the square of their number.
func (s *service) offers() map[string][]offer {
	list := make(map[string][]offer)
	label := func(p object.Port) string { return "_" + p.Protocol + "._" + p.Name }
	switch spec := s.spec.Load(); {
	case spec.Type == object.ClusterIP && len(spec.ClusterIPs) > 0:
		itself := []Target{{Addrs: s.addrs(spec, Query{Family: AnyFamily})}}
		for _, p := range spec.Ports {
			if l := label(p); p.Name != "" && list[l] == nil {
				list[l] = []offer{{itself, p.Port}}
			}
		}
	case spec.Type == object.Headless:
		addrs := make(map[string][]netip.Addr)
		for sl := range s.slices.all {
			c := sl.content.Load()
			by := s.ready(c, addrs)
			for _, p := range c.ports {
				if p.Name != "" && len(by) > 0 {
					list[label(p)] = append(list[label(p)], offer{by, p.Port})
				}
			}
		}
	}
	return list
}

// names adds the labels of the Service's endpoints.
func (s *service) names(to map[string]bool) {
	for sl := range s.slices.all {
		for _, e := range sl.content.Load().endpoints {
			to[e.Pod], to[e.Host] = true, true
		}
	}
	delete(to, "")
}

// below is a new slice, since an Entry keeps it.
func below(at []string, labels ...string) []string { return slices.Concat(at, labels) }

func inOrder[E any](all func(func(E) bool), name func(E) string) []E {
	var list []E
	for e := range all {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b E) int { return strings.Compare(name(a), name(b)) })
	return list
}
