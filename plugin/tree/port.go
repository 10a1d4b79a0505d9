package tree

import (
	"bytes"
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
	if !bytes.HasPrefix(protocol, []byte("_")) || spec.Type == object.ExternalName {
		return false
	}
	match := func(p object.Port) bool { return isNamed(p, protocol, port) }
	if slices.ContainsFunc(spec.Ports, match) {
		return true
	}
	if spec.Type != object.Headless {
		return false
	}
	for sl := range s.slices.all {
		c := sl.content.Load()
		if slices.ContainsFunc(c.ports, match) && slices.ContainsFunc(c.endpoints, (*endpoint).isReady) {
			return true
		}
	}
	return false
}

// isNamed reports whether p has the name _port._protocol, or any name below _protocol if port is nil.
func isNamed(p object.Port, protocol, port []byte) bool {
	is := func(label []byte, s string) bool { return len(label) > 0 && label[0] == '_' && string(label[1:]) == s }
	return p.Name != "" && is(protocol, p.Protocol) && (port == nil || is(port, p.Name))
}

// Targets returns the targets of the SRV records at p, a name that Find returns as a Port. They are sorted.
func (t *Tree) Targets(p *Path) []Target {
	_, svc, spec := t.at(p)
	if p.N == 4 && spec != nil {
		match := func(port object.Port) bool { return isNamed(port, p.Labels[2], p.Labels[3]) }
		return combine(svc.offers(spec, match)[string(p.Labels[2])+"."+string(p.Labels[3])])
	}
	return nil
}

// offer is a port and the peers that have it, as targets without a port.
type offer struct {
	by   []Target
	port uint16
}

// offers returns the offers of the ports that match, by _protocol._name.
func (s *service) offers(spec *object.Service, match func(object.Port) bool) map[string][]offer {
	list := make(map[string][]offer)
	name := func(p object.Port) string { return "_" + p.Protocol + "._" + p.Name }
	switch {
	case spec.Type == object.ClusterIP && len(spec.ClusterIPs) > 0:
		itself := []Target{{Addrs: s.addrs(spec, Query{Family: AnyFamily})}}
		for _, p := range spec.Ports {
			if n := name(p); match(p) && list[n] == nil {
				list[n] = []offer{{itself, p.Port}}
			}
		}
	case spec.Type == object.Headless:
		addrs := make(map[string][]netip.Addr)
		for sl := range s.slices.all {
			c := sl.content.Load()
			if !slices.ContainsFunc(c.ports, match) {
				continue
			}
			by := s.ready(c, addrs)
			for _, p := range c.ports {
				if n := name(p); match(p) && len(by) > 0 {
					list[n] = append(list[n], offer{by, p.Port})
				}
			}
		}
	}
	return list
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

// GuestTargets returns the targets of the SRV records at p, a name below a Service that FindGuest or FindWaiting
// returns as a Peer. There is one for each port of the peer, named or not, and the target is the peer itself.
func (t *Tree) GuestTargets(p *Path, notReady bool) []Target {
	_, svc, spec := t.at(p)
	if p.N != 3 || spec == nil {
		return nil
	}
	q, by := Query{Family: AnyFamily, NotReady: notReady}, byPod
	a := svc.guestPod(p.Labels[2], q)
	if a.Status != Peer && notReady {
		a, by = t.FindWaiting(p, q), byHost
	}
	if a.Status != Peer {
		return nil
	}
	var list []Target
	var last *slice
	has := make(map[uint16]bool)
	svc.ns.look(p.Labels[2]).each(svc, p.Labels[2], by, func(e *endpoint) {
		if e.rank() != a.of.rank() || e.in == last {
			return
		}
		last = e.in
		for _, port := range e.in.content.Load().ports {
			if !has[port.Port] {
				has[port.Port] = true
				list = append(list, Target{Peer: string(p.Labels[2]), Port: port.Port, Addrs: a.Addrs})
			}
		}
	})
	slices.SortFunc(list, func(a, b Target) int { return cmp.Compare(a.Port, b.Port) })
	return list
}
