package tree

import "net/netip"

// collector collects the endpoints that have one name. Its methods take and return the addresses: a field for them
// would move the caller's buffer to the heap.
type collector struct {
	q     Query
	seen  bool // an endpoint has the name
	ready bool // a ready endpoint has the name

	first    *endpoint // the first ready endpoint, or the first one if none is ready
	services bool      // endpoints of several Services have the name
	peers    bool      // several peers have the name: pods or, if the pods are not known, addresses of one family
	v4, v6   netip.Addr
}

// byPod adds the endpoints of the pod x in the Service s, or in all headless Services if s is nil. It appends their
// addresses to addrs. leaf and h are what the namespace's trie has for x.
func (c *collector) byPod(leaf []entry[*endpoint], x []byte, h uint64, s *service, addrs []netip.Addr) []netip.Addr {
	for _, en := range leaf {
		if e := en.val; en.hash == h && e.pod == string(x) {
			for ; e != nil; e = e.nextOfPod() {
				addrs = c.add(e, s, addrs)
			}
		}
	}
	return addrs
}

// nextOfPod returns the next endpoint of the same slice with the same pod, or nil. e is an endpoint that the trie has
// under its pod.
func (e *endpoint) nextOfPod() *endpoint {
	if e.copied {
		return e.next
	}
	return nil
}

// byHost is like byPod for the endpoints with the hostname or dashed address x.
func (c *collector) byHost(leaf []entry[*endpoint], x []byte, h uint64, s *service, addrs []netip.Addr) []netip.Addr {
	for _, en := range leaf {
		switch e := en.val; {
		case en.hash != h:
		case e.pod == string(x): // its hostname may be x too
			for ; e != nil; e = e.nextOfPod() {
				if e.host == string(x) {
					addrs = c.add(e, s, addrs)
				}
			}
		case e.host == string(x):
			for ; e != nil; e = e.next {
				addrs = c.add(e, s, addrs)
			}
		}
	}
	return addrs
}

// add adds an endpoint if it is a peer, and of s unless that is nil. Endpoints that are not ready count only as long
// as there is no ready one.
func (c *collector) add(e *endpoint, s *service, addrs []netip.Addr) []netip.Addr {
	if s != nil && e.in.svc != s || !e.headless() {
		return addrs
	}
	c.compare(e)
	c.seen = true
	if e.ready && !c.ready {
		c.ready, c.first = true, e
		addrs = addrs[:0]
	}
	if e.ready == c.ready && c.q.Family.Has(e.addr) {
		addrs = append(addrs, e.addr)
	}
	return addrs
}

// compare sets c.services and c.peers if the endpoint has another Service, or is another peer, than those before it.
// Readiness does not matter: a name must not stop being ambiguous because a pod stops being ready.
func (c *collector) compare(e *endpoint) {
	if c.first == nil {
		c.first = e
	}
	c.services = c.services || e.in.svc != c.first.in.svc
	c.peers = c.peers || e.pod != c.first.pod
	if e.pod == "" {
		last := &c.v6
		if e.addr.Is4() {
			last = &c.v4
		}
		c.peers = c.peers || last.IsValid() && *last != e.addr
		*last = e.addr
	}
}

// ambiguous reports whether several peers of several Services have the name.
func (c *collector) ambiguous() bool { return c.services && c.peers }

// answer returns the peer with these addresses, or None if no endpoint counts.
func (c *collector) answer(addrs []netip.Addr) Answer {
	if !c.ready && (!c.seen || !c.q.NotReady) {
		return Answer{}
	}
	return Answer{Status: Peer, Addrs: distinct(addrs), of: c.first}
}
