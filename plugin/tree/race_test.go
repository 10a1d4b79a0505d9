package tree

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coredns-headless/headless/plugin/object"
)

// A view is a name, and the lists of addresses that it may ever answer with.
type view struct {
	name  string
	guest bool
	want  []string
}

// readAlways looks views up without a pause until stop is set, and reports what may never be seen.
func readAlways(t *testing.T, tr *Tree, stop *atomic.Bool, views []view) {
	var buf [8]netip.Addr
	for !stop.Load() {
		for _, v := range views {
			look := tr.Find
			if v.guest {
				look = tr.FindGuest
			}
			a := look(pathOf(v.name), Query{Family: IPv4, Buf: buf[:0]})
			if got := fmt.Sprint(a.Addrs); a.Status == None || !slices.Contains(v.want, got) {
				t.Errorf("%s: a reader saw %s %s, want one of %v", v.name, statusNames[a.Status], got, v.want)
				return
			}
		}
	}
}

// flip has readers look views up while it sets states in turn.
func flip(t *testing.T, tr *Tree, rounds int, views []view, set func(round int)) {
	t.Helper()
	set(0)
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { readAlways(t, tr, &stop, views) })
	}
	for i := range rounds {
		set(i)
	}
	stop.Store(true)
	wg.Wait()
}

// A pod that is replaced keeps its name: no query may find the name gone, or an address that is neither the old nor the new.
func TestReadersFindANameWhileItsAddressChanges(t *testing.T) {
	tr := plant(headless("default/nginx", 1))
	s := tr.Source("")
	of := func(n, side int) string { return fmt.Sprintf("10.0.%d.%d", side, n) }
	either := func(n int) []string { return []string{"[" + of(n, 0) + "]", "[" + of(n, 1) + "]"} }
	flip(t, tr, 3000, []view{
		{name: "web-0.default", want: either(1)},
		{name: "web-0.nginx.default", want: either(1)},
		{name: "ws-x.default", want: either(2)},
		{name: "ws-x.nginx.default", guest: true, want: either(2)},
		{name: "db.default", want: either(3)},
		{name: "db.default", guest: true, want: either(3)},
		{name: "q-0.default", want: either(4)},
		{name: "mq.nginx.default", want: either(4)},
		{name: "mq.default", guest: true, want: either(4)},
	}, func(i int) {
		list := []object.Endpoint{
			stateful("web-0", of(1, i%2)), deployed("ws-x", of(2, i/2%2)), named("", "db", of(3, i/3%2)), named("q-0", "mq", of(4, i/5%2)),
		}
		for n := range i % 40 { // neighbours come and go, so that leaves are split and the others move
			list = append(list, deployed(fmt.Sprintf("n-%d-%d", n, i%7), "10.9.9.9"))
		}
		k := i % len(list)
		s.Set(sliceOf("default/nginx-1", "nginx", 0, slices.Concat(list[k:], list[:k])...))
	})
}

// Many pods with one hostname are one entry, which changes as a whole.
func TestReadersFindASharedHostnameWhole(t *testing.T) {
	tr := plant(headless("default/nginx", 1))
	s := tr.Source("")
	flip(t, tr, 3000, []view{
		{name: "db.default", want: []string{"[10.0.0.1 10.0.0.2]", "[10.0.1.1 10.0.1.2 10.0.1.3]"}},
		{name: "nginx.default", want: []string{"[10.0.0.1 10.0.0.2]", "[10.0.1.1 10.0.1.2 10.0.1.3]"}},
	}, func(i int) {
		list := []object.Endpoint{named("web-0", "db", "10.0.0.1"), named("web-1", "db", "10.0.0.2")}
		if i%2 == 1 {
			list = []object.Endpoint{named("web-1", "db", "10.0.1.2"), named("web-0", "db", "10.0.1.1"), named("web-2", "db", "10.0.1.3")}
		}
		s.Set(sliceOf("default/nginx-1", "nginx", 0, list...))
	})
}

// A name that one slice gives to several endpoints is theirs all the while, too, whichever of them comes first.
func TestReadersFindANameThatASliceHasTwice(t *testing.T) {
	tests := []struct {
		name  string
		sides [2][]object.Endpoint
		view  view
	}{
		{
			name: "one pod, its ready address changes",
			sides: [2][]object.Endpoint{
				{stateful("web-0", "10.0.0.1"), notReady(stateful("web-0", "10.0.0.2"))},
				{notReady(stateful("web-0", "10.0.0.1")), stateful("web-0", "10.0.0.2")},
			},
			view: view{name: "web-0.default", want: []string{"[10.0.0.1]", "[10.0.0.2]", "[10.0.0.1 10.0.0.2]"}},
		},
		{
			name: "one pod, its second address is the ready one",
			sides: [2][]object.Endpoint{
				{stateful("web-0", "10.0.0.1")}, {notReady(stateful("web-0", "10.0.0.1")), stateful("web-0", "10.0.0.2")},
			},
			view: view{name: "web-0.default", want: []string{"[10.0.0.1]", "[10.0.0.2]", "[10.0.0.1 10.0.0.2]"}},
		},
		{
			name: "a pod's name that is another's hostname",
			sides: [2][]object.Endpoint{
				{stateful("web-0", "10.0.0.1"), named("web-1", "web-0", "10.0.9.1")},
				{stateful("web-0", "10.0.0.2"), named("web-1", "web-0", "10.0.9.2")},
			},
			view: view{name: "web-0.default", want: []string{"[10.0.0.1]", "[10.0.0.2]", "[10.0.0.1 10.0.0.2]"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := plant(headless("default/nginx", 1))
			s := tr.Source("")
			flip(t, tr, 10000, []view{tt.view}, func(i int) { s.Set(sliceOf("default/nginx-1", "nginx", 0, tt.sides[i%2]...)) })
		})
	}
}

// A name is looked up as a pod's and as a hostname; both looks must be at one state.
func TestReadersFindAHostnameThatBecomesAPod(t *testing.T) {
	tr := plant(headless("default/nginx", 1))
	s := tr.Source("")
	sides := []object.Endpoint{named("", "db", "10.0.0.1"), deployed("db", "10.0.0.2")}
	want := []string{"[10.0.0.1]", "[10.0.0.2]"}
	flip(t, tr, 30000, []view{{name: "db.default", want: want}, {name: "db.nginx.default", want: want}}, func(i int) {
		s.Set(sliceOf("default/nginx-1", "nginx", 0, sides[i%2]))
	})
}

// Objects of all kinds change while all that reads a tree reads it: for the race detector.
func TestReadersAndWritersShareNoMemoryUnguarded(t *testing.T) {
	tr := New()
	sources := []*Source{tr.Source(""), tr.Source("")}
	var stop atomic.Bool
	var readers, writers sync.WaitGroup
	readers.Go(func() {
		for !stop.Load() {
			for _, name := range []string{"default", "nginx.default", "web-0.default", "web-0.nginx.default", "10-0-0-1.nginx.default", "db.default"} {
				for _, nr := range []bool{false, true} {
					said(t, func(p *Path, q Query) Answer { tr.FindGuest(p, q); return Answer{} }, name, nr)
					tr.Find(pathOf(name), Query{Family: IPv4, NotReady: nr})
				}
			}
			tr.Synced([]byte("default"))
			tr.IsDone()
			tr.Serial(&Path{})
			tr.Size()
		}
	})
	for n, s := range sources {
		writers.Go(func() {
			for i := range 500 {
				if n == 0 { // one watch has the Services
					s.Set([]object.Object{headless("default/nginx", 0), clusterIP("default/nginx", 0, "10.96.0.1"), external("default/nginx", 0)}[i%3])
				}
				svc := []string{"nginx", "other"}[i/2%2]
				s.Set(sliceOf("default/nginx-1", svc, 0, named("web-0", "db", "10.0.0.1"), nameless("10.0.0.1"), stateful("web-1", "10.0.0.2")))
				if i%5 == 4 {
					s.Replace(nil, 0)
				}
			}
		})
	}
	writers.Wait()
	stop.Store(true)
	readers.Wait()
}

func TestReadersAnswerWhileTheWriterIsLockedOut(t *testing.T) {
	tr := plant(
		headless("default/nginx", 1), sliceOf("default/nginx-1", "nginx", 1, deployed("ws-x", "10.0.0.1"), stateful("web-0", "10.0.0.2")),
	)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	done := make(chan bool)
	go func() {
		wants{
			"": "Empty", "default": "Empty", "nginx.default": "Service 10.0.0.1 10.0.0.2", "web-0.default": "Peer 10.0.0.2",
			"web-0.nginx.default": "Peer 10.0.0.2", "web-9.default": "None",
		}.check(t, tr)
		if got := said(t, tr.FindGuest, "ws-x.nginx.default", true); got != "Peer 10.0.0.1" {
			t.Errorf("as a guest: got %s", got)
		}
		if _, peers := tr.Size(); peers != 2 || tr.Serial(&Path{}) != 1 || !tr.Synced([]byte("default")) || !tr.IsDone() {
			t.Errorf("%d peers, serial %d", peers, tr.Serial(&Path{}))
		}
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("a reader waits for the writer's lock")
	}
}
