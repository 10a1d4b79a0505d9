package reply

import (
	"net/netip"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/dnsname"
)

// SOA returns the SOA record of zone in the form of the plugin kubernetes, with ns as the primary server. ttl, in
// seconds, is both its TTL and its MINIMUM field: the plugin cache caches negative replies for the TTL, resolvers for
// the lower of the two (RFC 2308 section 5).
func SOA(zone, ns string, ttl, serial uint32) *dns.SOA {
	return &dns.SOA{
		Hdr:     header(zone, dns.TypeSOA, ttl),
		Ns:      ns,
		Mbox:    dnsname.Under("hostmaster.", zone),
		Serial:  serial,
		Refresh: 7200, Retry: 1800, Expire: 86400, // seconds
		Minttl: ttl,
	}
}

// Address returns an A record if addr is an IPv4 address, an AAAA record if not.
func Address(name string, ttl uint32, addr netip.Addr) dns.RR {
	if addr.Is4() {
		return record(name, ttl, addr, new(dns.A), nil, make([]byte, 4))
	}
	return record(name, ttl, addr, nil, new(dns.AAAA), make([]byte, 16))
}

// CNAME returns a CNAME record.
func CNAME(name string, ttl uint32, target string) dns.RR {
	return &dns.CNAME{Hdr: header(name, dns.TypeCNAME, ttl), Target: target}
}

// NS returns an NS record.
func NS(zone string, ttl uint32, ns string) dns.RR {
	return &dns.NS{Hdr: header(zone, dns.TypeNS, ttl), Ns: ns}
}

// PTR returns a PTR record.
func PTR(name string, ttl uint32, target string) dns.RR {
	return &dns.PTR{Hdr: header(name, dns.TypePTR, ttl), Ptr: target}
}

// TXT returns a TXT record of one string.
func TXT(name string, ttl uint32, text string) dns.RR {
	return &dns.TXT{Hdr: header(name, dns.TypeTXT, ttl), Txt: []string{text}}
}

// SRV returns one of n SRV records with the same weight, which is the one that the plugin kubernetes gives them.
func SRV(name string, ttl uint32, n int, port uint16, target string) dns.RR {
	weight := uint16(max(1, 100/n)) // #nosec G115 -- at most 100
	return &dns.SRV{Hdr: header(name, dns.TypeSRV, ttl), Weight: weight, Port: port, Target: target}
}

func header(name string, rrtype uint16, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: rrtype, Class: dns.ClassINET, Ttl: ttl}
}
