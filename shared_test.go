package headless

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

const shared = `headless cluster.local {
    suffix mgmt.example.org default.svc.cluster.local
    suffix storm.example.org nginx.default.svc.cluster.local
    suffix k8s.example.org svc.cluster.local
    suffix own.test default.svc.cluster.local
    fallthrough example.org
    manifests $CLUSTER
    ttl 7
}`

// handedOn are queries below shared suffixes that the company zone answers, synced or not.
var handedOn = []row{
	{"apex", "mgmt.example.org.", dns.TypeA, "next"},
	{"apex, SOA", "mgmt.example.org.", dns.TypeSOA, "next"},
	{"apex, NS", "mgmt.example.org.", dns.TypeNS, "next"},
	{"apex grafted on a Service", "storm.example.org.", dns.TypeA, "next"},
	{"transfer", "mgmt.example.org.", dns.TypeAXFR, "next"},
	{"incremental transfer", "mgmt.example.org.", dns.TypeIXFR, "next"},
	{"transfer of a peer", "web-0.mgmt.example.org.", dns.TypeAXFR, "next"},
	{"a name that no tree can have", "www.google.com.mgmt.example.org.", dns.TypeA, "next"},
	{"a name that is too deep for any tree", "a.b.c.d.e.mgmt.example.org.", dns.TypeA, "next"},
}

func TestSharedSuffixAnswersServicesAndPeersAlone(t *testing.T) {
	h := open(t, shared, new(behind))
	checkAll(t, h, append([]row{
		{"a peer", "Web-0.mgmt.example.org.", dns.TypeA, "@ $ A 10.244.0.10"},
		{"a peer below its Service", "web-0.nginx.mgmt.example.org.", dns.TypeA, "@ $ A 10.244.0.10"},
		{"a peer below a suffix for its Service", "web-0.storm.example.org.", dns.TypeA, "@ $ A 10.244.0.10"},
		{"a Service", "nginx.mgmt.example.org.", dns.TypeA, "@ $ A 10.244.0.10\n@ $ A 10.244.0.11"},
		{"a ClusterIP Service", "api.default.k8s.example.org.", dns.TypeAAAA, "@ $ AAAA fd00:96::a"},
		{"a type that a peer lacks", "web-0.mgmt.example.org.", dns.TypeAAAA, "NODATA, with their SOA"},
		{"a type that a Service lacks", "ws.mgmt.example.org.", dns.TypeTXT, "NODATA, with their SOA"},
		{"a miss of a suffix that is not shared", "www.own.test.", dns.TypeA, nxDomain("own.test.")},
		{"the apex of one that is not shared", "own.test.", dns.TypeA, noData("own.test.")},
		{"a miss", "www.mgmt.example.org.", dns.TypeA, "next"},
		{"a miss of another type", "www.mgmt.example.org.", dns.TypeMX, "next"},
		{"a miss below a Service", "x.nginx.mgmt.example.org.", dns.TypeA, "next"},
		{"a peer that is not ready", "web-2.mgmt.example.org.", dns.TypeA, "next"},
		{"too many labels", "a.b.c.d.mgmt.example.org.", dns.TypeA, "next"},
		{"an empty non-terminal", "default.k8s.example.org.", dns.TypeA, "NODATA, with their SOA"},
		{"a protocol", "_tcp.nginx.mgmt.example.org.", dns.TypeA, "NODATA, with their SOA"},
		{"no namespace", "none.k8s.example.org.", dns.TypeA, "next"},
	}, handedOn...))
	unsync(h)
	checkAll(t, h, handedOn)
}

// Before the first sync nobody can say that a name does not exist, and whatever does exist elsewhere does so anyway.
func TestSharedSuffixDoubtsDenialsBeforeTheFirstSync(t *testing.T) {
	failure := func(r *dns.Msg) *dns.Msg { return new(dns.Msg).SetRcode(r, dns.RcodeServerFailure) }
	reply := func(change func(*dns.Msg)) func(*dns.Msg) *dns.Msg {
		return func(r *dns.Msg) *dns.Msg {
			m := new(dns.Msg).SetReply(r)
			change(m)
			return m
		}
	}
	soa := records("example.org. 60 IN SOA ns.example.org. root.example.org. 1 2 3 4 5")
	tests := []struct {
		name    string
		answer  func(r *dns.Msg) *dns.Msg
		doubted bool
	}{
		{name: "NXDOMAIN", doubted: true, answer: reply(func(m *dns.Msg) { m.Rcode, m.Ns = dns.RcodeNameError, soa })},
		{name: "NXDOMAIN without SOA", doubted: true, answer: reply(func(m *dns.Msg) { m.Rcode = dns.RcodeNameError })},
		{name: "NODATA", doubted: true, answer: reply(func(m *dns.Msg) { m.Ns = soa })},
		{name: "NODATA without SOA", doubted: true, answer: reply(func(*dns.Msg) {})},
		{name: "NODATA of an authority, with its NS", doubted: true, answer: reply(func(m *dns.Msg) {
			m.Authoritative = true
			m.Ns = records("example.org. 60 IN NS ns.example.org.")
		})},
		{name: "an answer", answer: reply(func(m *dns.Msg) { m.Answer = records("www.mgmt.example.org. 60 IN A 192.0.2.1") })},
		{name: "an alias", answer: reply(func(m *dns.Msg) { m.Answer = records("www.mgmt.example.org. 60 IN CNAME www.example.com.") })},
		{name: "a referral", answer: reply(func(m *dns.Msg) {
			m.Ns = records("mgmt.example.org. 60 IN NS ns.mgmt.example.org.")
			m.Extra = records("ns.mgmt.example.org. 60 IN A 192.0.2.53")
		})},
		{name: "a truncated reply, which says nothing yet", answer: reply(func(m *dns.Msg) { m.Truncated = true })},
		{name: "REFUSED", answer: reply(func(m *dns.Msg) { m.Rcode = dns.RcodeRefused })},
		{name: "SERVFAIL", answer: reply(func(m *dns.Msg) { m.Rcode, m.RecursionAvailable = dns.RcodeServerFailure, true })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := &behind{answer: tt.answer}
			h := open(t, shared, b)
			unsync(h)
			for _, qname := range []string{"Www.mgmt.example.org.", "web-0.mgmt.example.org.", "nginx.mgmt.example.org.", "default.k8s.example.org.", "_a._b.c.d.k8s.example.org."} {
				r := query(qname, dns.TypeA)
				r.CheckingDisabled = true
				got, rcode, err := ask(h, r)
				want := tt.answer(r)
				if tt.doubted {
					want = failure(r)
				}
				same(t, want, got)
				if rcode != dns.RcodeSuccess || err != nil {
					t.Errorf("%s: returned %s, %v", qname, dns.RcodeToString[rcode], err)
				}
			}
			if b.asked != 5 {
				t.Errorf("asked behind %d times, want 5", b.asked)
			}
		})
	}
}

func TestSharedSuffixPassesOnWhatIsReturnedBeforeTheFirstSync(t *testing.T) {
	h := open(t, shared, &behind{rcode: dns.RcodeRefused})
	unsync(h)
	got, rcode, err := ask(h, query("www.mgmt.example.org.", dns.TypeA))
	if got != nil || rcode != dns.RcodeRefused || !errors.Is(err, errBehind) {
		t.Errorf("wrote %v, returned %s, %v", got, dns.RcodeToString[rcode], err)
	}
}

// Each zone that bypasses *cache* costs every query.
func TestCacheBypassesOwnSuffixesAndNoneBelowAnother(t *testing.T) {
	stanza := func(zone string, options ...string) string {
		return "headless " + zone + " {\nmanifests $CLUSTER\n" + strings.Join(options, "\n") + "\n}\n"
	}
	const a, b, below, belowThat = "suffix a.test svc.cluster.local", "suffix b.test svc.cluster.local", "suffix x.a.test svc.cluster.local", "suffix y.x.a.test svc.cluster.local"
	for _, tt := range []struct {
		name    string
		stanzas string
		want    []string
	}{
		{name: "no suffix", stanzas: stanza("cluster.local")},
		{name: "one", stanzas: stanza("cluster.local", a), want: []string{"a.test."}},
		{name: "not the shared", stanzas: stanza("cluster.local", a, b, "fallthrough a.test"), want: []string{"b.test."}},
		{name: "none below another", stanzas: stanza("cluster.local", below, a, belowThat, b), want: []string{"a.test.", "b.test."}},
		{name: "below a shared one", stanzas: stanza("cluster.local", below, a, "fallthrough a.test")},
		{name: "above a cluster zone, which has its own cache", stanzas: stanza("cluster.local", "suffix local svc.cluster.local")},
		{name: "beside one that ends alike", stanzas: stanza("cluster.local", "suffix xa.test svc.cluster.local", a), want: []string{"a.test.", "xa.test."}},
		{
			name: "below a shared one of another stanza", want: []string{"x.a.test."},
			stanzas: stanza("cluster.local", a, "fallthrough") + stanza("other.local", "suffix x.a.test svc.other.local"),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := slices.Sorted(slices.Values(open(t, tt.stanzas, new(behind)).CacheBypassZones()))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
