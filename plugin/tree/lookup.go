package tree

import (
	"net/netip"
	"slices"

	"github.com/coredns-headless/headless/plugin/object"
)

// Status is what a name is.
type Status uint8

// The statuses of a name.
const (
	// None is a name that does not exist, and that has no names below it.
	None Status = iota
	// EmptyNonTerminal is a name without records that has names below it (RFC 8020).
	EmptyNonTerminal
	// Service is the name of a headless or ClusterIP Service.
	Service
	// Peer is the name of a peer, below its Service or below its namespace.
	Peer
	// Alias is the name of an ExternalName Service.
	Alias
	// Port is the name of a Service's port, _name._protocol below the Service's name.
	Port
)

// Answer is the result of a look-up.
type Answer struct {
	Status Status
	// Addrs are the addresses of the query's family, sorted, without duplicates.
	Addrs []netip.Addr
	// External is spec.externalName of an Alias, fully qualified.
	External string

	svc *service  // of a Service, an Alias, and a Port
	of  *endpoint // of a Peer: one of its endpoints
}

// Object returns the Service of an answer, and the pod of a Peer. They are empty if there is none, or if it is not
// known.
func (a *Answer) Object() (namespace, service, pod string) {
	svc := a.svc
	if a.of != nil {
		svc, pod = a.of.in.svc, a.of.pod
	}
	if svc == nil {
		return "", "", ""
	}
	return svc.ns.name, svc.name, pod
}

// Family is an address family.
type Family uint8

// The families of a query. A query for NoFamily gets the status without addresses.
const (
	NoFamily Family = iota
	IPv4
	IPv6
	AnyFamily
)

// Query has the parameters of a look-up.
type Query struct {
	Family Family
	// NotReady is the option not_ready: if no endpoint of a peer is ready, its name has the addresses of those that
	// are not.
	NotReady bool
	// Buf is memory for Answer.Addrs. A look-up allocates only if they do not fit.
	Buf []netip.Addr
}

// Path is a name below the root, with the label of the namespace first. The second is a Service or peer; the third a
// peer of the Service, or the protocol of a port; the fourth the port. Labels are in lower case.
type Path struct {
	Labels [4][]byte
	N      int
}

// Find looks up the name at p.
func (t *Tree) Find(p *Path, q Query) Answer {
	ns, svc, spec := t.at(p)
	switch {
	case p.N == 0:
		return Answer{Status: EmptyNonTerminal}
	case ns == nil || ns.specs.Load() == 0:
		return Answer{}
	case p.N == 1:
		return Answer{Status: EmptyNonTerminal}
	case p.N == 2 && spec == nil:
		return ns.peer(p.Labels[1], q, false)
	case spec == nil:
		return Answer{}
	case p.N == 2 && spec.Type == object.ExternalName && spec.ExternalName != "":
		return Answer{Status: Alias, External: spec.ExternalName, svc: svc}
	case p.N == 2:
		return Answer{Status: Service, Addrs: svc.addrs(spec, q), svc: svc}
	case p.N == 3:
		a := svc.peer(p.Labels[2], q)
		if a.Status == None && svc.hasPort(spec, p.Labels[2], nil) {
			a.Status = EmptyNonTerminal
		}
		return a
	case svc.hasPort(spec, p.Labels[2], p.Labels[3]):
		return Answer{Status: Port, svc: svc}
	}
	return Answer{}
}

// FindGuest looks up a name in a zone that the plugin kubernetes serves. It finds only peers that kubernetes has no
// name for: a Service wins over a peer, and hostnames and dashed addresses below a Service belong to kubernetes.
func (t *Tree) FindGuest(p *Path, q Query) Answer {
	ns, svc, spec := t.at(p)
	switch {
	case p.N == 2 && ns != nil && spec == nil:
		return ns.peer(p.Labels[1], q, true)
	case p.N == 3 && svc != nil:
		return svc.guestPod(p.Labels[2], q)
	}
	return Answer{}
}

// FindWaiting looks up the hostname of endpoints below a Service, if none of them is ready, in a zone that the plugin
// kubernetes serves. That plugin has the name once an endpoint is ready, and may know of one before the tree does.
func (t *Tree) FindWaiting(p *Path, q Query) Answer {
	_, svc, _ := t.at(p)
	if p.N != 3 || svc == nil {
		return Answer{}
	}
	x := p.Labels[2]
	host := svc.ns.look(x).find(svc, x, byHost, q)
	if host.first == nil || host.first.ready || host.first.dashed {
		return Answer{}
	}
	return host.answer(q)
}

// at returns the nodes that p leads through: its namespace, its Service, and that one's object, nil if there is none.
func (t *Tree) at(p *Path) (ns *namespace, svc *service, spec *object.Service) {
	if p.N > 0 {
		ns = child(&t.namespaces, p.Labels[0])
	}
	if ns != nil && p.N > 1 {
		svc = child(&ns.services, p.Labels[1])
	}
	if svc != nil {
		spec = svc.spec.Load()
	}
	return ns, svc, spec
}

// peer looks up the peer x directly below the namespace. A pod named x wins over endpoints with the hostname x, but
// with alone nobody has a name that is both. Readiness does not matter for that: a pod must not lose its name to
// another because it stops being ready.
func (n *namespace) peer(x []byte, q Query, alone bool) Answer {
	f := n.find(x, q, alone)
	return f.answer(q)
}

func (n *namespace) find(x []byte, q Query, alone bool) found {
	l := n.look(x)
	pod := l.find(nil, x, byPod, q)
	switch {
	case pod.first == nil:
	case alone && l.isAnothers(x):
		return found{}
	case !pod.services:
		return pod
	default:
		svc := l.governing(x)
		if svc == nil {
			return pod
		}
		return l.governed(svc, x, byPod, n, x, q)
	}
	host := l.find(nil, x, byHost, q)
	switch {
	case host.ambiguous():
		return found{}
	case !host.waiting || host.peers || host.first.pod == "":
		return host
	}
	return l.governed(nil, x, byHost, n, []byte(host.first.pod), q)
}

// peer looks up the peer x of a Service. Ready endpoints with the hostname x win, as in the plugin kubernetes, then
// the pod named x, then endpoints with the hostname x that are not ready.
func (s *service) peer(x []byte, q Query) Answer {
	l := s.ns.look(x)
	host := l.find(s, x, byHost, q)
	if host.ready() {
		return host.answer(q)
	}
	pod := l.find(s, x, byPod, q)
	if a := pod.answer(q); a.Status == Peer {
		return a
	}
	host = l.find(s, x, byHost, q) // again, because the pod's addresses are in the buffer
	return host.answer(q)
}

// guestPod looks up the pod x of a Service, unless the plugin kubernetes may have that name.
func (s *service) guestPod(x []byte, q Query) Answer {
	l := s.ns.look(x)
	pod := l.find(s, x, byPod, q)
	if pod.first == nil || s.isHostname(l, x) {
		return Answer{}
	}
	return pod.answer(q)
}

// isHostname reports whether the plugin kubernetes may have the name x below the Service: x is the hostname of a ready
// endpoint, or the dashed address of a ready endpoint without a hostname, whatever its pod's name. It reads all
// endpoints only if x is a dashed address.
func (s *service) isHostname(l look, x []byte) bool {
	if host := l.find(s, x, byHost, Query{}); host.ready() {
		return true
	}
	addr, ok := object.ParseDashed(x)
	if !ok {
		return false
	}
	for sl := range s.slices.all {
		for _, e := range sl.content.Load().endpoints {
			if e.addr == addr && e.ready && (e.host == "" || e.dashed) {
				return true
			}
		}
	}
	return false
}

// addrs returns the addresses of a Service: the cluster IPs, or for a headless Service those of its ready endpoints,
// even with q.NotReady.
func (s *service) addrs(spec *object.Service, q Query) []netip.Addr {
	if q.Family == NoFamily {
		return nil
	}
	list := q.Buf[:0]
	if spec.Type != object.Headless {
		for _, a := range spec.ClusterIPs {
			if q.Family.Has(a) {
				list = append(list, a)
			}
		}
		return distinct(list)
	}
	for sl := range s.slices.all {
		for _, e := range sl.content.Load().endpoints {
			if e.ready && q.Family.Has(e.addr) {
				list = append(list, e.addr)
			}
		}
	}
	return distinct(list)
}

// Has reports whether a has the family f.
func (f Family) Has(a netip.Addr) bool {
	switch f {
	case IPv4:
		return a.Is4()
	case IPv6:
		return !a.Is4()
	}
	return f == AnyFamily
}

// distinct sorts list and removes duplicates, in place.
func distinct(list []netip.Addr) []netip.Addr {
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}
