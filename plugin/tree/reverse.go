package tree

import (
	"cmp"
	"hash/maphash"
	"net/netip"
	"slices"
	"strings"
)

// Holder is a peer that has an address, and a label that it may be known by below its Service or its namespace.
type Holder struct {
	Namespace, Service, Label string

	ready, host bool
}

// IndexAddresses lets the tree be asked for Holders from now on. It costs memory that trees without a reverse zone save.
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

// reindex finds the slice under the addresses that it has now, and no others that it had. A slice stands there once for an
// address, however many of its endpoints share it: on the host network, or in a slice made to do harm.
func (sl *slice) reindex(index *trie[*slice], was, now []*endpoint) {
	gone := make(map[netip.Addr]bool, len(was))
	for _, e := range was {
		gone[e.Addr] = true
	}
	has := make(map[netip.Addr]bool, len(now))
	for _, e := range now {
		if !gone[e.Addr] && !has[e.Addr] {
			index.swap(hashOfAddr(e.Addr), nil, sl)
		}
		has[e.Addr] = true
	}
	for a := range gone {
		if !has[a] {
			index.swap(hashOfAddr(a), sl, nil)
		}
	}
}

// Holders lists the peers that have an address, by each of their names, the best first: those that are ready, then in
// alphabetical order, hostnames before pods' names. Only namespaces that have synced have any.
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
			if e.Addr != a || !e.headless() {
				continue
			}
			add := func(label string, host bool) {
				list = append(list, Holder{Namespace: sl.svc.ns.name, Service: sl.svc.name, Label: label, ready: e.Ready, host: host})
			}
			if e.Host != "" {
				add(e.Host, true)
			}
			if e.Pod != "" && e.Pod != e.Host {
				add(e.Pod, false)
			}
		}
	}
	slices.SortFunc(list, func(a, b Holder) int {
		return cmp.Or(compareBools(b.ready, a.ready), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Service, b.Service),
			compareBools(b.host, a.host), strings.Compare(a.Label, b.Label))
	})
	return list
}

// compareBools compares false and true.
func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
