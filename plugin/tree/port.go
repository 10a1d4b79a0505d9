package tree

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/coredns-headless/headless/plugin/object"
)

// Target is what a SRV record points at.
type Target struct {
	// Peer is the label below the Service's name, empty for the Service itself.
	Peer string
	Port uint16
	// Addrs are all that the target has, of both families, in order.
	Addrs []netip.Addr
}

// hasPort reports whether the Service has a port of that name, both labels with their underscore, or any one with that protocol
// where port is nil. A port that the Service declares exists also while nothing is ready behind it: else the denial would
// outlive the start of its pods in resolvers.
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
		if c := sl.content.Load(); slices.ContainsFunc(c.ports, srv.is) && slices.ContainsFunc(c.endpoints, func(e *endpoint) bool { return e.Ready }) {
			return true
		}
	}
	return false
}

// portName is what the labels _port._protocol of a SRV record mean. It holds no label: those are a query's.
type portName struct {
	protocol, name string
	any            bool // every port that has a name
	none           bool // the labels mean no port
}

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

// is reports whether p is meant. A port without a name has no SRV record.
func (n *portName) is(p object.Port) bool {
	return !n.none && p.Name != "" && p.Protocol == n.protocol && (n.any || p.Name == n.name)
}

// Targets lists what the SRV records at p point at, a name of which Find says that it is a Port, in order.
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

// known finds the Service that p leads to or through, and its object; spec is nil where there is none.
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

// targets lists each ready peer of the Service with each of its ports of that name.
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

// offer is a port and who has it, targets without a port.
type offer struct {
	by   []Target
	port uint16
}

// ready makes targets without a port of the ready endpoints of a slice. addrs keeps what the Service has at their labels.
func (s *service) ready(c *content, addrs map[string][]netip.Addr) []Target {
	var list []Target
	for _, e := range c.endpoints {
		if !e.Ready {
			continue
		}
		label := e.label()
		if _, ok := addrs[label]; !ok {
			addrs[label] = s.peer([]byte(label), Query{Family: AnyFamily}).Addrs
		}
		// The label may lead to another peer: to one whose hostname is this one's pod.
		if _, ok := slices.BinarySearchFunc(addrs[label], e.Addr, netip.Addr.Compare); ok {
			list = append(list, Target{Peer: label, Addrs: addrs[label]})
		}
	}
	return list
}

// combine lists each target with each of its ports once, in order.
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
	slices.SortFunc(list, func(a, b Target) int { return cmp.Or(strings.Compare(a.Peer, b.Peer), cmp.Compare(a.Port, b.Port)) })
	return list
}

// label is the endpoint's name below its Service: as *kubernetes* has it, if that has one.
func (e *endpoint) label() string {
	if e.Host != "" {
		return e.Host
	}
	return e.Pod
}

// GuestTargets lists what the SRV records of a pod below its Service point at, the pod itself, a name of which FindGuest says
// that it is a Peer: all ports that it has, named or not.
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
		if en.hash != h || e.Pod != string(p.Labels[2]) || e.in.svc != svc {
			continue
		}
		for e != nil && e.Ready != a.of.Ready {
			e = e.nextOfPod()
		}
		if e == nil {
			continue // those that are not ready count only where none is
		}
		for _, port := range e.in.content.Load().ports {
			if !has[port.Port] {
				has[port.Port] = true
				list = append(list, Target{Peer: e.Pod, Port: port.Port, Addrs: a.Addrs})
			}
		}
	}
	slices.SortFunc(list, func(a, b Target) int { return cmp.Compare(a.Port, b.Port) })
	return list
}
