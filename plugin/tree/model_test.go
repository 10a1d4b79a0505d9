package tree

import (
	"net/netip"
	"slices"

	"github.com/coredns-headless/headless/plugin/object"
)

// model answers from a list of all objects, slowly, with the rules of the reference. It shares only the types of
// queries and answers with the tree.
type model struct {
	services []*object.Service
	slices   []*object.EndpointSlice
}

func modelOf(writers []map[object.Key]object.Object) model {
	var m model
	for _, held := range writers {
		for _, o := range held {
			switch o := o.(type) {
			case *object.Service:
				m.services = append(m.services, o)
			case *object.EndpointSlice:
				m.slices = append(m.slices, o)
			}
		}
	}
	return m
}

// service returns the Service ns/name, or any Service of the namespace if name is "".
func (m model) service(ns, name string) *object.Service {
	for _, s := range m.services {
		if k := s.Key(); k.Namespace == ns && (k.Name == name || name == "") {
			return s
		}
	}
	return nil
}

// member is an endpoint and its Service.
type member struct {
	object.Endpoint
	service string
}

// peers returns the endpoints of all headless Services of a namespace, or of one.
func (m model) peers(ns, service string) (list []member) {
	for _, sl := range m.slices {
		if sl.Key().Namespace != ns || service != "" && sl.Service != service {
			continue
		}
		if s := m.service(ns, sl.Service); s == nil || s.Type != object.Headless {
			continue
		}
		for _, e := range sl.Endpoints {
			list = append(list, member{e, sl.Service})
		}
	}
	return list
}

func those(list []member, keep func(member) bool) (kept []member) {
	for _, e := range list {
		if keep(e) {
			kept = append(kept, e)
		}
	}
	return kept
}

func isReady(e member) bool { return e.Ready }

// ambiguous reports whether the endpoints are different peers of different Services.
func ambiguous(list []member) bool {
	services, pods := make(map[string]bool), make(map[string]bool)
	v4, v6 := make(map[netip.Addr]bool), make(map[netip.Addr]bool)
	for _, e := range list {
		services[e.service] = true
		switch {
		case e.Pod != "":
			pods[e.Pod] = true
		case e.Addr.Is4():
			v4[e.Addr] = true
		default:
			v6[e.Addr] = true
		}
	}
	return len(services) > 1 && len(pods)+max(len(v4), len(v6)) > 1
}

// peer returns the answer with these endpoints: those that are ready, else those that do not leave, else those that
// still serve, else all.
func peer(list []member, q Query) Answer {
	for rank := range uint8(4) {
		counts := those(list, func(e member) bool { return e.Ready && rank == 0 || !e.Ready && e.Leaving+1 == rank })
		if len(counts) > 0 && (rank == 0 || q.NotReady) {
			return Answer{Status: Peer, Addrs: ofFamily(counts, q.Family)}
		}
	}
	return Answer{Status: None}
}

// governed returns all endpoints of a pod that have the address of one of these.
func (m model) governed(ns, pod string, by []member) []member {
	has := func(e member) bool { return slices.ContainsFunc(by, func(b member) bool { return b.Addr == e.Addr }) }
	return those(m.peers(ns, ""), func(e member) bool { return e.Pod == pod && has(e) })
}

func ofFamily(list []member, f Family) (as []netip.Addr) {
	for _, e := range list {
		if f == AnyFamily || f == IPv4 && e.Addr.Is4() || f == IPv6 && e.Addr.Is6() {
			as = append(as, e.Addr)
		}
	}
	slices.SortFunc(as, netip.Addr.Compare)
	return slices.Compact(as)
}

// Find is the model of Tree.Find.
func (m model) Find(p *Path, q Query) Answer {
	ns, x := string(p.Labels[0]), string(p.Labels[1])
	switch {
	case p.N == 0:
		return Answer{Status: EmptyNonTerminal}
	case m.service(ns, "") == nil:
		return Answer{}
	case p.N == 1:
		return Answer{Status: EmptyNonTerminal}
	case p.N == 2 && m.service(ns, x) == nil:
		return m.short(ns, x, q, false)
	case p.N == 2:
		s := m.service(ns, x)
		if s.Type == object.ExternalName {
			if s.ExternalName != "" {
				return Answer{Status: Alias, External: s.ExternalName}
			}
		}
		if s.Type == object.Headless {
			return Answer{Status: Service, Addrs: ofFamily(those(m.peers(ns, x), isReady), q.Family)}
		}
		var ips []member
		for _, a := range s.ClusterIPs {
			ips = append(ips, member{Endpoint: object.Endpoint{Addr: a}})
		}
		return Answer{Status: Service, Addrs: ofFamily(ips, q.Family)}
	}
	y, z := string(p.Labels[2]), string(p.Labels[3])
	switch {
	case p.N == 3:
		if a := m.peer(ns, x, y, q); a.Status != None {
			return a
		}
		if m.hasPort(ns, x, y, "") {
			return Answer{Status: EmptyNonTerminal}
		}
	case m.hasPort(ns, x, y, z):
		return Answer{Status: Port}
	}
	return Answer{}
}

// peer returns the peer y of the Service x. Ready endpoints with the hostname win, as in the plugin kubernetes, then
// the pod, then endpoints with the hostname.
func (m model) peer(ns, x, y string, q Query) Answer {
	hosts := those(m.peers(ns, x), func(e member) bool { return e.Host == y })
	if slices.ContainsFunc(hosts, isReady) {
		return peer(hosts, q)
	}
	if a := peer(those(m.peers(ns, x), func(e member) bool { return e.Pod == y }), q); a.Status == Peer {
		return a
	}
	return peer(hosts, q)
}

// short returns the peer x directly below a namespace. To a guest, a name of two pods is nobody's.
func (m model) short(ns, x string, q Query, guest bool) Answer {
	hosts := those(m.peers(ns, ""), func(e member) bool { return e.Host == x })
	pods := those(m.peers(ns, ""), func(e member) bool { return e.Pod == x })
	if len(pods) > 0 {
		if guest && slices.ContainsFunc(hosts, func(e member) bool { return e.Pod != x && !e.Dashed }) {
			return Answer{}
		}
		governing := make(map[string]bool)
		for _, e := range pods {
			if e.Host != "" {
				governing[e.service] = true
			}
		}
		if len(governing) == 1 {
			pods = m.governed(ns, x, those(pods, func(e member) bool { return governing[e.service] }))
		}
		return peer(pods, q)
	}
	if ambiguous(hosts) {
		return Answer{}
	}
	one := func(e member) bool { return e.Pod == hosts[0].Pod && e.Pod != "" }
	if len(those(hosts, one)) == len(hosts) && len(hosts) > 0 {
		hosts = m.governed(ns, hosts[0].Pod, hosts)
	}
	return peer(hosts, q)
}

// FindGuest is the model of Tree.FindGuest.
func (m model) FindGuest(p *Path, q Query) Answer {
	ns, x, y := string(p.Labels[0]), string(p.Labels[1]), string(p.Labels[2])
	switch {
	case p.N < 2 || p.N > 3 || p.N == 2 && m.service(ns, x) != nil:
		return Answer{}
	case p.N == 2:
		return m.short(ns, x, q, true)
	}
	kubernetes := func(e member) bool {
		if e.Host != "" && !e.Dashed {
			return e.Ready && e.Host == y
		}
		return e.Ready && dash(e.Addr.String()) == y
	}
	if slices.ContainsFunc(m.peers(ns, x), kubernetes) {
		return Answer{}
	}
	return peer(those(m.peers(ns, x), func(e member) bool { return e.Pod == y }), q)
}

// FindWaiting is the model of Tree.FindWaiting.
func (m model) FindWaiting(p *Path, q Query) Answer {
	ns, x, y := string(p.Labels[0]), string(p.Labels[1]), string(p.Labels[2])
	hosts := those(m.peers(ns, x), func(e member) bool { return e.Host == y })
	if p.N != 3 || slices.ContainsFunc(hosts, func(e member) bool { return e.Ready || e.Dashed }) {
		return Answer{}
	}
	return peer(hosts, q)
}
