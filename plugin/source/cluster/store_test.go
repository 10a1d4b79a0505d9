package cluster

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/source"
	"github.com/coredns-headless/headless/plugin/source/sourcetest"
	"github.com/coredns-headless/headless/plugin/tree"
)

// stores are the two that feed one tree.
func stores() (s *source.Source, services, slices *store) {
	s = source.New("test", nil)
	s.Latency = source.NewLatency("test")
	of := func(k object.Kind) *store {
		return &store{source: s, request: &request{source: s}, writer: s.Tree().Writer(""), kind: k}
	}
	return s, of(object.KindService), of(object.KindEndpointSlice)
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// unusable is a slice whose Service cannot have a name in DNS, with the same key as one that is good.
func unusable(name, version string) *discoveryv1.EndpointSlice {
	return endpointSlice(name, version, "no.label")
}

// counts checks applied and skipped objects.
func counts(t *testing.T, w *source.Source, k object.Kind, applied, skipped uint64) {
	t.Helper()
	c := w.Count(k)
	if diff := cmp.Diff([2]uint64{applied, skipped}, [2]uint64{c.Applied.Load(), c.Skipped.Load()}); diff != "" {
		t.Errorf("%s: applied and skipped (-want +got):\n%s", k, diff)
	}
}

// A reflector hands over what the API server sent, or what the transformer made of it. Both come out the same.
func TestStoreTakesRawAndSlimObjects(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(*testing.T, any) any
	}{
		{name: "raw", make: func(_ *testing.T, o any) any { return o }},
		{name: "slim", make: func(t *testing.T, o any) any { return slim(t, o) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, services, slices := stores()
			must(t, services.Add(tt.make(t, headlessService("default/nginx", "1"))))
			must(t, slices.Add(tt.make(t, endpointSlice("default/nginx-x", "2", "nginx", "web-0=10.0.0.1"))))
			sourcetest.Expect(t, w.Tree(), map[string]string{"default/nginx": "10.0.0.1", "default/web-0": "10.0.0.1", "default/nginx/web-0": "10.0.0.1"})

			must(t, slices.Update(tt.make(t, endpointSlice("default/nginx-x", "3", "nginx", "web-0=10.0.0.2"))))
			sourcetest.Expect(t, w.Tree(), map[string]string{"default/nginx": "10.0.0.2", "default/web-0": "10.0.0.2"})

			must(t, slices.Replace([]any{tt.make(t, endpointSlice("default/nginx-y", "4", "nginx", "web-1=10.0.0.3"))}, "4"))
			sourcetest.Expect(t, w.Tree(), map[string]string{"default/nginx": "10.0.0.3", "default/web-0": "", "default/web-1": "10.0.0.3"})

			must(t, slices.Delete(endpointSlice("default/nginx-y", "5", "nginx")))
			sourcetest.Expect(t, w.Tree(), map[string]string{"default/nginx": "", "default/web-1": ""})
			counts(t, w, object.KindService, 1, 0)
			counts(t, w, object.KindEndpointSlice, 3, 0)
			must(t, slices.Resync())
		})
	}
}

func TestStoreDeletesWhatTheTreeDoesNotHave(t *testing.T) {
	w, services, slices := stores()
	must(t, services.Delete(headlessService("default/nginx", "1")))
	must(t, slices.Delete(unusable("default/nginx-x", "2")))
	if err := slices.Delete("no object"); err == nil {
		t.Error("deleted a text")
	}
	counts(t, w, object.KindService, 0, 0)
	counts(t, w, object.KindEndpointSlice, 0, 0)
}

func TestDeletionsNumberTheZone(t *testing.T) {
	w, services, slices := stores()
	must(t, services.Replace([]any{headlessService("default/nginx", "3")}, "10"))
	must(t, slices.Replace(nil, "12"))
	if got := w.Tree().Serial(new(tree.Path)); got != 12 {
		t.Errorf("serial after the lists: %d, want 12", got)
	}
	must(t, services.Delete(headlessService("default/nginx", "20")))
	if got := w.Tree().Serial(new(tree.Path)); got != 20 {
		t.Errorf("serial after the deletion: %d, want its version, 20", got)
	}
}

func TestUpdateToAnUnusableObjectRemovesItsOlderVersion(t *testing.T) {
	log := sourcetest.CaptureLog(t)
	w, services, slices := stores()
	must(t, services.Add(headlessService("default/nginx", "1")))
	must(t, slices.Add(endpointSlice("default/nginx-x", "2", "nginx", "web-0=10.0.0.1")))
	must(t, slices.Update(unusable("default/nginx-x", "3")))
	sourcetest.Expect(t, w.Tree(), map[string]string{"default/nginx": "", "default/web-0": ""})
	counts(t, w, object.KindEndpointSlice, 1, 1)

	must(t, slices.Update(unusable("default/nginx-x", "4")))
	counts(t, w, object.KindEndpointSlice, 1, 2)
	want := `[WARNING] plugin/headless: test: EndpointSlice "default/nginx-x": left out: label kubernetes.io/service-name: "no.label" is not the name of a Service`
	if lines := log.With("left out"); len(lines) != 1 || lines[0][len(lines[0])-len(want):] != want {
		t.Errorf("log: %q, want one line that ends in %q", lines, want)
	}

	must(t, slices.Update(endpointSlice("default/nginx-x", "5", "nginx", "web-0=10.0.0.5")))
	sourcetest.Expect(t, w.Tree(), map[string]string{"default/web-0": "10.0.0.5"})
}

func TestTransformerSlimsAndLeavesOutBadObjects(t *testing.T) {
	log := sourcetest.CaptureLog(t)
	w, _, slices := stores()
	transform := slices.Transformer()
	good, err := transform(endpointSlice("default/nginx-x", "2", "nginx", "web-0=10.0.0.1"))
	must(t, err)
	if s, ok := good.(*object.EndpointSlice); !ok || s.Service != "nginx" || s.Version() != 2 {
		t.Errorf("made %#v", good)
	}
	again, err := transform(good)
	must(t, err)
	if again != good {
		t.Errorf("slimmed twice: %#v", again)
	}
	fqdn := endpointSlice("default/fqdn", "3", "nginx")
	fqdn.AddressType = discoveryv1.AddressTypeFQDN
	nobodys := endpointSlice("default/nobodys", "3", "")
	delete(nobodys.Labels, discoveryv1.LabelServiceName)
	for _, bad := range []any{unusable("default/bad", "3"), fqdn, nobodys} {
		o, err := transform(bad)
		if o != nil || err != nil {
			t.Errorf("made %#v, %v of an object that is left out", o, err)
		}
	}
	counts(t, w, object.KindEndpointSlice, 0, 3)
	if n := w.Count(object.KindEndpointSlice).Received.Load(); n != 5 {
		t.Errorf("%d objects were received, want 5", n)
	}
	if lines := log.With(); len(lines) != 1 { // slices of names, and those of no Service, are nobody's mistake
		t.Errorf("log: %q, want one line", lines)
	}
	// What was left out stays in the reflector's own list as nil.
	must(t, slices.Replace([]any{nil, good}, "5"))
	counts(t, w, object.KindEndpointSlice, 1, 3)
	if w.Tree().IsDone() {
		t.Error("synced before the Services are")
	}
}

func TestPartlyUnusableObjectKeepsItsGoodPart(t *testing.T) {
	sourcetest.CaptureLog(t)
	w, services, slices := stores()
	o := endpointSlice("default/nginx-x", "2", "nginx", "web-0=10.0.0.1", "web-1=10.0.0.2")
	o.Endpoints[0].Addresses = []string{"not an address"}
	must(t, services.Add(headlessService("default/nginx", "1")))
	must(t, slices.Add(o))
	sourcetest.Expect(t, w.Tree(), map[string]string{"default/web-0": "", "default/web-1": "10.0.0.2"})
	counts(t, w, object.KindEndpointSlice, 1, 1)
}

// A change is timed once, by the annotation that tells when it was made: not in lists, which bring old ones, nor
// again when the slice changes for another reason, nor when it comes from the other selector.
func TestChangesAreTimedAndListsAreNot(t *testing.T) { synctest.Test(t, changesAreTimedAndListsAreNot) }

func changesAreTimedAndListsAreNot(t *testing.T) {
	sourcetest.CaptureLog(t)
	w, services, slices := stores()
	must(t, services.Replace([]any{headlessService("default/nginx", "1")}, "1"))
	ago := func(d time.Duration) string { return time.Now().Add(-d).Format(time.RFC3339Nano) }
	first := ago(time.Hour)
	slice := func(version, triggered string, created time.Duration, endpoint string) *discoveryv1.EndpointSlice {
		o := endpointSlice("default/nginx-x", version, "nginx", endpoint)
		o.CreationTimestamp = metav1.NewTime(time.Now().Add(-created))
		if triggered != "" {
			o.Annotations = map[string]string{corev1.EndpointsLastChangeTriggerTime: triggered}
		}
		return o
	}
	timed := func(when string, want uint64) {
		t.Helper()
		if n, _, _ := latency(t, w); n != want {
			t.Errorf("%s: %d changes are timed, want %d", when, n, want)
		}
	}
	must(t, slices.Replace([]any{slice("2", first, time.Hour, "web-0=10.0.0.1")}, "2"))
	timed("a list", 0)
	must(t, slices.Update(slice("3", first, time.Hour, "web-0=10.0.0.1")))
	timed("a change of labels", 0)
	second := ago(3 * time.Second)
	must(t, slices.Update(slice("4", second, time.Hour, "web-0=10.0.0.2")))
	timed("a pod's change", 1)
	must(t, slices.Update(slice("4", second, time.Hour, "web-0=10.0.0.2")))
	must(t, slices.Update(slice("3", first, time.Hour, "web-0=10.0.0.1")))
	must(t, slices.Update(slice("5", "", time.Hour, "web-0=10.0.0.3")))
	for _, nonsense := range []string{"yesterday", "0001-01-01T00:00:00Z", "9999-01-01T00:00:00Z"} {
		must(t, slices.Update(slice("6", nonsense, time.Hour, "web-0=10.0.0.4")))
	}
	must(t, slices.Update(unusable("default/bad", "7")))
	timed("again, an older one, without, nonsense, one left out", 1)
	must(t, slices.Delete(slice("8", "", time.Hour, "web-0=10.0.0.4")))
	must(t, slices.Add(slice("9", first, time.Hour, "web-0=10.0.0.4")))
	timed("from the other selector", 1)
	must(t, slices.Delete(slice("10", "", time.Hour, "web-0=10.0.0.4")))
	must(t, slices.Add(slice("11", ago(-time.Minute), 0, "web-0=10.0.0.5"))) // by a clock that is ahead
	timed("a new slice", 2)
	must(t, slices.Replace([]any{slice("12", ago(0), 0, "web-0=10.0.0.6")}, "12"))
	timed("a list again", 2)
	count, sum, buckets := latency(t, w)
	if sum != 3 || buckets[0.001] != 1 || buckets[2.048] != 1 || buckets[4.096] != count || buckets[524.288] != count || len(buckets) != 20 {
		t.Errorf("%d changes took %v s: %v", count, sum, buckets)
	}
}

// latency is what Prometheus gets of a source's histogram.
func latency(t *testing.T, s *source.Source) (count uint64, sum float64, buckets map[float64]uint64) {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(s.Latency)
	families, err := r.Gather()
	must(t, err)
	m := families[0].GetMetric()[0]
	if families[0].GetName() != "coredns_headless_programming_duration_seconds" || m.GetLabel()[0].GetName() != "source" || m.GetLabel()[0].GetValue() != s.Name() {
		t.Errorf("%s%v", families[0].GetName(), m.GetLabel())
	}
	buckets = make(map[float64]uint64)
	for _, b := range m.GetHistogram().GetBucket() {
		buckets[b.GetUpperBound()] = b.GetCumulativeCount()
	}
	return m.GetHistogram().GetSampleCount(), m.GetHistogram().GetSampleSum(), buckets
}
