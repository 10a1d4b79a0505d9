package headless

import (
	"net"

	"github.com/miekg/dns"
)

// localClient is a client that does not listen, over TCP so that it gets everything.
type localClient struct{ dns.ResponseWriter }

// LocalAddr implements dns.ResponseWriter.
func (*localClient) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv6loopback} }

// RemoteAddr implements dns.ResponseWriter.
func (*localClient) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv6loopback} }
