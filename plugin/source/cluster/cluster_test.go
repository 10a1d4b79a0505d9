package cluster

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/source/sourcetest"
	"github.com/coredns-headless/headless/plugin/tree"
)

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
		bubble(t, tt.name, func(t *testing.T) {
			sourcetest.CaptureLog(t)
			s := newAPIServer(t)
			synced(t, s, tt.namespaces...)
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

func TestClusterBringsListsAndChanges(t *testing.T) { synctest.Test(t, clusterBringsListsAndChanges) }

func clusterBringsListsAndChanges(t *testing.T) {
	log := sourcetest.CaptureLog(t)
	s := newAPIServer(t)
	s.set(headlessService("default/nginx", ""))
	s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.1"))
	s.set(headlessService("default/etcd", ""))
	s.set(handmade("default/etcd-x", "etcd", "etcd-0=10.0.0.7"))
	s.set(managed("default/kubernetes-x"))
	w := synced(t, s)
	sourcetest.Expect(t, w.Tree(), map[string]string{"default/web-0": "10.0.0.1", "default/nginx": "10.0.0.1", "default/etcd-0": "10.0.0.7"})
	counts(t, w, object.KindService, 2, 0)
	counts(t, w, object.KindEndpointSlice, 2, 0)
	serial := func(want uint32) {
		t.Helper()
		if got := w.Tree().Serial(new(tree.Path)); got != want {
			t.Errorf("serial %d, want the version, %d", got, want)
		}
	}
	serial(105)
	if len(log.With("INFO", "test: synced after 0s: 2 Services")) != 1 {
		t.Errorf("log: %q, want what was found", log.With())
	}

	s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.2"))
	sourcetest.Expect(t, w.Tree(), map[string]string{"default/web-0": "10.0.0.2"})
	serial(106)
	s.set(handmade("default/nginx-y", "nginx", "web-1=10.0.0.3"))
	sourcetest.Expect(t, w.Tree(), map[string]string{"default/nginx": "10.0.0.2 10.0.0.3", "default/web-1": "10.0.0.3"})
	s.delete(endpointSlice("default/nginx-x", "", "nginx"))
	sourcetest.Expect(t, w.Tree(), map[string]string{"default/web-0": "", "default/nginx": "10.0.0.3"})
	s.delete(headlessService("default/nginx", ""))
	sourcetest.Expect(t, w.Tree(), map[string]string{"default/nginx": "", "default/web-1": "", "default/etcd": "10.0.0.7"})
	if n := len(s.made()); n != 3 {
		t.Errorf("%d requests, want the first three: %+v", n, s.made())
	}
	if lines := log.With("WARNING"); len(lines) > 0 {
		t.Errorf("log: %q", lines)
	}
}

// Such a slice shows as deleted in one watch and added in the other, in any order.
func TestSliceThatCrossesSelectorsKeepsItsNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sourcetest.CaptureLog(t)
		s := newAPIServer(t)
		s.set(headlessService("default/nginx", ""))
		s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.1"))
		w := synced(t, s)
		for range 10 {
			s.set(handmade("default/nginx-x", "nginx", "web-0=10.0.0.2"))
			sourcetest.Expect(t, w.Tree(), map[string]string{"default/web-0": "10.0.0.2"})
			s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.1"))
			sourcetest.Expect(t, w.Tree(), map[string]string{"default/web-0": "10.0.0.1"})
		}
	})
}

func TestBadObjectIsLeftOutAndTheRestLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := sourcetest.CaptureLog(t)
		s := newAPIServer(t)
		s.set(headlessService("default/nginx", ""))
		s.set(unusable("default/bad", ""))
		s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.1"))
		w := synced(t, s)
		sourcetest.Expect(t, w.Tree(), map[string]string{"default/web-0": "10.0.0.1"})
		counts(t, w, object.KindEndpointSlice, 1, 1)

		s.set(unusable("default/bad", ""))
		s.set(unusable("default/bad", ""))
		synctest.Wait()
		counts(t, w, object.KindEndpointSlice, 1, 3) // each time
		s.set(endpointSlice("default/bad", "", "nginx", "web-1=10.0.0.2"))
		sourcetest.Expect(t, w.Tree(), map[string]string{"default/web-1": "10.0.0.2"})
		if lines := log.With("WARNING", `EndpointSlice "default/bad": left out: label kubernetes.io/service-name: "no.label"`); len(lines) != 1 {
			t.Errorf("log: %q, want one warning", log.With())
		}
	})
}

// API servers of Kubernetes 1.33, and those before 1.32, do not stream lists unless told to: they refuse the first
// request, and the list is asked for the old way. That is no failure.
func TestServerThatStreamsNoListsIsListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := sourcetest.CaptureLog(t)
		s := newAPIServer(t)
		s.setRefuse(streamless)
		s.set(headlessService("default/nginx", ""))
		s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.1"))
		w := watchCluster(t, s)
		if !w.Wait(time.Second) {
			t.Error("not waited until it was synced")
		}
		sourcetest.Expect(t, w.Tree(), map[string]string{"default/web-0": "10.0.0.1"})
		s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.2"))
		sourcetest.Expect(t, w.Tree(), map[string]string{"default/web-0": "10.0.0.2"})
		if lines := log.With("WARNING"); len(lines) > 0 {
			t.Errorf("log: %q, want no warning", lines)
		}
	})
}
