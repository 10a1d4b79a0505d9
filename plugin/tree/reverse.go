package tree

import (
	"cmp"
	"hash/maphash"
	"net/netip"
	"slices"
	"strings"
)

// Holder is a peer with a given address, by one of its names. Label is its label below the Service, and directly below
// the namespace.
type Holder struct {
	Namespace, Service, Label string
	// Own says that Label is the pod's hostname, and Service its governing Service: the pod calls itself so.
	Own bool

	ready bool
	host  bool // Label is the hostname or dashed address, not the pod's name
}

// IndexAddresses makes the index for Holders. Trees without a reverse zone save its memory.
func (t *Tree) IndexAddresses() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.addrs.Load() != nil {
		return
	}
	index := new(trie[*slice])
	for ns := range t.namespaces.all {
		for svc := range ns.services.all {
			for sl := range svc.slices.all {
				sl.reindex(index, nil, sl.content.Load().endpoints)
			}
		}
	}
	t.addrs.Store(index)
}

func hashOfAddr(a netip.Addr) uint64 { return maphash.Comparable(seed, a) }

// reindex updates the index after the endpoints of the slice have changed. The index has a slice once for each
// address, however many endpoints of the slice share the address: on the host network, or in a slice made to do harm.
func (sl *slice) reindex(index *trie[*slice], was, now []*endpoint) {
	gone := make(map[netip.Addr]bool, len(was))
	for _, e := range was {
		gone[e.addr] = true
	}
	has := make(map[netip.Addr]bool, len(now))
	for _, e := range now {
		if !gone[e.addr] && !has[e.addr] {
			index.swap(hashOfAddr(e.addr), nil, sl)
		}
		has[e.addr] = true
	}
	for a := range gone {
		if !has[a] {
			index.swap(hashOfAddr(a), sl, nil)
		}
	}
}

// Holders returns the peers with the address a, once for each of their names. Ready peers are first, then the order is
// by namespace and Service, with hostnames before names of pods. It leaves out namespaces that have not synced. It
// returns nothing without IndexAddresses.
func (t *Tree) Holders(a netip.Addr) []Holder {
	index := t.addrs.Load()
	if index == nil {
		return nil
	}
	var list []Holder
	h := hashOfAddr(a)
	for _, en := range index.at(h) {
		sl := en.val
		if en.hash != h || !t.Synced([]byte(sl.svc.ns.name)) {
			continue
		}
		for _, e := range sl.content.Load().endpoints {
			if e.addr != a || !e.in.svc.isHeadless() {
				continue
			}
			add := func(label string, host bool) {
				list = append(list, Holder{
					Namespace: sl.svc.ns.name, Service: sl.svc.name, Label: label, Own: host && e.owns(),
					ready: e.ready, host: host,
				})
			}
			if e.host != "" {
				add(e.host, true)
			}
			if e.pod != "" && e.pod != e.host {
				add(e.pod, false)
			}
		}
	}
	slices.SortFunc(list, func(a, b Holder) int {
		return cmp.Or(
			trueFirst(a.ready, b.ready), strings.Compare(a.Namespace, b.Namespace),
			strings.Compare(a.Service, b.Service),
			trueFirst(a.host, b.host), strings.Compare(a.Label, b.Label),
		)
	})
	return list
}

// trueFirst compares two bools to sort true before false.
func trueFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}
