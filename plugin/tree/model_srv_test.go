package tree

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/coredns-headless/headless/plugin/object"
)

// hasPort reports whether the Service x has a port. Both labels have their underscore. If port is "", any port with a
// name and that protocol will do. A Service has the ports of its spec, and a headless one those of slices with a ready
// endpoint too.
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

// Targets is the model of Tree.Targets. The target of a ClusterIP Service is the Service itself with the number of the
// port. Those of a headless Service are the labels of ready endpoints (hostname, else pod, else dashed address) with
// the number in their slice, unless the label is another peer's.
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

// GuestTargets is the model of Tree.GuestTargets: the pod with each port number of the slices in which it has an
// address that counts.
func (m model) GuestTargets(p *Path, notReady bool) (list []Target) {
	ns, x, y := string(p.Labels[0]), string(p.Labels[1]), string(p.Labels[2])
	q, host := Query{Family: AnyFamily, NotReady: notReady}, false
	addrs := m.FindGuest(p, q).Addrs
	if len(addrs) == 0 && notReady {
		addrs, host = m.FindWaiting(p, q).Addrs, true
	}
	if len(addrs) == 0 {
		return nil
	}
	is := func(e object.Endpoint) bool { return host && e.Host == y || !host && e.Pod == y }
	lowest := uint8(9)
	for _, e := range m.peers(ns, x) {
		if is(e.Endpoint) {
			lowest = min(lowest, rankOf(e.Endpoint))
		}
	}
	for _, sl := range m.slices {
		for _, e := range sl.Endpoints {
			if sl.Key().Namespace != ns || sl.Service != x || !is(e) || rankOf(e) != lowest {
				continue
			}
			for _, sp := range sl.Ports {
				list = append(list, Target{Peer: y, Port: sp.Port, Addrs: addrs})
			}
		}
	}
	return inTargetOrder(list)
}

func rankOf(e object.Endpoint) uint8 {
	if e.Ready {
		return 0
	}
	return 1 + e.Leaving
}

// inTargetOrder sorts by label and port, and removes duplicates.
func inTargetOrder(list []Target) []Target {
	slices.SortFunc(list,
		func(a, b Target) int { return cmp.Or(cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Port, b.Port)) })
	return slices.CompactFunc(list, func(a, b Target) bool { return a.Peer == b.Peer && a.Port == b.Port })
}

func sameTarget(a, b Target) bool {
	return a.Peer == b.Peer && a.Port == b.Port && slices.Equal(a.Addrs, b.Addrs)
}

// Holders is the model of Tree.Holders: each name of each peer with the address, in another order.
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
					Holder{
						Namespace: ns, Service: sl.Service, Label: label, Own: label == e.Host && !e.Dashed,
						ready: e.Ready, host: label == e.Host,
					})
			}
		}
	}
	return list
}

// byRank compares holders in the order of Tree.Holders.
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
