package resolvers

import (
	"slices"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/server"
)

// question is one of a resolver, and what its answer holds: types and data, sorted. Of NXDOMAIN and NODATA it is nothing.
type question struct{ name, qtype, status, want string }

const ok, nxdomain = "NOERROR", "NXDOMAIN"

// under are the questions about names that all the suffixes have: first what is above other names or nowhere, then what
// is below.
func under(suffix string) []question {
	list := []question{
		{"web-9.", "A", nxdomain, ""},
		{"a.b.c.", "A", nxdomain, ""},
		{"nginx.", "AAAA", ok, ""},
		{"_tcp.nginx.", "A", ok, ""},
		{"_tcp.nginx.", "SRV", ok, ""},
		{"web-9.nginx.", "A", nxdomain, ""},
		{"_none._tcp.nginx.", "SRV", nxdomain, ""},
		{"web-0.", "AAAA", ok, ""},
		{"web-0.", "SRV", ok, ""},
		{"web-0.", "A", ok, "A 10.77.0.1"},
		{"web-1.nginx.", "AAAA", ok, ""},
		{"web-1.nginx.", "A", ok, "A 10.77.0.2"},
		{"nginx.", "A", ok, "A 10.77.0.1, A 10.77.0.2"},
		{"_web._tcp.nginx.", "SRV", ok, "SRV 0 50 80 web-0.nginx.SUFFIX, SRV 0 50 80 web-1.nginx.SUFFIX"},
		{"api.", "A", ok, "A 10.96.0.7"},
		{"_http._tcp.api.", "SRV", ok, "SRV 0 100 80 api.SUFFIX"},
		{"alias.", "A", ok, "A 10.77.0.1, A 10.77.0.2, CNAME nginx.SUFFIX"},
		{"alias.", "AAAA", ok, "CNAME nginx.SUFFIX"},
		{"files.", "A", ok, "A 192.0.2.2, CNAME www.company.example."},
		{"ns1.", "AAAA", ok, ""},
		{"", "NS", ok, "NS ns1.SUFFIX"},
	}
	for i, q := range list {
		list[i].name, list[i].want = q.name+suffix, strings.ReplaceAll(q.want, "SUFFIX", suffix)
	}
	return list
}

var questions = slices.Concat(under(delegated), under(shared), under(own), []question{
	{delegated, "A", ok, ""},
	{delegated, "DS", ok, ""},
	{shared, "MX", ok, "MX 10 api.company.example."},
	{"nginx." + shared, "MX", ok, "MX 10 www.company.example."},
	{"api." + shared, "MX", ok, ""},
	{"www." + shared, "A", ok, "A 192.0.2.2"},
	{"www." + shared, "AAAA", ok, ""},
})

// Whatever a resolver makes of one answer, it must not hide another name.
func TestResolvers(t *testing.T) {
	root := startServers(t)
	for name, start := range map[string]func(t *testing.T) *server.Server{
		"unbound":          func(t *testing.T) *server.Server { t.Helper(); return unbound(t, root) },
		"named":            func(t *testing.T) *server.Server { t.Helper(); return named(t, root) },
		"dnsmasq":          func(t *testing.T) *server.Server { t.Helper(); return dnsmasq(t, unbound(t, root).Port) },
		"systemd-resolved": func(t *testing.T) *server.Server { t.Helper(); return resolved(t, root, unbound(t, root).Port) },
	} {
		t.Run(name, func(t *testing.T) { resolves(t, start(t), name != "dnsmasq") })
	}
}

// resolves asks each question twice: a resolver has it from the servers first, and then what it kept of that.
func resolves(t *testing.T, r *server.Server, validates bool) {
	t.Helper()
	if m := r.Dig(t, ".", "SOA", "+dnssec"); validates && !slices.Contains(m.Flags, "ad") {
		t.Errorf("the root is not validated:\n%s", m.Text)
	}
	for _, state := range []string{"cold", "warm"} {
		for _, q := range questions {
			m := r.Dig(t, q.name, q.qtype)
			if got := data(m); m.Status != q.status || got != q.want {
				t.Errorf("%s, %s %s: want %s %q, got %q\n%s", state, q.name, q.qtype, q.status, q.want, got, m.Text)
			}
		}
	}
	// A name server's name is asked for by clients and by the resolver itself, which must not wait for itself.
	for name, address := range map[string]string{"ns1." + delegated: "A 127.0.1.2", "ns1." + shared: "A 127.0.1.3", "ns1." + own: "A 127.0.1.4"} {
		for _, m := range r.DigTypes(t, name, slices.Repeat([]string{"A"}, 40)...) {
			if got := data(m); m.Status != ok || got != address {
				t.Fatalf("%s: want %q, got %s %q\n%s", name, address, m.Status, got, m.Text)
			}
		}
	}
}

// data is the answer's types and data. Unbound varies the case of what it asks, and some answers keep it.
func data(r server.Reply) string {
	var list []string
	for _, rr := range r.Answer {
		f := strings.Fields(rr)
		list = append(list, f[3]+" "+strings.ToLower(strings.Join(f[4:], " ")))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
