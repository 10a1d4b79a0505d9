package tree

import (
	"net/netip"
	"slices"

	"github.com/coredns-headless/headless/plugin/object"
)

// Status says what a name is.
type Status uint8

// What a name can be.
const (
	// None: there is no such name, nor one below it.
	None Status = iota
	// EmptyNonTerminal: an empty non-terminal (RFC 8020), it only has names below it.
	EmptyNonTerminal
	// Service: a Service's name.
	Service
	// Peer: an endpoint's name.
	Peer
	// Alias: the name of an ExternalName Service.
	Alias
	// Port: a Service's port, _name._protocol below its name.
	Port
)

// Answer is what the tree says of a name.
type Answer struct {
	Status Status
	// Addrs are the addresses of the family asked for: without duplicates, in order.
	Addrs []netip.Addr
	// External is the target of an Alias, fully qualified.
	External string

	svc *service  // of a Service, an Alias, and a Port
	of  *endpoint // of a Peer: one of its endpoints
}

// Object names what is behind a Service or a peer; pod is empty where there is none or none is known.
func (a *Answer) Object() (namespace, service, pod string) {
	svc := a.svc
	if a.of != nil {
		svc, pod = a.of.in.svc, a.of.Pod
	}
	if svc == nil {
		return "", "", ""
	}
	return svc.ns.name, svc.name, pod
}

// Family chooses addresses.
type Family uint8

// The families that a query can ask for; NoFamily asks only whether a name exists.
const (
	NoFamily Family = iota
	IPv4
	IPv6
	AnyFamily
)

// Query says how to read the tree.
type Query struct {
	Family Family
	// NotReady lets a peer's name that has no ready endpoint answer with those not ready.
	NotReady bool
	// Buf is where Addrs are put as long as they fit. It keeps a query for a few addresses from allocating.
	Buf []netip.Addr
}

// A Path goes from the root down: namespace, then Service or peer, then peer of the Service or protocol, then port.
type Path struct {
	Labels [4][]byte
	N      int
}

// Find says what the name at p is.
func (t *Tree) Find(p *Path, q Query) Answer {
	if p.N == 0 {
		return Answer{Status: EmptyNonTerminal}
	}
	ns := t.namespace(hashOfBytes(p.Labels[0]), p.Labels[0])
	if ns == nil || ns.specs.Load() == 0 {
		return Answer{}
	}
	if p.N == 1 {
		return Answer{Status: EmptyNonTerminal}
	}
	x := p.Labels[1]
	h := hashOfBytes(x)
	svc := ns.service(h, x)
	var spec *object.Service
	if svc != nil {
		spec = svc.spec.Load()
	}
	switch {
	case p.N == 2 && spec == nil:
		return ns.peer(x, h, q)
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

// FindGuest is Find for a name in a zone that another plugin serves, *kubernetes*: it finds only what that plugin has no
// name for. A Service always wins, and a hostname or dashed address below a Service is that plugin's own.
func (t *Tree) FindGuest(p *Path, q Query) Answer {
	if p.N != 2 && p.N != 3 {
		return Answer{}
	}
	ns := t.namespace(hashOfBytes(p.Labels[0]), p.Labels[0])
	if ns == nil {
		return Answer{}
	}
	x := p.Labels[1]
	h := hashOfBytes(x)
	svc := ns.service(h, x)
	switch {
	case p.N == 2 && svc != nil && svc.spec.Load() != nil:
		return Answer{}
	case p.N == 2:
		return ns.peer(x, h, q)
	case svc == nil:
		return Answer{}
	}
	return svc.guestPod(p.Labels[2], q)
}

func (t *Tree) namespace(h uint64, name []byte) *namespace {
	for _, e := range t.namespaces.at(h) {
		if e.hash == h && e.val.name == string(name) {
			return e.val
		}
	}
	return nil
}

func (n *namespace) service(h uint64, name []byte) *service {
	for _, e := range n.services.at(h) {
		if e.hash == h && e.val.name == string(name) {
			return e.val
		}
	}
	return nil
}

// peer finds the peer x one label below the namespace: the pod of that name, else those whose hostname it is. Which of
// them owns the name does not depend on readiness, else a pod that stops being ready would hand its name to another.
func (n *namespace) peer(x []byte, h uint64, q Query) Answer {
	leaf := n.peers.at(h)
	c := collector{q: q}
	addrs := c.byPod(leaf, x, h, nil, q.Buf[:0])
	if c.seen {
		return c.answer(addrs)
	}
	addrs = c.byHost(leaf, x, h, nil, addrs)
	if c.ambiguous() {
		return Answer{}
	}
	return c.answer(addrs)
}

// peer finds the peer x of a Service: the ready ones with that hostname, as *kubernetes* does, else the pod of that name,
// else those with the hostname that are not ready.
func (s *service) peer(x []byte, q Query) Answer {
	h := hashOfBytes(x)
	leaf := s.ns.peers.at(h)
	host := collector{q: q}
	addrs := host.byHost(leaf, x, h, s, q.Buf[:0])
	if host.ready {
		return host.answer(addrs)
	}
	pod := collector{q: q}
	if a := pod.answer(pod.byPod(leaf, x, h, s, q.Buf[:0])); a.Status == Peer {
		return a
	}
	return host.answer(host.byHost(leaf, x, h, s, q.Buf[:0])) // again: the buffer is another's now
}

// guestPod finds the pod x of a Service, unless *kubernetes* may have a name for x there.
func (s *service) guestPod(x []byte, q Query) Answer {
	h := hashOfBytes(x)
	leaf := s.ns.peers.at(h)
	c := collector{q: q}
	addrs := c.byPod(leaf, x, h, s, q.Buf[:0])
	if !c.seen || s.isHostname(leaf, x, h) {
		return Answer{}
	}
	return c.answer(addrs)
}

// isHostname reports whether *kubernetes* may have a name for x below the Service: a ready endpoint's hostname, or the
// dashed address of one that has none, whatever its pod is called. Only for a pod whose name reads as an address does it look at
// all endpoints.
func (s *service) isHostname(leaf []entry[*endpoint], x []byte, h uint64) bool {
	var c collector
	if c.byHost(leaf, x, h, s, nil); c.ready {
		return true
	}
	addr, ok := object.ParseDashed(x)
	if !ok {
		return false
	}
	for sl := range s.slices.all {
		for _, e := range sl.content.Load().endpoints {
			if e.Addr == addr && e.Ready && (e.Host == "" || e.Dashed) {
				return true
			}
		}
	}
	return false
}

// addrs are the Service's own addresses: never those of endpoints that are not ready.
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
			if e.Ready && q.Family.Has(e.Addr) {
				list = append(list, e.Addr)
			}
		}
	}
	return distinct(list)
}

// Has reports whether a is of the family.
func (f Family) Has(a netip.Addr) bool {
	switch f {
	case IPv4:
		return a.Is4()
	case IPv6:
		return !a.Is4()
	}
	return f == AnyFamily
}

// distinct sorts list and drops duplicates, in place.
func distinct(list []netip.Addr) []netip.Addr {
	if len(list) < 2 {
		return list
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}
