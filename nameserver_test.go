package headless

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// named has a Service and a peer where the name server's name is, and a Service at a suffix's apex.
var named = []string{
	svc("default/dns", none), eps("default/dns", "v4", web, "10.244.0.1 host=ns pod=ns", "10.244.0.2 host=other pod=other"),
	svc("default/nginx", none), eps("default/nginx", "v4", web, "10.244.0.10 host=web-0 pod=web-0"),
	svc("default/ns1", "clusterIP: 10.96.0.53"),
	svc("dns/ns", "clusterIP: 10.96.0.54"),
}

func TestDefaultNameServerIsTheListener(t *testing.T) {
	h := openFor(t, "cluster.local", "suffix m.test default.svc.cluster.local\nsuffix k.test svc.cluster.local\nsuffix nginx.test nginx.default.svc.cluster.local\n"+
		"suffix s.test default.svc.cluster.local\nfallthrough s.test", named...)
	h.serve(hostAddrs([]string{"192.0.2.1", "2001:db8::1"}), nil)
	const glue = "\nadditional:\n> $ A 192.0.2.1\n> $ AAAA 2001:db8::1"
	checkAll(t, h, []row{
		{"NS", "m.test.", dns.TypeNS, "@ $ NS ns.dns.m.test." + glue},
		{"NS for a 0x20 client", "M.tesT.", dns.TypeNS, "@ $ NS ns.dns.M.tesT." + glue},
		{"NS, grafted on a Service", "nginx.test.", dns.TypeNS, "@ $ NS ns.dns.nginx.test." + glue},
		{"NS, grafted on the root", "k.test.", dns.TypeNS, "@ $ NS ns.dns.k.test." + glue},
		{"SOA", "M.test.", dns.TypeSOA, "SOA M.test."},
		{"ANY", "m.test.", dns.TypeANY, "SOA m.test."},
		{"A", "ns.dns.m.test.", dns.TypeA, "@ $ A 192.0.2.1"},
		{"A for a 0x20 client", "NS.dns.m.TEST.", dns.TypeA, "@ $ A 192.0.2.1"},
		{"AAAA", "ns.dns.m.test.", dns.TypeAAAA, "@ $ AAAA 2001:db8::1"},
		{"ANY of it", "ns.dns.m.test.", dns.TypeANY, "@ $ A 192.0.2.1\n@ $ AAAA 2001:db8::1"},
		{"another type", "ns.dns.m.test.", dns.TypeTXT, noData("m.test.")},
		{"NS below the apex", "ns.dns.m.test.", dns.TypeNS, noData("m.test.")},
		{"below it", "x.ns.dns.m.test.", dns.TypeA, nxDomain("m.test.")},
		{"a Service above it", "dns.m.test.", dns.TypeA, "@ $ A 10.244.0.1\n@ $ A 10.244.0.2"},
		{"a peer beside it", "other.dns.m.test.", dns.TypeA, "@ $ A 10.244.0.2"},
		{"the peer that it hides, by its short name", "ns.m.test.", dns.TypeA, "@ $ A 10.244.0.1"},
		{"nothing above it: an empty non-terminal", "dns.nginx.test.", dns.TypeA, noData("nginx.test.")},
		{"nothing above it, any type", "dns.nginx.test.", dns.TypeNS, noData("nginx.test.")},
		{"a namespace above it", "dns.k.test.", dns.TypeA, noData("k.test.")},
		{"a Service that it hides", "ns.dns.k.test.", dns.TypeA, "@ $ A 192.0.2.1"},
		{"the version of a whole cluster", "dns-version.k.test.", dns.TypeTXT, `@ $ TXT "1.1.0"`},
		{"the version, ANY", "dns-version.k.test.", dns.TypeANY, `@ $ TXT "1.1.0"`},
		{"the version for a 0x20 client", "DNS-Version.K.test.", dns.TypeTXT, `@ $ TXT "1.1.0"`},
		{"the version, A", "dns-version.k.test.", dns.TypeA, noData("k.test.")},
		{"below the version", "x.dns-version.k.test.", dns.TypeTXT, nxDomain("k.test.")},
		{"a namespace has no version", "dns-version.m.test.", dns.TypeTXT, nxDomain("m.test.")},
		{"a shared suffix has none", "s.test.", dns.TypeNS, "next"},
		{"nor its name", "ns.dns.s.test.", dns.TypeA, "@ $ A 10.244.0.1"},
	})
	h.serve(hostAddrs([]string{"127.0.0.1"}), nil)
	checkAll(t, h, []row{
		{"loopback where nothing else is", "m.test.", dns.TypeNS, "@ $ NS ns.dns.m.test.\nadditional:\n> $ A 127.0.0.1"},
		{"a family that it lacks", "ns.dns.m.test.", dns.TypeAAAA, noData("m.test.")},
	})
	unsync(h)
	checkAll(t, h, []row{
		{"NS before the first sync", "m.test.", dns.TypeNS, "SERVFAIL"},
		{"A before the first sync", "ns.dns.m.test.", dns.TypeA, "SERVFAIL"},
		{"the version before the first sync", "dns-version.k.test.", dns.TypeTXT, "SERVFAIL"},
	})
}

func TestVersionBesideANamespaceOfItsName(t *testing.T) {
	h := openFor(t, "cluster.local", "suffix k.test svc.cluster.local", svc("dns-version/nginx", "clusterIP: 10.96.0.1"))
	checkAll(t, h, []row{
		{"TXT", "dns-version.k.test.", dns.TypeTXT, `@ $ TXT "1.1.0"`},
		{"A", "dns-version.k.test.", dns.TypeA, noData("k.test.")},
		{"a Service", "nginx.dns-version.k.test.", dns.TypeA, "@ $ A 10.96.0.1"},
	})
}

func TestNameServersOfTheCorefile(t *testing.T) {
	h := openFor(t, "cluster.local", `suffix m.test default.svc.cluster.local
		suffix nginx.test nginx.default.svc.cluster.local
		suffix deep.m.test nginx.default.svc.cluster.local
		suffix apex.test default.svc.cluster.local
		nameserver NS1.M.test 192.0.2.1 2001:db8::1 192.0.2.2
		nameserver ns.example.org
		nameserver apex.test 192.0.2.3
		nameserver a.b.deep.m.test 192.0.2.4`, named...)
	h.serve(hostAddrs([]string{"198.51.100.1"}), nil)
	soa := func(zone, ns string) string { return strings.Replace(soa(h, zone), "ns.dns."+zone, ns, 1) }
	const apex = "@ $ NS ns1.m.test.\n@ $ NS ns.example.org.\n@ $ NS apex.test.\n@ $ NS a.b.deep.m.test."
	checkAll(t, h, []row{
		{"NS", "m.test.", dns.TypeNS, apex + `
			additional:
			ns1.m.test. $ A 192.0.2.1
			ns1.m.test. $ AAAA 2001:db8::1
			ns1.m.test. $ A 192.0.2.2
			a.b.deep.m.test. $ A 192.0.2.4`},
		{"NS of another suffix", "apex.test.", dns.TypeNS, apex + "\nadditional:\napex.test. $ A 192.0.2.3"},
		{"NS of a suffix below", "deep.m.test.", dns.TypeNS, apex + "\nadditional:\na.b.deep.m.test. $ A 192.0.2.4"},
		{"the first is the primary", "m.test.", dns.TypeSOA, soa("m.test.", "ns1.m.test.")},
		{"of each suffix", "nginx.test.", dns.TypeSOA, soa("nginx.test.", "ns1.m.test.")},
		{"NODATA has that SOA", "m.test.", dns.TypeA, "authority:\n" + soa("m.test.", "ns1.m.test.")},
		{"it hides a Service", "ns1.m.test.", dns.TypeA, "@ $ A 192.0.2.1\n@ $ A 192.0.2.2"},
		{"an IPv6 address", "ns1.m.test.", dns.TypeAAAA, "@ $ AAAA 2001:db8::1"},
		{"at an apex", "apex.test.", dns.TypeA, "@ $ A 192.0.2.3"},
		{"at an apex, another family", "apex.test.", dns.TypeAAAA, "authority:\n" + soa("apex.test.", "ns1.m.test.")},
		{"the one of a suffix below", "a.b.deep.m.test.", dns.TypeA, "@ $ A 192.0.2.4"},
		{"an empty non-terminal above it", "b.deep.m.test.", dns.TypeA, "authority:\n" + soa("deep.m.test.", "ns1.m.test.")},
		{"no default", "ns.dns.m.test.", dns.TypeA, "@ $ A 10.244.0.1"},
		{"no default elsewhere", "ns.dns.nginx.test.", dns.TypeA, "NXDOMAIN\nauthority:\n" + soa("nginx.test.", "ns1.m.test.")},
	})
	r := query("M.Test.", dns.TypeSOA)
	answers(t, h, r, authoritative(r, dns.RcodeSuccess, records(soa("M.Test.", "ns1.M.Test.")), nil)) // RFC 4343: as the query spells it
}

// Resolvers keep NS records, SOA records and glue for as long as those of other zones. Addresses of the listener change
// when CoreDNS starts elsewhere.
func TestApexHasATTLOfItsOwn(t *testing.T) {
	const target = " default.svc.cluster.local\n"
	h := openFor(t, "cluster.local", "suffix m.test"+target+"suffix deep.m.test"+target+"nameserver ns.m.test 192.0.2.1\nnameserver ns.deep.m.test 192.0.2.2", named...)
	own := openFor(t, "cluster.local", "suffix m.test"+target, named...)
	for _, h := range []*Headless{h, own} {
		h.stanzas[0].ApexTTL = 3600
		h.serve(hostAddrs([]string{"192.0.2.9"}), nil)
	}
	ttls := func(h *Headless, qname string, qtype uint16) string {
		m, _, _ := ask(h, query(qname, qtype))
		var list []string
		for _, rr := range slices.Concat(m.Answer, m.Ns, m.Extra) {
			list = append(list, dns.TypeToString[rr.Header().Rrtype]+" "+strconv.Itoa(int(rr.Header().Ttl)))
		}
		return strings.Join(list, ", ")
	}
	for _, tt := range []struct {
		name string
		got  string
		want string
	}{
		{"NS", ttls(h, "m.test.", dns.TypeNS), "NS 3600, NS 3600, A 3600, A 3600"},
		{"SOA", ttls(h, "m.test.", dns.TypeSOA), "SOA 3600"},
		{"a name server", ttls(h, "ns.m.test.", dns.TypeA), "A 3600"},
		{"a negative reply", ttls(h, "ns.m.test.", dns.TypeAAAA), "SOA 7"},
		{"a peer", ttls(h, "other.m.test.", dns.TypeA), "A 7"},
		{"NS of the listener", ttls(own, "m.test.", dns.TypeNS), "NS 3600, A 7"},
		{"the listener", ttls(own, "ns.dns.m.test.", dns.TypeA), "A 7"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, tt.got, tt.want)
		}
	}
	first, _, lines := sent(t, h, "m.test.", 0)
	long := 0
	for _, line := range lines {
		if strings.Contains(line, " 3600 IN ") {
			long++
		}
	}
	if first.Hdr.Ttl != 3600 || first.Minttl != 7 || long != 6 { // two NS and an address for each of the two zones
		t.Errorf("transferred: %s, and %d records of 3600 s:\n%s", first, long, strings.Join(lines, "\n"))
	}
}

func TestHostsThatTheServerListensOn(t *testing.T) {
	all := interfaceAddrs()
	slices.SortFunc(all, netip.Addr.Compare)
	all = slices.Compact(all)
	v4 := slices.DeleteFunc(slices.Clone(all), netip.Addr.Is6)
	addrs := func(list ...string) (out []netip.Addr) {
		for _, s := range list {
			out = append(out, netip.MustParseAddr(s))
		}
		return out
	}
	for _, tt := range []struct {
		name  string
		hosts []string
		want  []netip.Addr
	}{
		{name: "explicit", hosts: []string{"192.0.2.7"}, want: addrs("192.0.2.7")},
		{name: "in order, each once", hosts: []string{"2001:db8::1", "192.0.2.7", "192.0.2.6", "192.0.2.7"}, want: addrs("192.0.2.6", "192.0.2.7", "2001:db8::1")},
		{name: "loopback", hosts: []string{"127.0.0.1", "::1"}, want: addrs("127.0.0.1", "::1")},
		{name: "with a zone", hosts: []string{"fe80::1%eth0"}, want: addrs("fe80::1")},
		{name: "IPv4 mapped into IPv6", hosts: []string{"::ffff:192.0.2.7"}, want: addrs("192.0.2.7")},
		{name: "none given", hosts: []string{""}, want: all},
		{name: "nothing at all", want: all},
		{name: "every address", hosts: []string{"::"}, want: all},
		{name: "every IPv4 address", hosts: []string{"0.0.0.0"}, want: v4},
		{name: "one of them twice", hosts: []string{"0.0.0.0", "::"}, want: all},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "every IPv4 address" && len(v4) == 0 {
				tt.want = all // better than none
			}
			if diff := cmp.Diff(tt.want, hostAddrs(tt.hosts), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, a := range all {
		if a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified() || a.Is4In6() {
			t.Errorf("%v is of no use to others", a)
		}
	}
}

func TestServerTellsTheAddressThatItIsBoundTo(t *testing.T) {
	i := run(t, block(".", "headless cluster.local {\nmanifests "+manifest(t, cluster)+"\nsuffix a.test default.svc.cluster.local\n}\nkubernetes"))
	defer stop(t, i)
	if m := exchange(t, i, "ns.dns.a.test.", dns.TypeA); len(m.Answer) != 1 || m.Answer[0].String() != "ns.dns.a.test.\t5\tIN\tA\t"+home {
		t.Errorf("got %s", m)
	}
}
