package watch

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/tree"
)

// noLeaks checks when the test is over that no goroutine is left of it. It is called before anything that Cleanup ends.
func noLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// hurry makes failed requests be tried again at once.
func hurry(t *testing.T) { pace(t, 2*time.Millisecond, 20*time.Millisecond, time.Millisecond) }

// idly makes whatever waits before it tries again wait for an hour.
func idly(t *testing.T) { pace(t, time.Hour, time.Hour, time.Hour) }

// pace has failed requests be tried again after first to most, and each after a burst of them wait for a pause.
func pace(t *testing.T, first, most, pause time.Duration) {
	was, wasRefill := backoff, refill
	backoff.Duration, backoff.Cap, refill = first, most, pause
	t.Cleanup(func() { backoff, refill = was, wasRefill })
}

func TestClusterAsksForServicesAndTwoKindsOfSlices(t *testing.T) {
	const headless = "service.kubernetes.io/headless"
	const foreign = "!service.kubernetes.io/headless,endpointslice.kubernetes.io/managed-by notin (endpointslice-controller.k8s.io)"
	tests := []struct {
		name       string
		namespaces []string
		in         []string // the namespaces of the requests
	}{
		{name: "all namespaces", in: []string{""}},
		{name: "some namespaces", namespaces: []string{"a", "b"}, in: []string{"a", "b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			noLeaks(t)
			captureLog(t)
			s := newAPIServer(t)
			w := watchCluster(t, s, tt.namespaces...)
			if !w.Wait(time.Minute) {
				t.Fatal("not synced")
			}
			var want []call
			for _, ns := range tt.in {
				for _, r := range [][2]string{{"services", ""}, {"endpointslices", headless}, {"endpointslices", foreign}} {
					want = append(want, call{
						Verb: "watch", Resource: r[0], Selector: r[1], Namespace: ns, Streams: true,
						Accept: "application/vnd.kubernetes.protobuf,application/json",
					})
				}
			}
			got := s.made()
			order := func(a, b call) int {
				return slices.Compare([]string{a.Namespace, a.Resource, a.Selector}, []string{b.Namespace, b.Resource, b.Selector})
			}
			slices.SortFunc(want, order)
			slices.SortFunc(got, order)
			if diff := cmp.Diff(want, got); diff != "" { // one request each: a list that is streamed goes on as the watch
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// counted reports whether that many objects were applied and skipped. A list counts a moment after it shows in the tree.
func counted(w *Watch, k object.Kind, applied, skipped uint64) func() bool {
	return func() bool {
		a, s, _ := w.Counts(k)
		return a == applied && s == skipped
	}
}

// managed is a slice that the EndpointSlice controller made for a ClusterIP Service. Nobody asks for those.
func managed(name string) *discoveryv1.EndpointSlice {
	o := endpointSlice(name, "", "kubernetes", "api=10.9.9.9")
	delete(o.Labels, corev1.IsHeadlessService)
	return o
}

// handmade is a slice that somebody made for a Service without a selector, or that mirrors Endpoints.
func handmade(name, service string, endpoints ...string) *discoveryv1.EndpointSlice {
	o := endpointSlice(name, "", service, endpoints...)
	delete(o.Labels, corev1.IsHeadlessService)
	delete(o.Labels, discoveryv1.LabelManagedBy)
	return o
}

func TestClusterBringsListsAndChanges(t *testing.T) {
	noLeaks(t)
	log := captureLog(t)
	s := newAPIServer(t)
	s.set(headlessService("default/nginx", ""))
	s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.1"))
	s.set(headlessService("default/etcd", ""))
	s.set(handmade("default/etcd-x", "etcd", "etcd-0=10.0.0.7"))
	s.set(managed("default/kubernetes-x"))
	w := watchCluster(t, s)
	if !w.Wait(time.Minute) {
		t.Fatal("not synced")
	}
	expect(t, w, map[string]string{"default/web-0": "10.0.0.1", "default/nginx": "10.0.0.1", "default/etcd-0": "10.0.0.7"})
	eventually(t, "the list of Services is counted", counted(w, object.KindService, 2, 0))
	eventually(t, "the lists of slices are counted", counted(w, object.KindEndpointSlice, 2, 0))
	if got := w.Tree().Serial(new(tree.Path)); got != 105 {
		t.Errorf("serial %d, want that of the lists, 105", got)
	}
	eventually(t, "the log says what was found", func() bool {
		return len(log.with("INFO", "test: synced after", "Services 2")) == 1
	})

	s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.2"))
	eventually(t, "the new address answers", func() bool { return slices.Equal(resolve(w, "default/web-0"), []string{"10.0.0.2"}) })
	eventually(t, "the serial is the event's version", func() bool { return w.Tree().Serial(new(tree.Path)) == 106 })
	s.set(handmade("default/nginx-y", "nginx", "web-1=10.0.0.3"))
	eventually(t, "the new pod answers", func() bool { return resolve(w, "default/web-1") != nil })

	s.delete(endpointSlice("default/nginx-x", "", "nginx"))
	eventually(t, "the old pod is gone", func() bool { return resolve(w, "default/web-0") == nil })
	s.delete(headlessService("default/nginx", ""))
	eventually(t, "the Service is gone", func() bool { return resolve(w, "default/nginx") == nil })
	expect(t, w, map[string]string{"default/web-1": "", "default/etcd": "10.0.0.7"})
	if n := len(s.made()); n != 3 {
		t.Errorf("%d requests, want the first three: %+v", n, s.made())
	}
	if lines := log.with("WARNING"); len(lines) > 0 {
		t.Errorf("log: %q", lines)
	}
}

// Such a slice shows as deleted in one watch and added in the other, in any order.
func TestSliceThatCrossesSelectorsKeepsItsNames(t *testing.T) {
	noLeaks(t)
	captureLog(t)
	s := newAPIServer(t)
	s.set(headlessService("default/nginx", ""))
	s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.1"))
	w := watchCluster(t, s)
	if !w.Wait(time.Minute) {
		t.Fatal("not synced")
	}
	for i := range 20 {
		addr := []string{"10.0.0.1", "10.0.0.2"}[i%2]
		if i%2 == 0 {
			s.set(handmade("default/nginx-x", "nginx", "web-0="+addr))
		} else {
			s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0="+addr))
		}
		eventually(t, "the slice is where it belongs", func() bool { return slices.Equal(resolve(w, "default/web-0"), []string{addr}) })
	}
}

func TestBadObjectIsLeftOutAndTheRestLives(t *testing.T) {
	noLeaks(t)
	log := captureLog(t)
	s := newAPIServer(t)
	s.set(headlessService("default/nginx", ""))
	s.set(unusable("default/bad", ""))
	s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.1"))
	w := watchCluster(t, s)
	if !w.Wait(time.Minute) {
		t.Fatal("not synced")
	}
	expect(t, w, map[string]string{"default/web-0": "10.0.0.1"})
	eventually(t, "the list is counted", counted(w, object.KindEndpointSlice, 1, 1))

	s.set(unusable("default/bad", ""))
	s.set(unusable("default/bad", ""))
	eventually(t, "the bad one is counted each time", counted(w, object.KindEndpointSlice, 1, 3))
	s.set(endpointSlice("default/bad", "", "nginx", "web-1=10.0.0.2"))
	eventually(t, "it is good now", func() bool { return resolve(w, "default/web-1") != nil })
	if lines := log.with("WARNING", `EndpointSlice "default/bad": left out: label kubernetes.io/service-name: "no.label"`); len(lines) != 1 {
		t.Errorf("log: %q, want one warning", log.with())
	}
}

// API servers of Kubernetes 1.33, and those before 1.32, do not stream lists unless told to: they refuse the first request,
// and the list is asked for the old way. That is no failure.
func TestServerThatStreamsNoListsIsListed(t *testing.T) {
	noLeaks(t)
	log := captureLog(t)
	s := newAPIServer(t)
	s.setRefuse(func(w http.ResponseWriter, c call) bool {
		return c.Streams && status(w, apierrors.NewInvalid(metav1.SchemeGroupVersion.WithKind("ListOptions").GroupKind(), "", field.ErrorList{
			field.Forbidden(field.NewPath("sendInitialEvents"), "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"),
		}))
	})
	s.set(headlessService("default/nginx", ""))
	s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.1"))
	w := watchCluster(t, s)
	if !w.Wait(time.Minute) {
		t.Error("not waited until it was synced")
	}
	eventually(t, "the list arrives", func() bool { return slices.Equal(resolve(w, "default/web-0"), []string{"10.0.0.1"}) })
	s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.2"))
	eventually(t, "changes arrive", func() bool { return slices.Equal(resolve(w, "default/web-0"), []string{"10.0.0.2"}) })
	if lines := log.with("WARNING"); len(lines) > 0 {
		t.Errorf("log: %q, want no warning", lines)
	}
}
