package dnsname

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func TestUnder(t *testing.T) {
	tests := []struct {
		name, label, zone, want string
	}{
		{name: "a zone", label: "hostmaster.", zone: "example.org.", want: "hostmaster.example.org."},
		{name: "several labels", label: "ns.dns.", zone: "example.org.", want: "ns.dns.example.org."},
		{name: "a zone as a query spells it", label: "ns.dns.", zone: "eXample.Org.", want: "ns.dns.eXample.Org."},
		{name: "the root", label: "hostmaster.", zone: ".", want: "hostmaster."},
		{name: "several labels below the root", label: "ns.dns.", zone: ".", want: "ns.dns."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Under(tt.label, tt.zone)
			if _, ok := dns.IsDomainName(got); !ok || got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestJoinLeadsDownFromTheZone(t *testing.T) {
	tests := []struct {
		name   string
		zone   string
		labels []string
		want   string
	}{
		{name: "the zone", zone: "mgmt.test.", want: "mgmt.test."},
		{
			name: "the zone as a query spells it", zone: "mGmt.Test.", labels: []string{"web-0"},
			want: "web-0.mGmt.Test.",
		},
		{
			name: "from the zone down", zone: "cluster.local.", labels: []string{"svc", "default", "nginx", "web-0"},
			want: "web-0.nginx.default.svc.cluster.local.",
		},
		{name: "the root", zone: ".", want: "."},
		{name: "below the root", zone: ".", labels: []string{"test", "a"}, want: "a.test."},
		{
			name: "port and protocol", zone: "nginx.test.", labels: []string{"_tcp", "_web"},
			want: "_web._tcp.nginx.test.",
		},
		{name: "space", zone: "test.", labels: []string{"a b"}, want: `a\ b.test.`},
		{name: "dot", zone: "test.", labels: []string{"a.b"}, want: `a\.b.test.`},
		{name: "backslash", zone: "test.", labels: []string{`a\b`}, want: `a\\b.test.`},
		{name: "what zone files need escaped", zone: "test.", labels: []string{`'@;()"`}, want: `\'\@\;\(\)\".test.`},
		{
			name: "what they need not", zone: "test.", labels: []string{"!#$%&*+,-/:<=>?[]^_`{|}~"},
			want: "!#$%&*+,-/:<=>?[]^_`{|}~.test.",
		},
		{
			name: "octets that cannot be printed", zone: "test.", labels: []string{"\x00\t\n\x1f\x7f\x80\xff"},
			want: `\000\009\010\031\127\128\255.test.`,
		},
		{name: "digits behind an escape", zone: "test.", labels: []string{"\x012"}, want: `\0012.test.`},
		{name: "upper case", zone: "test.", labels: []string{"WEB"}, want: "WEB.test."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := Join(tt.zone, tt.labels...); got != tt.want || !ok {
				t.Errorf("got %q, %v, want %q", got, ok, tt.want)
			}
		})
	}
}

// A name has at most 255 octets, including the length octets and the root (RFC 1035 section 2.3.4).
func TestJoinFitsAMessage(t *testing.T) {
	full := strings.Repeat("a", 63)
	tests := []struct {
		name   string
		zone   string
		labels []string
		octets int // as a message has it
		want   bool
	}{
		{name: "254", zone: "test.", labels: []string{full, full, full, full[:55]}, octets: 254, want: true},
		{name: "255", zone: "test.", labels: []string{full, full, full, full[:56]}, octets: 255, want: true},
		{name: "256", zone: "test.", labels: []string{full, full, full, full[:57]}, octets: 256},
		{name: "one label more", zone: "test.", labels: []string{full, full, full, full[:56], "b"}, octets: 257},
		{name: "127 labels", zone: "a.", labels: strings.Split(strings.Repeat("a", 126), ""), octets: 255, want: true},
		{name: "128 labels", zone: "a.", labels: strings.Split(strings.Repeat("a", 127), ""), octets: 257},
		{name: "a long zone alone", zone: strings.Repeat(full+".", 3) + full[:61] + ".", octets: 255, want: true},
		{
			name: "a label of four characters an octet counts as octets", zone: "test.",
			labels: []string{strings.Repeat("\x00", 63), strings.Repeat("\xff", 63), full, full[:56]}, octets: 255,
			want: true,
		},
		{
			name: "and not less", zone: "test.",
			labels: []string{strings.Repeat("\x00", 63), strings.Repeat("\xff", 63), full, full[:57]}, octets: 256,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			octets := len(tt.zone) + 1
			for _, l := range tt.labels {
				octets += 1 + len(l)
			}
			if octets != tt.octets {
				t.Fatalf("the test counts %d octets, not %d", octets, tt.octets)
			}
			got, ok := Join(tt.zone, tt.labels...)
			if ok != tt.want || !ok && got != "" {
				t.Fatalf("got %q, %v, want %v", got, ok, tt.want)
			}
			if !ok {
				return
			}
			wire := make([]byte, 300)
			n, err := dns.PackDomainName(got, wire, 0, nil, false)
			if err != nil || n != tt.octets {
				t.Errorf("%q packs into %d octets, %v, want %d", got, n, err, tt.octets)
			}
			back, _, err := dns.UnpackDomainName(wire, 0)
			if err != nil || back != got {
				t.Errorf("%q comes back as %q, %v", got, back, err)
			}
			var parsed Name
			if !parsed.Parse(got) {
				t.Errorf("nobody can ask for %q", got)
			}
		})
	}
}

// FuzzJoin joins any labels. The result must be what miekg/dns makes of the same octets, so that our names and the
// names of queries compare as strings, and Join must accept every name that fits a message.
func FuzzJoin(f *testing.F) {
	for _, l := range []string{
		"web-0", "WEB", "a b", "a.b", `a\b`, `'@;()"`, "\x00\x1f\x7f\x80\xff", "\x012", "*",
		"_tcp", strings.Repeat("\xff", 63), strings.Repeat("a", 61),
	} {
		f.Add("mgmt.example.org.", l, "nginx", "default")
		f.Add("Test.", strings.Repeat("a", 63), strings.Repeat("b", 63), l)
	}
	f.Fuzz(func(t *testing.T, zone, a, b, c string) {
		zone, ok := unpacked(zone)
		if !ok || zone == "." || strings.Contains(zone, `\`) { // zones of a Corefile, which Name counts as written
			return
		}
		labels := []string{a, b, c}
		var wire []byte
		for _, l := range []string{c, b, a} {
			if l == "" || len(l) > 63 {
				return
			}
			wire = append(append(wire, byte(len(l))), l...)
		}
		tail := make([]byte, 255)
		n, err := dns.PackDomainName(zone, tail, 0, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		wire = append(wire, tail[:n]...)
		want, _, err := dns.UnpackDomainName(wire, 0)
		got, ok := Join(zone, labels...)
		if ok != (len(wire) <= 255) || ok && (err != nil || got != want) {
			t.Fatalf("%q below %q, %d octets: got %q, %v, want %q, %v", labels, zone, len(wire), got, ok, want, err)
		}
		if !ok {
			return
		}
		again := make([]byte, 255)
		if n, err := dns.PackDomainName(got, again, 0, nil, false); err != nil || string(again[:n]) != string(wire) {
			t.Fatalf("%q packs into %q, %v, want %q", got, again[:n], err, wire)
		}
		var parsed Name
		if !parsed.Parse(got) || string(parsed.Label(0)) != strings.Map(asciiLower, c) && isASCII(c) {
			t.Fatalf("%q is read back as %q", got, parsed.Label(0))
		}
	})
}

// unpacked returns the name as miekg/dns unpacks it.
func unpacked(name string) (string, bool) {
	wire := make([]byte, 255)
	if _, err := dns.PackDomainName(dns.Fqdn(name), wire, 0, nil, false); err != nil {
		return "", false
	}
	s, _, err := dns.UnpackDomainName(wire, 0)
	return s, err == nil
}

func asciiLower(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}

func isASCII(s string) bool { return strings.IndexFunc(s, func(r rune) bool { return r > 127 }) < 0 }
