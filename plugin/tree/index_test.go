package tree

import (
	"net/netip"
	"testing"
)

// checkIndex checks that the trie of every namespace has exactly the entries of its slices.
func checkIndex(t *testing.T, seed uint64, tr *Tree) {
	t.Helper()
	for ns := range tr.namespaces.all {
		want, slices := 0, 0
		for s := range ns.services.all {
			if s.ns != ns || s.spec.Load() == nil && s.size == 0 || count(&s.slices) != s.size {
				t.Fatalf("seed %d: Service %s/%s of %d slices should not be", seed, ns.name, s.name, s.size)
			}
			slices += s.size
			for sl := range s.slices.all {
				labels := make(map[label]bool)
				for _, e := range sl.content.Load().endpoints {
					for l := range e.labels {
						labels[l] = true
					}
				}
				want += len(labels)
			}
		}
		if got := count(&ns.peers); got != want {
			t.Fatalf("seed %d: %d index entries in %s, want %d of %d slices", seed, got, ns.name, want, slices)
		}
		checkLeaves(t, ns.peers.root.Load(), 0, 0)
	}
}

// checkAddrs checks that the index of addresses has every slice once under each of its addresses, and nothing else.
func checkAddrs(t *testing.T, seed uint64, tr *Tree) {
	t.Helper()
	type spot struct {
		addr uint64 // hash
		at   *slice
	}
	want := make(map[spot]int)
	for ns := range tr.namespaces.all {
		for s := range ns.services.all {
			for sl := range s.slices.all {
				for _, e := range sl.content.Load().endpoints {
					want[spot{hashOfAddr(e.addr), sl}] = 1
				}
			}
		}
	}
	index := tr.addrs.Load()
	for _, a := range poolAddrs {
		h := hashOfAddr(netip.MustParseAddr(a))
		for _, en := range index.at(h) {
			if en.hash == h {
				want[spot{h, en.val}]--
			}
		}
	}
	for p, n := range want {
		if n != 0 {
			t.Fatalf("seed %d: slice of %s/%s stands %d times under an address, want %d", seed, p.at.svc.ns.name,
				p.at.svc.name, 1-n, 1)
		}
	}
	if got := count(index); got != len(want) {
		t.Fatalf("seed %d: %d entries in the index of addresses, want %d", seed, got, len(want))
	}
	checkLeaves(t, index.root.Load(), 0, 0)
}
