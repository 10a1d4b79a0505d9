// Package reply makes DNS messages of what the tree said.
//
// A message is the caller's alone, and so is all it points to: what comes after (a ScrubWriter, *dnssec*, *loadbalance*)
// appends to it and reorders it. Every slice has cap == len.
package reply

import (
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/tree"
)

// single is a reply with one address: everything in one allocation, since most replies are this one.
type single struct {
	msg      dns.Msg
	question [1]dns.Question
	answer   [1]dns.RR
	a        dns.A
	aaaa     dns.AAAA
	octets   [16]byte
}

// Addresses replies to r with addrs, all of the family that r asks for, at the name as r spells it.
func Addresses(r *dns.Msg, ttl uint32, addrs []netip.Addr) *dns.Msg {
	if len(addrs) == 1 {
		s := new(single)
		head(&s.msg, s.question[:], r, dns.RcodeSuccess)
		s.answer[0] = record(r.Question[0].Name, ttl, addrs[0], &s.a, &s.aaaa, s.octets[:])
		s.msg.Answer = s.answer[:]
		return &s.msg
	}
	m := new(dns.Msg)
	head(m, make([]dns.Question, 1), r, dns.RcodeSuccess)
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

// record fills v4 or v6, whichever addr is, and keeps its octets in octets.
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

// Negative replies to r that its name does not exist (dns.RcodeNameError) or has nothing of the type asked for
// (dns.RcodeSuccess), with the zone's SOA as RFC 2308 section 3 wants it.
func Negative(r *dns.Msg, rcode int, soa *dns.SOA) *dns.Msg {
	m := Records(r, nil, nil)
	m.Rcode = rcode
	m.Ns = []dns.RR{soa}
	return m
}

// Records replies to r with records for the answer and the additional section. The slices are the message's from now on.
func Records(r *dns.Msg, answer, extra []dns.RR) *dns.Msg {
	m := new(dns.Msg)
	head(m, make([]dns.Question, 1), r, dns.RcodeSuccess)
	m.Answer, m.Extra = slices.Clip(answer), slices.Clip(extra)
	return m
}

// Services replies to r with a SRV record for each of targets, whose names name tells, and their addresses in the additional
// section (RFC 2782). What has no name is left out.
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
	for i, t := range targets { // in order of their names
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

// head makes m an authoritative reply to r without records.
func head(m *dns.Msg, question []dns.Question, r *dns.Msg, rcode int) {
	m.MsgHdr = dns.MsgHdr{
		Id: r.Id, Response: true, Opcode: r.Opcode, Authoritative: true,
		RecursionDesired: r.RecursionDesired, CheckingDisabled: r.CheckingDisabled, Rcode: rcode,
	}
	question[0] = r.Question[0]
	m.Question = question
}
