package test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/server"
)

// bystanders are names that are none of the plugin's business, though some come close.
func bystanders(web string) []string {
	octets := strings.Split(web, ".")
	slices.Reverse(octets)
	return []string{
		"www.example.org", "nowhere.example.org", "example.org",
		"kubernetes.default.svc.cluster.local", "nginx.default.svc.cluster.local", "ws.default.svc.cluster.local",
		"etcd-k8s.default.svc.cluster.local", "solo.default.svc.cluster.local", "api.default.svc.cluster.local",
		"web-0.nginx.default.svc.cluster.local", "WEB-0.Nginx.default.svc.Cluster.local", "solo.solo.default.svc.cluster.local",
		"10-151-30-57.etcd-k8s.default.svc.cluster.local", "dual-0.dual.default.svc.cluster.local",
		"web-7.default.svc.cluster.local", "web-7.nginx.default.svc.cluster.local", "web-0.kubernetes.default.svc.cluster.local",
		"web-0.other.svc.cluster.local", "web-0.nowhere.svc.cluster.local", "web-0.svc.cluster.local", "web-0.cluster.local",
		"www.example.org.default.svc.cluster.local", "example.org.default.svc.cluster.local",
		"cluster.local", "svc.cluster.local", "default.svc.cluster.local", "nowhere.svc.cluster.local", "pod.cluster.local",
		"10-1-2-3.default.pod.cluster.local", "dns-version.cluster.local", "ns.dns.cluster.local",
		"_web._tcp.nginx.default.svc.cluster.local", "_tcp.nginx.default.svc.cluster.local", "a.b.c.d.default.svc.cluster.local",
		strings.Join(octets, ".") + ".in-addr.arpa", "1.0.96.10.in-addr.arpa", "8.5.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "1.1.1.1.in-addr.arpa",
		".", "local",
	}
}

// Queries that are not the plugin's are answered as by the same CoreDNS without it: rcode, flags and RRsets.
func TestBystander(t *testing.T) {
	plain := server.New(t)
	plain.Start(t, corefile(cluster.Kubeconfig, server.Stub(t), ""))
	with := start(t, suffix, "not_ready")
	plain.WaitReady(t)
	types := []string{"A", "AAAA", "SRV", "TXT", "NS", "SOA", "PTR", "MX", "CNAME", "ANY", "HTTPS", "CAA"}
	for _, name := range bystanders(addresses(t, "default", "nginx")["web-0"]) {
		sameTypes(t, plain, with, name, types...)
	}
	for _, args := range [][]string{
		{"version.bind", "CH", "TXT"},
		{"web-0.default.svc.cluster.local", "CH", "A"},
		{"cluster.local", "AXFR", "+tcp"},
		{"web-0.default.svc.cluster.local", "+opcode=notify"},
		{"web-0.default.svc.cluster.local", "+opcode=status"},
		{"www.example.org", "+tcp"},
		{"www.example.org", "+noedns"},
		{"www.example.org", "+dnssec", "+cd"},
	} {
		same(t, plain, with, args...)
	}
}

// Under a shared suffix the company's own names are the company's.
func TestBystandersOfASharedSuffix(t *testing.T) {
	plain := server.New(t)
	plain.Start(t, corefile(cluster.Kubeconfig, server.Stub(t), ""))
	with := start(t, "suffix company.test default.svc.cluster.local", "fallthrough")
	plain.WaitReady(t)
	for _, name := range []string{"company.test", "www.company.test", "ns.company.test", "web-9.company.test", "nowhere.company.test", "x.y.company.test"} {
		sameTypes(t, plain, with, name, "A", "AAAA", "TXT", "NS", "SOA", "MX")
	}
	want(t, with, "web-1.company.test", addresses(t, "default", "nginx")["web-1"])
	wantStatus(t, with, "NOERROR", "web-1.company.test", "AAAA")
}

// sameTypes asks both for several types of a name, twice, since *cache* answers the second time, and compares.
func sameTypes(t *testing.T, plain, with *server.Server, name string, types ...string) {
	t.Helper()
	for range 2 {
		without, now := plain.DigTypes(t, name, types...), with.DigTypes(t, name, types...)
		for i, typ := range types {
			compare(t, name+" "+typ, without[i], now[i])
		}
	}
}

func same(t *testing.T, plain, with *server.Server, args ...string) {
	t.Helper()
	compare(t, strings.Join(args, " "), plain.Dig(t, args...), with.Dig(t, args...))
}

func compare(t *testing.T, what string, without, with server.Reply) {
	t.Helper()
	if a, b := shape(without), shape(with); a != b {
		t.Errorf("dig %s: with the plugin\n%s\nwithout\n%s", what, b, a)
	}
}

// shape is what must not differ. TTLs of forwarded names count down in the cache.
func shape(r server.Reply) string {
	var b strings.Builder
	fmt.Fprintln(&b, r.Status, r.Flags)
	for _, section := range [][]string{r.Answer, r.Authority, r.Additional} {
		for _, rr := range section {
			f := strings.Fields(rr)
			if !strings.HasSuffix(strings.ToLower(f[0]), "cluster.local.") {
				f[1] = "TTL"
			}
			fmt.Fprintln(&b, strings.Join(f, " "))
		}
		fmt.Fprintln(&b, "--")
	}
	return b.String()
}
