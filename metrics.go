package headless

import (
	"github.com/coredns/coredns/plugin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/zone"
)

// resultNames are those of zone.Result.
var resultNames = [...]string{
	zone.Answered: "answer", zone.NoData: "nodata", zone.NXDomain: "nxdomain", zone.ServFail: "servfail",
	zone.Passed: "next",
}

// lookups is bound to its labels when a Corefile is read: finding a counter by labels takes a lock.
var lookups = promauto.NewCounterVec(prometheus.CounterOpts{
	Namespace: plugin.Namespace, Subsystem: name, Name: "lookups_total",
	Help: "Look-ups below an origin of the plugin, by zone and result. next: handed on to the next plugin.",
}, []string{"zone", "result"})

// counters are those of an origin, by zone.Result.
type counters [len(resultNames)]prometheus.Counter

func newCounters(origin string) (c counters) {
	for i := range c {
		c[i] = lookups.WithLabelValues(origin, resultNames[i])
	}
	return c
}

func init() { prometheus.MustRegister(collector{}) }

// collector reads the running sources when it is asked, so that a source that ended leaves no series behind.
type collector struct{}

func describe(metric, help string, labels ...string) *prometheus.Desc {
	fqName := prometheus.BuildFQName(plugin.Namespace, name, metric)
	return prometheus.NewDesc(fqName, help, append([]string{"source"}, labels...), nil)
}

var (
	descServices = describe("services", "Services known.")
	descPeers    = describe("peers", "Endpoints of headless Services known, ready or not, one per address.")
	descSynced   = describe("synced", "1 if everything the source has was seen once, else 0.")
	descStale    = describe("stale", "1 if what is known may be out of date: a request to the API server failed, "+
		"a list is under way, or a snapshot is served. Else 0.")
	descSaved  = describe("snapshot_timestamp_seconds", "Until when the snapshot has every change, in Unix time.")
	descFailed = describe("requests_failed_total", "List and watch requests to the API server that failed, by kind.",
		"kind")
	descApplied   = describe("objects_applied_total", "Objects put into the tree of names, by kind.", "kind")
	descSkipped   = describe("objects_skipped_total", "Objects left out, wholly or in part, by kind.", "kind")
	descUnwatched = describe("services_unwatched", "Headless Services without EndpointSlices that are too many to be "+
		"watched one by one.")
)

// Describe implements prometheus.Collector.
func (collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descServices, descPeers, descSynced, descStale, descSaved, descFailed, descApplied, descSkipped, descUnwatched,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (collector) Collect(ch chan<- prometheus.Metric) {
	seen := make(map[string]bool)
	for _, s := range sources.Running() {
		if seen[s.Name()] {
			continue // in a reload with a changed kubeconfig: the old client and the new one
		}
		seen[s.Name()] = true
		gauge := func(d *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, s.Name())
		}
		services, peers := s.Tree().Size()
		gauge(descServices, float64(services))
		gauge(descPeers, float64(peers))
		gauge(descSynced, number(s.Tree().IsDone()))
		gauge(descStale, number(s.Stale()))
		gauge(descUnwatched, float64(s.Unwatched.Load()))
		if at := s.Saved.Load(); at > 0 {
			gauge(descSaved, float64(at))
		}
		if s.Latency != nil {
			s.Latency.Collect(ch)
		}
		for _, k := range []object.Kind{object.KindService, object.KindEndpointSlice} {
			counter := func(d *prometheus.Desc, v uint64) {
				ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), s.Name(), k.String())
			}
			c := s.Count(k)
			counter(descApplied, c.Applied.Load())
			counter(descSkipped, c.Skipped.Load())
			counter(descFailed, c.Failed.Load())
		}
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
