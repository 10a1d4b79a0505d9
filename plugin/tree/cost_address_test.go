package tree

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/coredns-headless/headless/plugin/object"
)

// On the host network, and in slices made to do harm, thousands of endpoints have one address. The index has each slice once for it,
// so that a change touches as many entries as there are slices, not endpoints.
func TestSharedAddressIsOneEntryASlice(t *testing.T) {
	const slices, perSlice = 100, 1000
	tr := New()
	tr.IndexAddresses()
	s := tr.Source("")
	s.Replace([]object.Object{headless("default/nginx", 1)}, 1)
	list := func(i int, addr string) []object.Endpoint {
		l := make([]object.Endpoint, perSlice)
		for j := range l {
			l[j] = deployed(fmt.Sprintf("ws-%d", perSlice*i+j), addr)
		}
		return l
	}
	for i := range slices {
		s.Set(sliceOf(fmt.Sprintf("default/nginx-%d", i), "nginx", 1, list(i, "10.0.0.1")...))
	}
	entriesOf := func(addr string) (n int) {
		h := hashOfAddr(netip.MustParseAddr(addr))
		for _, en := range tr.addrs.Load().at(h) {
			if en.hash == h {
				n++
			}
		}
		return n
	}
	if one, all := entriesOf("10.0.0.1"), count(tr.addrs.Load()); one != slices || all != slices {
		t.Errorf("%d entries for the address of %d, want %d of as many", one, all, slices)
	}
	changed := list(7, "10.0.0.1")
	changed[500].Addr = netip.MustParseAddr("10.0.0.2")
	s.Set(sliceOf("default/nginx-7", "nginx", 2, changed...))
	if one, two := entriesOf("10.0.0.1"), entriesOf("10.0.0.2"); one != slices || two != 1 {
		t.Errorf("%d and %d entries, want %d and 1: the other 999 have the address still", one, two, slices)
	}
	s.Set(sliceOf("default/nginx-7", "nginx", 3, list(7, "10.0.0.2")...))
	if one, two := entriesOf("10.0.0.1"), entriesOf("10.0.0.2"); one != slices-1 || two != 1 {
		t.Errorf("%d and %d entries, want %d and 1", one, two, slices-1)
	}

	// What a change allocates: its slice's records and maps, whatever the other slices are.
	alone := New()
	alone.IndexAddresses()
	single := alone.Source("")
	single.Replace([]object.Object{headless("default/nginx", 1), sliceOf("default/nginx-7", "nginx", 1, list(7, "10.0.0.1")...)}, 1)
	flip := func(s *Source) func() {
		versions := []object.Object{sliceOf("default/nginx-7", "nginx", 0, list(7, "10.0.0.1")...), sliceOf("default/nginx-7", "nginx", 0, changed...)}
		n := 0
		return func() { n++; s.Set(versions[n%2]) }
	}
	few, fewBytes := costOf(flip(single))
	many, manyBytes := costOf(flip(s))
	t.Logf("%.0f allocations of %.0f bytes alone, %.0f of %.0f among %d endpoints", few, fewBytes, many, manyBytes, slices*perSlice)
	// Of the 100 slices' entries one leaf is copied.
	if many > few+8 || manyBytes > fewBytes+slices*16*4+4*leafMax*16 {
		t.Errorf("%.0f allocations of %.0f bytes among %d endpoints, %.0f of %.0f alone", many, manyBytes, slices*perSlice, few, fewBytes)
	}
}

func TestChangeOfOneAddressCostsItsSliceNotTheIndex(t *testing.T) {
	cost := func(peers int) (allocs, bytes float64) {
		s := crowd(peers)
		s.t.IndexAddresses()
		versions := []object.Object{
			sliceOf("default/nginx-7", "nginx", 0, stateful("web-7", "10.99.0.1")), sliceOf("default/nginx-7", "nginx", 0, stateful("web-7", "10.99.0.2")),
		}
		n := 0
		return costOf(func() { n++; s.Set(versions[n%2]) })
	}
	allocs, bytes := cost(100)
	manyAllocs, manyBytes := cost(30_000)
	t.Logf("%.0f allocations of %.0f bytes among 100 peers, %.0f of %.0f among 30,000", allocs, bytes, manyAllocs, manyBytes)
	if manyAllocs > allocs+6 || manyBytes > bytes+8*leafMax*16 {
		t.Errorf("%.0f allocations of %.0f bytes among 30,000 peers, %.0f of %.0f among 100", manyAllocs, manyBytes, allocs, bytes)
	}
	if max(allocs, manyAllocs) > 30 || max(bytes, manyBytes) > 6144 {
		t.Errorf("%.0f allocations of %.0f bytes, want at most 30 of 6144", max(allocs, manyAllocs), max(bytes, manyBytes))
	}
}
