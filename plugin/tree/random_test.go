package tree

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/coredns-headless/headless/plugin/object"
)

// One pool for Services, pods and hostnames, but for some that only hostnames have, and few addresses: they must meet.
var (
	poolNamespaces = []string{"a", "b"}
	poolNames      = []string{"s", "t", "web-0", "web-1", "10-0-0-1", "fd00--1"}
	poolHosts      = append([]string{"db", "mq"}, poolNames...)
	poolAddrs      = []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1", "fd00::2"}
	poolSlices     = []string{"s-1", "s-2", "t-1", "t-2"}
)

// feed is a source: what it may hold, and what it was given last.
type feed struct {
	scope            string // "" for all namespaces
	services, slices bool
	held             map[object.Key]object.Object
}

// layouts are the ways in which watches feed a tree.
var layouts = []struct {
	name   string
	scopes []string
	feeds  []feed
}{
	{
		name:  "the whole cluster",
		feeds: []feed{{services: true}, {slices: true}, {slices: true}},
	},
	{
		name:   "namespaces one by one",
		scopes: poolNamespaces,
		feeds: []feed{
			{scope: "a", services: true},
			{scope: "a", slices: true},
			{scope: "a", slices: true},
			{scope: "b", services: true},
			{scope: "b", slices: true},
			{scope: "b", slices: true},
		},
	},
	{
		name:  "manifests",
		feeds: []feed{{services: true, slices: true}},
	},
}

// world makes events at random.
type world struct {
	*rand.Rand
	feeds   []feed
	version uint64
}

func pick[T any](w *world, list []T) T { return list[w.IntN(len(list))] }

// object makes an object that the feed may hold.
func (w *world) object(f *feed) object.Object {
	ns := f.scope
	if ns == "" {
		ns = pick(w, poolNamespaces)
	}
	w.version++
	version := w.version
	if w.IntN(3) == 0 {
		version = 0
	}
	if !f.slices || f.services && w.IntN(3) == 0 {
		key := ns + "/" + pick(w, poolNames)
		switch w.IntN(6) {
		case 0:
			return clusterIP(key, version, "10.96.0.1", "fd00:96::1")
		case 1:
			return external(key, version)
		}
		return headless(key, version)
	}
	name, svc := pick(w, poolSlices), pick(w, poolNames[:3])
	list := make([]object.Endpoint, 0, 8)
	if was, ok := f.held[object.NewKey(object.KindEndpointSlice, ns, name)].(*object.EndpointSlice); ok && w.IntN(3) > 0 {
		svc, list = was.Service, append(list, was.Endpoints...) // most changes are small
		w.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		list = list[:w.IntN(len(list)+1)]
	}
	for range w.IntN(4) {
		list = append(list, w.endpoint())
	}
	return sliceOf(ns+"/"+name, svc, version, list...)
}

func (w *world) endpoint() object.Endpoint {
	e := nameless(pick(w, poolAddrs))
	name := pick(w, poolNames)
	switch w.IntN(8) {
	case 0, 1:
		e = stateful(name, e.Addr.String())
	case 2:
		e = deployed(name, e.Addr.String())
	case 3:
		e = named("", pick(w, poolHosts[:4]), e.Addr.String())
	case 4:
		e = named(name, pick(w, poolHosts), e.Addr.String())
	case 5, 6: // few of few, so that a hostname has its pods in more Services than one
		e = named(pick(w, poolNames[2:4]), "db", e.Addr.String())
	}
	e.Ready = w.IntN(3) > 0
	return e
}

// step gives one source one event.
func (w *world) step(feeds []*Source) {
	i := w.IntN(len(feeds))
	f, s := &w.feeds[i], feeds[i]
	keys := slices.SortedFunc(maps.Keys(f.held), compareKeys)
	switch n := w.IntN(20); {
	case n == 0: // a list, with some events missed
		for _, k := range keys {
			if w.IntN(3) == 0 {
				delete(f.held, k)
			}
		}
		for range w.IntN(3) {
			o := w.object(f)
			f.held[o.Key()] = o
		}
		s.Replace(w.shuffled(f), w.version)
	case n < 3 && len(keys) > 0:
		s.Set(f.held[pick(w, keys)]) // again
	case n < 8 && len(keys) > 0:
		k := pick(w, keys)
		delete(f.held, k)
		w.version++
		s.Delete(k, w.version)
	default:
		o := w.object(f)
		f.held[o.Key()] = o
		s.Set(o)
	}
}

func compareKeys(a, b object.Key) int {
	return slices.Compare([]string{a.Kind.String(), a.Namespace, a.Name}, []string{b.Kind.String(), b.Namespace, b.Name})
}

func (w *world) shuffled(f *feed) []object.Object {
	list := make([]object.Object, 0, len(f.held))
	for _, k := range slices.SortedFunc(maps.Keys(f.held), compareKeys) {
		list = append(list, f.held[k])
	}
	w.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// rebuild makes a tree from the final state: source by source, or event by event.
func (w *world) rebuild(scopes []string, events bool) *Tree {
	t := New(scopes...)
	sources := w.sources(t)
	for _, i := range w.Perm(len(sources)) {
		list := w.shuffled(&w.feeds[i])
		if !events {
			sources[i].Replace(list, w.version)
			continue
		}
		sources[i].Replace(nil, 0)
		for _, o := range list {
			sources[i].Set(o)
		}
	}
	return t
}

func (w *world) sources(t *Tree) []*Source {
	list := make([]*Source, len(w.feeds))
	for i := range w.feeds {
		list[i] = t.Source(w.feeds[i].scope)
	}
	return list
}

func (w *world) held() []map[object.Key]object.Object {
	list := make([]map[object.Key]object.Object, len(w.feeds))
	for i := range w.feeds {
		list[i] = w.feeds[i].held
	}
	return list
}

func TestAnyOrderOfEventsGivesTheSameTree(t *testing.T) {
	for _, l := range layouts {
		t.Run(l.name, func(t *testing.T) {
			for seed := range uint64(30) {
				w := &world{Rand: rand.New(rand.NewPCG(seed, 1)), feeds: slices.Clone(l.feeds)}
				for i := range w.feeds {
					w.feeds[i].held = make(map[object.Key]object.Object)
				}
				tr := New(l.scopes...)
				sources := w.sources(tr)
				for _, s := range sources {
					s.Replace(nil, 0)
				}
				for range 60 + w.IntN(60) {
					w.step(sources)
				}
				m := modelOf(w.held())
				for name, other := range map[string]*Tree{
					"the tree": tr, "the rebuild from lists": w.rebuild(l.scopes, false), "the rebuild from events": w.rebuild(l.scopes, true),
				} {
					if diff := compare(other, m); diff != "" {
						t.Fatalf("seed %d: %s: %s", seed, name, diff)
					}
					checkIndex(t, seed, other)
				}
				for _, s := range sources {
					s.Replace(nil, 0)
				}
				if n := count(&tr.namespaces); n != 0 {
					t.Fatalf("seed %d: %d namespaces left of nothing", seed, n)
				}
			}
		})
	}
}

// compare asks both for every name there can be, and says where they differ.
func compare(t *Tree, m model) string {
	spaces := append([]string{"unknown"}, poolNamespaces...)
	names := []string{""}
	for _, ns := range spaces {
		names = append(names, ns)
		for _, x := range append([]string{"unknown"}, poolHosts...) {
			names = append(names, x+"."+ns)
			for _, y := range append([]string{"unknown", "10-0-0-2"}, poolHosts...) {
				names = append(names, y+"."+x+"."+ns)
			}
		}
	}
	for _, name := range names {
		p := pathOf(name)
		for _, f := range []Family{NoFamily, IPv4, IPv6} {
			for _, nr := range []bool{false, true} {
				q := Query{Family: f, NotReady: nr}
				for what, both := range map[string][2]Answer{
					"Find": {t.Find(p, q), m.Find(p, q)}, "FindGuest": {t.FindGuest(p, q), m.FindGuest(p, q)},
				} {
					got, want := both[0], both[1]
					// The cluster IPs stand in the Service's order, which here is that of the model.
					if got.Status != want.Status || !slices.Equal(got.Addrs, want.Addrs) {
						return fmt.Sprintf("%s(%q, family %d, not ready %v) is %v, want %v", what, name, f, nr, got, want)
					}
				}
			}
		}
	}
	return ""
}

// checkIndex wants of every namespace's index exactly what the slices that are there put into it.
func checkIndex(t *testing.T, seed uint64, tr *Tree) {
	t.Helper()
	for ns := range tr.namespaces.all {
		want, slices := 0, 0
		for s := range ns.services.all {
			if s.ns != ns || s.spec.Load() == nil && s.size == 0 || count(&s.slices) != s.size {
				t.Fatalf("seed %d: Service %s/%s of %d slices should not be", seed, ns.name, s.name, s.size)
			}
			slices += s.size
			for sl := range s.slices.all {
				for range entries(sl.content.Load().endpoints) {
					want++
				}
			}
		}
		if got := count(&ns.peers); got != want {
			t.Fatalf("seed %d: %d index entries in %s, want %d of %d slices", seed, got, ns.name, want, slices)
		}
		checkLeaves(t, ns.peers.root.Load(), 0, 0)
	}
}
