// Package reply makes DNS messages from the tree's answers.
//
// A message shares no memory with the tree or with another message, because what writes it (a ScrubWriter, the plugins
// dnssec and loadbalance) appends to its sections and reorders them. Every slice has a capacity equal to its length.
package reply

import (
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/tree"
)

// single is a reply with one address in one allocation. Most replies have one address.
type single struct {
	msg      dns.Msg
	question [1]dns.Question
	answer   [1]dns.RR
	a        dns.A
	aaaa     dns.AAAA
	octets   [16]byte
}

// Addresses returns a reply to r with addrs, which all have the family that r asks for. The owner name has r's
// spelling.
func Addresses(r *dns.Msg, ttl uint32, addrs []netip.Addr) *dns.Msg {
	if len(addrs) == 1 {
		s := new(single)
		fill(&s.msg, s.question[:], r, dns.RcodeSuccess)
		s.answer[0] = record(r.Question[0].Name, ttl, addrs[0], &s.a, &s.aaaa, s.octets[:])
		s.msg.Answer = s.answer[:]
		return &s.msg
	}
	m := new(dns.Msg)
	fill(m, make([]dns.Question, 1), r, dns.RcodeSuccess)
	m.Answer = make([]dns.RR, len(addrs))
	octets := make([]byte, 16*len(addrs))
	for i, a := range addrs {
		var v4 *dns.A
		var v6 *dns.AAAA
		if a.Is4() {
			v4 = new(dns.A)
		} else {
			v6 = new(dns.AAAA)
		}
		m.Answer[i] = record(r.Question[0].Name, ttl, a, v4, v6, octets[16*i:16*i+16:16*i+16])
	}
	return m
}

// record fills v4 if addr is an IPv4 address, v6 if not, and returns it. The record keeps the address in octets.
func record(name string, ttl uint32, addr netip.Addr, v4 *dns.A, v6 *dns.AAAA, octets []byte) dns.RR {
	h := dns.RR_Header{Name: name, Class: dns.ClassINET, Ttl: ttl}
	if addr.Is4() {
		b := addr.As4()
		h.Rrtype = dns.TypeA
		v4.Hdr, v4.A = h, octets[:copy(octets, b[:]):4]
		return v4
	}
	b := addr.As16()
	h.Rrtype = dns.TypeAAAA
	v6.Hdr, v6.AAAA = h, octets[:copy(octets, b[:])]
	return v6
}

// Negative returns a reply to r that is NXDOMAIN (dns.RcodeNameError) or NODATA (dns.RcodeSuccess). The zone's SOA is
// in the authority section (RFC 2308 section 3).
func Negative(r *dns.Msg, rcode int, soa *dns.SOA) *dns.Msg {
	m := Records(r, nil, nil)
	m.Rcode = rcode
	m.Ns = []dns.RR{soa}
	return m
}

// Records returns a reply to r with these answer and additional sections. The message keeps the slices.
func Records(r *dns.Msg, answer, extra []dns.RR) *dns.Msg {
	m := new(dns.Msg)
	fill(m, make([]dns.Question, 1), r, dns.RcodeSuccess)
	m.Answer, m.Extra = slices.Clip(answer), slices.Clip(extra)
	return m
}

// Services returns a reply to r with a SRV record for each target, and the targets' addresses in the additional
// section (RFC 2782). The function name returns a target's name, or reports false to leave the target out. Targets
// with the same name must be next to each other.
func Services(r *dns.Msg, ttl uint32, targets []tree.Target, name func(peer string) (string, bool)) *dns.Msg {
	names := make([]string, len(targets))
	n := 0
	for i, t := range targets {
		if target, ok := name(t.Peer); ok {
			names[i] = target
			n++
		}
	}
	answer := make([]dns.RR, 0, n)
	var extra []dns.RR
	last := ""
	for i, t := range targets {
		if names[i] == "" {
			continue
		}
		answer = append(answer, SRV(r.Question[0].Name, ttl, n, t.Port, names[i]))
		if names[i] == last {
			continue
		}
		last = names[i]
		for _, a := range t.Addrs {
			extra = append(extra, Address(last, ttl, a))
		}
	}
	return Records(r, answer, extra)
}

// fill makes m an authoritative reply to r without records. It keeps the question in question.
func fill(m *dns.Msg, question []dns.Question, r *dns.Msg, rcode int) {
	m.MsgHdr = dns.MsgHdr{
		Id: r.Id, Response: true, Opcode: r.Opcode, Authoritative: true,
		RecursionDesired: r.RecursionDesired, CheckingDisabled: r.CheckingDisabled, Rcode: rcode,
	}
	question[0] = r.Question[0]
	m.Question = question
}
