package test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/server"
)

// bystanders are names that are none of the plugin's business, though some come close. Their types are asked for at
// once.
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
		"web-0.other.svc.cluster.local", "web-0.nowhere.svc.cluster.local", "web-1.svc.cluster.local", "web-0.cluster.local",
		"www.example.org.default.svc.cluster.local", "example.org.default.svc.cluster.local",
		"cluster.local", "svc.cluster.local", "default.svc.cluster.local", "nowhere.svc.cluster.local", "pod.cluster.local",
		"10-1-2-3.default.pod.cluster.local", "dns-version.cluster.local", "ns.dns.cluster.local",
		"_web._tcp.nginx.default.svc.cluster.local", "_tcp.nginx.default.svc.cluster.local", "a.b.c.d.default.svc.cluster.local",
		strings.Join(octets, ".") + ".in-addr.arpa", "1.0.96.10.in-addr.arpa", "8.5.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "1.1.1.1.in-addr.arpa",
		".", "local", longest("default.svc.cluster.local."), longest("nginx.default.svc.cluster.local."),
		`web-0\000.default.svc.cluster.local`, `web-0\..default.svc.cluster.local`, `\255.default.svc.cluster.local`,
		`web-0\.nginx.default.svc.cluster.local`, "*.default.svc.cluster.local", "*.nginx.default.svc.cluster.local",
		"x.web-0.default.svc.cluster.local", "_tcp.web-0.default.svc.cluster.local",
	}
}

// longest is a name of 255 octets that ends in domain.
func longest(domain string) string {
	const most = 254 // without the root's octet; a label of n characters takes n+1
	left := most - len(domain)
	full := strings.Repeat(strings.Repeat("a", 63)+".", left/64)
	if rest := left % 64; rest > 1 {
		return full + strings.Repeat("b", rest-1) + "." + domain
	}
	return full + domain
}

// Queries that are not the plugin's are answered as by the same CoreDNS without it: rcode, flags and RRsets. Under a
// shared suffix the company's own names are the company's.
func TestBystanders(t *testing.T) {
	t.Parallel()
	plain := startCorefile(t, corefile(cluster.Kubeconfig, server.Stub(t), ""))
	with := start(t, suffix, "suffix company.test default.svc.cluster.local", "fallthrough company.test", "not_ready")
	for _, name := range bystanders(addresses(t, "default", "nginx")["web-0"]) {
		sameTypes(t, plain, with, name, "A", "AAAA", "SRV", "TXT", "NS", "SOA", "PTR", "MX", "CNAME", "ANY", "HTTPS", "CAA")
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
		compare(t, strings.Join(args, " "), plain.Dig(t, args...), with.Dig(t, args...))
	}
	for _, label := range []string{"", "www.", "ns.", "web-9.", "nowhere.", "x.y."} {
		sameTypes(t, plain, with, label+"company.test", "A", "AAAA", "TXT", "NS", "SOA", "MX")
	}
	want(t, with, "web-1.company.test", addresses(t, "default", "nginx")["web-1"])
	wantStatus(t, with, "NOERROR", "web-1.company.test", "AAAA")
	malformed(t, plain, with)
}

// malformed sends what only programs that are wrong send: no question, and two.
func malformed(t *testing.T, plain, with *server.Server) {
	t.Helper()
	for _, questions := range []int{0, 2} {
		q := new(dns.Msg).SetQuestion("web-0.default.svc.cluster.local.", dns.TypeA)
		q.Question = slices.Repeat(q.Question, questions)
		if a, b := exchange(t, plain, "udp", q), exchange(t, with, "udp", q); a.String() != b.String() {
			t.Errorf("with the plugin\n%s\nwithout\n%s", b, a)
		}
	}
}

// While the plugin has never reached an API server, CoreDNS becomes ready, but not before startup_timeout, cluster
// names are as without the plugin, and suffixes say SERVFAIL. When somebody listens at last, names answer, without a
// restart.
func TestBrokenUnreachable(t *testing.T) {
	t.Parallel()
	const timeout = time.Second
	config, err := cluster.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	address, kubeconfig := "127.0.0.1:"+server.Free(t), filepath.Join(t.TempDir(), "kubeconfig")
	if err := cluster.WriteKubeconfig(kubeconfig, address, config.BearerToken); err != nil {
		t.Fatal(err)
	}
	stub := server.Stub(t)
	plain := startCorefile(t, corefile(cluster.Kubeconfig, stub, ""))
	begun := time.Now()
	s := startCorefile(t, corefile(cluster.Kubeconfig, stub, stanza(kubeconfig, suffix,
		"suffix company.test default.svc.cluster.local", "fallthrough company.test", "startup_timeout "+timeout.String())))
	if d := time.Since(begun); d < timeout {
		t.Errorf("ready after %s, before the first sync and before startup_timeout %s", d, timeout)
	}
	for _, name := range append(bystanders("10.244.0.1"), "web-1.default.svc.cluster.local") {
		sameTypes(t, plain, s, name, "A", "AAAA", "SRV", "TXT")
	}
	sameTypes(t, plain, s, "www.company.test", "A") // it exists, whatever the cluster has
	for _, name := range []string{"web-1.mgmt.pix.yun.com", "mgmt.pix.yun.com", "no.mgmt.pix.yun.com", "web-1.company.test"} {
		if r := s.Dig(t, name); r.Status != "SERVFAIL" {
			t.Errorf("%s before the first sync:\n%s", name, r.Text)
		}
	}
	if m := s.Metrics(t); !strings.Contains(m, `coredns_headless_synced{source="kubeconfig `+kubeconfig+`"} 0`) {
		t.Error("metrics do not say unsynced")
	}
	wantLog(t, s, "services: ", "connection refused", "starting before the first sync")
	relay(t, address, cluster.Address)
	addr := addresses(t, "default", "nginx")["web-1"]
	s.Shows(t, time.Minute, "web-1.mgmt.pix.yun.com", addr)
	want(t, s, "web-1.default.svc.cluster.local", addr)
	wantLog(t, s, "synced after")
}

// relay listens at one address and passes connections on to another.
func relay(t *testing.T, from, to string) {
	t.Helper()
	l, err := net.Listen("tcp", from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			a, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			b, err := net.Dial("tcp", to)
			if err != nil {
				a.Close()
				continue
			}
			go pipe(a, b)
			go pipe(b, a)
		}
	}()
}

// pipe copies until either side closes, and closes both.
func pipe(a, b net.Conn) {
	_, _ = io.Copy(a, b) // ends with the connection, however that ends
	a.Close()
	b.Close()
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
