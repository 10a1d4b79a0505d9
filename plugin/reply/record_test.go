package reply

import (
	"bytes"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/dnsname"
	"github.com/coredns-headless/headless/plugin/tree"
)

const (
	owner = "_Web._tCp.nGinx.mgmt.example.org." // as 0x20 clients spell it
	zone  = "mgmt.example.org."
)

// back returns m as its receiver unpacks it. Empty sections are nil.
func back(t *testing.T, m *dns.Msg) *dns.Msg {
	t.Helper()
	wire, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	b := new(dns.Msg)
	if err := b.Unpack(wire); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRecordsReadAsZoneFilesHaveThem(t *testing.T) {
	tests := []struct {
		name string
		rr   dns.RR
		want string
	}{
		{
			name: "A", rr: Address("wEb-0."+zone, 5, netip.MustParseAddr("10.244.0.7")),
			want: "wEb-0.mgmt.example.org. 5 IN A 10.244.0.7",
		},
		{
			name: "AAAA", rr: Address("web-0."+zone, 0, netip.MustParseAddr("fd00::7")),
			want: "web-0.mgmt.example.org. 0 IN AAAA fd00::7",
		},
		{
			name: "CNAME", rr: CNAME("dB."+zone, 7, "db.example.net."),
			want: "dB.mgmt.example.org. 7 IN CNAME db.example.net.",
		},
		{
			name: "NS", rr: NS(zone, 3600, "ns.dns."+zone),
			want: "mgmt.example.org. 3600 IN NS ns.dns.mgmt.example.org.",
		},
		{
			name: "PTR", rr: PTR("7.0.244.10.In-Addr.arpa.", 5, "web-0."+zone),
			want: "7.0.244.10.In-Addr.arpa. 5 IN PTR web-0.mgmt.example.org.",
		},
		{name: "TXT", rr: TXT("dns-version.k8s.test.", 5, "1.1.0"), want: `dns-version.k8s.test. 5 IN TXT "1.1.0"`},
		{
			name: "one SRV", rr: SRV(owner, 5, 1, 9999, "web-0.nginx."+zone),
			want: owner + " 5 IN SRV 0 100 9999 web-0.nginx.mgmt.example.org.",
		},
		{name: "SRV of two", rr: SRV(owner, 5, 2, 1, "a."+zone), want: owner + " 5 IN SRV 0 50 1 a.mgmt.example.org."},
		{
			name: "SRV of three", rr: SRV(owner, 5, 3, 65535, "a."+zone),
			want: owner + " 5 IN SRV 0 33 65535 a.mgmt.example.org.",
		},
		{
			name: "SRV of 100", rr: SRV(owner, 5, 100, 80, "a."+zone),
			want: owner + " 5 IN SRV 0 1 80 a.mgmt.example.org.",
		},
		{
			name: "SRV of 101: weight 0 would hardly ever be chosen", rr: SRV(owner, 5, 101, 80, "a."+zone),
			want: owner + " 5 IN SRV 0 1 80 a.mgmt.example.org.",
		},
		{
			name: "SRV of 5,000", rr: SRV(owner, 5, 5000, 80, "a."+zone),
			want: owner + " 5 IN SRV 0 1 80 a.mgmt.example.org.",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.ReplaceAll(tt.rr.String(), "\t", " "); got != tt.want {
				t.Errorf("got\n\t%s\nwant\n\t%s", got, tt.want)
			}
			m := Records(query(tt.rr.Header().Name, tt.rr.Header().Rrtype), []dns.RR{tt.rr}, nil)
			if got := back(t, m).Answer[0]; got.String() != tt.rr.String() {
				t.Errorf("received %s", got)
			}
		})
	}
}

// below returns the name of a peer below the Service.
func below(peer string) (string, bool) { return dnsname.Join("nGinx."+zone, peer) }

func TestServicesAreAnsweredWithTheirAddresses(t *testing.T) {
	srv := func(weight, port int, target string) string {
		return fmt.Sprintf("%s 5 IN SRV 0 %d %d %s", owner, weight, port, target)
	}
	const web0, web1 = "web-0.nGinx." + zone, "web-1.nGinx." + zone
	both := addrs("10.244.0.7", "fd00::7")
	tests := []struct {
		name    string
		targets []tree.Target
		label   func(string) (string, bool) // below where nil
		answer  []string
		extra   []string
	}{
		{name: "none", answer: []string{}},
		{
			name: "one of both families", targets: []tree.Target{{Peer: "web-0", Port: 80, Addrs: both}},
			answer: []string{
				srv(100, 80, web0),
			}, extra: []string{
				web0 + " 5 IN A 10.244.0.7", web0 + " 5 IN AAAA fd00::7",
			},
		},
		{
			name: "three share the load",
			targets: []tree.Target{
				{
					Peer: "web-0", Port: 80, Addrs: both[:1],
				}, {
					Peer: "web-1", Port: 80,
					Addrs: both[1:],
				}, {
					Peer: "web-2", Port: 81,
				},
			},
			answer: []string{srv(33, 80, web0), srv(33, 80, web1), srv(33, 81, "web-2.nGinx."+zone)},
			extra:  []string{web0 + " 5 IN A 10.244.0.7", web1 + " 5 IN AAAA fd00::7"},
		},
		{
			name: "a target's addresses once, however many ports it has",
			targets: []tree.Target{
				{
					Peer: "web-0", Port: 80, Addrs: both[:1],
				}, {
					Peer: "web-0", Port: 81,
					Addrs: both[:1],
				}, {
					Peer: "web-1", Port: 80, Addrs: both[:1],
				},
			},
			answer: []string{srv(33, 80, web0), srv(33, 81, web0), srv(33, 80, web1)},
			extra:  []string{web0 + " 5 IN A 10.244.0.7", web1 + " 5 IN A 10.244.0.7"},
		},
		{
			name: "the Service itself", targets: []tree.Target{{Port: 80, Addrs: both[:1]}},
			label:  func(peer string) (string, bool) { return "nGinx." + zone, peer == "" },
			answer: []string{srv(100, 80, "nGinx."+zone)}, extra: []string{"nGinx." + zone + " 5 IN A 10.244.0.7"},
		},
		{
			name:    "a label with octets of its own",
			targets: []tree.Target{{Peer: "a b.c\xff", Port: 80, Addrs: both[:1]}},
			answer: []string{
				srv(100, 80, `a\ b\.c\255.nGinx.`+zone),
			},
			extra: []string{
				`a\ b\.c\255.nGinx.` + zone + " 5 IN A 10.244.0.7",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.label == nil {
				tt.label = below
			}
			m := Services(query(owner, dns.TypeSRV), 5, tt.targets, tt.label)
			for section, both := range map[string][2][]string{
				"answer":     {tt.answer, texts(m.Answer)},
				"additional": {tt.extra, texts(m.Extra)},
			} {
				if !slices.Equal(both[0], both[1]) {
					t.Errorf("%s (-want +got):\n%s", section, cmp.Diff(both[0], both[1]))
				}
			}
			if m.Question[0].Name != owner || !m.Authoritative || m.Rcode != dns.RcodeSuccess || len(m.Ns) > 0 {
				t.Errorf("got %s", m)
			}
			if diff := cmp.Diff(m.String(), back(t, m).String()); diff != "" {
				t.Errorf("(-made +received):\n%s", diff)
			}
			checkFull(t, reflect.ValueOf(m), "message")
		})
	}
}

func TestTargetThatNoMessageCanCarryIsLeftOut(t *testing.T) {
	m := Services(query(owner, dns.TypeSRV), 5, []tree.Target{
		{Peer: strings.Repeat("v", 250), Port: 80, Addrs: addrs("10.0.0.1")},
		{Peer: "web-0", Port: 80, Addrs: addrs("10.0.0.2")},
		{Peer: strings.Repeat("w", 250), Port: 80, Addrs: addrs("10.0.0.3")},
	}, below)
	const web = "web-0.nGinx." + zone
	if len(m.Answer) != 1 || m.Answer[0].(*dns.SRV).Target != web {
		t.Errorf("answer %v, want %s alone", m.Answer, web)
	}
	if diff := cmp.Diff([]string{web + " 5 IN A 10.0.0.2"}, texts(m.Extra)); diff != "" {
		t.Errorf("additional (-want +got):\n%s", diff)
	}
	checkFull(t, reflect.ValueOf(m), "message")
}

// With 101 records each still has a weight, because RFC 2782 has weight 0 for records without server selection.
func TestManyServicesKeepAWeight(t *testing.T) {
	var targets []tree.Target
	for i := range 101 {
		targets = append(targets,
			tree.Target{Peer: fmt.Sprintf("web-%03d", i), Port: 80, Addrs: addrs("10.0.0.1", "fd00::1")})
	}
	m := Services(query(owner, dns.TypeSRV), 5, targets, below)
	if len(m.Answer) != 101 || len(m.Extra) != 202 {
		t.Fatalf("%d answers, %d addresses", len(m.Answer), len(m.Extra))
	}
	for _, rr := range m.Answer {
		if srv := rr.(*dns.SRV); srv.Weight != 1 {
			t.Errorf("%s", srv)
		}
	}
	if diff := cmp.Diff(m.String(), back(t, m).String()); diff != "" {
		t.Errorf("(-made +received):\n%s", diff)
	}
	checkFull(t, reflect.ValueOf(m), "message")
}

// checkFull checks that every slice in v has a capacity equal to its length.
func checkFull(t *testing.T, v reflect.Value, at string) {
	t.Helper()
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			checkFull(t, v.Elem(), at)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			checkFull(t, v.Field(i), at+"."+v.Type().Field(i).Name)
		}
	case reflect.Slice:
		if v.Len() != v.Cap() {
			t.Errorf("%s: len %d, cap %d", at, v.Len(), v.Cap())
		}
		for i := range v.Len() {
			checkFull(t, v.Index(i), fmt.Sprintf("%s[%d]", at, i))
		}
	}
}

func TestEveryRecordIsFull(t *testing.T) {
	three := func() []dns.RR { // with room for five more
		list := make([]dns.RR, 0, 8)
		return append(list, CNAME("db."+zone, 5, "x.test."), NS(zone, 5, "ns.test."), TXT(zone, 5, "1.1.0"))
	}
	for kind, m := range map[string]*dns.Msg{
		"records with room": Records(query(zone, dns.TypeANY), three(), three()),
		"addresses": Records(query(zone, dns.TypeANY), nil,
			[]dns.RR{
				Address(zone, 5, netip.MustParseAddr("10.0.0.1")),
				Address(zone, 5, netip.MustParseAddr("fd00::1")),
			}),
		"nothing":       Records(query(zone, dns.TypeANY), []dns.RR{}, make([]dns.RR, 0, 4)),
		"negative":      Negative(query(zone, dns.TypeANY), dns.RcodeNameError, soa()),
		"two addresses": Addresses(query(zone, dns.TypeA), 5, addrs("10.0.0.1", "10.0.0.2")),
		"one address":   Addresses(query(zone, dns.TypeAAAA), 5, addrs("fd00::1")),
	} {
		checkFull(t, reflect.ValueOf(m), kind)
		if _, err := m.Pack(); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// Plugins change records of a reply in place: rewrite their names, dnssec their TTLs. No two records may share memory.
func TestRecordsShareNothing(t *testing.T) {
	targets := []tree.Target{
		{Peer: "web-0", Port: 80, Addrs: addrs("10.0.0.1", "fd00::1")},
		{Peer: "web-1", Port: 80, Addrs: addrs("10.0.0.2")},
	}
	r := query(owner, dns.TypeSRV)
	first, second := Services(r, 5, targets, below), Services(r, 5, targets, below)
	want := second.String()
	for _, rr := range slices.Concat(first.Answer, first.Extra) {
		rr.Header().Name, rr.Header().Ttl = "other.", 9
		switch rr := rr.(type) {
		case *dns.SRV:
			rr.Target, rr.Weight = "other.", 9
		case *dns.A:
			clear(rr.A)
		case *dns.AAAA:
			clear(rr.AAAA)
		}
	}
	first.Question[0].Name = "other."
	if got := second.String(); got != want {
		t.Errorf("changing one message changed another:\n%s", got)
	}
	if r.Question[0].Name != owner || targets[0].Addrs[0] != netip.MustParseAddr("10.0.0.1") {
		t.Errorf("changing the reply changed the query %v or the targets %v", r.Question, targets)
	}
}

// texts returns records in the form of zone files.
func texts(rrs []dns.RR) []string {
	var list []string
	for _, rr := range rrs {
		list = append(list, strings.ReplaceAll(rr.String(), "\t", " "))
	}
	return list
}

// The server compresses names. They must be the same with and without compression, with escapes too.
func TestMessagesSurviveCompression(t *testing.T) {
	m := Services(query(owner, dns.TypeSRV), 5, []tree.Target{
		{Peer: "a b", Port: 80, Addrs: addrs("10.0.0.1")}, {Peer: "c", Port: 80, Addrs: addrs("10.0.0.2")},
	}, below)
	plain, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	m.Compress = true
	small, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	got := back(t, m)
	got.Compress, m.Compress = false, false
	again, err := got.Pack()
	if err != nil || len(small) >= len(plain) || !bytes.Equal(plain, again) {
		t.Errorf("%d octets, compressed %d, and back %d: %v", len(plain), len(small), len(again), err)
	}
}
