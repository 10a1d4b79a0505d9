package headless

import (
	"fmt"
	"testing"

	"github.com/coredns/coredns/plugin"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/tree"
)

// BenchmarkBrowse is what a page of explain costs in a cluster of 150,000 endpoints.
func BenchmarkBrowse(b *testing.B) {
	const services = 1500
	tr := tree.New()
	var list []object.Object
	for i := range services {
		list = append(list, rolling(fmt.Sprintf("web%d", i), 1)...)
	}
	tr.Writer("").Replace(list, 1)
	h := open(b, "headless cluster.local {\nmanifests $CLUSTER\n}", new(nowhere))
	h.plant(tr)
	e := &explained{h: h, zone: "."}
	_, total := e.Browse("peer", 0, 0, make(map[any]bool))
	for _, q := range []string{"", "peer web42", "nothing"} {
		b.Run(fmt.Sprintf("%d rows for %q", total, q), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e.Browse(q, 0, 200, make(map[any]bool))
			}
		})
	}
}

// BenchmarkOutside measures what a name outside ten origins costs, beside what CoreDNS's own match over them does.
func BenchmarkOutside(b *testing.B) {
	h := open(b, tenOrigins(), new(nowhere))
	const qname = "www.example.net."
	b.Run("headless", func(b *testing.B) { serveAll(b, h, qname) })
	b.Run("next alone", func(b *testing.B) { // CoreDNS's own part of the above
		r, w, ctx := query(qname, dns.TypeA), new(nowhere), b.Context()
		b.ReportAllocs()
		for b.Loop() {
			_, _ = plugin.NextOrFailure(name, w, ctx, w, r)
		}
	})
	b.Run("Zones.Matches", func(b *testing.B) {
		zones := plugin.Zones(h.zones.Names())
		b.ReportAllocs()
		for b.Loop() {
			if zones.Matches(qname) != "" {
				b.Fatal("inside")
			}
		}
	})
}

func serveAll(b *testing.B, h *Headless, qname string) {
	r, w, ctx := query(qname, dns.TypeA), new(nowhere), b.Context()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = h.ServeDNS(ctx, w, r)
	}
}
