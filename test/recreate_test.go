package test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

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
	spare(t, 4)
	for range 20 { // kwok gives out at random what was given back, which may be the old address
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

// spare lets kwok have some addresses that were given back, beside that of the pod under test.
func spare(t *testing.T, pods int) {
	t.Helper()
	client := cluster.Client.CoreV1().Pods("default")
	for i := range pods {
		p := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("spare-%d", i)},
			Spec:       corev1.PodSpec{NodeName: "node-0", Containers: []corev1.Container{{Name: "spare", Image: "spare"}}},
		}
		if _, err := client.Create(t.Context(), p, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range pods {
		name := fmt.Sprintf("spare-%d", i)
		wait(t, func() bool {
			p, err := client.Get(t.Context(), name, metav1.GetOptions{})
			return err == nil && p.Status.PodIP != ""
		})
		if err := client.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		wait(t, func() bool {
			_, err := client.Get(t.Context(), name, metav1.GetOptions{})
			return apierrors.IsNotFound(err)
		})
	}
}

// wait polls until what the cluster does is done.
func wait(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within a minute")
		}
	}
}

// state is what a watch has shown last of a pod.
type state struct {
	addr    string    // empty while no ready endpoint has it
	uid     types.UID // of the pod that has it
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
					now.addr, now.uid = ep.Addresses[0], ep.TargetRef.UID
				}
			}
			if was := latest.Load(); now.addr != was.addr || was.uid != "" && now.uid != was.uid { // the first event tells what was there
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
			asked := time.Now()
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
			if since := asked.Sub(want.seen); latest.Load() == want && since > time.Second {
				t.Fatalf("%s: want %q since %s\n%s", name, want.addr, since, r.Text)
			}
		}
	}
	return slowest
}
