package test

import (
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/server"
)

// A message is a reply as it came, and what it says.
type message struct {
	*dns.Msg
	octets []byte
}

// ask sends a question over UDP, without EDNS.
func ask(t *testing.T, s *server.Server, qname string, qtype uint16) message {
	t.Helper()
	return exchange(t, s, "udp", new(dns.Msg).SetQuestion(qname, qtype))
}

// exchange sends a message and reads the reply, which must be one to it, and well-formed.
func exchange(t *testing.T, s *server.Server, network string, m *dns.Msg) message {
	t.Helper()
	octets, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	reply := exchangeOctets(t, s, network, octets)
	if reply == nil {
		t.Fatalf("no reply over %s to\n%s", network, m)
	}
	r := message{new(dns.Msg), reply}
	if err := r.Unpack(reply); err != nil || r.Id != m.Id || !r.Response {
		t.Fatalf("%v: a malformed reply of %d octets to\n%s\nas far as it goes\n%s", err, len(reply), m, r)
	}
	return r
}

// exchangeOctets sends whatever it is given, and returns the reply, or nil if none comes: a server may drop what is malformed.
func exchangeOctets(t *testing.T, s *server.Server, network string, octets []byte) []byte {
	t.Helper()
	conn, err := net.Dial(network, "127.0.0.1:"+s.Port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	c := &dns.Conn{Conn: conn, UDPSize: dns.MaxMsgSize}
	if _, err := c.Write(octets); err != nil {
		t.Fatal(err)
	}
	reply := make([]byte, dns.MaxMsgSize)
	n, err := c.Read(reply)
	if err != nil {
		return nil
	}
	return reply[:n]
}

// addrs are the addresses of the answer, in its order.
func (m message) addrs() []string {
	var list []string
	for _, rr := range m.Answer {
		switch rr := rr.(type) {
		case *dns.A:
			list = append(list, rr.A.String())
		case *dns.AAAA:
			list = append(list, rr.AAAA.String())
		}
	}
	return list
}
