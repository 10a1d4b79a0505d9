package tree

import (
	"slices"
	"testing"

	"github.com/coredns-headless/headless/plugin/object"
)

func sliceKey(name string) object.Key {
	return object.NewKey(object.KindEndpointSlice, "default", name)
}

func serviceKey(name string) object.Key { return object.NewKey(object.KindService, "default", name) }

// If a slice gets or loses the headless label, one watch deletes it and the other adds it, in any order.
func TestSliceInTwoSourcesIsKeptByTheOther(t *testing.T) {
	tr := plant(headless("default/nginx", 1))
	a, b := tr.Writer(""), tr.Writer("")
	there := wants{
		"web-0.default": "Peer 10.0.0.1", "web-0.nginx.default": "Peer 10.0.0.1",
		"nginx.default": "Service 10.0.0.1",
	}
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

func TestOldEventChangesNothing(t *testing.T) {
	tr := New()
	a := tr.Writer("")
	old := []object.Object{
		clusterIP("default/api", 1, "10.96.0.1"), headless("default/other", 1),
		sliceOf("default/nginx-1", "other", 2, stateful("web-0", "10.0.0.1")),
	}
	now := []object.Object{
		clusterIP("default/api", 3, "10.96.0.2"), headless("default/nginx", 1),
		sliceOf("default/nginx-1", "nginx", 4, stateful("web-0", "10.0.0.2")),
	}
	want := wants{
		"web-0.default": "Peer 10.0.0.2", "nginx.default": "Service 10.0.0.2",
		"api.default": "Service 10.96.0.2",
	}
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

// An etcd that was restored gives a version again to other content.
func TestListOfKnownVersionsWithOtherContentCounts(t *testing.T) {
	tr := New()
	w := tr.Writer("")
	w.Replace([]object.Object{
		headless("default/nginx", 1),
		sliceOf("default/nginx-1", "nginx", 2, stateful("web-0", "10.0.0.1")),
	}, 2)
	w.Replace([]object.Object{
		clusterIP("default/nginx", 1, "10.96.0.1"),
		sliceOf("default/nginx-1", "nginx", 2, stateful("web-0", "10.0.0.2")),
	}, 2)
	wants{"nginx.default": "Service 10.96.0.1", "web-0.default": "None"}.check(t, tr)
	w.Replace([]object.Object{
		headless("default/nginx", 1),
		sliceOf("default/nginx-1", "nginx", 2, stateful("web-0", "10.0.0.3")),
	}, 2)
	wants{"nginx.default": "Service 10.0.0.3", "web-0.default": "Peer 10.0.0.3"}.check(t, tr)
}

// No two watches have the same Service today. If they had, the tree must keep it until both have deleted it.
func TestServiceInTwoSourcesIsKeptByTheOther(t *testing.T) {
	tr := plant(sliceOf("default/nginx-1", "nginx", 1, stateful("web-0", "10.0.0.1")))
	a, b := tr.Writer(""), tr.Writer("")
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

func TestDeleteOfTheUnknownIsNothing(t *testing.T) {
	tr := plant(headless("default/nginx", 1), sliceOf("default/nginx-1", "nginx", 1, stateful("web-0", "10.0.0.1")))
	s := tr.Writer("")
	s.Delete(serviceKey("nginx"), 9)
	s.Delete(sliceKey("nginx-1"), 9)
	s.Delete(sliceKey("nginx"), 9) // a slice's name is another thing than a Service's
	wants{"nginx.default": "Service 10.0.0.1", "web-0.default": "Peer 10.0.0.1"}.check(t, tr)
	if s := tr.Serial(&Path{}); s != 1 {
		t.Errorf("serial %d, want 1", s)
	}
}

// Names come and go for years. A tree must keep nothing of a name that is gone.
func TestNodesGoWithTheirLastObject(t *testing.T) {
	nginx := behind("nginx", stateful("web-0", "10.0.0.1"), deployed("ws-x", "10.0.0.2"),
		named("web-1", "db", "10.0.0.3"),
		named("web-2", "db", "10.0.0.4"), nameless("10.0.0.5"))
	for range 2 { // the Service goes last, or its slice
		tr := New()
		s := tr.Writer("")
		s.Set(nginx[0])
		s.Set(nginx[1])
		s.Set(sliceOf("default/ghost-1", "ghost", 3, deployed("g", "10.0.0.6")))
		s.Set(clusterIP("other/api", 4, "10.96.0.1"))
		ns := child(&tr.namespaces, []byte("default"))
		for _, k := range []object.Key{sliceKey("ghost-1"), nginx[1].Key(), nginx[0].Key()} {
			if n := count(&tr.namespaces); n != 2 {
				t.Errorf("%d namespaces while something is left, want 2", n)
			}
			s.Delete(k, 6)
		}
		if count(&ns.services) != 0 || ns.size != 0 || count(&ns.peers) != 0 || ns.specs.Load() != 0 ||
			count(&tr.namespaces) != 1 {
			t.Errorf("left: %d Services, size %d, %d peers, %d objects, %d namespaces",
				count(&ns.services), ns.size, count(&ns.peers), ns.specs.Load(), count(&tr.namespaces))
		}
		s.Replace(nil, 8) // the rest of it
		if count(&tr.namespaces) != 0 || len(s.held) != 0 {
			t.Errorf("left: %d namespaces, %d objects", count(&tr.namespaces), len(s.held))
		}
		slices.Reverse(nginx)
	}
}
