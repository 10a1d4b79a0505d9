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

// Explain returns the steps of Find, or of FindGuest if guest is set, in words: one for each label of p that it looks
// at.
func (t *Tree) Explain(p *Path, guest, notReady bool) []string {
	if p.N == 0 {
		return []string{"the parent of all namespaces"}
	}
	name := string(p.Labels[0])
	if t.scopes[""] == nil && t.scopes[name] == nil {
		return []string{fmt.Sprintf("namespace %q is not watched: the option namespaces does not list it", name)}
	}
	if !t.Synced(p.Labels[0]) {
		return []string{fmt.Sprintf("namespace %q is not synced yet, so its names are not known", name)}
	}
	ns, svc, spec := t.at(p)
	if ns == nil || ns.specs.Load() == 0 {
		return []string{fmt.Sprintf("namespace %q has no Service", name)}
	}
	list := []string{fmt.Sprintf("Services in namespace %q: %d", name, ns.specs.Load())}
	if p.N == 1 {
		return list
	}
	x := string(p.Labels[1])
	if spec == nil {
		list = append(list, fmt.Sprintf("namespace %q has no Service %q", name, x))
		if p.N == 2 {
			list = append(list, ns.explain(p.Labels[1], guest, notReady))
		}
		return list
	}
	what := "a headless Service"
	switch spec.Type {
	case object.ExternalName:
		what = "an ExternalName Service for " + spec.ExternalName
		if spec.ExternalName == "" {
			what = fmt.Sprintf("an ExternalName Service with the address %v", spec.ClusterIPs)
		}
	case object.ClusterIP:
		what = fmt.Sprintf("a ClusterIP Service with the addresses %v and no peers", spec.ClusterIPs)
	}
	list = append(list, fmt.Sprintf("%q is %s", x, what))
	switch {
	case p.N > 2:
		list = append(list, svc.explain(p, spec, guest, notReady))
	case guest:
		list = append(list, "a Service wins over a peer of that name, so the name is left to the kubernetes plugin")
	}
	return list
}

// explain returns the step for the peer x directly below the namespace.
func (n *namespace) explain(x []byte, guest, notReady bool) string {
	l := n.look(x)
	pod := l.find(nil, x, byPod, Query{})
	host := l.find(nil, x, byHost, Query{})
	found := n.find(x, Query{}, guest)
	switch {
	case pod.first != nil && found.first == nil:
		return fmt.Sprintf("%q is the name of one pod and the host name of another, "+
			"so the name is left to the next plugin", x)
	case pod.first != nil:
		return found.explain("name of a pod", x, notReady)
	case host.ambiguous():
		return fmt.Sprintf("host name %q is ambiguous: different pods of several Services have it", x)
	case host.first != nil:
		return found.explain("host name of an endpoint", x, notReady)
	}
	none := fmt.Sprintf("no pod or endpoint of a headless Service in this namespace has the name or host name %q", x)
	for _, other := range sorted(&n.tree.namespaces) {
		if other.peer(x, Query{NotReady: true}, false).Status == Peer {
			return none + fmt.Sprintf("; one in namespace %q has it", other.name)
		}
	}
	return none
}

// explain returns the step for the name at p, which is below the Service.
func (s *service) explain(p *Path, spec *object.Service, guest, notReady bool) string {
	x := p.Labels[2]
	if p.N == 4 {
		if s.hasPort(spec, x, p.Labels[3]) {
			return fmt.Sprintf("the Service has the port %s.%s", p.Labels[3], x)
		}
		return fmt.Sprintf("the Service has no port %s.%s", p.Labels[3], x)
	}
	l := s.ns.look(x)
	pod := l.find(s, x, byPod, Query{})
	host := l.find(s, x, byHost, Query{})
	switch {
	case guest && s.isHostname(l, x):
		return fmt.Sprintf("%q is the host name or dashed address of a ready endpoint, "+
			"so the name is left to the kubernetes plugin", x)
	case guest && pod.first == nil && host.first != nil && notReady:
		return fmt.Sprintf("%q is the host name of an endpoint that is not ready: "+
			"answered because of the option not_ready, if the next plugin has no such name", x)
	case guest && pod.first == nil && host.first != nil:
		return fmt.Sprintf("%q is the host name of an endpoint that is not ready", x)
	case guest && pod.first == nil:
		return fmt.Sprintf("no pod of the Service has the name %q", x)
	case guest, pod.first != nil && !host.ready():
		return pod.explain("name of a pod", x, notReady)
	case host.first != nil:
		return host.explain("host name of an endpoint", x, notReady)
	case s.hasPort(spec, x, nil):
		return fmt.Sprintf("names of ports are below %s", x)
	}
	return fmt.Sprintf("no pod or endpoint of the Service has the name or host name %q", x)
}

// explain returns the step for the label x of a peer. The label is what.
func (c *found) explain(what string, x []byte, notReady bool) string {
	state := "ready"
	switch {
	case c.first.ready:
	case notReady:
		state = "not ready, but answered because of the option not_ready"
	default:
		state = "not ready, and answered only with the option not_ready"
	}
	return fmt.Sprintf("%q is the %s of Service %q: %s", x, what, c.first.in.svc.name, state)
}

// Row is a namespace, a Service or an endpoint of a headless Service. A namespace has an empty Service, and only an
// endpoint has a valid Addr.
type Row struct {
	Namespace, Service string
	Type               object.ServiceType // of a Service or endpoint
	Pod, Host          string             // of an endpoint; one of them may be empty
	Addr               netip.Addr
	Ready              bool
}

// Browse yields namespaces, their Services, and the endpoints of headless Services, sorted. It takes no lock.
func (t *Tree) Browse() iter.Seq[Row] {
	return func(yield func(Row) bool) {
		var endpoints []object.Endpoint
		for _, ns := range sorted(&t.namespaces) {
			if ns.specs.Load() > 0 && !yield(Row{Namespace: ns.name}) {
				return
			}
			for _, svc := range sorted(&ns.services) {
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
				for _, e := range endpoints {
					r.Pod, r.Host, r.Addr, r.Ready = e.Pod, e.Host, e.Addr, e.Ready
					if !yield(r) {
						return
					}
				}
			}
		}
	}
}

// appendEndpoints appends the endpoints of all slices to list, sorted. An endpoint that two slices have is there once.
func (s *service) appendEndpoints(list []object.Endpoint) []object.Endpoint {
	for sl := range s.slices.all {
		for _, e := range sl.content.Load().endpoints {
			list = append(list, e.object())
		}
	}
	slices.SortFunc(list, func(a, b object.Endpoint) int {
		return cmp.Or(strings.Compare(a.Pod, b.Pod), strings.Compare(a.Host, b.Host), a.Addr.Compare(b.Addr))
	})
	return slices.Compact(list)
}
