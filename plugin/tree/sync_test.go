package tree

import (
	"testing"

	"github.com/coredns-headless/headless/plugin/object"
)

func TestScopesSyncByThemselves(t *testing.T) {
	tr := New("a", "b")
	a1, a2, b := tr.Writer("a"), tr.Writer("a"), tr.Writer("b")
	steps := []struct {
		name       string
		do         func()
		a, b, done bool
	}{
		{name: "before anything", do: func() {}},
		{name: "an event is no list", do: func() { a1.Set(headless("a/nginx", 1)) }},
		{name: "one of two writers", do: func() { a1.Replace(nil, 1) }},
		{name: "the same writer again", do: func() { a1.Replace(nil, 2) }},
		{name: "both", do: func() { a2.Replace([]object.Object{sliceOf("a/nginx-1", "nginx", 1)}, 1) }, a: true},
		{name: "the other scope", do: func() { b.Replace(nil, 1) }, a: true, b: true, done: true},
		{name: "later lists", do: func() { b.Replace(nil, 2); a2.Replace(nil, 2) }, a: true, b: true, done: true},
	}
	for _, s := range steps {
		s.do()
		if got := tr.Synced([]byte("a")); got != s.a {
			t.Errorf("%s: a synced: %v", s.name, got)
		}
		if got := tr.Synced([]byte("b")); got != s.b {
			t.Errorf("%s: b synced: %v", s.name, got)
		}
		if !tr.Synced([]byte("unwatched")) {
			t.Errorf("%s: a namespace that nobody watches is not synced", s.name)
		}
		if got := tr.IsDone(); got != s.done {
			t.Errorf("%s: done: %v", s.name, got)
		}
		select {
		case <-tr.Done():
			if !s.done {
				t.Errorf("%s: Done is closed", s.name)
			}
		default:
			if s.done {
				t.Errorf("%s: Done is open", s.name)
			}
		}
	}
}

func TestOneScopeStandsForAllNamespaces(t *testing.T) {
	tr := New()
	services, slices := tr.Writer(""), tr.Writer("")
	services.Replace([]object.Object{headless("default/nginx", 1)}, 1)
	if tr.Synced([]byte("default")) || tr.Synced([]byte("unknown")) || tr.IsDone() {
		t.Error("synced without the slices")
	}
	slices.Replace(nil, 1)
	if !tr.Synced([]byte("default")) || !tr.Synced([]byte("unknown")) || !tr.IsDone() {
		t.Error("not synced with all writers")
	}
}

// serialStep is a change and the serial after it.
type serialStep struct {
	name string
	do   func()
	want uint32
}

func checkSerials(t *testing.T, tr *Tree, steps []serialStep) {
	t.Helper()
	for _, s := range steps {
		s.do()
		if got := tr.Serial(&Path{}); got != s.want {
			t.Errorf("%s: serial %d, want %d", s.name, got, s.want)
		}
	}
}

func TestSerialAtSyncIsTheHighestVersion(t *testing.T) {
	tr := New()
	a, b, c := tr.Writer(""), tr.Writer(""), tr.Writer("")
	checkSerials(t, tr, []serialStep{
		{name: "nothing", do: func() {}, want: 0},
		{name: "first", do: func() { a.Replace([]object.Object{headless("default/nginx", 90)}, 100) }, want: 100},
		{name: "higher", do: func() { b.Replace(nil, 120) }, want: 120},
		{name: "lower", do: func() { c.Replace(nil, 110) }, want: 120},
	})
}

func TestSerialGrowsWithEveryChange(t *testing.T) {
	tr := New()
	s := tr.Writer("")
	web := func(version uint64, addr string) object.Object {
		return sliceOf("default/nginx-1", "nginx", version, stateful("web-0", addr))
	}
	nginx := headless("default/nginx", 90)
	checkSerials(t, tr, []serialStep{
		{name: "sync", do: func() { s.Replace([]object.Object{nginx}, 100) }, want: 100},
		{name: "event far ahead", do: func() { s.Set(web(150, "10.0.0.1")) }, want: 150},
		{name: "event behind", do: func() { s.Set(headless("default/b", 120)) }, want: 151},
		{name: "event at the serial", do: func() { s.Set(headless("default/c", 151)) }, want: 152},
		{name: "the same version of a slice", do: func() { s.Set(web(150, "10.0.0.1")) }, want: 152},
		{name: "the same version of a Service", do: func() { s.Set(nginx) }, want: 152},
		{name: "a version without news", do: func() { s.Set(web(155, "10.0.0.1")) }, want: 152},
		{name: "a version of its own", do: func() { s.Set(web(160, "10.0.0.9")) }, want: 160},
		{name: "deletion", do: func() { s.Delete(serviceKey("b"), 170) }, want: 170},
		{name: "deletion behind", do: func() { s.Delete(serviceKey("c"), 165) }, want: 171},
		{name: "deletion of the unknown", do: func() { s.Delete(serviceKey("c"), 190) }, want: 171},
		{
			name: "list without a change", do: func() { s.Replace([]object.Object{nginx, web(160, "10.0.0.9")}, 200) },
			want: 171,
		},
		{
			name: "list with a change", do: func() { s.Replace([]object.Object{nginx, web(205, "10.0.0.2")}, 210) },
			want: 210,
		},
		{name: "list with a slice less", do: func() { s.Replace([]object.Object{nginx}, 205) }, want: 211},
		{name: "list with a Service less", do: func() { s.Replace(nil, 215) }, want: 215},
		{
			name: "list with one more", do: func() { s.Replace([]object.Object{nginx, web(205, "10.0.0.2")}, 220) },
			want: 220,
		},
		{name: "slice to another Service", do: func() { s.Set(sliceOf("default/nginx-1", "b", 230)) }, want: 230},
	})
}

// Objects of manifests have no version. Only their content tells whether they have changed.
func TestSerialGrowsWithObjectsWithoutVersion(t *testing.T) {
	tr := New()
	s := tr.Writer("")
	nginx, other := headless("default/nginx", 0), clusterIP("default/nginx", 0)
	web := func(addr string) object.Object {
		return sliceOf("default/nginx-1", "nginx", 0, stateful("web-0", addr))
	}
	checkSerials(t, tr, []serialStep{
		{name: "sync", do: func() { s.Replace([]object.Object{nginx, web("10.0.0.1")}, 1000) }, want: 1000},
		{name: "read again", do: func() { s.Replace([]object.Object{nginx, web("10.0.0.1")}, 1010) }, want: 1000},
		{
			name: "changed in the same second",
			do:   func() { s.Replace([]object.Object{nginx, web("10.0.0.2")}, 1000) }, want: 1001,
		},
		{name: "changed later", do: func() { s.Replace([]object.Object{nginx, web("10.0.0.3")}, 1010) }, want: 1010},
		{
			name: "changed after the clock was set back",
			do:   func() { s.Replace([]object.Object{nginx, web("10.0.0.4")}, 900) }, want: 1011,
		},
		{name: "a slice", do: func() { s.Set(web("10.0.0.2")) }, want: 1012},
		{name: "a Service", do: func() { s.Set(other) }, want: 1013},
	})
}
