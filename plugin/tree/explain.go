package tree

import (
	"cmp"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/coredns-headless/headless/plugin/object"
)

// Explain says, node by node from the namespace down, what Find, or FindGuest where guest is set, meets at p and why. It decides nothing.
func (t *Tree) Explain(p *Path, guest, notReady bool) []string {
	if p.N == 0 {
		return []string{"the root of all namespaces"}
	}
	name := string(p.Labels[0])
	if t.scopes[""] == nil && t.scopes[name] == nil {
		return []string{fmt.Sprintf("namespace %q is left out: it is not among the option namespaces", name)}
	}
	if !t.Synced(p.Labels[0]) {
		return []string{fmt.Sprintf("namespace %q is not synced yet: nobody can say what is in it", name)}
	}
	ns := t.namespace(hashOfBytes(p.Labels[0]), p.Labels[0])
	if ns == nil || ns.specs.Load() == 0 {
		return []string{fmt.Sprintf("namespace %q has no Service", name)}
	}
	list := []string{fmt.Sprintf("Services in namespace %q: %d", name, ns.specs.Load())}
	if p.N == 1 {
		return list
	}
	x := string(p.Labels[1])
	svc, spec := t.known(p)
	if spec == nil {
		list = append(list, fmt.Sprintf("no Service is called %q there", x))
		if p.N == 2 {
			list = append(list, ns.explain(p.Labels[1], notReady))
		}
		return list
	}
	what := "headless"
	switch spec.Type {
	case object.ExternalName:
		what = "ExternalName " + spec.ExternalName
	case object.ClusterIP:
		what = fmt.Sprintf("ClusterIP %v, without peers", spec.ClusterIPs)
	}
	list = append(list, fmt.Sprintf("%q is a Service there: %s", x, what))
	switch {
	case p.N > 2:
		list = append(list, svc.explain(p, spec, guest, notReady))
	case guest:
		list = append(list, "a Service of that name wins: its name is kubernetes' own")
	}
	return list
}

// explain says what peers the label x has below the namespace.
func (n *namespace) explain(x []byte, notReady bool) string {
	h := hashOfBytes(x)
	leaf := n.peers.at(h)
	var pod, host collector
	pod.byPod(leaf, x, h, nil, nil)
	host.byHost(leaf, x, h, nil, nil)
	switch {
	case pod.seen:
		return pod.explain("pod", x, notReady)
	case host.ambiguous():
		return fmt.Sprintf("hostname %q is ambiguous: different pods of several Services have it", x)
	case host.seen:
		return host.explain("hostname", x, notReady)
	}
	none := fmt.Sprintf("no such peer: no pod behind a headless Service there has the name or hostname %q", x)
	for _, other := range sorted(n.tree.namespaces.all, func(n *namespace) string { return n.name }) {
		if other.peer(x, h, Query{NotReady: true}).Status == Peer {
			return none + fmt.Sprintf("; one in namespace %q has", other.name)
		}
	}
	return none
}

// explain says what there is at p below the Service.
func (s *service) explain(p *Path, spec *object.Service, guest, notReady bool) string {
	x := p.Labels[2]
	if p.N == 4 {
		if s.hasPort(spec, x, p.Labels[3]) {
			return fmt.Sprintf("the Service has the port %s.%s", p.Labels[3], x)
		}
		return fmt.Sprintf("the Service has no port %s.%s", p.Labels[3], x)
	}
	h := hashOfBytes(x)
	leaf := s.ns.peers.at(h)
	var pod, host collector
	pod.byPod(leaf, x, h, s, nil)
	host.byHost(leaf, x, h, s, nil)
	switch {
	case guest && s.isHostname(leaf, x, h):
		return fmt.Sprintf("%q is a hostname or dashed address below the Service: kubernetes' own", x)
	case guest && !pod.seen:
		return fmt.Sprintf("no such peer: no pod of the Service is called %q", x)
	case guest, pod.seen && !host.ready:
		return pod.explain("pod", x, notReady)
	case host.seen:
		return host.explain("hostname", x, notReady)
	case s.hasPort(spec, x, nil):
		return fmt.Sprintf("names of ports lie below %s", x)
	}
	return fmt.Sprintf("no such peer: no pod of the Service has the name or hostname %q", x)
}

// explain says whose the label is.
func (c *collector) explain(what string, x []byte, notReady bool) string {
	state := "ready"
	switch {
	case c.ready:
	case notReady:
		state = "not ready, and answers because of the option not_ready"
	default:
		state = "not ready: only the option not_ready lets it answer"
	}
	return fmt.Sprintf("%q is the %s of an endpoint of Service %q: %s", x, what, c.first.in.svc.name, state)
}

// Row is an endpoint of a headless Service as it is listed, or a Service or a namespace, which have no Addr and no Service.
type Row struct {
	Namespace, Service string
	Type               object.ServiceType
	Pod, Host          string // either may be empty
	Addr               netip.Addr
	Ready              bool
}

// Browse lists namespaces, their Services and the endpoints of headless ones, in order. It takes no lock.
func (t *Tree) Browse() iter.Seq[Row] {
	return func(yield func(Row) bool) {
		var endpoints []object.Endpoint
		for _, ns := range sorted(t.namespaces.all, func(n *namespace) string { return n.name }) {
			if ns.specs.Load() > 0 && !yield(Row{Namespace: ns.name}) {
				return
			}
			for _, svc := range sorted(ns.services.all, func(s *service) string { return s.name }) {
				spec := svc.spec.Load()
				if spec == nil {
					continue
				}
				r := Row{Namespace: ns.name, Service: svc.name, Type: spec.Type}
				if !yield(r) {
					return
				}
				if spec.Type != object.Headless {
					continue
				}
				endpoints = svc.appendEndpoints(endpoints[:0])
				for i, e := range endpoints {
					r.Pod, r.Host, r.Addr, r.Ready = e.Pod, e.Host, e.Addr, e.Ready
					if (i == 0 || e != endpoints[i-1]) && !yield(r) {
						return
					}
				}
			}
		}
	}
}

// appendEndpoints appends the endpoints of all slices, in order. What two slices have stands twice.
func (s *service) appendEndpoints(list []object.Endpoint) []object.Endpoint {
	for sl := range s.slices.all {
		for _, e := range sl.content.Load().endpoints {
			list = append(list, e.Endpoint)
		}
	}
	slices.SortFunc(list, func(a, b object.Endpoint) int {
		return cmp.Or(strings.Compare(a.Pod, b.Pod), strings.Compare(a.Host, b.Host), a.Addr.Compare(b.Addr))
	})
	return list
}

func sorted[T any](all iter.Seq[T], name func(T) string) []T {
	return slices.SortedFunc(all, func(a, b T) int { return strings.Compare(name(a), name(b)) })
}
