package tree

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredns-headless/headless/plugin/object"
)

// Presumed objects are answered until each writer's first Replace. That Replace counts as a change, so that a
// secondary with the presumed zone transfers it.
func TestPresumedObjectsAnswerUntilTheFirstList(t *testing.T) {
	tr := New()
	services, a, b := tr.Writer(""), tr.Writer(""), tr.Writer("")
	one := sliceOf("default/nginx-1", "nginx", 0, stateful("web-0", "10.0.0.1"), stateful("web-1", "10.0.0.2"))
	two := sliceOf("default/nginx-2", "nginx", 0, stateful("web-2", "10.0.0.3"))
	services.Presume([]object.Object{headless("default/nginx", 0)}, 700)
	a.Presume([]object.Object{one}, 700)
	if tr.AllSynced() || tr.Synced([]byte("default")) {
		t.Error("a writer has nothing yet, and the namespace counts as known")
	}
	b.Presume([]object.Object{two}, 700)
	if !tr.AllSynced() || !tr.Synced([]byte("default")) || tr.IsDone() || !tr.Presumed() {
		t.Error("want all known, not synced, presumed")
	}
	wants{
		"web-0.default": "Peer 10.0.0.1", "web-1.default": "Peer 10.0.0.2",
		"nginx.default": "Service 10.0.0.1 10.0.0.2 10.0.0.3",
	}.check(t, tr)
	if got := tr.Serial(new(Path)); got != 700 {
		t.Errorf("serial %d, want that of the snapshot", got)
	}

	a.Replace([]object.Object{sliceOf("default/nginx-1", "nginx", 650, stateful("web-0", "10.0.0.9"))}, 650)
	wants{"web-0.default": "Peer 10.0.0.9", "web-1.default": "None", "web-2.default": "Peer 10.0.0.3"}.check(t, tr)
	if got := tr.Serial(new(Path)); got != 701 {
		t.Errorf("serial %d after a change, want 701", got)
	}
	b.Replace(nil, 650)
	services.Replace([]object.Object{headless("default/nginx", 3)}, 650)
	wants{"web-2.default": "None", "nginx.default": "Service 10.0.0.9"}.check(t, tr)
	if !tr.IsDone() || tr.Presumed() {
		t.Error("not synced, or something is presumed still")
	}
	if b.Presume([]object.Object{two}, 900) {
		t.Error("presumed after a list")
	}
	wants{"web-2.default": "None"}.check(t, tr)
}

func TestNamespacesArePresumedOneByOne(t *testing.T) {
	tr := New("a", "b")
	a, b := tr.Writer("a"), tr.Writer("b")
	a.Presume([]object.Object{headless("a/nginx", 0)}, 5)
	if !tr.Synced([]byte("a")) || tr.Synced([]byte("b")) || tr.AllSynced() {
		t.Error("want a known, b not")
	}
	h := tr.Held()
	if diff := cmp.Diff([]string{"a"}, h.Namespaces); diff != "" {
		t.Errorf("namespaces held (-want +got):\n%s", diff)
	}
	for s, o := range h.Objects {
		if s != a || o.Key().Namespace != "a" {
			t.Errorf("holds %v", o.Key())
		}
	}
	b.Replace(nil, 6)
	if !tr.AllSynced() || tr.IsDone() {
		t.Error("want all known, one of them only presumed")
	}
}

// Held yields each object with the writer that put it in, while the tree changes.
func TestHeldIsWhatWasPutIn(t *testing.T) {
	tr := New()
	services, slices := tr.Writer(""), tr.Writer("")
	svc := headless("default/nginx", 1)
	sl := sliceOf("default/nginx-1", "nginx", 2, stateful("web-0", "10.0.0.1"),
		stateful("web-1", "10.0.0.2")).(*object.EndpointSlice)
	services.Replace([]object.Object{svc}, 7)
	if h := tr.Held(); len(h.Namespaces) > 0 {
		t.Errorf("holds all of %q, and slices are not synced", h.Namespaces)
	}
	slices.Replace([]object.Object{sl}, 8)
	h := tr.Held()
	slices.Delete(sl.Key(), 9)
	if tr.Version() <= h.Version {
		t.Errorf("version %d before a change, %d after it", h.Version, tr.Version())
	}
	got := make(map[*Writer]object.Object)
	for s, o := range h.Objects {
		got[s] = o
	}
	if got[services] != svc {
		t.Errorf("Service: %v", got[services])
	}
	again, ok := got[slices].(*object.EndpointSlice)
	if !ok || again.Key() != sl.Key() || again.Service != sl.Service {
		t.Fatalf("slice: %#v", got[slices])
	}
	for i := range sl.Endpoints {
		if again.Endpoints[i] != sl.Endpoints[i] {
			t.Errorf("endpoint %d: %v, want %v", i, again.Endpoints[i], sl.Endpoints[i])
		}
	}
}
