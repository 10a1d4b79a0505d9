package tree

import "net/netip"

// collector gathers the endpoints behind one name.
type collector struct {
	q     Query
	addrs []netip.Addr // of the ready ones, or of those not ready while there is no ready one
	seen  bool         // some endpoint has the name
	ready bool         // some ready one has it

	first     *endpoint
	ambiguous bool // different pods of different Services have it
}

// byPod adds the endpoints whose pod is named x, of the Service s or, where s is nil, of all headless ones.
func (c *collector) byPod(leaf []entry[*endpoint], x []byte, h uint64, s *service) {
	for _, en := range leaf {
		if e := en.val; en.hash == h && e.Pod == string(x) {
			c.add(e, s)
		}
	}
}

// byHost adds the endpoints whose hostname (or dashed address) is x, as byPod.
func (c *collector) byHost(leaf []entry[*endpoint], x []byte, h uint64, s *service) {
	for _, en := range leaf {
		if en.hash != h || en.val.Host != string(x) {
			continue
		}
		if !en.val.chained() {
			c.add(en.val, s)
			continue
		}
		for e := en.val; e != nil; e = e.next {
			c.add(e, s)
		}
	}
}

func (c *collector) add(e *endpoint, s *service) {
	if s != nil && e.in.svc != s || !e.headless() {
		return
	}
	if c.first == nil {
		c.first = e
	} else if e.in.svc != c.first.in.svc && !samePeer(e, c.first) {
		c.ambiguous = true
	}
	c.seen = true
	if e.Ready && !c.ready {
		c.ready = true
		c.addrs = c.addrs[:0] // those not ready do not count any more
	}
	if e.Ready != c.ready || !e.Ready && !c.q.NotReady {
		return
	}
	if c.q.Family != NoFamily && c.q.Family.has(e.Addr) {
		if c.addrs == nil {
			c.addrs = c.q.Buf[:0]
		}
		c.addrs = append(c.addrs, e.Addr)
	}
}

// answer is a peer if it has an endpoint that counts.
func (c *collector) answer() Answer {
	if !c.ready && (!c.seen || !c.q.NotReady) {
		return Answer{}
	}
	return Answer{Status: Peer, Addrs: distinct(c.addrs)}
}

// samePeer reports whether endpoints of two Services are one peer: the same pod or, where no pod is known, the same address.
func samePeer(a, b *endpoint) bool {
	if a.Pod != "" || b.Pod != "" {
		return a.Pod == b.Pod
	}
	return a.Addr == b.Addr || a.Addr.Is4() != b.Addr.Is4()
}
