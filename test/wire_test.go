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

// exchange sends a message and reads the reply, which must be one to it, and well-formed.
func exchange(t *testing.T, s *server.Server, network string, m *dns.Msg) message {
	t.Helper()
	octets, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial(network, "127.0.0.1:"+s.Port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	c := &dns.Conn{Conn: conn, UDPSize: dns.MaxMsgSize}
	if _, err := c.Write(octets); err != nil {
		t.Fatal(err)
	}
	reply := make([]byte, dns.MaxMsgSize)
	n, err := c.Read(reply)
	if err != nil {
		t.Fatalf("no reply over %s to\n%s\n%v", network, m, err)
	}
	reply = reply[:n]
	r := message{new(dns.Msg), reply}
	if err := r.Unpack(reply); err != nil || r.Id != m.Id || !r.Response {
		t.Fatalf("%v: a malformed reply of %d octets to\n%s\nas far as it goes\n%s", err, len(reply), m, r)
	}
	return r
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
