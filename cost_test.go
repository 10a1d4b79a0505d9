package headless

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"
)

// nowhere is the plugin behind and the writer of tests that count what headless itself costs.
type nowhere struct{ test.ResponseWriter }

func (*nowhere) Name() string { return "nowhere" }

func (*nowhere) ServeDNS(context.Context, dns.ResponseWriter, *dns.Msg) (int, error) { return 0, nil }

// tenOrigins is a stanza with that many: one cluster zone and nine suffixes, all unlike the names of the cost tests.
func tenOrigins() string {
	var b strings.Builder
	b.WriteString("headless cluster.local {\nmanifests $CLUSTER\n")
	for i := range 9 {
		fmt.Fprintf(&b, "suffix team-%d.apps.example.com default.svc.cluster.local\n", i)
	}
	return b.String() + "}"
}

// withNetworks is a stanza that also answers reverse names.
const withNetworks = `headless cluster.local 10.244.0.0/16 10.0.0.0/8 fd00::/64 fd00:1::/64 {
    manifests $CLUSTER
    suffix mgmt.example.org default.svc.cluster.local
}`

// TestAllocations counts what the plugin allocates for a query. CoreDNS's own call of the next plugin is taken off.
func TestAllocations(t *testing.T) {
	const stanza = `headless cluster.local {
    manifests $CLUSTER
    suffix mgmt.example.org default.svc.cluster.local
    suffix shared.test default.svc.cluster.local
    fallthrough shared.test
}`
	tests := []struct {
		name   string
		stanza string
		qname  string
		qtype  uint16
		limit  float64
		goesOn bool
	}{
		{name: "a peer in the cluster zone", qname: "web-0.default.svc.cluster.local.", qtype: dns.TypeA, limit: 2},
		{name: "a peer's IPv6", qname: "web-1.default.svc.cluster.local.", qtype: dns.TypeAAAA, limit: 2},
		{name: "a peer of another hostname", qname: "kafka-0.kafka.default.svc.cluster.local.", qtype: dns.TypeA, limit: 7}, // two addresses
		{name: "a peer under a suffix", qname: "web-0.mgmt.example.org.", qtype: dns.TypeA, limit: 2},
		{name: "a peer below its Service", qname: "web-0.nginx.mgmt.example.org.", qtype: dns.TypeA, limit: 2},
		{name: "a peer under a shared suffix", qname: "web-0.shared.test.", qtype: dns.TypeA, limit: 2},
		{name: "a peer, by a 0x20 client", qname: "Web-0.MGMT.example.org.", qtype: dns.TypeA, limit: 2},
		{name: "a Service of one address", qname: "api.mgmt.example.org.", qtype: dns.TypeA, limit: 2},
		{name: "a miss in the cluster zone", qname: "x.default.svc.cluster.local.", qtype: dns.TypeA, limit: 0, goesOn: true},
		{name: "a Service in the cluster zone", qname: "nginx.default.svc.cluster.local.", qtype: dns.TypeA, limit: 0, goesOn: true},
		{name: "a hostname in the cluster zone", qname: "web-0.nginx.default.svc.cluster.local.", qtype: dns.TypeA, limit: 0, goesOn: true},
		{name: "a miss under a shared suffix", qname: "x.shared.test.", qtype: dns.TypeA, limit: 0, goesOn: true},
		{name: "outside", qname: "www.example.net.", qtype: dns.TypeA, limit: 0, goesOn: true},
		{name: "outside, with networks", stanza: withNetworks, qname: "www.example.net.", qtype: dns.TypeA, limit: 0, goesOn: true},
		{name: "a reverse name outside the networks", stanza: withNetworks, qname: "1.0.168.192.in-addr.arpa.", qtype: dns.TypePTR, limit: 0, goesOn: true},
		{name: "a reverse name of IPv6 outside the networks", stanza: withNetworks, qname: strings.Repeat("a.", 32) + "ip6.arpa.", qtype: dns.TypePTR, limit: 0, goesOn: true},
		{name: "a reverse name of nobody's", stanza: withNetworks, qname: "9.9.244.10.in-addr.arpa.", qtype: dns.TypePTR, limit: 0, goesOn: true},
		{name: "a reverse zone's apex", stanza: withNetworks, qname: "244.10.in-addr.arpa.", qtype: dns.TypeSOA, limit: 0, goesOn: true},
		{name: "outside ten origins", stanza: tenOrigins(), qname: "www.example.net.", qtype: dns.TypeA, limit: 0, goesOn: true},
		{name: "beside ten origins", stanza: tenOrigins(), qname: "WWW.team-x.apps.example.com.", qtype: dns.TypeA, limit: 0, goesOn: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.stanza == "" {
				tt.stanza = stanza
			}
			w := new(nowhere)
			h := open(t, tt.stanza, w)
			r := query(tt.qname, tt.qtype)
			ctx := context.Background()
			n := testing.AllocsPerRun(200, func() { _, _ = h.ServeDNS(ctx, w, r) })
			if tt.goesOn {
				n -= testing.AllocsPerRun(200, func() { _, _ = plugin.NextOrFailure(name, w, ctx, w, r) })
			}
			if n > tt.limit {
				t.Errorf("%v allocations, want at most %v", n, tt.limit)
			}
		})
	}
}
