package test

import (
	"net"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/server"
)

// requests are what the plugin, in any CoreDNS, has asked of the API server so far.
func requests(t *testing.T) []controlplane.Request {
	t.Helper()
	list, err := cluster.Requests("headless/")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// The watch survives a reload of the Corefile: no new list, no gap, and what reads the tree changes at once. A Corefile that is
// wrong, or fails late, changes nothing.
func TestReloadKeepsTheWatch(t *testing.T) {
	server.Need(t, "dig", "bind9-dnsutils")
	s := server.New(t)
	text := func(options ...string) string {
		return ".:PORT {\n bind 127.0.0.1\n ready READY\n prometheus METRICS\n" + stanza(cluster.Kubeconfig, options...) + "}\n"
	}
	none := len(requests(t))
	s.Start(t, text("suffix first.test default.svc.cluster.local"))
	s.WaitReady(t)
	addr := addresses(t, "default", "nginx")["web-1"]
	want(t, s, "web-1.first.test", addr)
	before := len(requests(t))
	if before-none != 3 {
		t.Errorf("want a request for Services and two for slices, got %v", requests(t)[none:])
	}

	reload := func(corefile, outcome string) {
		t.Helper()
		s.Reload(t, corefile, outcome)
		want(t, s, "web-1.default.svc.cluster.local", addr)
	}
	reload(text("suffix second.test default.svc.cluster.local", "ttl 9"), server.Reloaded)
	want(t, s, "web-1.second.test", addr)
	if r := s.Dig(t, "web-1.second.test"); len(r.Answer) != 1 || !strings.Contains(r.Answer[0], " 9 IN A ") {
		t.Errorf("ttl 9 does not show:\n%s", r.Text)
	}
	if r := s.Dig(t, "web-1.first.test"); len(r.Answer) > 0 {
		t.Errorf("a suffix that is gone answers:\n%s", r.Text)
	}
	reload(text("ttl 9000"), server.Refused)
	// The second server cannot listen where somebody else does, which shows after all plugins have started.
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	late := ".:" + port + " {\n bind 127.0.0.1\n whoami\n}\n"
	reload(text("suffix third.test default.svc.cluster.local")+late, server.Refused)
	reload(text("namespaces default")+late, server.Refused) // a watch of its own, which must end
	want(t, s, "web-1.second.test", addr)
	reload(text("suffix second.test default.svc.cluster.local"), server.Reloaded)
	for _, r := range requests(t)[before:] {
		if !strings.Contains(r.RequestURI, "/namespaces/default/") {
			t.Errorf("a reload with the same client settings asked for %s %s", r.Verb, r.RequestURI)
		}
	}
	if m := s.Metrics(t); strings.Count(m, "coredns_headless_synced{") != 1 {
		t.Errorf("not one watch is left:\n%s", m)
	}
}
