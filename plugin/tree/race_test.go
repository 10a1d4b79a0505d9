package tree

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coredns-headless/headless/plugin/object"
)

// view is a name, and all lists of addresses that a look-up may return for it.
type view struct {
	name  string
	guest bool
	want  []string
}

// readAlways looks up views until stop is set, and reports an answer that must not be.
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

// flip sets one state after the other while readers look up views.
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

// A pod that is replaced keeps its name. A look-up must always find it, with the old or the new address.
func TestReadersFindANameWhileItsAddressChanges(t *testing.T) {
	tr := plant(headless("default/nginx", 1))
	s := tr.Writer("")
	of := func(n, side int) string { return fmt.Sprintf("10.0.%d.%d", side, n) }
	either := func(n int) []string { return []string{"[" + of(n, 0) + "]", "[" + of(n, 1) + "]"} }
	flip(t, tr, 1000, []view{
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
			stateful("web-0", of(1, i%2)), deployed("ws-x", of(2, i/2%2)), named("", "db", of(3, i/3%2)),
			named("q-0", "mq", of(4, i/5%2)),
		}
		for n := range i % 40 { // neighbours come and go, so that leaves are split and the others move
			list = append(list, deployed(fmt.Sprintf("n-%d-%d", n, i%7), "10.9.9.9"))
		}
		k := i % len(list)
		s.Set(sliceOf("default/nginx-1", "nginx", 0, slices.Concat(list[k:], list[:k])...))
	})
}

// A look-up must always find a name while a slice moves it from some endpoints to others.
func TestReadersFindANameThatChangesHands(t *testing.T) {
	either := []string{"[10.0.0.1]", "[10.0.0.2]"}
	or := append([]string{"[10.0.0.1 10.0.0.2]"}, either...)
	hosts := []string{"[10.0.0.1 10.0.0.2]", "[10.0.1.1 10.0.1.2 10.0.1.3]"}
	tests := []struct {
		name   string
		rounds int // 4,000 where 0
		sides  [2][]object.Endpoint
		views  []view
	}{
		{
			name: "many pods of one hostname, which is one entry and changes as a whole",
			sides: [2][]object.Endpoint{
				{named("web-0", "db", "10.0.0.1"), named("web-1", "db", "10.0.0.2")},
				{named("web-1", "db", "10.0.1.2"), named("web-0", "db", "10.0.1.1"), named("web-2", "db", "10.0.1.3")},
			},
			views: []view{{name: "db.default", want: hosts}, {name: "nginx.default", want: hosts}},
		},
		{
			name: "one pod, its ready address changes",
			sides: [2][]object.Endpoint{
				{stateful("web-0", "10.0.0.1"), notReady(stateful("web-0", "10.0.0.2"))},
				{notReady(stateful("web-0", "10.0.0.1")), stateful("web-0", "10.0.0.2")},
			},
			views: []view{{name: "web-0.default", want: or}},
		},
		{
			name: "one pod, its second address is the ready one",
			sides: [2][]object.Endpoint{
				{
					stateful("web-0", "10.0.0.1"),
				}, {
					notReady(stateful("web-0", "10.0.0.1")),
					stateful("web-0", "10.0.0.2"),
				},
			},
			views: []view{{name: "web-0.default", want: or}},
		},
		{
			name: "a pod's name that is another's hostname",
			sides: [2][]object.Endpoint{
				{stateful("web-0", "10.0.0.1"), named("web-1", "web-0", "10.0.9.1")},
				{stateful("web-0", "10.0.0.2"), named("web-1", "web-0", "10.0.9.2")},
			},
			views: []view{{name: "web-0.default", want: or}},
		},
		{
			name: "a hostname that becomes a pod: both looks must be at one state", rounds: 20_000,
			sides: [2][]object.Endpoint{{named("", "db", "10.0.0.1")}, {deployed("db", "10.0.0.2")}},
			views: []view{{name: "db.default", want: either}, {name: "db.nginx.default", want: either}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := plant(headless("default/nginx", 1))
			s := tr.Writer("")
			flip(t, tr, cmp.Or(tt.rounds, 4000), tt.views,
				func(i int) { s.Set(sliceOf("default/nginx-1", "nginx", 0, tt.sides[i%2]...)) })
		})
	}
}

func TestReadersAnswerWhileTheWriterIsLockedOut(t *testing.T) {
	tr := plant(
		headless("default/nginx", 1),
		withPorts(sliceOf("default/nginx-1", "nginx", 1, deployed("ws-x", "10.0.0.1"), stateful("web-0", "10.0.0.2")),
			port("web", "tcp", 80)),
	)
	tr.IndexAddresses()
	tr.mu.Lock() // a reader that takes it waits for ever
	defer tr.mu.Unlock()
	wants{
		"": "EmptyNonTerminal", "default": "EmptyNonTerminal", "nginx.default": "Service 10.0.0.1 10.0.0.2",
		"web-0.default":       "Peer 10.0.0.2",
		"web-0.nginx.default": "Peer 10.0.0.2", "web-9.default": "None",
	}.check(t, tr)
	if got := said(t, tr.FindGuest, "ws-x.nginx.default", true); got != "Peer 10.0.0.1" {
		t.Errorf("as a guest: got %s", got)
	}
	if got := texts(tr.Targets(pathOf("_web._tcp.nginx.default"))); !slices.Equal(got,
		[]string{"web-0:80 10.0.0.2", "ws-x:80 10.0.0.1"}) {
		t.Errorf("targets %v", got)
	}
	if got := texts(tr.GuestTargets(pathOf("ws-x.nginx.default"), false)); !slices.Equal(got,
		[]string{"ws-x:80 10.0.0.1"}) {
		t.Errorf("targets as a guest %v", got)
	}
	checkHolders(t, tr, "10.0.0.1", "default/nginx/ws-x")
	readTheRest(tr)
}

// readTheRest calls the other methods for readers.
func readTheRest(tr *Tree) {
	tr.Synced([]byte("default"))
	tr.AllSynced()
	tr.Presumed()
	tr.IsDone()
	tr.Size()
	tr.Version()
	tr.Serial(pathOf("nginx.default"))
	tr.Explain(pathOf("web-0.nginx.default"), false, true)
	for range tr.Browse() {
		continue
	}
}
