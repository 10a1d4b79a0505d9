package test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/server"
)

// delv looks name up as a validating resolver that trusts nothing but the zone's anchor.
func delv(t *testing.T, s *server.Server, zone, anchor, name, qtype string) string {
	t.Helper()
	out, err := exec.Command("delv", "@127.0.0.1", "-p", s.Port, "-a", anchor, "+root="+zone, name, qtype).CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Fatal(err)
	}
	return string(out)
}

func TestDNSSEC(t *testing.T) {
	server.Need(t, "delv", "bind9-dnsutils")
	const zone = "mgmt.example.com."
	key, public := server.MakeKey(t, zone)
	anchor := write(t, server.Anchor(public))
	t.Parallel()
	plugins := "    ready READY\n    dnssec " + zone + " {\n       key file " + key + "\n    }"
	s := withNeighbours(t, strings.ReplaceAll(neighbourly, "PLUGINS", plugins)).Server
	const answer, denial = "; fully validated\n", "; negative response, fully validated\n"
	for range 2 { // the second time, *dnssec* takes the signatures from its cache
		for _, c := range []struct{ name, qtype, said, records string }{
			{"rabbit-0.mgmt.example.com.", "A", answer, "A 10.77.0.1"},
			{"Rabbit-0.MGMT.example.com.", "A", answer, "A 10.77.0.1"},
			{"rabbit-5cc96-xyz.queue.mgmt.example.com.", "A", answer, "A 10.77.0.3"},
			{"queue.mgmt.example.com.", "A", answer, "A 10.77.0.1, A 10.77.0.2, A 10.77.0.3"},
			{zone, "SOA", answer, "SOA"},
			{zone, "NS", answer, "NS ns.dns.mgmt.example.com."},
			{zone, "DNSKEY", answer, "DNSKEY 257 3 13"},
			{"_amqp._tcp.queue.mgmt.example.com.", "SRV", answer, "SRV 0 33 5672 rabbit-0.queue.mgmt.example.com."},
			{"_AMQP._tcp.Queue.mgmt.example.com.", "SRV", answer, "SRV 0 33 5672 rabbit-1."},
			{"alias.mgmt.example.com.", "A", answer, "CNAME queue.mgmt.example.com., A 10.77.0.1, A 10.77.0.2, A 10.77.0.3"},
			{"alias.mgmt.example.com.", "CNAME", answer, "CNAME queue.mgmt.example.com."},
			{"outside.mgmt.example.com.", "CNAME", answer, "CNAME www.example.org."},
			{"outside.mgmt.example.com.", "A", answer, "CNAME www.example.org., A 192.0.2.1"}, // whose zone nobody signs here
			{"ns.dns.mgmt.example.com.", "A", answer, "A 127.0.0.1"},
			{"dns.mgmt.example.com.", "A", denial, ""},
			{"rabbit-0.mgmt.example.com.", "AAAA", denial, ""},
			{"rabbit-0.mgmt.example.com.", "DS", denial, ""},
			{"queue.mgmt.example.com.", "TXT", denial, ""},
			{zone, "A", denial, ""},
			{"_tcp.queue.mgmt.example.com.", "A", denial, ""},
			{"rabbit-9.mgmt.example.com.", "A", denial, ""},
			{"a.b.c.mgmt.example.com.", "A", denial, ""},
			{"rabbit-9.queue.mgmt.example.com.", "SRV", denial, ""},
		} {
			out := delv(t, s, zone, anchor, c.name, c.qtype)
			flat := strings.ReplaceAll(out, "\t", " ")
			ok := strings.Contains(out, c.said)
			for _, rr := range strings.Split(c.records, ", ") {
				ok = ok && strings.Contains(flat, rr)
			}
			if !ok {
				t.Errorf("%s %s: want %q with %q, got\n%s", c.name, c.qtype, c.said, c.records, out)
			}
		}
	}
	// Nobody is to get signatures that did not ask for them, and what is not signed is answered as ever.
	want(t, s, "rabbit-0.mgmt.example.com", "10.77.0.1")
	wantStatus(t, s, "NXDOMAIN", "rabbit-9.mgmt.example.com")
	want(t, s, "rabbit-0.broker.example.com", "10.77.0.1")
	if r := s.Dig(t, "rabbit-0.broker.example.com", "+dnssec"); len(r.Answer) != 1 {
		t.Errorf("signed without a key:\n%s", r.Text)
	}
}
