package tree

import (
	"net/netip"
	"slices"
)

// look is the trie's leaf for a name. Searches for one answer share it, so that they all see one state of the tree.
type look struct {
	leaf []entry[*endpoint]
	hash uint64
}

func (n *namespace) look(x []byte) look {
	h := hashOfBytes(x)
	return look{n.peers.at(h), h}
}

// The names of an endpoint: that of its pod, and its hostname or dashed address.
const (
	byPod  = false
	byHost = true
)

// each calls do with the peers that have the name x: of a Service, or of the whole namespace if of is nil.
func (l look) each(of *service, x []byte, host bool, do func(*endpoint)) {
	for _, en := range l.leaf {
		e := en.val
		if en.hash != l.hash || e.pod != string(x) && (!host || e.host != string(x)) {
			continue
		}
		group := []*endpoint{e}
		if e.group != nil {
			group = *e.group
		}
		for _, e := range group {
			if (!host || e.host == string(x)) && (of == nil || e.in.svc == of) && e.in.svc.isHeadless() {
				do(e)
			}
		}
	}
}

// found is what find returns. Only endpoints of the lowest rank count.
type found struct {
	first    *endpoint // the first endpoint of that rank; nil if there is none
	waiting  bool      // some endpoints with the name are not ready
	services bool      // endpoints of several Services have the name
	peers    bool      // several peers have the name: pods or, if the pods are not known, addresses of one family
	v4, v6   netip.Addr
	addrs    []netip.Addr
}

// find collects the peers that each finds.
func (l look) find(of *service, x []byte, host bool, q Query) found {
	return l.findAmong(nil, of, x, host, q)
}

// findAmong is find for endpoints that have one of these addresses, or for all if there are none.
func (l look) findAmong(addrs []netip.Addr, of *service, x []byte, host bool, q Query) found {
	f := found{addrs: q.Buf[:0]}
	l.each(of, x, host, func(e *endpoint) {
		if len(addrs) > 0 {
			if _, ok := slices.BinarySearchFunc(addrs, e.addr, netip.Addr.Compare); !ok {
				return
			}
		}
		f.compare(e)
		f.waiting = f.waiting || !e.ready
		if f.first == nil || e.rank() < f.first.rank() {
			f.first, f.addrs = e, f.addrs[:0]
		}
		if e.rank() == f.first.rank() && q.Family.Has(e.addr) {
			f.addrs = append(f.addrs, e.addr)
		}
	})
	return f
}

func (f *found) ready() bool { return f.first != nil && f.first.ready }

// governed finds the endpoints of a pod that have the address of one that each finds: of its governing Service, or by
// its hostname. That chooses addresses, not readiness: the pod is ready if any of its endpoints with such an address
// is.
func (l look) governed(of *service, x []byte, host bool, n *namespace, pod []byte, q Query) found {
	addrs := make([]netip.Addr, 0, maxFew)
	l.each(of, x, host, func(e *endpoint) { addrs = append(addrs, e.addr) })
	return n.look(pod).findAmong(distinct(addrs), nil, pod, byPod, q)
}

// maxFew is how many addresses most pods have at most.
const maxFew = 8

// governing is the governing Service of the pod x, nil if there is none, or if there are several.
func (l look) governing(x []byte) *service {
	var svc *service
	several := false
	l.each(nil, x, byPod, func(e *endpoint) {
		if e.owns() {
			several = several || svc != nil && svc != e.in.svc
			svc = e.in.svc
		}
	})
	if several {
		return nil
	}
	return svc
}

// isAnothers reports whether x is the hostname of another pod than the one of that name.
func (l look) isAnothers(x []byte) (another bool) {
	l.each(nil, x, byHost, func(e *endpoint) { another = another || e.pod != string(x) && e.owns() })
	return another
}

// compare sets f.services and f.peers if the endpoint has another Service, or is another peer, than those before it.
// Readiness does not matter: a name must not stop being ambiguous because a pod stops being ready.
func (f *found) compare(e *endpoint) {
	if f.first != nil {
		f.services = f.services || e.in.svc != f.first.in.svc
		f.peers = f.peers || e.pod != f.first.pod
	}
	if e.pod == "" {
		last := &f.v6
		if e.addr.Is4() {
			last = &f.v4
		}
		f.peers = f.peers || last.IsValid() && *last != e.addr
		*last = e.addr
	}
}

// ambiguous reports whether several peers of several Services have the name.
func (f *found) ambiguous() bool { return f.services && f.peers }

// answer returns the peer, or None if no endpoint counts.
func (f *found) answer(q Query) Answer {
	if f.first == nil || !f.first.ready && !q.NotReady {
		return Answer{}
	}
	return Answer{Status: Peer, Addrs: distinct(f.addrs), of: f.first}
}
