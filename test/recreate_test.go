package test

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/server"
)

// A pod that was deleted comes back under its name with another address. Within a second of this test's own watch seeing a
// change, CoreDNS answers it.
func TestRecreate(t *testing.T) {
	s := start(t, suffix)
	latest := follow(t, "nginx", "web-1")
	first := addresses(t, "default", "nginx")["web-1"]
	var slowest time.Duration
	// kwok gives out again what was given back, so the first new pods may have the old address.
	for range 20 {
		changes := latest.Load().changes
		if err := cluster.Client.CoreV1().Pods("default").Delete(t.Context(), "web-1", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		for now := latest.Load(); now.changes == changes || now.addr == ""; now = latest.Load() {
			if time.Since(begun) > time.Minute {
				t.Fatal("web-1 did not come back within a minute")
			}
			slowest = max(slowest, shows(t, s, latest))
		}
		slowest = max(slowest, shows(t, s, latest))
		if latest.Load().addr != first {
			t.Logf("answered %s after a change was seen at the latest", slowest.Round(time.Millisecond))
			return
		}
	}
	t.Fatalf("web-1 never got another address than %s", first)
}

// state is what a watch has shown last of a pod.
type state struct {
	addr    string // empty while no ready endpoint has it
	seen    time.Time
	changes int
}

// follow watches a Service's slice from now on, for what it shows of a pod.
func follow(t *testing.T, service, pod string) *atomic.Pointer[state] {
	t.Helper()
	events, err := cluster.Client.DiscoveryV1().EndpointSlices("default").Watch(t.Context(),
		metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(events.Stop)
	var latest atomic.Pointer[state]
	latest.Store(&state{addr: addresses(t, "default", service)[pod], seen: time.Now()})
	go func() { // ends with Stop
		for e := range events.ResultChan() {
			slice, ok := e.Object.(*discoveryv1.EndpointSlice)
			if !ok {
				continue
			}
			now := &state{seen: time.Now(), changes: latest.Load().changes}
			for _, ep := range slice.Endpoints {
				if controlplane.EndpointName(ep) == pod && *ep.Conditions.Ready {
					now.addr = ep.Addresses[0]
				}
			}
			if now.addr != latest.Load().addr {
				now.changes++
			}
			latest.Store(now)
		}
	}()
	return &latest
}

// shows waits until CoreDNS answers what was seen last, and returns how long after that it did if it did not at once.
func shows(t *testing.T, s *server.Server, latest *atomic.Pointer[state]) time.Duration {
	t.Helper()
	var slowest time.Duration
	for _, name := range []string{"web-1.mgmt.pix.yun.com", "web-1.default.svc.cluster.local"} {
		for late := false; ; late = true {
			want := latest.Load()
			r := s.Dig(t, name)
			var addrs []string
			if want.addr != "" {
				addrs = []string{want.addr}
			}
			if slices.Equal(r.Addresses(), addrs) {
				if late {
					slowest = max(slowest, time.Since(want.seen))
				}
				break
			}
			if latest.Load() == want && time.Since(want.seen) > time.Second {
				t.Fatalf("%s: want %q since %s\n%s", name, want.addr, time.Since(want.seen), r.Text)
			}
		}
	}
	return slowest
}
