package snapshot

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/coredns-headless/headless/plugin/object"
)

// BenchmarkSnapshot writes and reads the state of 150,000 endpoints in 1,500 Services.
func BenchmarkSnapshot(b *testing.B) {
	c := newCluster()
	s := c.watch()
	addr := netip.MustParseAddr("10.0.0.1")
	for i := range 1500 {
		name := fmt.Sprintf("svc-%d", i)
		slice := &object.EndpointSlice{Service: name}
		for j := range 100 {
			pod := fmt.Sprintf("%s-%d", name, j)
			slice.Endpoints = append(slice.Endpoints, object.Endpoint{Pod: pod, Addr: addr, Ready: true})
			addr = addr.Next()
		}
		must(b, slice.Restore("default", name+"-x"))
		c.objects = append(c.objects, service("default", name), held{slice, true})
	}
	c.fill()
	path := filepath.Join(b.TempDir(), "snapshot")
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must(b, write(path, s, s.Tree().Held()))
		}
		info, err := os.Stat(path)
		must(b, err)
		b.ReportMetric(float64(info.Size()), "octets")
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := read(path, s.Server)
			must(b, err)
		}
	})
}
