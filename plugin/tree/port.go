package tree

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/coredns-headless/headless/plugin/object"
)

// Target is the target of a SRV record.
type Target struct {
	// Peer is the label of a peer below the Service, or empty if the target is the Service itself.
	Peer string
	Port uint16
	// Addrs are the target's addresses of both families, sorted.
	Addrs []netip.Addr
}

// hasPort reports whether the Service has the port _port._protocol, or any port _protocol if port is nil. A port in
// the Service's spec exists even while no endpoint is ready: resolvers would otherwise cache its absence until after
// its pods have started.
func (s *service) hasPort(spec *object.Service, protocol, port []byte) bool {
	srv := newPortName(protocol, port)
	if srv.none || spec.Type == object.ExternalName {
		return false
	}
	if slices.ContainsFunc(spec.Ports, srv.is) {
		return true
	}
	if spec.Type != object.Headless {
		return false
	}
	for sl := range s.slices.all {
		if c := sl.content.Load(); slices.ContainsFunc(c.ports, srv.is) && c.hasReady() {
			return true
		}
	}
	return false
}

// hasReady reports whether an endpoint is ready.
func (c *content) hasReady() bool {
	return slices.ContainsFunc(c.endpoints, func(e *endpoint) bool { return e.ready })
}

// portName is the parsed name of a SRV record. It keeps no reference to the labels, which belong to a query.
type portName struct {
	protocol, name string
	any            bool // all ports with a name
	none           bool // not the name of a port
}

// newPortName parses the labels _protocol and _port. If port is nil, the result matches all ports of the protocol.
func newPortName(protocol, port []byte) portName {
	if len(protocol) == 0 || protocol[0] != '_' || port != nil && (len(port) == 0 || port[0] != '_') {
		return portName{none: true}
	}
	n := portName{protocol: string(protocol[1:]), any: port == nil}
	if !n.any {
		n.name = string(port[1:])
	}
	return n
}

// is reports whether n matches p. A port without a name has no SRV record.
func (n *portName) is(p object.Port) bool {
	return !n.none && p.Name != "" && p.Protocol == n.protocol && (n.any || p.Name == n.name)
}

// Targets returns the targets of the SRV records at p, a name that Find returns as a Port. They are sorted.
func (t *Tree) Targets(p *Path) []Target {
	svc, spec := t.known(p)
	if p.N != 4 || spec == nil {
		return nil
	}
	srv := newPortName(p.Labels[2], p.Labels[3])
	switch spec.Type {
	case object.ClusterIP:
		for _, port := range spec.Ports {
			if srv.is(port) && len(spec.ClusterIPs) > 0 {
				return []Target{{Port: port.Port, Addrs: svc.addrs(spec, Query{Family: AnyFamily})}}
			}
		}
	case object.Headless:
		return svc.targets(&srv)
	}
	return nil
}

// known returns the Service that p is at or below. spec is nil if there is no such Service.
func (t *Tree) known(p *Path) (svc *service, spec *object.Service) {
	if p.N < 2 {
		return nil, nil
	}
	if ns := t.namespace(hashOfBytes(p.Labels[0]), p.Labels[0]); ns != nil {
		if svc = ns.service(hashOfBytes(p.Labels[1]), p.Labels[1]); svc != nil {
			spec = svc.spec.Load()
		}
	}
	return svc, spec
}

// targets returns a target for each ready peer of a headless Service and each of its ports that match srv.
func (s *service) targets(srv *portName) []Target {
	var offers []offer
	addrs := make(map[string][]netip.Addr)
	for sl := range s.slices.all {
		c := sl.content.Load()
		if !slices.ContainsFunc(c.ports, srv.is) {
			continue
		}
		peers := s.ready(c, addrs)
		for _, port := range c.ports {
			if srv.is(port) {
				offers = append(offers, offer{peers, port.Port})
			}
		}
	}
	return combine(offers)
}

// offer is a port and the peers that have it, as targets without a port.
type offer struct {
	by   []Target
	port uint16
}

// ready returns the ready endpoints of a slice as targets without a port. It keeps the addresses at each label in
// addrs, for the next slice of the Service.
func (s *service) ready(c *content, addrs map[string][]netip.Addr) []Target {
	var list []Target
	for _, e := range c.endpoints {
		if !e.ready {
			continue
		}
		label := e.label()
		if _, ok := addrs[label]; !ok {
			addrs[label] = s.peer([]byte(label), Query{Family: AnyFamily}).Addrs
		}
		// The label may be another peer's: its hostname may be the name of this peer's pod.
		if _, ok := slices.BinarySearchFunc(addrs[label], e.addr, netip.Addr.Compare); ok {
			list = append(list, Target{Peer: label, Addrs: addrs[label]})
		}
	}
	return list
}

// combine returns each pair of a peer and one of its ports as one target, sorted.
func combine(offers []offer) []Target {
	var list []Target
	type key struct {
		peer string
		port uint16
	}
	seen := make(map[key]bool)
	for _, o := range offers {
		for _, t := range o.by {
			if k := (key{t.Peer, o.port}); !seen[k] {
				seen[k] = true
				t.Port = o.port
				list = append(list, t)
			}
		}
	}
	slices.SortFunc(list, func(a, b Target) int {
		return cmp.Or(strings.Compare(a.Peer, b.Peer), cmp.Compare(a.Port, b.Port))
	})
	return list
}

// label returns the endpoint's label below its Service, which is the one of the plugin kubernetes if that has one.
func (e *endpoint) label() string {
	if e.host != "" {
		return e.host
	}
	return e.pod
}

// GuestTargets returns the targets of the SRV records at p, a name below a Service that FindGuest returns as a Peer.
// There is one for each port of the pod, named or not, and the target is the pod itself.
func (t *Tree) GuestTargets(p *Path, notReady bool) []Target {
	svc, spec := t.known(p)
	if p.N != 3 || spec == nil {
		return nil
	}
	a := svc.guestPod(p.Labels[2], Query{Family: AnyFamily, NotReady: notReady})
	if a.Status != Peer {
		return nil
	}
	h := hashOfBytes(p.Labels[2])
	var list []Target
	has := make(map[uint16]bool)
	for _, en := range svc.ns.peers.at(h) {
		e := en.val
		if en.hash != h || e.pod != string(p.Labels[2]) || e.in.svc != svc {
			continue
		}
		for e != nil && e.ready != a.of.ready {
			e = e.nextOfPod()
		}
		if e == nil {
			continue // not ready, and another endpoint of the pod is
		}
		for _, port := range e.in.content.Load().ports {
			if !has[port.Port] {
				has[port.Port] = true
				list = append(list, Target{Peer: e.pod, Port: port.Port, Addrs: a.Addrs})
			}
		}
	}
	slices.SortFunc(list, func(a, b Target) int { return cmp.Compare(a.Port, b.Port) })
	return list
}
