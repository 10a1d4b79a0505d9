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
	zone.Answered: "answer", zone.NoData: "nodata", zone.NXDomain: "nxdomain", zone.ServFail: "servfail", zone.Passed: "next",
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

// collector reads what the running watches hold when it is asked, so that a watch that ended leaves no series behind.
type collector struct{}

func describe(metric, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(plugin.Namespace, name, metric), help, append([]string{"source"}, labels...), nil)
}

var (
	descServices = describe("services", "Services known.")
	descPeers    = describe("peers", "Endpoints of headless Services known, ready or not, one per address.")
	descSynced   = describe("synced", "1 if everything the source has was seen once, else 0.")
	descStale    = describe("stale", "1 if what is known may be out of date: a request to the API server failed, a list is under way, or a snapshot is served. Else 0.")
	descSaved    = describe("snapshot_timestamp_seconds", "Until when the snapshot has every change, in Unix time.")
	descFailed   = describe("requests_failed_total", "List and watch requests to the API server that failed, by kind.", "kind")
	descApplied  = describe("objects_applied_total", "Objects put into the tree of names, by kind.", "kind")
	descLatency  = describe("programming_duration_seconds", "How long after a change of a pod or Service its EndpointSlice's names answered, of what was watched, not listed.")
	descSkipped  = describe("objects_skipped_total", "Objects left out, wholly or in part, by kind.", "kind")
)

// Describe implements prometheus.Collector.
func (collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descServices, descPeers, descSynced, descStale, descSaved, descFailed, descApplied, descSkipped, descLatency} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (collector) Collect(ch chan<- prometheus.Metric) {
	seen := make(map[string]bool)
	for _, w := range watches.Watches() {
		if seen[w.Name()] {
			continue // in a reload with a changed kubeconfig: the old client and the new one
		}
		seen[w.Name()] = true
		gauge := func(d *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, w.Name())
		}
		services, peers := w.Tree().Size()
		gauge(descServices, float64(services))
		gauge(descPeers, float64(peers))
		gauge(descSynced, number(w.Tree().IsDone()))
		gauge(descStale, number(w.Stale()))
		if at := w.Saved(); !at.IsZero() {
			gauge(descSaved, float64(at.Unix()))
		}
		if l := w.Latency(); l != nil {
			count, sum, buckets := l.Histogram()
			ch <- prometheus.MustNewConstHistogram(descLatency, count, sum, buckets, w.Name())
		}
		for _, k := range []object.Kind{object.KindService, object.KindEndpointSlice} {
			applied, skipped, failed := w.Counts(k)
			ch <- prometheus.MustNewConstMetric(descApplied, prometheus.CounterValue, float64(applied), w.Name(), k.String())
			ch <- prometheus.MustNewConstMetric(descSkipped, prometheus.CounterValue, float64(skipped), w.Name(), k.String())
			ch <- prometheus.MustNewConstMetric(descFailed, prometheus.CounterValue, float64(failed), w.Name(), k.String())
		}
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
