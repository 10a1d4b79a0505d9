package tree

import "net/netip"

// collector gathers the endpoints behind one name. Addresses go through its methods by value: kept in it, they would move the
// caller's buffer to the heap.
type collector struct {
	q     Query
	seen  bool // some endpoint has the name
	ready bool // some ready one has it

	first    *endpoint // the first ready one, where one is
	services bool      // endpoints of several Services have it
	peers    bool      // several peers have it: pods or, where no pod is known, addresses of one family
	v4, v6   netip.Addr
}

// byPod adds the endpoints whose pod is named x, of the Service s or, where s is nil, of all headless ones.
func (c *collector) byPod(leaf []entry[*endpoint], x []byte, h uint64, s *service, addrs []netip.Addr) []netip.Addr {
	for _, en := range leaf {
		if e := en.val; en.hash == h && e.Pod == string(x) {
			for ; e != nil; e = e.nextOfPod() {
				addrs = c.add(e, s, addrs)
			}
		}
	}
	return addrs
}

// nextOfPod is the next endpoint of the same slice with the same Pod, of one that peers has by its Pod.
func (e *endpoint) nextOfPod() *endpoint {
	if e.copied() {
		return e.next
	}
	return nil
}

// byHost adds the endpoints whose hostname (or dashed address) is x, as byPod.
func (c *collector) byHost(leaf []entry[*endpoint], x []byte, h uint64, s *service, addrs []netip.Addr) []netip.Addr {
	for _, en := range leaf {
		switch e := en.val; {
		case en.hash != h:
		case e.Pod == string(x): // hostname and pod's name may be one
			for ; e != nil; e = e.nextOfPod() {
				if e.Host == string(x) {
					addrs = c.add(e, s, addrs)
				}
			}
		case e.Host == string(x):
			for ; e != nil; e = e.next {
				addrs = c.add(e, s, addrs)
			}
		}
	}
	return addrs
}

// add appends the endpoint's address if it counts: those that are not ready do so until a ready one shows.
func (c *collector) add(e *endpoint, s *service, addrs []netip.Addr) []netip.Addr {
	if s != nil && e.in.svc != s || !e.headless() {
		return addrs
	}
	c.compare(e)
	c.seen = true
	if e.Ready && !c.ready {
		c.ready, c.first = true, e
		addrs = addrs[:0]
	}
	if e.Ready == c.ready && c.q.Family.Has(e.Addr) {
		addrs = append(addrs, e.Addr)
	}
	return addrs
}

// compare notes whether the endpoint is another peer, or another Service's, than those before. It is ready or not: else a pod
// that stops being ready would hand an ambiguous name to another.
func (c *collector) compare(e *endpoint) {
	if c.first == nil {
		c.first = e
	}
	c.services = c.services || e.in.svc != c.first.in.svc
	c.peers = c.peers || e.Pod != c.first.Pod
	if e.Pod == "" {
		last := &c.v6
		if e.Addr.Is4() {
			last = &c.v4
		}
		c.peers = c.peers || last.IsValid() && *last != e.Addr
		*last = e.Addr
	}
}

// ambiguous reports whether different pods of different Services have the name.
func (c *collector) ambiguous() bool { return c.services && c.peers }

// answer is a peer if it has an endpoint that counts.
func (c *collector) answer(addrs []netip.Addr) Answer {
	if !c.ready && (!c.seen || !c.q.NotReady) {
		return Answer{}
	}
	return Answer{Status: Peer, Addrs: distinct(addrs), of: c.first}
}
