package tree

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/plugin/object"
)

func TestAnyOrderOfEventsGivesTheSameTree(t *testing.T) {
	for _, l := range layouts {
		t.Run(l.name, func(t *testing.T) {
			for seed := range uint64(8) {
				w := &world{Rand: rand.New(rand.NewPCG(seed, 1)), feeds: slices.Clone(l.feeds)}
				for i := range w.feeds {
					w.feeds[i].held = make(map[object.Key]object.Object)
				}
				if seed%2 == 1 {
					w.version = 1<<32 - 50 // serials soon begin anew (RFC 1982)
				}
				tr := New(l.scopes...)
				writers := w.writers(tr)
				for _, s := range writers {
					s.Replace(nil, w.version)
				}
				last := takeSerials(tr)
				steps := 60 + w.IntN(60)
				asked := w.IntN(steps)
				for i := range steps {
					if i == asked {
						tr.IndexAddresses()
					}
					about := w.step(writers)
					now := takeSerials(tr)
					if diff := compareSerials(last, now, about); diff != "" {
						t.Fatalf("seed %d, step %d, about %v: %s", seed, i, about, diff)
					}
					last = now
				}
				checkEverything(t, seed, w, l.scopes, tr)
				for _, s := range writers {
					s.Replace(nil, 0)
				}
				if diff := compareSerials(last, takeSerials(tr), nil); diff != "" {
					t.Fatalf("seed %d: when all goes: %s", seed, diff)
				}
				if n := count(&tr.namespaces); n != 0 {
					t.Fatalf("seed %d: %d namespaces left of nothing", seed, n)
				}
				if n := count(tr.addrs.Load()); n != 0 {
					t.Fatalf("seed %d: %d addresses left of nothing", seed, n)
				}
			}
		})
	}
}

// checkEverything compares the tree, and two trees built anew, with the model and with each other.
func checkEverything(t *testing.T, seed uint64, w *world, scopes []string, tr *Tree) {
	t.Helper()
	m := modelOf(w.held())
	trees := map[string]*Tree{
		"the tree": tr, "the rebuild from lists": w.rebuild(scopes, false),
		"the rebuild from events": w.rebuild(scopes, true),
	}
	if diff := compareAnswers(trees, m); diff != "" {
		t.Fatalf("seed %d: %s", seed, diff)
	}
	transferred := zoneTexts(tr, "")
	for name, other := range trees {
		for _, compare := range []func(*Tree, model) string{compareTargets, compareHolders, compareZones} {
			if diff := compare(other, m); diff != "" {
				t.Fatalf("seed %d: %s: %s", seed, name, diff)
			}
		}
		if texts := zoneTexts(other, ""); !slices.Equal(texts, transferred) {
			t.Fatalf("seed %d: %s transfers\n%q\nand the tree\n%q", seed, name, texts, transferred)
		}
		checkIndex(t, seed, other)
		checkAddrs(t, seed, other)
	}
}

// Every label that there can be, and one at each level that there cannot.
var (
	allSpaces = append([]string{"unknown"}, poolNamespaces...)
	allNames  = append([]string{"unknown", "10-0-0-2", "10-0-0-3", "fd00--2"}, poolHosts...)
	allPorts  = []string{
		"_tcp", "_udp", "_sctp", "_", "_unknown", "tcp", "_web._tcp", "_web._udp", "_web._sctp", "_ui._tcp",
		"_ui._udp", "_sig._sctp",
		"_._tcp", "_unknown._tcp", "_web._unknown", "web._tcp", "_web.tcp", "_web._", "_web.web-0", "web-0._tcp",
	}
)

// allNamesBelow returns p and all names that there can be below it.
func allNamesBelow(p string) []string {
	under := func(labels []string, name string) (list []string) {
		for _, l := range labels {
			list = append(list, strings.TrimSuffix(l+"."+name, "."))
		}
		return list
	}
	list := []string{p}
	switch pathOf(p).N {
	case 0:
		for _, ns := range allSpaces {
			list = append(list, allNamesBelow(ns)...)
		}
	case 1:
		for _, name := range under(allNames, p) {
			list = append(list, allNamesBelow(name)...)
		}
	case 2:
		list = append(list, under(slices.Concat(allNames, allPorts), p)...)
	}
	return list
}

// place is a name and its path.
type place struct {
	name string
	path *Path
}

var (
	every = placesBelow("")
	// the nodes that a suffix can be grafted onto
	grafts = slices.DeleteFunc(slices.Clone(every), func(p place) bool { return p.path.N > 2 })
	// all names at and below each of them
	zones = make(map[string][]place)
)

func init() {
	for _, g := range grafts {
		zones[g.name] = placesBelow(g.name)
	}
}

func placesBelow(name string) (list []place) {
	for _, n := range allNamesBelow(name) {
		list = append(list, place{n, pathOf(n)})
	}
	return list
}

// compareAnswers looks up every name that there can be in all trees, and returns the first difference.
func compareAnswers(trees map[string]*Tree, m model) string {
	for _, at := range every {
		for _, nr := range []bool{false, true} {
			all := Query{Family: AnyFamily, NotReady: nr}
			find, guest, waiting := m.Find(at.path, all), m.FindGuest(at.path, all), m.FindWaiting(at.path, all)
			for tree, t := range trees {
				for f := range AnyFamily + 1 {
					q := Query{Family: f, NotReady: nr}
					if got := t.Find(at.path, q); !sameAnswer(got, find, f) {
						return fmt.Sprintf("%s: Find(%q, family %d, not ready %v) is %v, want of %v", tree, at.name, f,
							nr, got, find)
					}
					if got := t.FindGuest(at.path, q); !sameAnswer(got, guest, f) {
						return fmt.Sprintf("%s: FindGuest(%q, family %d, not ready %v) is %v, want of %v", tree,
							at.name, f, nr, got, guest)
					}
					if got := t.FindWaiting(at.path, q); !sameAnswer(got, waiting, f) {
						return fmt.Sprintf("%s: FindWaiting(%q, family %d, not ready %v) is %v, want of %v", tree,
							at.name, f, nr, got, waiting)
					}
				}
			}
		}
	}
	return ""
}

// sameAnswer reports whether got is want with only the addresses of one family.
func sameAnswer(got, want Answer, f Family) bool {
	addrs := slices.DeleteFunc(slices.Clone(want.Addrs), func(a netip.Addr) bool {
		return f == NoFamily || f == IPv4 && a.Is6() || f == IPv6 && a.Is4()
	})
	return got.Status == want.Status && got.External == want.External && slices.Equal(got.Addrs, addrs)
}

func compareTargets(t *Tree, m model) string {
	for _, at := range every {
		name, p := at.name, at.path
		if got, want := t.Targets(p), m.Targets(p); !slices.EqualFunc(got, want, sameTarget) {
			return fmt.Sprintf("Targets(%q) is %v, want %v", name, got, want)
		}
		for _, nr := range []bool{false, true} {
			q := Query{NotReady: nr}
			if p.N != 3 || m.FindGuest(p, q).Status != Peer && m.FindWaiting(p, q).Status != Peer {
				continue // nobody may ask
			}
			if got, want := t.GuestTargets(p, nr), m.GuestTargets(p, nr); !slices.EqualFunc(got, want, sameTarget) {
				return fmt.Sprintf("GuestTargets(%q, %v) is %v, want %v", name, nr, got, want)
			}
		}
	}
	return ""
}

func compareHolders(t *Tree, m model) string {
	for _, text := range append([]string{"192.0.2.1", "10.96.0.1"}, poolAddrs...) {
		a := netip.MustParseAddr(text)
		got, want := t.Holders(a), m.Holders(a)
		slices.SortFunc(want, byRank)
		if !slices.Equal(got, want) {
			return fmt.Sprintf("Holders(%s) is %v, want %v", a, got, want)
		}
	}
	return ""
}

// compareZones checks that every zone has exactly the names with records, each with the answer that a query gets.
func compareZones(t *Tree, m model) string {
	for _, g := range grafts {
		graft, p := g.name, g.path
		for _, nr := range []bool{false, true} {
			type entry struct {
				Answer
				targets []Target
			}
			want := make(map[string]entry)
			places := zones[graft]
			if p.N == 2 && m.service(string(p.Labels[0]), string(p.Labels[1])) == nil {
				places = nil // a peer may have that name, but a zone is a Service's
			}
			for _, at := range places {
				p := at.path
				e := entry{Answer: m.Find(p, Query{Family: AnyFamily, NotReady: nr})}
				if e.Status == Port {
					e.targets = m.Targets(p)
				}
				if len(e.Addrs) > 0 || e.Status == Alias || len(e.targets) > 0 {
					want[at.name] = e
				}
			}
			list, serial, _ := t.Zone(p, nr, noStandIns)
			if serial != t.Serial(p) {
				return fmt.Sprintf("Zone(%q) has serial %d, want %d", graft, serial, t.Serial(p))
			}
			for _, e := range list {
				name := nameOf(graft, e)
				w, ok := want[name]
				delete(want, name)
				if !ok || !sameAnswer(e.Answer, w.Answer, AnyFamily) ||
					!slices.EqualFunc(e.Targets(), w.targets, sameTarget) {
					return fmt.Sprintf("Zone(%q, %v) has %q (again: %v) as %v, want %v", graft, nr, name, !ok, e, w)
				}
			}
			if len(want) > 0 {
				return fmt.Sprintf("Zone(%q, %v) lacks %v", graft, nr, want)
			}
		}
	}
	return ""
}

// nameOf returns the name of a zone's entry, below the root.
func nameOf(graft string, e Entry) string {
	labels := slices.Clone(e.Labels)
	slices.Reverse(labels)
	if graft != "" {
		labels = append(labels, graft)
	}
	return strings.Join(labels, ".")
}

// zoneTexts returns the entries of the zone at a node as texts, in its order.
func zoneTexts(t *Tree, graft string) (list []string) {
	for _, nr := range []bool{false, true} {
		entries, _, _ := t.Zone(pathOf(graft), nr, noStandIns)
		for _, e := range entries {
			list = append(list,
				fmt.Sprintf("%v %s %s %v %s %v", nr, nameOf(graft, e), statusNames[e.Answer.Status], e.Answer.Addrs,
					e.Answer.External, e.Targets()))
		}
	}
	return list
}
