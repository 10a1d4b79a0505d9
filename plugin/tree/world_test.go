package tree

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/coredns-headless/headless/plugin/object"
)

// Services, pods and hostnames have one pool of names, except for some that only hostnames have. There are few names
// and addresses, so that they collide.
var (
	poolNamespaces = []string{"a", "b"}
	poolNames      = []string{"s", "t", "web-0", "web-1", "10-0-0-1", "fd00--1"}
	poolHosts      = append([]string{"db", "mq"}, poolNames...)
	poolAddrs      = []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1", "fd00::2"}
	poolSlices     = []string{"s-1", "s-2", "t-1", "t-2"}
	poolPorts      = []object.Port{
		{Name: "web", Protocol: "tcp", Port: 80},
		{Name: "web", Protocol: "tcp", Port: 81}, // in another slice, as with named target ports
		{Name: "web", Protocol: "udp", Port: 80},
		{Name: "ui", Protocol: "tcp", Port: 80},
		{Name: "sig", Protocol: "sctp", Port: 2905},
		{Protocol: "tcp", Port: 9},
	}
)

// feed is a writer, the objects that it may have, and those that it has.
type feed struct {
	scope            string // "" for all namespaces
	services, slices bool
	held             map[object.Key]object.Object
}

// layouts are the ways to divide a cluster among watches.
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

// world makes random events.
type world struct {
	*rand.Rand
	feeds   []feed
	version uint64
}

func pick[T any](w *world, list []T) T { return list[w.IntN(len(list))] }

// object returns a random object that the feed may have.
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
		return w.service(ns+"/"+pick(w, poolNames), version)
	}
	name, svc := pick(w, poolSlices), pick(w, poolNames[:3])
	list := make([]object.Endpoint, 0, 8)
	if was, ok := f.held[object.NewKey(object.KindEndpointSlice, ns, name)].(*object.EndpointSlice); ok &&
		w.IntN(3) > 0 {
		svc, list = was.Service, append(list, was.Endpoints...) // most changes are small
		if w.IntN(4) == 0 {                                     // or only of ports
			return withPorts(sliceOf(ns+"/"+name, svc, version, list...), w.ports()...)
		}
		w.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		list = list[:w.IntN(len(list)+1)]
	}
	for range w.IntN(4) {
		list = append(list, w.endpoint())
	}
	return withPorts(sliceOf(ns+"/"+name, svc, version, list...), w.ports()...)
}

func (w *world) service(key string, version uint64) object.Object {
	o := headless(key, version)
	switch w.IntN(8) {
	case 0:
		o = clusterIP(key, version, "10.96.0.1", "fd00:96::1")
	case 1:
		o = clusterIP(key, version, []string{"10.96.0.2", "10.96.0.3"}[:w.IntN(3)]...)
	case 2:
		o = external(key, version)
		// "" for a bad one
		o.(*object.Service).ExternalName = pick(w, []string{"db.example.org.", "s.a.svc.cluster.local.", ""})
		return o
	}
	return withPorts(o, w.ports()...)
}

// ports returns random ports. Most objects have one or two of a small pool, in any order.
func (w *world) ports() []object.Port {
	list := make([]object.Port, 0, 3)
	for range w.IntN(4) {
		list = append(list, pick(w, poolPorts))
	}
	return list
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
	if e.Ready = w.IntN(3) > 0; !e.Ready {
		e.Leaving = uint8(w.IntN(3))
	}
	return e
}

// step gives one writer a random event. It returns the Services that the event is about as "namespace/name", or nil
// for any.
func (w *world) step(feeds []*Writer) (about []string) {
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
		o := f.held[pick(w, keys)]
		s.Set(o) // again
		return services(o)
	case n < 8 && len(keys) > 0:
		k := pick(w, keys)
		was := f.held[k]
		delete(f.held, k)
		w.version++
		s.Delete(k, w.version)
		return services(was)
	default:
		o := w.object(f)
		was := f.held[o.Key()]
		f.held[o.Key()] = o
		s.Set(o)
		return services(o, was)
	}
	return nil
}

// services returns the Services that the objects are, or belong to.
func services(list ...object.Object) (names []string) {
	for _, o := range list {
		switch o := o.(type) {
		case *object.Service:
			names = append(names, o.Key().Namespace+"/"+o.Key().Name)
		case *object.EndpointSlice:
			names = append(names, o.Key().Namespace+"/"+o.Service)
		}
	}
	return names
}

func compareKeys(a, b object.Key) int {
	return slices.Compare([]string{a.Kind.String(), a.Namespace, a.Name},
		[]string{b.Kind.String(), b.Namespace, b.Name})
}

func (w *world) shuffled(f *feed) []object.Object {
	list := make([]object.Object, 0, len(f.held))
	for _, k := range slices.SortedFunc(maps.Keys(f.held), compareKeys) {
		list = append(list, f.held[k])
	}
	w.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// rebuild builds a tree from the final state, writer by writer or event by event.
func (w *world) rebuild(scopes []string, events bool) *Tree {
	t := New(scopes...)
	writers := w.writers(t)
	if events {
		t.IndexAddresses()
	} else {
		defer t.IndexAddresses()
	}
	for _, i := range w.Perm(len(writers)) {
		list := w.shuffled(&w.feeds[i])
		if !events {
			writers[i].Replace(list, w.version)
			continue
		}
		writers[i].Replace(nil, 0)
		for _, o := range list {
			writers[i].Set(o)
		}
	}
	return t
}

func (w *world) writers(t *Tree) []*Writer {
	list := make([]*Writer, len(w.feeds))
	for i := range w.feeds {
		list[i] = t.Writer(w.feeds[i].scope)
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

// noStandIns has no addresses for an alias.
func noStandIns(string) []netip.Addr { return nil }
