package reply

import (
	"net"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/dnsname"
)

// query returns a query of a stub resolver that mixes the case of letters (0x20).
func query(name string, qtype uint16) *dns.Msg {
	m := new(dns.Msg).SetQuestion(name, qtype)
	m.Id = 4711
	return m
}

func addrs(list ...string) []netip.Addr {
	out := make([]netip.Addr, len(list))
	for i, s := range list {
		out[i] = netip.MustParseAddr(s)
	}
	return out
}

func soa() *dns.SOA { return SOA("mgmt.example.org.", "ns.dns.mgmt.example.org.", 5, 42) }

// messages returns one message of each kind.
func messages() map[string]*dns.Msg {
	const name = "Web-0.mgmt.example.org."
	return map[string]*dns.Msg{
		"one A":     Addresses(query(name, dns.TypeA), 5, addrs("10.244.0.7")),
		"one AAAA":  Addresses(query(name, dns.TypeAAAA), 5, addrs("fd00::7")),
		"many A":    Addresses(query(name, dns.TypeA), 5, addrs("10.244.0.7", "10.244.0.8", "10.244.1.9")),
		"many AAAA": Addresses(query(name, dns.TypeAAAA), 5, addrs("fd00::7", "fd00::8")),
		"NODATA":    Negative(query(name, dns.TypeTXT), dns.RcodeSuccess, soa()),
		"NXDOMAIN":  Negative(query(name, dns.TypeA), dns.RcodeNameError, soa()),
		"records":   Records(query("mgmt.example.org.", dns.TypeSOA), []dns.RR{soa()}, nil),
	}
}

func a(name, ip string) *dns.A {
	return &dns.A{
		Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 5},
		A:   net.ParseIP(ip).To4(),
	}
}

func aaaa(name, ip string) *dns.AAAA {
	return &dns.AAAA{
		Hdr:  dns.RR_Header{Name: name, Rrtype: dns.TypeAAAA, Class: dns.ClassINET, Ttl: 5},
		AAAA: net.ParseIP(ip),
	}
}

func TestMessagesAreWhole(t *testing.T) {
	const name = "Web-0.mgmt.example.org."
	header := func(rcode int) dns.MsgHdr {
		return dns.MsgHdr{Id: 4711, Response: true, Authoritative: true, RecursionDesired: true, Rcode: rcode}
	}
	question := func(name string, qtype uint16) []dns.Question {
		return []dns.Question{{Name: name, Qtype: qtype, Qclass: dns.ClassINET}}
	}
	negative := []dns.RR{&dns.SOA{
		Hdr: dns.RR_Header{Name: "mgmt.example.org.", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 5},
		Ns:  "ns.dns.mgmt.example.org.", Mbox: "hostmaster.mgmt.example.org.",
		Serial: 42, Refresh: 7200, Retry: 1800, Expire: 86400, Minttl: 5,
	}}
	want := map[string]*dns.Msg{
		"one A": {
			MsgHdr: header(dns.RcodeSuccess), Question: question(name, dns.TypeA),
			Answer: []dns.RR{a(name, "10.244.0.7")},
		},
		"one AAAA": {
			MsgHdr: header(dns.RcodeSuccess), Question: question(name, dns.TypeAAAA),
			Answer: []dns.RR{aaaa(name, "fd00::7")},
		},
		"many A": {
			MsgHdr: header(dns.RcodeSuccess), Question: question(name, dns.TypeA),
			Answer: []dns.RR{a(name, "10.244.0.7"), a(name, "10.244.0.8"), a(name, "10.244.1.9")},
		},
		"many AAAA": {
			MsgHdr: header(dns.RcodeSuccess), Question: question(name, dns.TypeAAAA),
			Answer: []dns.RR{aaaa(name, "fd00::7"), aaaa(name, "fd00::8")},
		},
		"NODATA":   {MsgHdr: header(dns.RcodeSuccess), Question: question(name, dns.TypeTXT), Ns: negative},
		"NXDOMAIN": {MsgHdr: header(dns.RcodeNameError), Question: question(name, dns.TypeA), Ns: negative},
		"records": {
			MsgHdr: header(dns.RcodeSuccess), Question: question("mgmt.example.org.", dns.TypeSOA),
			Answer: negative,
		},
	}
	for kind, got := range messages() {
		t.Run(kind, func(t *testing.T) {
			if diff := cmp.Diff(want[kind], got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want[kind].String(), got.String()); diff != "" {
				t.Errorf("as text (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSOAOfTheRootHasNoEmptyLabel(t *testing.T) {
	got := SOA(".", dnsname.Under("ns.dns.", "."), 5, 1)
	if _, err := dns.NewRR(got.String()); err != nil || got.Ns != "ns.dns." || got.Mbox != "hostmaster." {
		t.Errorf("%s: %v", got, err)
	}
}

// A reply copies the bits RD (RFC 1035 section 4.1.1) and CD (RFC 4035 section 3.2.2) of the query, and no others.
func TestHeaderBitsOfTheQueryAreCopied(t *testing.T) {
	tests := []struct {
		name string
		ask  func(*dns.MsgHdr)
		want dns.MsgHdr
	}{
		{name: "RD", ask: func(h *dns.MsgHdr) { h.RecursionDesired = true }, want: dns.MsgHdr{RecursionDesired: true}},
		{name: "CD", ask: func(h *dns.MsgHdr) { h.CheckingDisabled = true }, want: dns.MsgHdr{CheckingDisabled: true}},
		{name: "none", ask: func(*dns.MsgHdr) {}, want: dns.MsgHdr{}},
		{name: "not AD, RA, TC and Z", ask: func(h *dns.MsgHdr) {
			h.AuthenticatedData, h.RecursionAvailable, h.Truncated, h.Zero = true, true, true, true
		}, want: dns.MsgHdr{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := query("web-0.mgmt.example.org.", dns.TypeA)
			r.RecursionDesired = false
			tt.ask(&r.MsgHdr)
			tt.want.Id, tt.want.Response, tt.want.Authoritative = 4711, true, true
			for kind, m := range map[string]*dns.Msg{
				"one":     Addresses(r, 5, addrs("10.0.0.1")),
				"many":    Addresses(r, 5, addrs("10.0.0.1", "10.0.0.2")),
				"NODATA":  Negative(r, dns.RcodeSuccess, soa()),
				"records": Records(r, []dns.RR{soa()}, nil),
			} {
				if diff := cmp.Diff(tt.want, m.MsgHdr); diff != "" {
					t.Errorf("%s (-want +got):\n%s", kind, diff)
				}
			}
		})
	}
}

// The server adds the OPT record if the query has one (RFC 6891 section 6.1.1). A second one would be a format error.
func TestNoOPTIsAdded(t *testing.T) {
	r := query("web-0.mgmt.example.org.", dns.TypeA)
	r.SetEdns0(1232, true)
	for kind, m := range map[string]*dns.Msg{
		"one":    Addresses(r, 5, addrs("10.0.0.1")),
		"many":   Addresses(r, 5, addrs("10.0.0.1", "10.0.0.2")),
		"NODATA": Negative(r, dns.RcodeSuccess, soa()),
	} {
		if m.IsEdns0() != nil || len(m.Extra) != 0 {
			t.Errorf("%s: %v", kind, m.Extra)
		}
	}
}

// Plugins append to the sections of a reply. Spare capacity of a slice could be memory of another reply.
func TestEverySliceIsFull(t *testing.T) {
	for kind, m := range messages() {
		if len(m.Question) != cap(m.Question) {
			t.Errorf("%s: question: len %d, cap %d", kind, len(m.Question), cap(m.Question))
		}
		for section, rrs := range map[string][]dns.RR{"answer": m.Answer, "authority": m.Ns, "additional": m.Extra} {
			if len(rrs) != cap(rrs) {
				t.Errorf("%s: %s: len %d, cap %d", kind, section, len(rrs), cap(rrs))
			}
			for _, rr := range rrs {
				var ip net.IP
				switch rr := rr.(type) {
				case *dns.A:
					ip = rr.A
				case *dns.AAAA:
					ip = rr.AAAA
				}
				if len(ip) != cap(ip) {
					t.Errorf("%s: %s: address: len %d, cap %d", kind, section, len(ip), cap(ip))
				}
			}
		}
	}
}

func TestMessagesShareNothing(t *testing.T) {
	r := query("web-0.mgmt.example.org.", dns.TypeA)
	for kind, list := range map[string][]netip.Addr{"one": addrs("10.0.0.1"), "many": addrs("10.0.0.1", "10.0.0.2")} {
		first, second := Addresses(r, 5, list), Addresses(r, 5, list)
		want := second.String()
		first.Answer[0].Header().Ttl = 9
		first.Answer[0].Header().Name = "other."
		first.Answer[0].(*dns.A).A[0] = 99
		first.Question[0].Name = "other."
		if got := second.String(); got != want {
			t.Errorf("%s: changing one message changed another:\n%s", kind, got)
		}
		if r.Question[0].Name != "web-0.mgmt.example.org." {
			t.Errorf("%s: changing the reply changed the query", kind)
		}
		if list[0] != netip.MustParseAddr("10.0.0.1") {
			t.Errorf("%s: changing the reply changed the addresses", kind)
		}
	}
}

func TestMessagesPack(t *testing.T) {
	for kind, m := range messages() {
		wire, err := m.Pack()
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		back := new(dns.Msg)
		if err := back.Unpack(wire); err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if diff := cmp.Diff(m.String(), back.String()); diff != "" {
			t.Errorf("%s (-made +unpacked):\n%s", kind, diff)
		}
	}
}

func TestOneAddressIsOneAllocation(t *testing.T) {
	for _, tt := range []struct {
		name  string
		qtype uint16
		addrs []netip.Addr
	}{
		{name: "A", qtype: dns.TypeA, addrs: addrs("10.0.0.1")},
		{name: "AAAA", qtype: dns.TypeAAAA, addrs: addrs("fd00::1")},
	} {
		r := query("web-0.mgmt.example.org.", tt.qtype)
		var m *dns.Msg
		if n := testing.AllocsPerRun(200, func() { m = Addresses(r, 5, tt.addrs) }); n != 1 {
			t.Errorf("%s: %v allocations", tt.name, n)
		}
		if len(m.Answer) != 1 {
			t.Errorf("%s: %s", tt.name, m)
		}
	}
}
