package server

import (
	"errors"
	"net"
	"testing"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/controlplane"
)

// Stub is a DNS server of the test's own, for *forward*: it has example.org and the company's zone, and nothing else.
func Stub(tb testing.TB) (address string) {
	tb.Helper()
	port, err := controlplane.FreePort()
	if err != nil {
		tb.Fatal(err)
	}
	address, stop, err := StubAt("127.0.0.1:" + port)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(stop)
	return address
}

// StubAt is Stub at an address, until stop is called.
func StubAt(listen string) (address string, stop func(), err error) {
	conn, err := net.ListenPacket("udp", listen)
	if err != nil {
		return "", nil, err
	}
	listener, err := net.Listen("tcp", conn.LocalAddr().String())
	if err != nil {
		return "", nil, errors.Join(err, conn.Close())
	}
	servers := []*dns.Server{{PacketConn: conn}, {Listener: listener}}
	started := make(chan struct{}, len(servers))
	for _, s := range servers {
		s.Handler = dns.HandlerFunc(answer)
		s.NotifyStartedFunc = func() { started <- struct{}{} }
		go func() { _ = s.ActivateAndServe() }() // ends with Shutdown
		<-started
	}
	return conn.LocalAddr().String(), func() {
		for _, s := range servers {
			_ = s.Shutdown() // what is left of it ends with the process
		}
	}, nil
}

// zone is what the stub knows: the company's zone has a name beside the cluster's.
var zone = map[string][]string{
	"www.example.org.":    {"www.example.org. 300 IN A 192.0.2.1", "www.example.org. 300 IN AAAA 2001:db8::1"},
	"company.test.":       {"company.test. 300 IN SOA ns.company.test. root.company.test. 7 7200 1800 86400 300", "company.test. 300 IN NS ns.company.test."},
	"ns.company.test.":    {"ns.company.test. 300 IN A 192.0.2.53"},
	"www.company.test.":   {"www.company.test. 300 IN A 192.0.2.2"},
	"web-9.company.test.": {"web-9.company.test. 300 IN TXT \"of the company\""},
}

func answer(w dns.ResponseWriter, r *dns.Msg) {
	m := new(dns.Msg).SetReply(r)
	m.Authoritative, m.RecursionAvailable = true, true
	q := r.Question[0]
	texts, ok := zone[dns.CanonicalName(q.Name)]
	if !ok {
		m.Rcode = dns.RcodeNameError
	}
	for _, text := range texts {
		rr, err := dns.NewRR(text)
		if err != nil {
			panic(err)
		}
		if rr.Header().Rrtype == q.Qtype {
			m.Answer = append(m.Answer, rr)
		}
	}
	if len(m.Answer) == 0 {
		apex := "test."
		if dns.IsSubDomain("company.test.", q.Name) {
			apex = "company.test."
		}
		soa, err := dns.NewRR(apex + " 300 IN SOA ns.company.test. root.company.test. 7 7200 1800 86400 300")
		if err != nil {
			panic(err)
		}
		m.Ns = append(m.Ns, soa)
	}
	_ = w.WriteMsg(m)
}
