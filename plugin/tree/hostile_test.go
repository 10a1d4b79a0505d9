package tree

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/coredns-headless/headless/plugin/object"
)

// The API server accepts a slice of 1,000 endpoints with 100 addresses each, all of one pod. With as many entries for
// one name, each change of the slice would take minutes, and would keep all other writers waiting.
func TestPodOfManyAddressesIsOneEntryASlice(t *testing.T) {
	const addresses = 1000
	tr := New()
	s := tr.Writer("")
	s.Replace([]object.Object{headless("default/nginx", 1)}, 1)
	list := make([]object.Endpoint, addresses)
	for j := range list {
		list[j] = []object.Endpoint{
			deployed("web-0", addrOf(j)), stateful("web-0", addrOf(j)),
			named("web-0", "db", addrOf(j)),
		}[j%3]
	}
	for i := range 3 {
		s.Set(sliceOf(fmt.Sprintf("default/nginx-%d", i), "nginx", 1, list...))
	}
	ns := child(&tr.namespaces, []byte("default"))
	if n := count(&ns.peers); n != 6 { // web-0 and db in each
		t.Errorf("%d index entries, want 6", n)
	}
	for name, want := range map[string]int{
		"web-0.default": addresses, "db.default": addresses / 3,
		"web-0.nginx.default": addresses / 3,
	} {
		if a := tr.Find(pathOf(name), Query{Family: IPv4}); len(a.Addrs) != want {
			t.Errorf("%s has %d addresses, want %d", name, len(a.Addrs), want)
		}
	}
	for i := range 3 {
		s.Delete(sliceKey(fmt.Sprintf("nginx-%d", i)), 2)
	}
	if n := count(&ns.peers); n != 0 {
		t.Errorf("%d index entries without slices", n)
	}
}

// Each port of a slice has a SRV record with each endpoint. What Zone makes while writers wait is in proportion to the
// sum of both, not to the product.
func TestZoneOfManyPortsListsThemAlone(t *testing.T) {
	const ports, endpoints = 1000, 1000
	sl := make([]object.Port, ports)
	for i := range sl {
		sl[i] = port(fmt.Sprintf("p%04d", i), "tcp", uint16(i+1))
	}
	list := make([]object.Endpoint, endpoints)
	for i := range list {
		list[i] = stateful(fmt.Sprintf("web-%d", i), addrOf(i))
	}
	tr := plant(headless("default/nginx", 1), withPorts(sliceOf("default/nginx-1", "nginx", 1, list...), sl...))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	entries, _, _ := tr.Zone(pathOf("nginx.default"), false, noStandIns)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 1000*(ports+endpoints) {
		t.Errorf("%d octets for %d ports and %d endpoints", used, ports, endpoints)
	}
	last := entries[len(entries)-1]
	targets := last.Targets()
	if len(entries) != 1+endpoints+ports || nameOf("nginx.default",
		last) != "_p0999._tcp.nginx.default" || len(targets) != endpoints || targets[0].Port != ports {
		t.Errorf("%d entries, the last %s with %d targets", len(entries), nameOf("nginx.default", last), len(targets))
	}
}
