package headless

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/coredns/coredns/plugin"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/tree"
)

// crowd is a headless Service of n pods in slices of 100 (Kubernetes' default).
func crowd(service string, n int) string {
	text := svc("crowd/"+service, none)
	for i := 0; i < n; i += 100 {
		var pods []string
		for pod := i; pod < min(i+100, n); pod++ {
			pods = append(pods, fmt.Sprintf("10.%d.%d.%d pod=%s-%d", len(service), pod/250, pod%250+1, service, pod))
		}
		text += eps("crowd/"+service, strconv.Itoa(i/100), "", pods...)
	}
	return text
}

func BenchmarkServeDNS(b *testing.B) {
	path := manifest(b, cluster+crowd("few", 3)+crowd("many", 1000))
	h := open(b, `headless cluster.local {
    manifests `+path+`
    suffix mgmt.example.org crowd.svc.cluster.local
}`, new(nowhere))
	for _, bm := range []struct{ name, qname string }{
		{name: "peer", qname: "web-0.default.svc.cluster.local."},
		{name: "peer of 1000", qname: "many-500.crowd.svc.cluster.local."},
		{name: "suffix peer", qname: "few-1.mgmt.example.org."},
		{name: "suffix peer of 1000", qname: "many-500.many.mgmt.example.org."},
		{name: "Service of 3", qname: "few.mgmt.example.org."},
		{name: "Service of 1000", qname: "many.mgmt.example.org."},
		{name: "guest miss", qname: "x.crowd.svc.cluster.local."},
		{name: "suffix miss", qname: "x.mgmt.example.org."},
	} {
		b.Run(bm.name, func(b *testing.B) { serve(b, h, bm.qname) })
	}
}

// BenchmarkBrowse is what a page of explain costs in a cluster of 150,000 endpoints.
func BenchmarkBrowse(b *testing.B) {
	const services = 1500
	tr := tree.New()
	var list []object.Object
	for i := range services {
		list = append(list, rolling(fmt.Sprintf("web%d", i), 1)...)
	}
	tr.Source("").Replace(list, 1)
	h := open(b, "headless cluster.local {\nmanifests $CLUSTER\n}", new(nowhere))
	h.stanzas[0].tree = tr
	e := &explained{h: h}
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
	b.Run("headless", func(b *testing.B) { serve(b, h, qname) })
	b.Run("next alone", func(b *testing.B) { // CoreDNS's own part of the above
		r, w, ctx := query(qname, dns.TypeA), new(nowhere), b.Context()
		b.ReportAllocs()
		for b.Loop() {
			_, _ = plugin.NextOrFailure(name, w, ctx, w, r)
		}
	})
	b.Run("Zones.Matches", func(b *testing.B) {
		zones := make(plugin.Zones, 0, len(h.origins))
		for _, o := range h.origins {
			zones = append(zones, o.zone)
		}
		b.ReportAllocs()
		for b.Loop() {
			if zones.Matches(qname) != "" {
				b.Fatal("inside")
			}
		}
	})
}

func serve(b *testing.B, h *Headless, qname string) {
	r, w, ctx := query(qname, dns.TypeA), new(nowhere), b.Context()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = h.ServeDNS(ctx, w, r)
	}
}
