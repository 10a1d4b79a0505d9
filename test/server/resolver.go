package server

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/controlplane"
)

// StartResolver runs a program that answers on a port of 127.0.0.1, until the test's end, and waits until it does.
func StartResolver(tb testing.TB, port, bin string, args ...string) *Server {
	tb.Helper()
	p, err := controlplane.StartProcess(tb.TempDir(), bin, args...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		p.Stop()
		if log, err := p.Log(); err == nil && tb.Failed() {
			tb.Logf("log of %s:\n%s", bin, log)
		}
	})
	err = controlplane.Poll(time.Minute, p, func() error {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			err = conn.Close()
		}
		return err
	})
	if err != nil {
		tb.Fatalf("%s does not answer: %v", bin, err)
	}
	return &Server{Port: port}
}

// MakeKey makes a key for a zone, and writes it where *dnssec* finds it.
func MakeKey(tb testing.TB, zone string) (file string, key *dns.DNSKEY) {
	tb.Helper()
	key = &dns.DNSKEY{
		Hdr:   dns.RR_Header{Name: zone, Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: 3600},
		Flags: dns.ZONE | dns.SEP, Protocol: 3, Algorithm: dns.ECDSAP256SHA256,
	}
	private, err := key.Generate(256)
	if err != nil {
		tb.Fatal(err)
	}
	file = filepath.Join(tb.TempDir(), fmt.Sprintf("K%s+013+%05d", zone, key.KeyTag()))
	for end, text := range map[string]string{".key": key.String() + "\n", ".private": key.PrivateKeyString(private)} {
		if err := os.WriteFile(file+end, []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return file, key
}

// Anchor is a key as named and delv trust it.
func Anchor(key *dns.DNSKEY) string {
	return fmt.Sprintf("trust-anchors { %s static-key %d %d %d %q; };\n", key.Hdr.Name, key.Flags, key.Protocol, key.Algorithm, key.PublicKey)
}
