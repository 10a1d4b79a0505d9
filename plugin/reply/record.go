package reply

import (
	"net/netip"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/dnsname"
)

// SOA is a zone's SOA in the form of *kubernetes*, with ns for its primary server. Its TTL is its minimum, since *cache* keeps
// negative replies by the former and resolvers by the lower of both (RFC 2308 section 5).
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

// Address is an A or AAAA record, whichever addr is.
func Address(name string, ttl uint32, addr netip.Addr) dns.RR {
	if addr.Is4() {
		return record(name, ttl, addr, new(dns.A), nil, make([]byte, 4))
	}
	return record(name, ttl, addr, nil, new(dns.AAAA), make([]byte, 16))
}

// CNAME is a CNAME record.
func CNAME(name string, ttl uint32, target string) dns.RR {
	return &dns.CNAME{Hdr: header(name, dns.TypeCNAME, ttl), Target: target}
}

// NS is a NS record.
func NS(zone string, ttl uint32, ns string) dns.RR {
	return &dns.NS{Hdr: header(zone, dns.TypeNS, ttl), Ns: ns}
}

// PTR is a PTR record.
func PTR(name string, ttl uint32, target string) dns.RR {
	return &dns.PTR{Hdr: header(name, dns.TypePTR, ttl), Ptr: target}
}

// TXT is a TXT record of one string.
func TXT(name string, ttl uint32, text string) dns.RR {
	return &dns.TXT{Hdr: header(name, dns.TypeTXT, ttl), Txt: []string{text}}
}

// SRV is one of n SRV records that share the load evenly, as *kubernetes* weighs them (RFC 2782).
func SRV(name string, ttl uint32, n int, port uint16, target string) dns.RR {
	return &dns.SRV{Hdr: header(name, dns.TypeSRV, ttl), Weight: uint16(max(1, 100/n)), Port: port, Target: target} // #nosec G115 -- at most 100
}

func header(name string, rrtype uint16, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: rrtype, Class: dns.ClassINET, Ttl: ttl}
}
