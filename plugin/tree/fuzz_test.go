package tree

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/coredns-headless/headless/plugin/object"
)

// FuzzObjects sets and deletes any objects outside the namespace fixed. A line is an object in JSON, which is deleted
// if a dash is before it. All names must be those of the model, fixed must not change, and the tree must be empty
// again after all objects are deleted.
func FuzzObjects(f *testing.F) {
	const (
		none = `{"metadata":{"namespace":"a","name":"s"},"spec":{"clusterIP":"None","ports":[{"name":"web",` +
			`"port":80}]}}` + "\n"
		ips = `{"metadata":{"namespace":"A","name":"web-0"},"spec":{"clusterIPs":["10.96.0.1","fd00:96::1"],` +
			`"ports":[{"name":"web","port":80}]}}` + "\n"
		alias = `{"metadata":{"namespace":"a","name":"S"},"spec":{"type":"ExternalName",` +
			`"externalName":"db.example.org"}}` + "\n"
		slice = `{"kind":"EndpointSlice","metadata":{"namespace":"a","name":"x",` +
			`"labels":{"kubernetes.io/service-name":"s"}},` +
			`"ports":[{"name":"web","port":80}],"endpoints":[{"addresses":["10.0.0.1","fd00::1"],` +
			`"hostname":"db","targetRef":{"kind":"Pod","name":"web-0"}},` +
			`{"addresses":["10.0.0.2"],"conditions":{"ready":false},"targetRef":{"kind":"Pod","namespace":"a",` +
			`"name":"web-1"}},{"addresses":["::ffff:10.0.0.9","::"]}]}` + "\n"
		moved = `{"kind":"EndpointSlice","metadata":{"namespace":"a","name":"x",` +
			`"labels":{"kubernetes.io/service-name":"t"}},` +
			`"endpoints":[{"addresses":["10.0.0.3"],"hostname":"db"}]}` + "\n"
	)
	for _, text := range []string{
		none + slice, slice + none + "-" + slice, none + slice + moved + alias, none + ips + slice + "-" + ips,
		slice + "-" + none + moved + "-" + moved, "-{}\n[]\n{",
	} {
		f.Add([]byte(text))
	}
	fixed := []object.Object{
		headless("fixed/s", 1), headless("fixed/t", 1), clusterIP("fixed/web-0", 1, "10.96.0.9"),
		sliceOf("fixed/x", "s", 1, stateful("web-0", "10.0.0.1"), deployed("web-2", "10.0.0.2"),
			named("web-1", "db", "10.0.0.3")),
		sliceOf("fixed/y", "t", 1, named("", "mq", "10.0.0.4"), nameless("fd00::9")),
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 4096 {
			return // it would only be slow
		}
		tr := New()
		tr.IndexAddresses()
		first, s := tr.Writer(""), tr.Writer("")
		first.Replace(fixed, 1)
		s.Replace(nil, 1)
		was, serial, holders := zoneTexts(tr, ""), tr.Serial(pathOf("fixed")), count(tr.addrs.Load())

		held := make(map[object.Key]object.Object)
		apply(s, held, text)
		checkModel(t, tr, fixed, held)
		if now := zoneTexts(tr, "fixed"); !slices.Equal(now, was) || tr.Serial(pathOf("fixed")) != serial {
			t.Errorf("fixed was, with serial %d\n%q\nand is, with %d\n%q", serial, was, tr.Serial(pathOf("fixed")),
				now)
		}
		for k := range held {
			s.Delete(k, 0)
		}
		checkIndex(t, 0, tr)
		if now := zoneTexts(tr, ""); !slices.Equal(now, was) || count(&tr.namespaces) != 1 ||
			count(tr.addrs.Load()) != holders {
			t.Errorf("%d namespaces and %d addresses are left, and these names:\n%q", count(&tr.namespaces),
				count(tr.addrs.Load()), now)
		}
	})
}

// apply gives s the events in text, and records in held what s then has.
func apply(s *Writer, held map[object.Key]object.Object, text []byte) {
	version := 1
	for line := range bytes.Lines(text) {
		version++
		line, gone := bytes.CutPrefix(line, []byte("-"))
		var kind struct{ Kind string }
		var o any
		service, slice := new(corev1.Service), new(discoveryv1.EndpointSlice)
		_ = json.Unmarshal(line, &kind)
		if o = service; kind.Kind == "EndpointSlice" {
			o = slice
		}
		if json.Unmarshal(line, o) != nil {
			continue
		}
		// The API server gives every content of an object a version of its own.
		service.ResourceVersion, slice.ResourceVersion = strconv.Itoa(version), strconv.Itoa(version)
		slim, _ := object.From(o)
		switch {
		case slim == nil, slim.Key().Namespace == "fixed":
		case gone:
			delete(held, slim.Key())
			s.Delete(slim.Key(), uint64(version))
		default:
			held[slim.Key()] = slim
			s.Set(slim)
		}
	}
}

// checkModel compares the answers for every name that the objects can have, the holders of every address, and the
// size.
func checkModel(t *testing.T, tr *Tree, fixed []object.Object, held map[object.Key]object.Object) {
	t.Helper()
	rest := make(map[object.Key]object.Object)
	for _, o := range fixed {
		rest[o.Key()] = o
	}
	m := modelOf([]map[object.Key]object.Object{rest, held})
	names := map[string]bool{"": true}
	for _, s := range m.services {
		k := s.Key()
		for _, name := range []string{k.Namespace, k.Name + "." + k.Namespace} {
			names[name], names["x."+name] = true, true
		}
		addPorts(names, k.Name+"."+k.Namespace, s.Ports)
	}
	peers := 0
	for _, sl := range m.slices {
		ns := sl.Key().Namespace
		addPorts(names, sl.Service+"."+ns, sl.Ports)
		for _, e := range sl.Endpoints {
			for _, label := range []string{e.Pod, e.Host, dash(e.Addr.String())} {
				if label != "" {
					names[label+"."+ns], names[label+"."+sl.Service+"."+ns] = true, true
				}
			}
			got, want := tr.Holders(e.Addr), m.Holders(e.Addr)
			slices.SortFunc(want, byRank)
			if !slices.Equal(got, want) {
				t.Errorf("Holders(%s) is %v, want %v", e.Addr, got, want)
			}
		}
	}
	for name := range names {
		checkAnswer(t, tr, m, name)
	}
	for _, s := range m.services {
		peers += len(m.peers(s.Key().Namespace, s.Key().Name))
	}
	if s, p := tr.Size(); s != len(m.services) || p != peers {
		t.Errorf("%d Services and %d peers, want %d and %d", s, p, len(m.services), peers)
	}
}

func addPorts(names map[string]bool, service string, ports []object.Port) {
	for _, p := range ports {
		protocol := "_" + p.Protocol + "." + service
		names[protocol], names["_"+p.Name+"."+protocol] = true, true
	}
}

// checkAnswer compares the answers for a name.
func checkAnswer(t *testing.T, tr *Tree, m model, name string) {
	t.Helper()
	p := pathOf(name)
	for _, nr := range []bool{false, true} {
		q := Query{Family: AnyFamily, NotReady: nr}
		for what, pair := range map[string][2]Answer{
			"Find":        {tr.Find(p, q), m.Find(p, q)},
			"FindGuest":   {tr.FindGuest(p, q), m.FindGuest(p, q)},
			"FindWaiting": {tr.FindWaiting(p, q), m.FindWaiting(p, q)},
		} {
			if !sameAnswer(pair[0], pair[1], AnyFamily) {
				t.Errorf("%s(%q, not ready %v) is %v, want %v", what, name, nr, pair[0], pair[1])
			}
		}
	}
	if got, want := tr.Targets(p), m.Targets(p); !slices.EqualFunc(got, want, sameTarget) {
		t.Errorf("Targets(%q) is %v, want %v", name, got, want)
	}
}
