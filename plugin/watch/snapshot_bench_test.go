package watch

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkSnapshot writes and reads the state of 150,000 endpoints in 1,500 Services.
func BenchmarkSnapshot(b *testing.B) {
	w, services, slices := stores()
	var all, parts []any
	addr := netip.MustParseAddr("10.0.0.1")
	for i := range 1500 {
		name := fmt.Sprintf("svc-%d", i)
		all = append(all, headlessService("default/"+name, "1"))
		endpoints := make([]string, 100)
		for j := range endpoints {
			endpoints[j] = fmt.Sprintf("%s-%d=%s", name, j, addr)
			addr = addr.Next()
		}
		parts = append(parts, endpointSlice("default/"+name+"-x", "2", name, endpoints...))
	}
	must(b, services.Replace(all, "1"))
	must(b, slices.Replace(parts, "2"))
	path := filepath.Join(b.TempDir(), "snapshot")
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must(b, writeSnapshot(path, w, w.tree.Held()))
		}
		info, err := os.Stat(path)
		must(b, err)
		b.ReportMetric(float64(info.Size()), "octets")
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := readSnapshot(path, w.server)
			must(b, err)
		}
	})
}
