package headless

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/coredns/coredns/plugin"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/tree"
	"github.com/coredns-headless/headless/plugin/zone"
)

// The last step says why, and the outcome is what a query gets.
func TestExplain(t *testing.T) {
	twins := svc("default/twin", none) + eps("default/twin", "v4", "", "10.244.0.50 host=broker pod=twin-0", "10.244.0.51 host=both", "10.244.0.52 host=both")
	h := open(t, `headless cluster.local 10.244.0.0/16 {
    manifests `+manifest(t, cluster+twins)+`
    namespaces default
    suffix a.test default.svc.cluster.local
    suffix shared.test default.svc.cluster.local
    fallthrough shared.test
}`, new(behind))
	const next = "passed to the next plugin, behind: NXDOMAIN"
	tests := []struct{ name, qtype, step, outcome string }{
		{"web-0.default.svc.cluster.local", "A", `"web-0" is the name of a pod of Service "nginx": ready`, "answered by headless: NOERROR"},
		{"WEB-0.default.svc.cluster.local.", "TXT", `"web-0" is the name of a pod of Service "nginx": ready`, "answered by headless: NODATA"},
		{"web-9.default.svc.cluster.local", "A", "has the name or host name", next},
		{"web-2.default.svc.cluster.local", "A", "not ready, and answered only with the option not_ready", next},
		{"nginx.default.svc.cluster.local", "A", "a Service wins over a peer of that name", next},
		{"broker.default.svc.cluster.local", "A", `host name "broker" is ambiguous`, next},
		{"nimbus-0.worker.svc.cluster.local", "A", `namespace "worker" is not watched`, next},
		{"web-0.nginx.default.svc.cluster.local", "A", "the name is left to the kubernetes plugin", next},
		{"default.cluster.local", "A", "it is not a peer's name", next},
		{"example.org", "A", "the name is in no cluster zone and in no suffix", next},
		{"web-1.a.test", "AAAA", `"web-1" is the name of a pod of Service "nginx": ready`, "answered by headless: NOERROR"},
		{"web-9.a.test", "A", "has the name or host name", "answered by headless: NXDOMAIN"},
		{"external.a.test", "A", "headless follows it to www.example.com.", "answered by headless: not known, because CoreDNS has had no query yet; send it one and look again"},
		{"dns.a.test", "A", "the name exists, because another suffix or a name server's name is below it", "answered by headless: NODATA"},
		{"web-0.default.svc.cluster.local", "AXFR", "headless does not transfer the zone", next},
		{"50.0.244.10.in-addr.arpa", "PTR", `in namespace "default" has this address`, "answered by headless: NOERROR"},
		{"51.0.244.10.in-addr.arpa", "PTR", "none of these names resolves to this address alone", next},
		{"99.0.244.10.in-addr.arpa", "PTR", `no ready endpoint has this address`, next},
		{"11.0.244.10.in-addr.arpa", "PTR", `"web-1" of Service "nginx" in namespace "default" has this address`, "answered by headless: NOERROR"},
	}
	for _, tt := range tests {
		r := (&explained{h: h}).Explain(tt.name, tt.qtype)
		if len(r.Steps) == 0 || !strings.Contains(r.Steps[len(r.Steps)-1], tt.step) || r.Outcome != tt.outcome {
			t.Errorf("%s %s: want %q and %q\n%+v", tt.name, tt.qtype, tt.step, tt.outcome, r)
		}
		if m, _, _ := ask(h, query(dns.Fqdn(tt.name), dns.StringToType[tt.qtype])); m != nil && !slices.Equal(r.Records, texts(m)) {
			t.Errorf("%s %s: it says %q, and the query got\n%s", tt.name, tt.qtype, r.Records, m)
		}
	}
	unsync(h)
	for name, outcome := range map[string]string{
		"web-0.default.svc.cluster.local": next,
		"web-0.a.test":                    "answered by headless: SERVFAIL until the first sync, or for a loop of ExternalName Services",
		"web-0.shared.test":               "passed to the next plugin, whose denial becomes SERVFAIL until the first sync, behind: NXDOMAIN",
	} {
		if r := (&explained{h: h}).Explain(name, "A"); !strings.Contains(r.Steps[len(r.Steps)-1], "is not synced yet") || r.Outcome != outcome {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestExplainSaysWhatTheNextPluginDoes(t *testing.T) {
	for want, next := range map[string]plugin.Handler{
		"there is none":             nil,
		"behind: behind has had it": &behind{rcode: dns.RcodeServerFailure},
		"behind: NOERROR":           &behind{answer: func(r *dns.Msg) *dns.Msg { return says(r, "x. 5 IN A 192.0.2.1") }},
		"behind: NODATA":            &behind{answer: func(r *dns.Msg) *dns.Msg { return says(r) }},
	} {
		h := open(t, "headless cluster.local {\nmanifests $CLUSTER\n}", next)
		if r := (&explained{h: h}).Explain("example.org", "A"); !strings.HasSuffix(r.Outcome, want) || want == "behind: NOERROR" != (len(r.Records) == 1) {
			t.Errorf("%s: %+v", want, r)
		}
	}
}

func says(r *dns.Msg, answer ...string) *dns.Msg {
	m := new(dns.Msg).SetReply(r)
	m.Answer = records(answer...)
	return m
}

func TestExplainNamesOriginAndNode(t *testing.T) {
	h := open(t, `headless cluster.local 10.244.0.0/16 {
    manifests $CLUSTER
    suffix a.test default.svc.cluster.local
    suffix k.test svc.cluster.local
}`, new(behind))
	tests := []struct{ name, origin, node, step string }{
		{"web-0.Default.svc.cluster.local", "cluster zone cluster.local.", "web-0.default.svc", ""},
		{"x.pod.cluster.local", "cluster zone cluster.local.", "", "it is not a peer's name"},
		{"web-0.nginx.a.test", "suffix a.test.", "web-0.nginx.default.svc", "target is default.svc"},
		{"a.test", "suffix a.test.", "default.svc", "the apex"},
		{"ns.dns.a.test", "suffix a.test.", "", "a name server"},
		{"dns-version.k.test", "suffix k.test.", "", "version of the Kubernetes DNS specification"},
		{"a.b.c.d.a.test", "suffix a.test.", "", "more labels"},
		{`\200.a.test`, "suffix a.test.", `\200.default.svc`, ""},
		{"11.0.244.10.in-addr.arpa", "pod network 10.244.0.0/16", "", "10.244.0.11"},
		{"11.0.0.1.in-addr.arpa", "", "", "in no pod network"},
	}
	for _, tt := range tests {
		r := (&explained{h: h}).Explain(tt.name, "A")
		if r.Origin != tt.origin || r.Node != tt.node || !strings.Contains(strings.Join(r.Steps, "\n"), tt.step) {
			t.Errorf("%s: %+v", tt.name, r)
		}
	}
}

func TestBrowse(t *testing.T) {
	h := open(t, "headless cluster.local {\nmanifests $CLUSTER\nsuffix a.test svc.cluster.local\n}", new(behind))
	e := &explained{h: h}
	for q, want := range map[string]int{"a.test": 1, "nimbus": 2, "10.244.0.12 not ready": 1, "peer WEB-1": 2, "service headless": 5, "nothing": 0} {
		rows, total := e.browse(q, 0, 100)
		if len(rows) != want || total != want {
			t.Errorf("%q: %d rows, want %d: %v", q, len(rows), want, rows)
		}
		for _, r := range rows {
			if r.Link != "" && len(e.Explain(r.Link, "A").Steps) == 0 {
				t.Errorf("%v leads nowhere", r)
			}
		}
	}
	all, total := e.browse("", 0, 1000)
	page, same := e.browse("", 3, 2)
	if !slices.Equal(page, all[3:5]) || total != len(all) || same != total {
		t.Errorf("%d rows of %d, then %v, want %v", len(all), total, page, all[3:5])
	}
	unsync(h)
	if rows, _ := e.browse("zone", 0, 1); !strings.Contains(rows[0].Text, "not synced") {
		t.Errorf("%v", rows)
	}
}

func (e *explained) browse(q string, from, n int) ([]zone.Row, int) {
	return e.Browse(q, from, n, make(map[any]bool))
}

// A row's link is a name that its server block is asked for, and what two blocks have is listed once.
func TestBrowseLinksToWhatTheServerBlockIsAskedFor(t *testing.T) {
	h := open(t, `headless cluster.local {
    manifests $CLUSTER
    suffix a.test default.svc.cluster.local
    suffix w.test nimbus.worker.svc.cluster.local
    suffix k.test svc.cluster.local
}`, new(behind))
	for zone, want := range map[string][3]string{
		".":              {"web-1.default.svc.cluster.local.", "nginx.default.svc.cluster.local.", "nimbus-0.worker.svc.cluster.local."},
		"cluster.local.": {"web-1.default.svc.cluster.local.", "nginx.default.svc.cluster.local.", "nimbus-0.worker.svc.cluster.local."},
		"a.test.":        {"web-1.a.test.", "nginx.a.test.", ""},
		"w.test.":        {"", "", "nimbus-0.w.test."},
		"k.test.":        {"web-1.default.k.test.", "nginx.default.k.test.", "nimbus-0.worker.k.test."},
	} {
		e := &explained{h: h, zone: zone}
		for i, q := range []string{"peer web-1 default 10.244.0.11", "service nginx default", "peer nimbus-0 worker"} {
			rows, _ := e.browse(q, 0, 10)
			if len(rows) != 1 || rows[0].Link != want[i] {
				t.Errorf("%s, %q: %+v, want one that leads to %q", zone, q, rows, want[i])
			}
			if _, _, ok := e.Serves(want[i]); want[i] != "" && !ok {
				t.Errorf("%s is not asked for %s", zone, want[i])
			}
		}
	}
	seen := make(map[any]bool)
	first, second := &explained{h: h}, &explained{h: h}
	if rows, _ := first.Browse("peer", 0, 10, seen); len(rows) == 0 {
		t.Error("the first has none")
	}
	if rows, _ := second.Browse("peer", 0, 10, seen); len(rows) > 0 {
		t.Errorf("listed twice: %v", rows)
	}
}

// For the race detector: pages are read while the tree changes.
func TestExplainWhileTheTreeChanges(t *testing.T) {
	tr := tree.New()
	source := tr.Writer("")
	source.Replace(rolling("web", 1), 1)
	h := open(t, "headless cluster.local {\nmanifests $CLUSTER\nsuffix a.test default.svc.cluster.local\n}", new(behind))
	h.plant(tr)
	e := &explained{h: h}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for version := range 200 {
			for _, o := range rolling("web", version+2) {
				source.Set(o)
			}
			source.Set(rolling(fmt.Sprintf("other%d", version%7), version+2)[1])
		}
	}()
	for range 50 {
		if rows, _ := e.browse("peer web-99", 0, 10); len(rows) != 1 {
			t.Errorf("rows %v", rows)
		}
		for _, name := range []string{"web-99.a.test", "web-0.web.a.test", "nobody.default.svc.cluster.local", "web.a.test"} {
			if r := e.Explain(name, "A"); len(r.Steps) == 0 || r.Outcome == "" {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
	<-done
}
