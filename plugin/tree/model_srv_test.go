package tree

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/coredns-headless/headless/plugin/object"
)

// hasPort reports whether the Service x has a port, both labels with their underscore; with port "" any that has a
// name and that protocol. It has those that its spec names and, where it is headless, those of slices with a ready
// endpoint.
func (m model) hasPort(ns, x, protocol, port string) bool {
	s := m.service(ns, x)
	if s == nil || s.Type == object.ExternalName {
		return false
	}
	ports := slices.Clone(s.Ports)
	for _, sl := range m.slices {
		if s.Type == object.Headless && sl.Key().Namespace == ns && sl.Service == x &&
			slices.ContainsFunc(sl.Endpoints, ready) {
			ports = append(ports, sl.Ports...)
		}
	}
	return slices.ContainsFunc(ports, func(p object.Port) bool { return isPort(p, protocol, port) })
}

func ready(e object.Endpoint) bool { return e.Ready }

func isPort(p object.Port, protocol, port string) bool {
	return p.Name != "" && protocol == "_"+p.Protocol && (port == "" || port == "_"+p.Name)
}

// Targets is what Tree.Targets must say: of a ClusterIP Service the Service itself with the port's number; of a
// headless one each ready endpoint's label (hostname, else pod, else dashed address) with the port's number in its
// slice, unless the label is somebody else's.
func (m model) Targets(p *Path) (list []Target) {
	ns, x, protocol, port := string(p.Labels[0]), string(p.Labels[1]), string(p.Labels[2]), string(p.Labels[3])
	s := m.service(ns, x)
	if p.N != 4 || s == nil {
		return nil
	}
	if s.Type == object.ClusterIP {
		addrs := m.Find(&Path{Labels: p.Labels, N: 2}, Query{Family: AnyFamily}).Addrs
		for _, sp := range s.Ports {
			if isPort(sp, protocol, port) && len(addrs) > 0 {
				return []Target{{Port: sp.Port, Addrs: addrs}}
			}
		}
	}
	if s.Type != object.Headless {
		return nil
	}
	for _, sl := range m.slices {
		for _, sp := range sl.Ports {
			if sl.Key().Namespace != ns || sl.Service != x || !isPort(sp, protocol, port) {
				continue
			}
			for _, e := range sl.Endpoints {
				label := cmp.Or(e.Host, e.Pod)
				addrs := m.peer(ns, x, label, Query{Family: AnyFamily}).Addrs
				if e.Ready && slices.Contains(addrs, e.Addr) {
					list = append(list, Target{Peer: label, Port: sp.Port, Addrs: addrs})
				}
			}
		}
	}
	return inTargetOrder(list)
}

// GuestTargets is what Tree.GuestTargets must say of a name that is a guest's: the pod with each port number of the
// slices in which it has an address that counts.
func (m model) GuestTargets(p *Path, notReady bool) (list []Target) {
	ns, x, y := string(p.Labels[0]), string(p.Labels[1]), string(p.Labels[2])
	addrs := m.FindGuest(p, Query{Family: AnyFamily, NotReady: notReady}).Addrs
	if len(addrs) == 0 {
		return nil
	}
	ready := slices.ContainsFunc(m.peers(ns, x), func(e member) bool { return e.Pod == y && e.Ready })
	for _, sl := range m.slices {
		for _, e := range sl.Endpoints {
			if sl.Key().Namespace != ns || sl.Service != x || e.Pod != y || e.Ready != ready {
				continue
			}
			for _, sp := range sl.Ports {
				list = append(list, Target{Peer: y, Port: sp.Port, Addrs: addrs})
			}
		}
	}
	return inTargetOrder(list)
}

// inTargetOrder sorts by label and port and drops what stands twice.
func inTargetOrder(list []Target) []Target {
	slices.SortFunc(list,
		func(a, b Target) int { return cmp.Or(cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Port, b.Port)) })
	return slices.CompactFunc(list, func(a, b Target) bool { return a.Peer == b.Peer && a.Port == b.Port })
}

func sameTarget(a, b Target) bool {
	return a.Peer == b.Peer && a.Port == b.Port && slices.Equal(a.Addrs, b.Addrs)
}

// Holders is what Tree.Holders must say, in an order of its own: each name of each peer that has the address.
func (m model) Holders(a netip.Addr) (list []Holder) {
	for _, sl := range m.slices {
		ns := sl.Key().Namespace
		if s := m.service(ns, sl.Service); s == nil || s.Type != object.Headless {
			continue
		}
		for _, e := range sl.Endpoints {
			if e.Addr != a {
				continue
			}
			names := slices.Compact([]string{e.Host, e.Pod})
			for _, label := range slices.DeleteFunc(names, func(l string) bool { return l == "" }) {
				list = append(list,
					Holder{Namespace: ns, Service: sl.Service, Label: label, ready: e.Ready, host: label == e.Host})
			}
		}
	}
	return list
}

// byRank is the order of Holders.
func byRank(a, b Holder) int {
	first := func(yes bool) int {
		if yes {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(first(a.ready), first(b.ready)), cmp.Compare(a.Namespace, b.Namespace),
		cmp.Compare(a.Service, b.Service),
		cmp.Compare(first(a.host), first(b.host)), cmp.Compare(a.Label, b.Label))
}
