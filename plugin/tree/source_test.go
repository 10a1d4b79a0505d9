package tree

import (
	"testing"

	"github.com/coredns-headless/headless/plugin/object"
)

func sliceKey(name string) object.Key {
	return object.NewKey(object.KindEndpointSlice, "default", name)
}

func serviceKey(name string) object.Key { return object.NewKey(object.KindService, "default", name) }

// A slice that gains or loses the headless label is deleted in one watch and added in the other, in any order.
func TestSliceInTwoSourcesIsKeptByTheOther(t *testing.T) {
	tr := plant(headless("default/nginx", 1))
	a, b := tr.Source(""), tr.Source("")
	there := wants{"web-0.default": "Peer 10.0.0.1", "web-0.nginx.default": "Peer 10.0.0.1", "nginx.default": "Service 10.0.0.1"}
	sl := sliceOf("default/nginx-1", "nginx", 2, stateful("web-0", "10.0.0.1"))

	a.Set(sl)
	b.Set(sl)
	there.check(t, tr)
	a.Delete(sliceKey("nginx-1"), 3)
	there.check(t, tr)
	a.Delete(sliceKey("nginx-1"), 4) // it has no copy any more
	there.check(t, tr)
	b.Delete(sliceKey("nginx-1"), 5)
	wants{"web-0.default": "None", "web-0.nginx.default": "None", "nginx.default": "Service"}.check(t, tr)
}

func TestNewerCopyOfTheOtherSourceCounts(t *testing.T) {
	tr := plant(headless("default/nginx", 1))
	a, b := tr.Source(""), tr.Source("")
	a.Set(sliceOf("default/nginx-1", "nginx", 2, stateful("web-0", "10.0.0.1")))
	b.Set(sliceOf("default/nginx-1", "nginx", 3, stateful("web-0", "10.0.0.2")))
	a.Delete(sliceKey("nginx-1"), 3)
	wants{"web-0.default": "Peer 10.0.0.2", "nginx.default": "Service 10.0.0.2"}.check(t, tr)
}

func TestOldEventChangesNothing(t *testing.T) {
	tr := New()
	a := tr.Source("")
	old := []object.Object{
		clusterIP("default/api", 1, "10.96.0.1"), headless("default/other", 1), sliceOf("default/nginx-1", "other", 2, stateful("web-0", "10.0.0.1")),
	}
	now := []object.Object{
		clusterIP("default/api", 3, "10.96.0.2"), headless("default/nginx", 1), sliceOf("default/nginx-1", "nginx", 4, stateful("web-0", "10.0.0.2")),
	}
	want := wants{"web-0.default": "Peer 10.0.0.2", "nginx.default": "Service 10.0.0.2", "api.default": "Service 10.96.0.2"}
	for _, o := range append(old, now...) {
		a.Set(o)
	}
	want.check(t, tr)
	for _, o := range old {
		a.Set(o)
		want.check(t, tr)
		a.Delete(o.Key(), o.Version())
		want.check(t, tr)
	}
	a.Replace(old, 5) // a list tells how it is now
	wants{"web-0.default": "Peer 10.0.0.1", "nginx.default": "None", "api.default": "Service 10.96.0.1"}.check(t, tr)
	a.Set(sliceOf("default/nginx-1", "other", 0, stateful("web-0", "10.0.0.3"))) // of no version
	wants{"web-0.default": "Peer 10.0.0.3"}.check(t, tr)
}

func TestReplaceTouchesOnlyItsOwn(t *testing.T) {
	tr := New()
	services, a, b := tr.Source(""), tr.Source(""), tr.Source("")
	services.Replace([]object.Object{headless("default/nginx", 1), clusterIP("default/api", 1, "10.96.0.1")}, 1)
	a.Replace([]object.Object{
		sliceOf("default/nginx-1", "nginx", 1, stateful("web-0", "10.0.0.1")),
		sliceOf("default/nginx-2", "nginx", 1, stateful("web-1", "10.0.0.2")),
	}, 1)
	b.Replace([]object.Object{
		sliceOf("default/nginx-1", "nginx", 1, stateful("web-0", "10.0.0.1")),
		sliceOf("default/nginx-3", "nginx", 1, stateful("web-2", "10.0.0.3")),
	}, 1)
	wants{"nginx.default": "Service 10.0.0.1 10.0.0.2 10.0.0.3"}.check(t, tr)

	a.Replace([]object.Object{sliceOf("default/nginx-2", "nginx", 2, stateful("web-1", "10.0.0.9"))}, 2)
	wants{
		"nginx.default": "Service 10.0.0.1 10.0.0.3 10.0.0.9", "web-0.default": "Peer 10.0.0.1", "web-1.default": "Peer 10.0.0.9",
		"web-2.default": "Peer 10.0.0.3", "api.default": "Service 10.96.0.1",
	}.check(t, tr)

	a.Replace(nil, 3)
	b.Replace(nil, 4)
	wants{"nginx.default": "Service", "web-0.default": "None", "web-1.default": "None", "api.default": "Service 10.96.0.1"}.check(t, tr)
}

// No watch of today gives one Service to two sources. But who does so must not lose it, and Set must not fall over it.
func TestServiceInTwoSourcesIsKeptByTheOther(t *testing.T) {
	tr := plant(sliceOf("default/nginx-1", "nginx", 1, stateful("web-0", "10.0.0.1")))
	a, b := tr.Source(""), tr.Source("")
	a.Set(headless("default/nginx", 1))
	b.Set(headless("default/nginx", 1))
	a.Delete(serviceKey("nginx"), 2)
	wants{"nginx.default": "Service 10.0.0.1", "web-0.default": "Peer 10.0.0.1"}.check(t, tr)
	func() {
		defer func() {
			if p := recover(); p != nil {
				t.Errorf("Set: %v", p)
			}
		}()
		b.Set(headless("default/nginx", 3))
	}()
	wants{"nginx.default": "Service 10.0.0.1", "web-0.default": "Peer 10.0.0.1"}.check(t, tr)
	b.Delete(serviceKey("nginx"), 4)
	wants{"nginx.default": "None", "web-0.default": "None", "default": "None"}.check(t, tr)
}

func TestSliceThatChangesItsServiceMoves(t *testing.T) {
	tr := plant(headless("default/a", 1), headless("default/b", 1))
	s := tr.Source("")
	s.Set(sliceOf("default/x-1", "a", 1, named("web-0", "db", "10.0.0.1")))
	wants{"a.default": "Service 10.0.0.1", "b.default": "Service", "web-0.a.default": "Peer 10.0.0.1", "db.b.default": "None"}.check(t, tr)

	s.Set(sliceOf("default/x-1", "b", 2, named("web-0", "db", "10.0.0.1")))
	wants{
		"a.default": "Service", "b.default": "Service 10.0.0.1", "web-0.a.default": "None", "db.a.default": "None",
		"web-0.b.default": "Peer 10.0.0.1", "db.b.default": "Peer 10.0.0.1", "db.default": "Peer 10.0.0.1", "web-0.default": "Peer 10.0.0.1",
	}.check(t, tr)

	s.Set(sliceOf("default/x-1", "gone", 3, named("web-0", "db", "10.0.0.1")))
	wants{"a.default": "Service", "b.default": "Service", "db.default": "None", "web-0.default": "None"}.check(t, tr)

	s.Delete(sliceKey("x-1"), 4)
	s.Set(headless("default/gone", 5))
	wants{"gone.default": "Service"}.check(t, tr)
}

func TestEndpointThatMovesBetweenSlicesStays(t *testing.T) {
	tr := plant(headless("default/nginx", 1))
	s := tr.Source("")
	s.Set(sliceOf("default/nginx-1", "nginx", 1, named("web-0", "db", "10.0.0.1"), named("web-1", "db", "10.0.0.2")))
	s.Set(sliceOf("default/nginx-2", "nginx", 2, named("web-1", "db", "10.0.0.2")))
	s.Set(sliceOf("default/nginx-1", "nginx", 3, named("web-0", "db", "10.0.0.1")))
	there := wants{"web-1.default": "Peer 10.0.0.2", "db.default": "Peer 10.0.0.1 10.0.0.2"}
	there.check(t, tr)
	s.Delete(sliceKey("nginx-1"), 4)
	wants{"web-0.default": "None", "web-1.default": "Peer 10.0.0.2", "db.default": "Peer 10.0.0.2"}.check(t, tr)
}

func TestServiceOverAPeerGivesTheNameBack(t *testing.T) {
	tr := plant(headless("default/nginx", 1), sliceOf("default/nginx-1", "nginx", 1, stateful("web-0", "10.0.0.1")))
	s := tr.Source("")
	before := wants{"web-0.default": "Peer 10.0.0.1", "web-0.nginx.default": "Peer 10.0.0.1", "web-0.web-0.default": "None"}
	before.check(t, tr)
	s.Set(clusterIP("default/web-0", 2, "10.96.0.1"))
	wants{"web-0.default": "Service 10.96.0.1", "web-0.nginx.default": "Peer 10.0.0.1"}.check(t, tr)
	s.Delete(serviceKey("web-0"), 3)
	before.check(t, tr)
}

// Controllers leave slices, and the headless label on them, behind a Service that changes its type.
func TestServiceThatChangesItsTypeTakesItsPeersAlong(t *testing.T) {
	tr := plant(sliceOf("default/nginx-1", "nginx", 1, stateful("web-0", "10.0.0.1"), named("web-1", "db", "10.0.0.2")))
	s := tr.Source("")
	names := []string{"web-0.default", "web-1.default", "db.default", "web-0.nginx.default", "db.nginx.default"}
	gone := func(service string) {
		t.Helper()
		wants{"nginx.default": service}.check(t, tr)
		for _, n := range names {
			wants{n: "None"}.check(t, tr)
			if got := said(t, tr.FindGuest, n, true); got != "None" {
				t.Errorf("%s as a guest: got %s, want None", n, got)
			}
		}
	}
	there := func() {
		t.Helper()
		wants{
			"nginx.default": "Service 10.0.0.1 10.0.0.2", "web-0.default": "Peer 10.0.0.1", "web-1.default": "Peer 10.0.0.2", "db.default": "Peer 10.0.0.2",
			"web-0.nginx.default": "Peer 10.0.0.1", "db.nginx.default": "Peer 10.0.0.2",
		}.check(t, tr)
	}
	gone("None")
	s.Set(headless("default/nginx", 2))
	there()
	s.Set(clusterIP("default/nginx", 3, "10.96.0.1"))
	gone("Service 10.96.0.1")
	s.Set(external("default/nginx", 4))
	gone("Alias")
	s.Set(headless("default/nginx", 5))
	there()
	s.Delete(serviceKey("nginx"), 6)
	gone("None")
}

func TestSetOfNothingEmptiesASlice(t *testing.T) {
	tr := plant(headless("default/nginx", 1))
	s := tr.Source("")
	s.Set(sliceOf("default/nginx-1", "nginx", 1, stateful("web-0", "10.0.0.1")))
	s.Set(sliceOf("default/nginx-1", "nginx", 2))
	wants{"web-0.default": "None", "nginx.default": "Service"}.check(t, tr)
	s.Set(sliceOf("default/nginx-1", "nginx", 3, stateful("web-0", "10.0.0.2")))
	wants{"web-0.default": "Peer 10.0.0.2"}.check(t, tr)
}

func TestDeleteOfTheUnknownIsNothing(t *testing.T) {
	tr := plant(headless("default/nginx", 1), sliceOf("default/nginx-1", "nginx", 1, stateful("web-0", "10.0.0.1")))
	s := tr.Source("")
	s.Delete(serviceKey("nginx"), 9)
	s.Delete(sliceKey("nginx-1"), 9)
	s.Delete(sliceKey("nginx"), 9) // a slice's name is another thing than a Service's
	wants{"nginx.default": "Service 10.0.0.1", "web-0.default": "Peer 10.0.0.1"}.check(t, tr)
	if s := tr.Serial(&Path{}); s != 1 {
		t.Errorf("serial %d, want 1", s)
	}
}

// Names come and go for years: what nothing is known of any more may not be held.
func TestNodesGoWithTheirLastObject(t *testing.T) {
	tests := []struct {
		name string
		last object.Key // deleted last
	}{
		{name: "Service first", last: sliceKey("nginx-1")},
		{name: "slice first", last: serviceKey("nginx")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := New()
			s := tr.Source("")
			s.Set(headless("default/nginx", 1))
			s.Set(sliceOf("default/nginx-1", "nginx", 2, stateful("web-0", "10.0.0.1"), deployed("ws-x", "10.0.0.2"),
				named("web-1", "db", "10.0.0.3"), named("web-2", "db", "10.0.0.4"), nameless("10.0.0.5")))
			s.Set(sliceOf("default/ghost-1", "ghost", 3, deployed("g", "10.0.0.6")))
			s.Set(clusterIP("other/api", 4, "10.96.0.1"))
			ns := tr.namespace(hashOf("default"), []byte("default"))
			if n := count(&ns.services); n != 2 || count(&tr.namespaces) != 2 {
				t.Fatalf("%d Services, %d namespaces, want 2, 2", n, count(&tr.namespaces))
			}
			s.Delete(sliceKey("ghost-1"), 5)
			if n := count(&ns.services); n != 1 {
				t.Errorf("%d Services, want 1", n)
			}
			for _, k := range []object.Key{sliceKey("nginx-1"), serviceKey("nginx")} {
				if k != tt.last {
					s.Delete(k, 6)
				}
			}
			if n := count(&tr.namespaces); n != 2 {
				t.Errorf("%d namespaces while something is left, want 2", n)
			}
			s.Delete(tt.last, 7)
			checkEmpty(t, ns)
			if n := count(&tr.namespaces); n != 1 {
				t.Errorf("%d namespaces, want 1", n)
			}
			s.Replace(nil, 8) // the rest of it
			if count(&tr.namespaces) != 0 || len(s.services) != 0 || len(s.slices) != 0 {
				t.Errorf("left: %d namespaces, %d Services, %d slices", count(&tr.namespaces), len(s.services), len(s.slices))
			}
			wants{"": "Empty", "default": "None", "nginx.default": "None"}.check(t, tr)
		})
	}
}

// checkEmpty wants nothing left in a namespace's node.
func checkEmpty(t *testing.T, ns *namespace) {
	t.Helper()
	if n := count(&ns.services); n != 0 || ns.size != 0 {
		t.Errorf("%d Services left, size %d", n, ns.size)
	}
	if n := count(&ns.peers); n != 0 {
		t.Errorf("%d index entries left", n)
	}
	if n := ns.specs.Load(); n != 0 {
		t.Errorf("%d Services' objects left", n)
	}
}
