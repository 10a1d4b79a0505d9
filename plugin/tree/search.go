package tree

import "net/netip"

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
			if (!host || e.host == string(x)) && (of == nil || e.in.svc == of) && e.headless() {
				do(e)
			}
		}
	}
}

// found is what find returns. Endpoints that are not ready count only as long as there is no ready one.
type found struct {
	first    *endpoint // the first ready endpoint, or the first one if none is ready; nil if there is none
	ready    bool
	services bool // endpoints of several Services have the name
	peers    bool // several peers have the name: pods or, if the pods are not known, addresses of one family
	v4, v6   netip.Addr
	addrs    []netip.Addr
}

// find collects the peers that each finds.
func (l look) find(of *service, x []byte, host bool, q Query) found {
	f := found{addrs: q.Buf[:0]}
	l.each(of, x, host, func(e *endpoint) {
		f.compare(e)
		if e.ready && !f.ready {
			f.ready, f.first, f.addrs = true, e, f.addrs[:0]
		}
		if e.ready == f.ready && q.Family.Has(e.addr) {
			f.addrs = append(f.addrs, e.addr)
		}
	})
	return f
}

// compare sets f.services and f.peers if the endpoint has another Service, or is another peer, than those before it.
// Readiness does not matter: a name must not stop being ambiguous because a pod stops being ready.
func (f *found) compare(e *endpoint) {
	if f.first == nil {
		f.first = e
	}
	f.services = f.services || e.in.svc != f.first.in.svc
	f.peers = f.peers || e.pod != f.first.pod
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
	if f.first == nil || !f.ready && !q.NotReady {
		return Answer{}
	}
	return Answer{Status: Peer, Addrs: distinct(f.addrs), of: f.first}
}
