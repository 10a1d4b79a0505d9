package transfer

import (
	"net"
	"slices"
	"testing"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/server"
)

// A CoreDNS that starts anew has no older serial than the one before it, else secondaries would wait.
func TestSerialAfterARestart(t *testing.T) {
	before := start(t, settings{})
	state := 0
	for range 30 {
		state = change(t, 2)
	}
	poll(t, patience, func() error { return shows(address(before), changing, state, 2) })
	after := start(t, settings{})
	for _, apex := range []string{mgmt, root, service, changing} {
		old, now := mustAXFR(t, address(before), apex), mustAXFR(t, address(after), apex)
		if newer(old.soa.Serial, now.soa.Serial) {
			t.Errorf("%s: serial %d after a restart, %d before", apex, now.soa.Serial, old.soa.Serial)
		}
		delete(old.rrsets, key{apex, dns.TypeSOA})
		delete(now.rrsets, key{apex, dns.TypeSOA})
		if d := diff(old.rrsets, now.rrsets); d != "" {
			t.Errorf("%s after a restart:\n%s", apex, d)
		}
	}
}

// After a reload the new Corefile's secondary is told of changes, once, and the old one's is not. A reload that failed leaves
// nobody behind who tells it twice.
func TestNotifyAfterAReload(t *testing.T) {
	s, old := startNotifying(t)
	next := startSecondary(t, s)
	stub := server.Stub(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := settings{to: []string{next.address}, alone: true}
	late := ".:" + port + " {\n    bind 127.0.0.1\n    whoami\n}\n"
	before := mustSerial(t, address(s), changing)
	s.Reload(t, c.corefile(stub)+late, server.Refused)
	s.Reload(t, c.corefile(stub), server.Reloaded)
	told := len(old.of(changing))
	for range 2 {
		state := change(t, 2)
		poll(t, patience, func() error { return shows(address(s), changing, state, 2) })
		next.follow(t, changing)
	}
	if now := mustSerial(t, address(s), changing); !newer(now, before) {
		t.Errorf("serial %d after a reload and changes, %d before", now, before)
	}
	wantApart(t, next.of(changing))
	if n := len(old.of(changing)) - told; n > 0 {
		t.Errorf("%d NOTIFYs for a secondary that the Corefile no longer has", n)
	}
}

// What a Corefile changes of a zone is a change of the zone: else a secondary would keep what was.
func TestReloadThatChangesTheZone(t *testing.T) {
	s, sec := startNotifying(t)
	stub := server.Stub(t)
	for _, option := range []string{"ttl 60", "not_ready", "nameserver ns.example.net"} {
		before, count := mustAXFR(t, address(s), mgmt), len(sec.of(mgmt))
		s.Reload(t, settings{to: []string{sec.address}, alone: true, options: append(slices.Clone(suffixes), option)}.corefile(stub), server.Reloaded)
		after := mustAXFR(t, address(s), mgmt)
		if diff(before.rrsets, after.rrsets) == "" {
			t.Fatalf("%s changes nothing", option)
		}
		if !newer(after.soa.Serial, before.soa.Serial) {
			t.Errorf("%s: serial %d after a reload, %d before", option, after.soa.Serial, before.soa.Serial)
			continue
		}
		if sec.follow(t, mgmt) == count {
			t.Errorf("%s: no NOTIFY", option)
		}
	}
}
