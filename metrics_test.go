package headless

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/coredns-headless/headless/plugin/source"
	"github.com/coredns-headless/headless/plugin/source/manifests"
)

// gather returns the plugin's series, as name{label=value,...}.
func gather(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err) // also where two series are the same
	}
	series := make(map[string]float64)
	for _, f := range families {
		short, ours := strings.CutPrefix(f.GetName(), "coredns_headless_")
		if !ours {
			continue
		}
		if f.GetHelp() == "" {
			t.Errorf("%s has no help text", f.GetName())
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			slices.Sort(labels)
			series[fmt.Sprintf("%s{%s}", short, strings.Join(labels, ","))] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return series
}

func TestMetricsSayWhatIsKnown(t *testing.T) {
	path := manifest(t, cluster)
	h := open(t, "headless known.local {\nmanifests "+path+"\n}", new(behind))
	got := gather(t)
	for s := range got {
		if strings.HasPrefix(s, "lookups_total") {
			delete(got, s)
		}
	}
	source := "source=manifests " + path
	want := map[string]float64{
		"services{" + source + "}":                                 7,
		"peers{" + source + "}":                                    10, // one per address
		"synced{" + source + "}":                                   1,
		"stale{" + source + "}":                                    0,
		"services_unwatched{" + source + "}":                       0,
		"requests_failed_total{kind=Service," + source + "}":       0,
		"requests_failed_total{kind=EndpointSlice," + source + "}": 0,
		"objects_applied_total{kind=Service," + source + "}":       7,
		"objects_applied_total{kind=EndpointSlice," + source + "}": 6,
		"objects_skipped_total{kind=Service," + source + "}":       0,
		"objects_skipped_total{kind=EndpointSlice," + source + "}": 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	h.generation.close()
	for s := range gather(t) {
		if strings.Contains(s, source) {
			t.Errorf("a source that ended left %s", s)
		}
	}
}

func TestMetricsCountLookupsByResult(t *testing.T) {
	h := open(t, `headless counted.local {
    manifests $CLUSTER
    suffix counted.test default.svc.counted.local
    suffix shared.test svc.counted.local
    fallthrough shared.test
}`, new(behind))
	for _, zone := range []string{"counted.local.", "counted.test."} { // from the start, so that a rate can be taken of the first query
		for _, result := range resultNames {
			if _, ok := gather(t)["lookups_total{result="+result+",zone="+zone+"}"]; !ok {
				t.Errorf("no %s of %s", result, zone)
			}
		}
	}
	forget := func() { unsync(h) }
	tests := []struct {
		name   string
		qname  string
		qtype  uint16
		before func()
		want   string // the counter that moves
	}{
		{name: "guest answers", qname: "web-0.default.svc.counted.local.", qtype: dns.TypeA, want: "zone=counted.local.,result=answer"},
		{name: "guest NODATA", qname: "web-0.default.svc.counted.local.", qtype: dns.TypeTXT, want: "zone=counted.local.,result=nodata"},
		{name: "guest misses", qname: "x.default.svc.counted.local.", qtype: dns.TypeA, want: "zone=counted.local.,result=next"},
		{name: "suffix answers", qname: "web-0.counted.test.", qtype: dns.TypeA, want: "zone=counted.test.,result=answer"},
		{name: "suffix NODATA", qname: "web-0.counted.test.", qtype: dns.TypeTXT, want: "zone=counted.test.,result=nodata"},
		{name: "suffix NXDOMAIN", qname: "x.counted.test.", qtype: dns.TypeA, want: "zone=counted.test.,result=nxdomain"},
		{name: "apex SOA", qname: "counted.test.", qtype: dns.TypeSOA, want: "zone=counted.test.,result=answer"},
		{name: "shared misses", qname: "x.shared.test.", qtype: dns.TypeA, want: "zone=shared.test.,result=next"},
		{name: "shared apex", qname: "shared.test.", qtype: dns.TypeA, want: "zone=shared.test.,result=next"},
		{name: "outside", qname: "www.example.org.", qtype: dns.TypeA},
		{name: "unsynced suffix", qname: "web-0.counted.test.", qtype: dns.TypeA, before: forget, want: "zone=counted.test.,result=servfail"},
		{name: "unsynced shared suffix", qname: "x.shared.test.", qtype: dns.TypeA, want: "zone=shared.test.,result=servfail"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.before != nil {
				tt.before()
			}
			was := gather(t)
			_, _, _ = ask(h, query(tt.qname, tt.qtype))
			moved := make(map[string]float64)
			for s, v := range gather(t) {
				if strings.HasPrefix(s, "lookups_total") && v != was[s] {
					moved[s] = v - was[s]
				}
			}
			want := make(map[string]float64)
			if zone, result, ok := strings.Cut(tt.want, ","); ok {
				want["lookups_total{"+result+","+zone+"}"] = 1
			}
			if diff := cmp.Diff(want, moved); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// During a reload with a changed kubeconfig, the old client and the new one bear the same name.
func TestTwoSourcesOfOneNameDoNotBreakMetrics(t *testing.T) {
	path := manifest(t, cluster)
	for _, key := range []string{"old", "new"} {
		s, release, err := sources.Acquire(key, func() (*source.Source, error) {
			return manifests.Open("one name", []string{path}, nil)
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(release)
		s.Start()
	}
	if got := gather(t)["services{source=one name}"]; got != 7 {
		t.Errorf("%v Services, want 7", got)
	}
}

func TestMetricsSayWhatIsNotSynced(t *testing.T) {
	open(t, "headless unsynced.local {\nkubeconfig "+kubeconfigFor(t, "nobody", "http://127.0.0.1:1")+"\nstartup_timeout 0s\n}", new(behind))
	n := 0
	for s, v := range gather(t) {
		if strings.HasPrefix(s, "synced{") {
			if n++; v != 0 {
				t.Errorf("%s is %v", s, v)
			}
		}
	}
	if n != 1 {
		t.Errorf("%d series of synced, want 1", n)
	}
}
