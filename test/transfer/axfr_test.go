package transfer

import (
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/server"
)

func TestTransfer(t *testing.T) {
	s := start(t, settings{})
	t.Run("holds what queries bring", func(t *testing.T) { holdsWhatQueriesBring(t, s) })
	t.Run("holds every kind of record", func(t *testing.T) { holdsEveryKindOfRecord(t, s) })
	t.Run("passes Knot's checks", func(t *testing.T) { passesKnotsChecks(t, s) })
	t.Run("as IXFR", func(t *testing.T) { asIXFR(t, s) })
	t.Run("as IXFR after a change", func(t *testing.T) { asIXFRAfterAChange(t, s) })
	t.Run("of what lies elsewhere", func(t *testing.T) { ofWhatLiesElsewhere(t, s) })
}

// A transfer holds what queries bring, all of it and nothing else: each is checked against the other, over all names that the
// API's objects could give rise to.
func holdsWhatQueriesBring(t *testing.T, s *server.Server) {
	for _, z := range []struct{ apex, namespace string }{{mgmt, "default"}, {root, ""}, {changing, "changing"}} {
		t.Run(z.apex, func(t *testing.T) {
			sameAsQueries(t, address(s), z.apex, names(t, z.apex, z.namespace))
		})
	}
	t.Run(service, func(t *testing.T) {
		// The Service's own label is the apex here.
		var list []string
		for _, name := range names(t, "default.", "default") {
			if below, ok := strings.CutSuffix(name, "nginx.default."); ok {
				list = append(list, below+service)
			}
		}
		sameAsQueries(t, address(s), service, append(list, "ns.dns."+service))
	})
}

func sameAsQueries(t *testing.T, address, apex string, names []string) {
	t.Helper()
	z := mustAXFR(t, address, apex)
	expected := answers(t, address, append(names, z.rrsets.owners()...))
	for k, set := range expected {
		set = slices.Compact(set) // names that stand in both lists are asked twice
		if !slices.Equal(set, z.rrsets[k]) {
			t.Errorf("%s: the transfer has %q, a query brings %q", k, z.rrsets[k], set)
		}
	}
	for k, set := range z.rrsets {
		if expected[k] == nil {
			t.Errorf("%s: the transfer has %q, a query brings nothing", k, set)
		}
	}
	if t.Failed() {
		t.Logf("the transfer:\n%s", z.rrsets)
	}
}

// Records whose presence and data other tests take for granted.
func holdsEveryKindOfRecord(t *testing.T, s *server.Server) {
	web, err := cluster.ReadyAddresses(t.Context(), "default", "nginx")
	if err != nil {
		t.Fatal(err)
	}
	ws, err := cluster.ReadyAddresses(t.Context(), "default", "ws")
	if err != nil {
		t.Fatal(err)
	}
	has(t, mustAXFR(t, address(s), mgmt), map[string][]string{
		mgmt + " NS":                         {"ns.dns." + mgmt},
		"ns.dns." + mgmt + " A":              {"127.0.0.1"},
		"nginx." + mgmt + " A":               {web["web-0"], web["web-1"]},
		"web-1." + mgmt + " A":               {web["web-1"]},
		"web-1.nginx." + mgmt + " A":         {web["web-1"]},
		"_admin._tcp.nginx." + mgmt + " SRV": {"0 50 8080 web-0.nginx." + mgmt, "0 50 8080 web-1.nginx." + mgmt},
		"dual-0." + mgmt + " AAAA":           {"2001:db8::58"},
		"10-151-30-59.dual." + mgmt + " A":   {"10.151.30.59"},
		"outside." + mgmt + " CNAME":         {"www.example.org."},
		"inside." + mgmt + " CNAME":          {"nginx." + mgmt},
		"gone." + mgmt + " CNAME":            {"nowhere." + mgmt},
		"idle." + mgmt + " A":                nil,
		"address." + mgmt + " A":             nil,
		"late-0." + mgmt + " A":              nil,
		"ready-0." + mgmt + " A":             {"10.151.30.60"},
		"_dns._udp.api." + mgmt + " SRV":     {"0 100 53 api." + mgmt},
	})
	for pod, addr := range ws {
		has(t, mustAXFR(t, address(s), mgmt), map[string][]string{pod + "." + mgmt + " A": {addr}, pod + ".ws." + mgmt + " A": {addr}})
	}
	has(t, mustAXFR(t, address(s), root), map[string][]string{
		root + " NS":                                      {"ns.dns." + root},
		"dns-version." + root + " TXT":                    {`"1.1.0"`},
		"rabbit-0.other." + root + " A":                   {"10.151.31.1"},
		"elsewhere.default." + root + " CNAME":            {"queue.other." + root},
		"_queue._tcp.queue.other." + root + " SRV":        {"0 100 5672 rabbit-0.queue.other." + root},
		"_web._tcp.nginx.default." + root + " SRV":        {"0 50 80 web-0.nginx.default." + root, "0 50 80 web-1.nginx.default." + root},
		"_https._tcp.kubernetes.default." + root + " SRV": {"0 100 443 kubernetes.default." + root},
	})
	has(t, mustAXFR(t, address(s), service), map[string][]string{
		service + " A":                  {web["web-0"], web["web-1"]},
		"web-0." + service + " A":       {web["web-0"]},
		"_web._tcp." + service + " SRV": {"0 50 80 web-0." + service, "0 50 80 web-1." + service},
	})
}

// Name servers that the Corefile names: their addresses are in the zone that they lie in, and in no other. What `not_ready` lets
// queries find is there, too.
func TestTransferWithOptions(t *testing.T) {
	s := start(t, settings{options: append([]string{
		"nameserver ns1." + mgmt + " 192.0.2.1 2001:db8::1",
		"nameserver ns.example.net",
		"not_ready",
	}, suffixes...)})
	ns := []string{"ns1." + mgmt, "ns.example.net."}
	z := mustAXFR(t, address(s), mgmt)
	has(t, z, map[string][]string{
		mgmt + " NS": ns, "ns1." + mgmt + " A": {"192.0.2.1"}, "ns1." + mgmt + " AAAA": {"2001:db8::1"},
		"ns.dns." + mgmt + " A": {"10.151.30.63"}, // the peer, as the name is free
		"late-0." + mgmt + " A": {"10.151.30.61"}, "starting." + mgmt + " A": {"10.151.30.60", "10.151.30.62"},
	})
	if z.soa.Ns != ns[0] {
		t.Errorf("MNAME %s, want %s", z.soa.Ns, ns[0])
	}
	sameAsQueries(t, address(s), mgmt, append(names(t, mgmt, "default"), ns[0]))
	has(t, mustAXFR(t, address(s), root), map[string][]string{root + " NS": ns, "ns.dns." + root + " A": nil})
	sameAsQueries(t, address(s), service, []string{service, "ns.dns." + service, "dns." + service})
}

// A suffix inside another is a zone of its own, which the outer one delegates to it.
func TestTransferOfNestedSuffixes(t *testing.T) {
	const inner = "other." + root // hides the namespace of that name
	s := start(t, settings{options: append([]string{"suffix " + inner + " default.svc.cluster.local"}, suffixes...)})
	outer, nested := mustAXFR(t, address(s), root), mustAXFR(t, address(s), inner)
	for k, set := range outer.rrsets {
		delegation := k == key{inner, dns.TypeNS} || k == key{"ns.dns." + inner, dns.TypeA}
		if dns.IsSubDomain(inner, k.owner) && !delegation {
			t.Errorf("%s has %q, which queries find in %s", root, set, inner)
		}
	}
	for _, k := range []key{{inner, dns.TypeNS}, {"ns.dns." + inner, dns.TypeA}} {
		if !slices.Equal(outer.rrsets[k], nested.rrsets[k]) {
			t.Errorf("%s: %s delegates with %q, %s has %q", k, root, outer.rrsets[k], inner, nested.rrsets[k])
		}
	}
	has(t, nested, map[string][]string{"dual-0." + inner + " A": {"10.151.30.58"}, "rabbit-0." + inner + " A": nil})
}

// has checks the data of RRsets, each named by owner and type.
func has(t *testing.T, z *zone, sets map[string][]string) {
	t.Helper()
	for what, data := range sets {
		owner, typ, _ := strings.Cut(what, " ")
		var got []string
		for _, rr := range z.rrsets[key{owner, dns.StringToType[typ]}] {
			got = append(got, strings.SplitN(rr, " ", 5)[4])
		}
		slices.Sort(got)
		if data = slices.Sorted(slices.Values(data)); !slices.Equal(got, data) {
			t.Errorf("%s: the transfer of %s has %q, want %q", what, z.apex, got, data)
		}
	}
}
