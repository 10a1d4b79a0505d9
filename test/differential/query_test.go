package differential

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// query is a DNS query. Name is as it comes off the wire, so that a reply can repeat it to the letter.
type query struct {
	name           string
	qtype, qclass  uint16
	opcode         int
	rd, cd, ad, z  bool
	edns, do, nsid bool
	version        uint8
	size           uint16
}

// odd reports whether no plugin has anything to say about the query, but the server or whoever takes such.
func (q query) odd() bool {
	return q.opcode != dns.OpcodeQuery || q.qclass != dns.ClassINET || q.version != 0
}

func (q query) msg() *dns.Msg {
	m := new(dns.Msg)
	m.Id = dns.Id()
	m.Opcode, m.RecursionDesired, m.CheckingDisabled, m.AuthenticatedData, m.Zero = q.opcode, q.rd, q.cd, q.ad, q.z
	m.Question = []dns.Question{{Name: q.name, Qtype: q.qtype, Qclass: q.qclass}}
	if !q.edns {
		return m
	}
	m.SetEdns0(q.size, q.do)
	m.IsEdns0().SetVersion(q.version)
	if q.nsid {
		m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID})
	}
	return m
}

// String is the query as arguments of dig.
func (q query) String() string {
	typ, class := fmt.Sprintf("TYPE%d", q.qtype), fmt.Sprintf("CLASS%d", q.qclass)
	if s, ok := dns.TypeToString[q.qtype]; ok {
		typ = s
	}
	if s, ok := dns.ClassToString[q.qclass]; ok {
		class = s
	}
	args := []string{fmt.Sprintf("dig -q '%s' -t %s -c %s +nocookie", q.name, typ, class)}
	for _, f := range []struct {
		on   bool
		text string
	}{
		{!q.rd, "+norec"},
		{q.cd, "+cd"},
		{q.ad, "+ad"},
		{!q.ad, "+noad"},
		{q.z, "+zflag"},
		{q.opcode != 0, fmt.Sprintf("+opcode=%d", q.opcode)},
		{!q.edns, "+noedns"},
		{q.edns, fmt.Sprintf("+edns=%d +bufsize=%d", q.version, q.size)},
		{q.do, "+dnssec"},
		{q.nsid, "+nsid"},
	} {
		if f.on {
			args = append(args, f.text)
		}
	}
	return strings.Join(args, " ")
}

var (
	addressTypes = []uint16{dns.TypeA, dns.TypeAAAA}
	otherTypes   = []uint16{
		dns.TypeSRV, dns.TypeSRV, dns.TypeTXT, dns.TypeNS, dns.TypeSOA, dns.TypePTR, dns.TypeMX, dns.TypeCNAME, dns.TypeANY, dns.TypeHTTPS,
		dns.TypeSVCB, dns.TypeCAA, dns.TypeDS, dns.TypeDNSKEY, dns.TypeNAPTR, dns.TypeHINFO, dns.TypeAXFR, dns.TypeIXFR, dns.TypeNULL,
	}
	classes = []uint16{dns.ClassCHAOS, dns.ClassHESIOD, dns.ClassNONE, dns.ClassANY, 0, 4096}
	opcodes = []int{dns.OpcodeNotify, dns.OpcodeNotify, dns.OpcodeStatus, dns.OpcodeUpdate, dns.OpcodeIQuery, 6}
	sizes   = []uint16{0, 512, 1232, 4096, 65535}
)

// ask makes a query for name. Most are ordinary ones, since odd ones are turned away before any plugin sees them.
func (g *generator) ask(name string) query {
	if g.percent(20) {
		name = g.recase(name)
	}
	q := query{name: name, qtype: pick(g, addressTypes), qclass: dns.ClassINET, rd: g.percent(85), cd: g.percent(8), ad: g.percent(15), z: g.percent(2)}
	if g.percent(40) {
		q.qtype = pick(g, otherTypes)
	}
	if g.percent(1) {
		q.qtype = uint16(g.IntN(1 << 16))
	}
	if g.percent(2) {
		q.qclass = pick(g, classes)
	}
	if g.percent(2) {
		q.opcode = pick(g, opcodes)
	}
	if g.percent(50) {
		q.edns, q.do, q.nsid, q.size = true, g.percent(30), g.percent(5), pick(g, sizes)
		if g.percent(2) {
			q.version = 1
		}
	}
	return q
}

// recase spells a name as clients do that put randomness into its case.
func (g *generator) recase(name string) string {
	b := []byte(name)
	for i, c := range b {
		if 'a' <= c && c <= 'z' && g.percent(50) {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}
