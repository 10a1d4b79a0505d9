package tree

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/plugin/object"
)

// addrOf returns address number n of 10.0.0.0/8.
func addrOf(n int) string { return fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255) }

func TestLookupOfAPeerAllocatesNothing(t *testing.T) {
	long := strings.Repeat("w", 58) + "-0" // 60 octets: more than a buffer for short strings
	tr := plant(
		headless("default/nginx", 1), sliceOf("default/nginx-1", "nginx", 1,
			stateful("web-0", "10.0.0.1"), deployed("ws-777779bd59-ftn4j", "10.0.0.2"), deployed(long, "10.0.0.3"),
			named("web-1", "db", "10.0.0.4"),
			named("web-2", "db", "10.0.0.5"), stateful("web-0", "fd00::1"), nameless("10.0.0.6"),
			notReady(deployed("ws-y", "10.0.0.7"))),
		clusterIP("default/api", 1, "10.96.0.1"),
	)
	tests := []struct {
		name  string
		asked string
		find  Status
		guest Status
	}{
		{name: "pod", asked: "ws-777779bd59-ftn4j.default", find: Peer, guest: Peer},
		{name: "pod of two families", asked: "web-0.default", find: Peer, guest: Peer},
		{name: "pod of 60 octets", asked: long + ".default", find: Peer, guest: Peer},
		{name: "pod below its Service", asked: "ws-777779bd59-ftn4j.nginx.default", find: Peer, guest: Peer},
		{name: "pod of 60 octets below its Service", asked: long + ".nginx.default", find: Peer, guest: Peer},
		{name: "hostname of two", asked: "db.default", find: Peer, guest: Peer},
		{name: "hostname below its Service", asked: "web-0.nginx.default", find: Peer},
		{name: "dashed address", asked: "10-0-0-6.default", find: Peer, guest: Peer},
		{name: "pod not ready", asked: "ws-y.default", find: Peer, guest: Peer},
		{name: "headless Service", asked: "nginx.default", find: Service},
		{name: "ClusterIP Service", asked: "api.default", find: Service},
		{name: "unknown name", asked: "unknown.default"},
		{name: "unknown pod below a Service", asked: "unknown.nginx.default"},
		{name: "unknown namespace", asked: "web-0.unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			labels := strings.Split(tt.asked, ".")
			var find, guest Status
			allocs := testing.AllocsPerRun(100, func() {
				var p Path // as a query makes it, on the stack
				var buf [8]netip.Addr
				var octets [3][63]byte
				for i := range labels {
					n := copy(octets[i][:], labels[len(labels)-1-i])
					p.Labels[i] = octets[i][:n]
				}
				p.N = len(labels)
				find = tr.Find(&p, Query{Family: IPv4, NotReady: true, Buf: buf[:0]}).Status
				guest = tr.FindGuest(&p, Query{Family: IPv6, NotReady: true, Buf: buf[:0]}).Status
			})
			if find != tt.find || guest != tt.guest {
				t.Errorf("%s is %s, as a guest %s", tt.asked, statusNames[find], statusNames[guest])
			}
			if allocs != 0 {
				t.Errorf("%s: %v allocations", tt.asked, allocs)
			}
		})
	}
}

// crowd returns the writer of a namespace with one Service of 50 slices with one endpoint each, and other Services for
// the rest of the peers.
func crowd(peers int) *Writer {
	const perSlice = 100
	objects := []object.Object{headless("default/nginx", 1)}
	for i := range 50 {
		objects = append(objects,
			sliceOf(fmt.Sprintf("default/nginx-%d", i), "nginx", 1, stateful(fmt.Sprintf("web-%d", i), addrOf(i))))
	}
	for i := 50; i < peers; i += perSlice {
		svc := fmt.Sprintf("s-%d", i/1000)
		list := make([]object.Endpoint, min(perSlice, peers-i))
		for j := range list {
			list[j] = stateful(fmt.Sprintf("n-%d", i+j), addrOf(i+j))
		}
		objects = append(objects, headless("default/"+svc, 1),
			sliceOf(fmt.Sprintf("default/%s-%d", svc, i), svc, 1, list...))
	}
	s := New().Writer("")
	s.Replace(objects, 1)
	return s
}

// costOf returns how many allocations, and of how many bytes, one call of f makes.
func costOf(f func()) (allocs, bytes float64) {
	const runs = 100
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	allocs = testing.AllocsPerRun(runs, f) // and once more, to warm up
	runtime.ReadMemStats(&after)
	return allocs, float64(after.TotalAlloc-before.TotalAlloc) / (runs + 1)
}

// inTurn returns a function that sets the next of the versions with each call.
func inTurn(s *Writer, versions ...object.Object) func() {
	n := 0
	return func() { n++; s.Set(versions[n%len(versions)]) }
}

func TestChangeCostsItsSliceNotTheNamespace(t *testing.T) {
	address := func(s *Writer) func() {
		return inTurn(s, sliceOf("default/nginx-7", "nginx", 0, stateful("web-7", "10.99.0.1")),
			sliceOf("default/nginx-7", "nginx", 0, stateful("web-7", "10.99.0.2")))
	}
	tests := []struct {
		name   string
		change func(s *Writer) func()
		allocs float64 // at most
		bytes  float64
	}{
		{name: "an address changes in a slice of one, of 50", change: address, allocs: 20, bytes: 4096},
		{
			name: "a slice of one comes and goes",
			change: func(s *Writer) func() {
				sl := sliceOf("default/nginx-new", "nginx", 0, stateful("web-new", "10.99.0.1"))
				return func() {
					s.Set(sl)
					s.Delete(sl.Key(), 0)
				}
			},
			allocs: 40, bytes: 8192,
		},
		{
			name: "a Service comes and goes",
			change: func(s *Writer) func() {
				svc := clusterIP("default/web-7", 0, "10.96.0.1")
				return func() {
					s.Set(svc)
					s.Delete(svc.Key(), 0)
				}
			},
			allocs: 20, bytes: 4096,
		},
		{
			name: "an address changes where addresses are indexed, too",
			change: func(s *Writer) func() {
				s.t.IndexAddresses()
				return address(s)
			},
			allocs: 30, bytes: 6144,
		},
	}
	const peers = 10_000
	small, large := crowd(100), crowd(peers)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			allocs, bytes := costOf(tt.change(small))
			manyAllocs, manyBytes := costOf(tt.change(large))
			t.Logf("%.0f allocations of %.0f bytes among 100 peers, %.0f of %.0f among %d", allocs, bytes, manyAllocs,
				manyBytes, peers)
			// A leaf has up to leafMax entries of 16 bytes, at random.
			if manyAllocs > allocs+6 || manyBytes > bytes+8*leafMax*16 {
				t.Error("the cost depends on how many peers there are")
			}
			if max(allocs, manyAllocs) > tt.allocs || max(bytes, manyBytes) > tt.bytes {
				t.Errorf("want at most %.0f allocations of %.0f bytes", tt.allocs, tt.bytes)
			}
		})
	}
}

// Only the endpoints of a slice that have changed get new records, and only their names change in the trie.
func TestUnchangedEndpointsKeepTheirRecords(t *testing.T) {
	tr := New()
	s := tr.Writer("")
	list := make([]object.Endpoint, 100)
	for i := range list {
		list[i] = stateful(fmt.Sprintf("web-%d", i), addrOf(i))
	}
	s.Replace([]object.Object{headless("default/nginx", 1), sliceOf("default/nginx-1", "nginx", 1, list...)}, 1)
	sl := s.held[sliceKey("nginx-1")].slice
	before := sl.content.Load().endpoints

	changed := append([]object.Endpoint{}, list[1:]...) // one gone, which moves all others
	changed[49].Addr = netip.MustParseAddr("10.99.0.1")
	s.Set(sliceOf("default/nginx-1", "nginx", 2, changed...))
	after := sl.content.Load().endpoints
	fresh := 0
	for i, e := range after {
		if e != before[i+1] {
			fresh++
		}
	}
	if len(after) != 99 || fresh != 1 {
		t.Errorf("%d of %d records are new, want 1 of 99", fresh, len(after))
	}
	wants{
		"web-0.default": "None", "web-1.default": "Peer 10.0.0.1", "web-50.default": "Peer 10.99.0.1",
		"web-99.default": "Peer 10.0.0.99",
	}.check(t, tr)
}

// With an entry for each of 2,000 pods that share a hostname, every change of one of them would copy a leaf of 2,000
// entries.
func TestSharedHostnameIsOneEntryASlice(t *testing.T) {
	tr := New()
	s := tr.Writer("")
	s.Replace([]object.Object{headless("default/nginx", 1)}, 1)
	for i := range 20 {
		list := make([]object.Endpoint, 100)
		for j := range list {
			list[j] = named(fmt.Sprintf("web-%d", 100*i+j), "db", addrOf(100*i+j))
		}
		s.Set(sliceOf(fmt.Sprintf("default/nginx-%d", i), "nginx", 1, list...))
	}
	ns := child(&tr.namespaces, []byte("default"))
	entriesOf := func(name string) int { return entriesUnder(&ns.peers, hashOf(name)) }
	if n := entriesOf("db"); n != 20 {
		t.Errorf("%d index entries for the hostname, want 20", n)
	}
	if n := entriesOf("web-1234"); n != 1 {
		t.Errorf("%d index entries for a pod, want 1", n)
	}
	if n := count(&ns.peers); n != 2020 {
		t.Errorf("%d index entries, want 2020", n)
	}
	for _, name := range []string{"db.default", "db.nginx.default"} {
		if a := tr.Find(pathOf(name), Query{Family: IPv4}); len(a.Addrs) != 2000 {
			t.Errorf("%s has %d addresses, want 2000", name, len(a.Addrs))
		}
	}
	s.Set(sliceOf("default/nginx-7", "nginx", 2))
	if n := entriesOf("db"); n != 19 {
		t.Errorf("%d index entries for the hostname without one slice, want 19", n)
	}
}

// entriesUnder returns how many entries with a hash the trie has.
func entriesUnder[E comparable](tr *trie[E], h uint64) (n int) {
	for _, e := range tr.at(h) {
		if e.hash == h {
			n++
		}
	}
	return n
}

// On the host network, and in slices made to do harm, thousands of endpoints have one address. The index has each
// slice once under an address, so that the cost of a change is in proportion to the number of slices, not endpoints.
func TestSharedAddressIsOneEntryASlice(t *testing.T) {
	const slices, perSlice = 100, 100
	tr := New()
	tr.IndexAddresses()
	s := tr.Writer("")
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
	entriesOf := func(addr string) int { return entriesUnder(tr.addrs.Load(), hashOfAddr(netip.MustParseAddr(addr))) }
	if one, all := entriesOf("10.0.0.1"), count(tr.addrs.Load()); one != slices || all != slices {
		t.Errorf("%d entries for the address of %d, want %d of as many", one, all, slices)
	}
	changed := list(7, "10.0.0.1")
	changed[50].Addr = netip.MustParseAddr("10.0.0.2")
	s.Set(sliceOf("default/nginx-7", "nginx", 2, changed...))
	if one, two := entriesOf("10.0.0.1"), entriesOf("10.0.0.2"); one != slices || two != 1 {
		t.Errorf("%d and %d entries, want %d and 1: the others have the address still", one, two, slices)
	}
	s.Set(sliceOf("default/nginx-7", "nginx", 3, list(7, "10.0.0.2")...))
	if one, two := entriesOf("10.0.0.1"), entriesOf("10.0.0.2"); one != slices-1 || two != 1 {
		t.Errorf("%d and %d entries, want %d and 1", one, two, slices-1)
	}

	// A change allocates the records and maps of its slice, whatever the other slices are.
	alone := New()
	alone.IndexAddresses()
	single := alone.Writer("")
	single.Replace([]object.Object{
		headless("default/nginx", 1),
		sliceOf("default/nginx-7", "nginx", 1, list(7, "10.0.0.1")...),
	}, 1)
	flip := func(s *Writer) func() {
		return inTurn(s, sliceOf("default/nginx-7", "nginx", 0, list(7, "10.0.0.1")...),
			sliceOf("default/nginx-7", "nginx", 0, changed...))
	}
	base, baseBytes := costOf(flip(single))
	many, manyBytes := costOf(flip(s))
	t.Logf("%.0f allocations of %.0f bytes alone, %.0f of %.0f among %d endpoints", base, baseBytes, many, manyBytes,
		slices*perSlice)
	// One leaf of the 100 slices' entries is copied.
	if many > base+8 || manyBytes > baseBytes+slices*16*4+4*leafMax*16 {
		t.Errorf("%.0f allocations of %.0f bytes among %d endpoints, %.0f of %.0f alone", many, manyBytes,
			slices*perSlice, base, baseBytes)
	}
}
