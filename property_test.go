package headless

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/config"
	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/tree"
)

// Few names for Services, pods and hostnames, and few addresses: they must meet.
var (
	poolSpaces   = []string{"a", "b", "dns"}
	poolServices = []string{"s", "t", "web-0", "dns", "ns"}
	poolPods     = []string{"web-0", "web-1", "ns", "s", "10-0-0-1"}
	poolHosts    = []string{"db", "web-0", "web-1"}
	poolAddrs    = []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "fd00::1", "fd00::2"}
	poolPorts    = []string{"{name: web, port: 80, protocol: TCP}", "{name: web, port: 81, protocol: UDP}", "{name: sql, port: 5432, protocol: TCP}", "{port: 9}"}
)

// randomCluster makes manifests by chance.
func randomCluster(r *rand.Rand) []string {
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	ports := func() string {
		var list []string
		for _, p := range poolPorts {
			if r.IntN(2) == 0 {
				list = append(list, p)
			}
		}
		return strings.Join(list, ", ")
	}
	var list []string
	for _, ns := range poolSpaces {
		for _, s := range poolServices {
			key := ns + "/" + s
			switch r.IntN(8) {
			case 0:
			case 1:
				list = append(list, svc(key, `clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1, "fd00:96::1"], ports: [`+ports()+"]"))
			case 2:
				target := []string{
					"www.example.com", pick(poolServices) + "." + pick(poolSpaces) + ".svc.cluster.local",
					pick(poolPods) + "." + pick(poolServices) + "." + pick(poolSpaces) + ".svc.cluster.local",
				}
				list = append(list, aliasTo(key, pick(target)))
			default:
				list = append(list, svc(key, none+", ports: ["+ports()+"]"))
			}
			for part := range r.IntN(3) {
				var endpoints []string
				family := r.IntN(2) * 4
				for range 1 + r.IntN(3) {
					e := poolAddrs[family+r.IntN(4-family/2)]
					if r.IntN(3) > 0 {
						e += " pod=" + pick(poolPods)
					}
					if r.IntN(2) == 0 {
						e += " host=" + pick(poolHosts)
					}
					if r.IntN(4) == 0 {
						e += " unready"
					}
					endpoints = append(endpoints, e)
				}
				list = append(list, eps(key, strconv.Itoa(part), ports(), endpoints...))
			}
		}
	}
	return list
}

// layouts are ways to configure the plugin.
var layouts = map[string]string{
	"no suffix":           "",
	"a namespace":         "suffix m.test a.svc.cluster.local",
	"the root":            "suffix k.test svc.cluster.local",
	"one in another":      "suffix k.test svc.cluster.local\nsuffix a.k.test b.svc.cluster.local\nsuffix web-0.a.k.test s.a.svc.cluster.local",
	"Services":            "suffix s.test s.a.svc.cluster.local\nsuffix t.test t.b.svc.cluster.local\nsuffix m.test a.svc.cluster.local\nnot_ready",
	"own name server":     "suffix m.test a.svc.cluster.local\nnameserver web-0.m.test 192.0.2.1\nnameserver ns.example.org",
	"a server in another": "suffix k.test svc.cluster.local\nsuffix a.k.test b.svc.cluster.local\nnameserver web-0.a.k.test 192.0.2.1",
	"a server at a peer":  "suffix k.test svc.cluster.local\nsuffix m.test a.svc.cluster.local\nnameserver web-0.s.a.k.test 192.0.2.1",
	"shared":              "suffix m.test a.svc.cluster.local\nfallthrough",
	"not ready":           "suffix m.test a.svc.cluster.local\nnot_ready",
	"not ready as guest":  "not_ready",
}

// eachCluster runs f for random clusters in every layout.
func eachCluster(t *testing.T, n uint64, f func(t *testing.T, h *Headless, objects []object.Object)) {
	clusters := make([][]object.Object, n)
	for seed := range n {
		clusters[seed] = objectsOf(t, randomCluster(rand.New(rand.NewPCG(seed, 7)))...)
	}
	for name, options := range layouts {
		t.Run(name, func(t *testing.T) {
			h := openFor(t, "cluster.local 10.0.0.0/8 fd00::/64", options, svc("a/s", none))
			h.upstream.lookup = upstreamOf(nil)
			h.serve(hostAddrs([]string{"192.0.2.53", "2001:db8::53"}), nil)
			for seed, objects := range clusters {
				tr := tree.New()
				tr.IndexAddresses()
				tr.Writer("").Replace(objects, 42)
				h.plant(tr)
				h.serve(hostAddrs([]string{"192.0.2.53", "2001:db8::53"}), hasNames(objects))
				f(t, h, objects)
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

// believed are the addresses at a name, of one family: what h says or, where h leaves it to *kubernetes*, what that
// does.
func believed(h *Headless, objects []object.Object, name string, qtype uint16) (list []string) {
	b := h.Next.(*behind)
	b.asked = 0
	m, _, _ := ask(h, query(name, qtype))
	if b.asked > 0 {
		if list = ofKubernetes(objects, name, qtype); len(list) > 0 {
			return list
		}
	}
	if m == nil {
		return nil
	}
	for _, rr := range m.Answer {
		if rr.Header().Name == name {
			list = append(list, strings.Fields(rr.String())[4])
		}
	}
	return list
}

// hasNames is *kubernetes* with the names of these objects.
type hasNames []object.Object

func (hasNames) SOA(*dns.Msg, string) (minTTL, serial uint32, ok bool) { return 0, 0, false }
func (hasNames) Names(*dns.Msg) []string                               { return nil }

func (k hasNames) Addrs(name string, qtype uint16) (list []netip.Addr) {
	for _, addr := range ofKubernetes(k, name, qtype) {
		list = append(list, netip.MustParseAddr(addr))
	}
	return list
}

// ofKubernetes are the addresses that *kubernetes* has at the name of an endpoint below its Service.
func ofKubernetes(objects []object.Object, name string, qtype uint16) (list []string) {
	labels := dns.SplitDomainName(name)
	if len(labels) != 6 {
		return nil
	}
	for _, o := range objects {
		sl, ok := o.(*object.EndpointSlice)
		if !ok || sl.Key().Namespace != labels[2] || sl.Service != labels[1] {
			continue
		}
		for _, e := range sl.Endpoints {
			host := e.Host
			if host == "" {
				host = strings.NewReplacer(".", "-", ":", "-").Replace(e.Addr.String())
			}
			if e.Ready && host == labels[0] && e.Addr.Is4() == (qtype == dns.TypeA) && !slices.Contains(list, e.Addr.String()) {
				list = append(list, e.Addr.String())
			}
		}
	}
	return list
}

// Every name that a PTR record tells leads to that address and no other; and there is a record wherever there is such
// a name.
func TestEveryPTRLeadsBack(t *testing.T) {
	told := 0
	eachCluster(t, 60, func(t *testing.T, h *Headless, objects []object.Object) {
		for _, addr := range poolAddrs {
			qname, _ := dns.ReverseAddr(addr)
			qtype := map[bool]uint16{true: dns.TypeA, false: dns.TypeAAAA}[strings.Contains(addr, ".")]
			b := h.Next.(*behind)
			b.asked = 0
			m, _, _ := ask(h, query(qname, dns.TypePTR))
			if b.asked == 0 {
				told++
				name := m.Answer[0].(*dns.PTR).Ptr
				if got := believed(h, objects, name, qtype); len(m.Answer) != 1 || !slices.Equal(got, []string{addr}) {
					t.Errorf("%s points to %v, which leads to %v", addr, m.Answer, got)
				}
				continue
			}
			for _, name := range candidates(h, objects, netip.MustParseAddr(addr)) {
				if got := believed(h, objects, name, qtype); slices.Equal(got, []string{addr}) {
					t.Errorf("%s points nowhere, and %s leads there", addr, name)
				}
			}
		}
	})
	if told < 900 {
		t.Errorf("only %d PTR records in all", told)
	}
}

// candidates are the names that an address may point to: of peers of one namespace, in the zones that they are
// answered in.
func candidates(h *Headless, objects []object.Object, addr netip.Addr) (list []string) {
	services := make(map[string]*object.Service)
	for _, o := range objects {
		if s, ok := o.(*object.Service); ok {
			services[s.Key().Namespace+"/"+s.Key().Name] = s
		}
	}
	namespaces := make(map[string]bool)
	for _, o := range objects {
		sl, ok := o.(*object.EndpointSlice)
		if !ok {
			continue
		}
		ns := sl.Key().Namespace
		if s := services[ns+"/"+sl.Service]; s == nil || s.Type != object.Headless {
			continue
		}
		for _, e := range sl.Endpoints {
			for _, label := range []string{e.Host, e.Pod} {
				if e.Addr != addr || label == "" {
					continue
				}
				namespaces[ns] = true
				list = append(list, strings.Join([]string{label, sl.Service, ns, "svc.cluster.local."}, "."))
				list = append(list, strings.Join([]string{label, ns, "svc.cluster.local."}, "."))
				if services[ns+"/"+label] != nil {
					continue // the Service's name
				}
				for _, x := range h.stanzas[0].Suffixes {
					name := ""
					switch to := x.Target; {
					case to.Namespace == "":
						name = label + "." + ns + "." + x.Name
					case to.Namespace == ns && (to.Service == "" || to.Service == sl.Service):
						name = label + "." + x.Name
					}
					if name != "" && suffixOf(h, name).Name == x.Name {
						list = append(list, name)
					}
				}
			}
		}
	}
	if len(namespaces) > 1 {
		return nil
	}
	return list
}

// zoneOf gathers a transfer by owner and type, each record once.
func zoneOf(t *testing.T, h *Headless, zone string) map[string][]string {
	t.Helper()
	ch, err := h.Transfer(zone, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []dns.RR
	for rrs := range ch {
		all = append(all, rrs...)
	}
	first, last := all[0], all[len(all)-1]
	if diff := cmp.Diff(first.String(), last.String()); diff != "" || first.Header().Rrtype != dns.TypeSOA || first.Header().Name != zone {
		t.Errorf("%s begins with %s and ends otherwise: %s", zone, first, diff)
	}
	sets := make(map[string][]string)
	for _, rr := range all[:len(all)-1] {
		key := rr.Header().Name + " " + dns.TypeToString[rr.Header().Rrtype]
		if slices.Contains(sets[key], rr.String()) {
			t.Errorf("%s: %s stands twice", zone, rr)
		}
		sets[key] = append(sets[key], rr.String())
		if !dns.IsSubDomain(zone, rr.Header().Name) {
			t.Errorf("%s: %s lies outside", zone, rr)
		}
	}
	for _, set := range sets {
		slices.Sort(set)
	}
	return sets
}

// set is what h answers at a name with its own records of a type.
func set(h *Headless, name string, qtype uint16) (list []string) {
	m, _, _ := ask(h, query(name, qtype))
	if m == nil {
		return nil
	}
	for _, rr := range m.Answer {
		if rr.Header().Name == name && rr.Header().Rrtype == qtype {
			list = append(list, rr.String())
		}
	}
	slices.Sort(list)
	return list
}

// A secondary answers as this server does: no more and no less.
func TestTransfersSayWhatAnswersSay(t *testing.T) {
	labels := append(slices.Concat(poolSpaces, poolServices, poolPods, poolHosts, []string{"dns-version"}), "10-0-0-2", "10-0-0-3", "10-0-0-4", "fd00--1", "fd00--2")
	slices.Sort(labels)
	labels = slices.Compact(labels)
	eachCluster(t, 3, func(t *testing.T, h *Headless, _ []object.Object) {
		for _, x := range h.stanzas[0].Suffixes {
			if x.Shared {
				continue
			}
			sets := zoneOf(t, h, x.Name)
			names := map[string]bool{x.Name: true}
			at := []string{x.Name}
			for range 3 - depth(x) {
				var below []string
				for _, name := range at {
					for _, l := range labels {
						below = append(below, l+"."+name)
					}
				}
				for _, name := range below {
					names[name] = true
				}
				at = below
				if len(names) > 1000 {
					at = slices.DeleteFunc(at, func(name string) bool { return !slices.Contains(poolSpaces, dns.SplitDomainName(name)[1]) })
				}
			}
			for key, want := range sets {
				name, qtype, _ := strings.Cut(key, " ")
				names[name] = true
				if diff := cmp.Diff(want, set(h, name, dns.StringToType[qtype])); diff != "" {
					t.Errorf("%s (-transferred +answered):\n%s", key, diff)
				}
			}
			for name := range names {
				if suffixOf(h, name).Name != x.Name {
					continue
				}
				for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeCNAME, dns.TypeTXT} {
					if diff := cmp.Diff(sets[name+" "+dns.TypeToString[qtype]], set(h, name, qtype)); diff != "" {
						t.Errorf("%s %s (-transferred +answered):\n%s", name, dns.TypeToString[qtype], diff)
					}
				}
			}
			srv(t, h, x, sets)
		}
	})
}

// srv compares the SRV records of every Service that there can be.
func srv(t *testing.T, h *Headless, x config.Suffix, sets map[string][]string) {
	t.Helper()
	under := []string{x.Name}
	for _, pool := range [][]string{poolSpaces, poolServices}[depth(x):] {
		var next []string
		for _, u := range under {
			for _, l := range pool {
				next = append(next, l+"."+u)
			}
		}
		under = next
	}
	for _, u := range under {
		for _, p := range []string{"_web._tcp.", "_web._udp.", "_sql._tcp.", "_sql._udp."} {
			if diff := cmp.Diff(sets[p+u+" SRV"], set(h, p+u, dns.TypeSRV)); diff != "" {
				if suffixOf(h, p+u).Name == x.Name {
					t.Errorf("%s SRV (-transferred +answered):\n%s", p+u, diff)
				}
			}
		}
	}
}

// suffixOf is the suffix that a name lies in, the zero Suffix where it lies in none.
func suffixOf(h *Headless, name string) config.Suffix {
	for _, o := range h.zones.Origins() { // most labels first
		if !dns.IsSubDomain(o.Name(), name) {
			continue
		}
		for _, s := range h.stanzas {
			for _, x := range s.Suffixes {
				if x.Name == o.Name() {
					return x
				}
			}
		}
		break
	}
	return config.Suffix{}
}

// depth is how many labels the target of a suffix has below the root.
func depth(x config.Suffix) int {
	return len(slices.DeleteFunc([]string{x.Target.Namespace, x.Target.Service}, func(l string) bool { return l == "" }))
}
