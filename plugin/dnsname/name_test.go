package dnsname

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// labelsOf returns the labels of a parsed name.
func labelsOf(n *Name) []string {
	list := make([]string, n.Labels())
	for i := range list {
		list[i] = string(n.Label(i))
	}
	return list
}

// ofOctets returns a name of that many octets in wire format, including the root's.
func ofOctets(size int) string {
	full := (size - 2) / 64
	return strings.Repeat(strings.Repeat("a", 63)+".", full) + strings.Repeat("b", size-2-64*full) + "."
}

func TestParse(t *testing.T) {
	label63, label64 := strings.Repeat("a", 63), strings.Repeat("a", 64)
	tests := []struct {
		name string
		in   string
		want []string // nil: refused
	}{
		{name: "root", in: ".", want: []string{}},
		{name: "nothing is the root", in: "", want: []string{}},
		{
			name: "labels from the left", in: "web-0.nginx.default.svc.cluster.local.",
			want: []string{"web-0", "nginx", "default", "svc", "cluster", "local"},
		},
		{name: "without the last dot", in: "web-0.nginx", want: []string{"web-0", "nginx"}},
		{name: "upper case", in: "WEB-0.Nginx.", want: []string{"web-0", "nginx"}},
		{name: "only ASCII has a case", in: "\\196\\214.", want: []string{"\xc4\xd6"}},
		{name: "neighbours of letters have none", in: "@[`{.", want: []string{"@[`{"}},
		{name: "escaped dot", in: "web\\.0.nginx.", want: []string{"web.0", "nginx"}},
		{name: "escaped dot at the end", in: "web\\.", want: []string{"web."}},
		{name: "escaped letter", in: "\\W\\e\\b.", want: []string{"web"}},
		{name: "decimal escape of a capital letter", in: "\\065b.", want: []string{"ab"}},
		{name: "decimal escapes at the ends", in: "\\000\\255.", want: []string{"\x00\xff"}},
		{name: "decimal escape, then a digit", in: "\\0651.", want: []string{"a1"}},
		{name: "decimal escape above 255", in: "\\256."},
		{name: "decimal escape with a letter", in: "\\06a."},
		{name: "backslash at the end", in: "web\\"},
		{name: "label of 63 octets", in: label63 + ".a.", want: []string{label63, "a"}},
		{name: "label of 63 octets, escaped", in: strings.Repeat("\\065", 63) + ".", want: []string{label63}},
		{name: "label of 64 octets", in: label64 + ".a."},
		{name: "label of 64 octets, escaped", in: strings.Repeat("\\065", 64) + "."},
		{name: "empty label at the beginning", in: ".a."},
		{name: "empty label inside", in: "a..b."},
		{name: "empty label at the end", in: "a.."},
		{name: "127 labels", in: strings.Repeat("a.", 127), want: strings.Split(strings.Repeat("a", 127), "")},
		{name: "128 labels", in: strings.Repeat("a.", 128)},
		{name: "255 octets", in: ofOctets(255), want: strings.Split(strings.TrimSuffix(ofOctets(255), "."), ".")},
		{name: "256 octets", in: ofOctets(256)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var n Name
			n.Parse("what.stood.there.before") // a Name is used again
			if ok := n.Parse(tt.in); ok != (tt.want != nil) {
				t.Fatalf("got %v", ok)
			}
			if tt.want == nil {
				return
			}
			if d := cmp.Diff(tt.want, labelsOf(&n)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestBelow(t *testing.T) {
	tests := []struct {
		name       string
		n, o       string
		wantLabels int
		want       bool
	}{
		{name: "itself", n: "svc.cluster.local", o: "svc.cluster.local", want: true},
		{name: "itself in another spelling", n: "SVC.cl\\117ster.local.", o: "svc.Cluster.local", want: true},
		{name: "one label below", n: "default.svc.cluster.local", o: "svc.cluster.local", wantLabels: 1, want: true},
		{name: "three labels below", n: "a.b.c.svc.cluster.local", o: "svc.cluster.local", wantLabels: 3, want: true},
		{name: "above", n: "cluster.local", o: "svc.cluster.local"},
		{name: "beside", n: "default.pod.cluster.local", o: "svc.cluster.local", wantLabels: 1},
		{name: "as long, but another", n: "pod.cluster.local", o: "svc.cluster.local"},
		{name: "its octets, but not its labels", n: "xsvc.cluster.local", o: "svc.cluster.local"},
		{name: "its octets behind an escaped dot", n: "default\\.svc.cluster.local", o: "svc.cluster.local"},
		{
			name: "its octets and length octet inside a label", n: "a\\003svc\\007cluster\\005local",
			o: "svc.cluster.local",
		},
		{name: "its octets and length octet at the end of a label", n: "b.c.a\\005local", o: "local", wantLabels: 2},
		{name: "below the root", n: "cluster.local", o: ".", wantLabels: 2, want: true},
		{name: "the root below itself", n: ".", o: ".", want: true},
		{name: "the root below a name", n: ".", o: "local"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var n, o Name
			if !n.Parse(tt.n) || !o.Parse(tt.o) {
				t.Fatal("refused")
			}
			labels, ok := n.Below(&o)
			if ok != tt.want || ok && labels != tt.wantLabels {
				t.Errorf("got %d, %v, want %d, %v", labels, ok, tt.wantLabels, tt.want)
			}
		})
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	long := ofOctets(255)
	allocs := testing.AllocsPerRun(100, func() {
		var n Name
		n.Parse("Web-0.nginx\\.x.default.svc.cluster.local.")
		n.Parse(long)
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// wireOf returns n in wire format.
func wireOf(n *Name) []byte {
	var wire []byte
	for i := range n.Labels() {
		wire = append(append(wire, byte(len(n.Label(i)))), n.Label(i)...)
	}
	return append(wire, 0)
}

// FuzzParse takes its input as a name in presentation format, and as one in wire format. It compares Parse with
// miekg/dns.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		".", "", "a", "a.", "A.b.C.", "a..b", ".a", "a\\.b.", "a\\", "é\\", "é\\.", "\\065.", "\\999.", "\\06.",
		"\\\\.", "\xff.", "a b.",
		ofOctets(254), ofOctets(254) + ".", ofOctets(254) + "c", ofOctets(255), ofOctets(256), ofOctets(257), "..",
		"a\\092.", "\\06",
		strings.Repeat("a.", 127), strings.Repeat("\\000", 63) + ".", strings.Repeat("a", 64),
		"\x01a\x03B.C\x00", "\x00", "\x01\xc4\xc0\x00", "\x02\x00\xff\x00", "\x03\\\"@\x01 \x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var n Name
		ok := n.Parse(s)
		if again := n.Parse(s); again != ok {
			t.Error("Parse depends on what the Name held")
		}
		packed := make([]byte, maxName)
		end, err := dns.PackDomainName(fqdn(s), packed, 0, nil, false)
		switch {
		case s == "", !dns.IsFqdn(fqdn(s)):
		case ok && err != nil:
			t.Errorf("%q: accepted, but miekg/dns says %v", s, err)
		case ok && !bytes.Equal(wireOf(&n), lowered(packed[:end])):
			t.Errorf("%q: got %q, want %q", s, wireOf(&n), lowered(packed[:end]))
		case !ok && err == nil && !malformed(s):
			t.Errorf("%q: refused, but miekg/dns packs it as %q", s, packed[:end])
		}
		// Parse must accept every name of a message.
		if text, _, err := dns.UnpackDomainName([]byte(s), 0); err == nil {
			end, err := dns.PackDomainName(text, packed, 0, nil, false)
			if err != nil || !n.Parse(text) || !bytes.Equal(wireOf(&n), lowered(packed[:end])) {
				t.Errorf("%q on the wire is %q: got %q, want %q, %v", s, text, wireOf(&n), packed[:end], err)
			}
		}
	})
}

// fqdn is dns.Fqdn without a fault of dns.IsFqdn, which miscounts backslashes at the end after a letter beyond ASCII.
func fqdn(s string) string {
	text, dot := strings.CutSuffix(s, ".")
	if escapes := len(text) - len(strings.TrimRight(text, "\\")); dot && escapes%2 == 0 {
		return s
	}
	return s + "."
}

// lowered returns a name in wire format in lower case. Length octets are less than every letter.
func lowered(wire []byte) []byte {
	b := bytes.Clone(wire)
	for i, c := range b {
		b[i] = lower(c)
	}
	return b
}

// malformed reports whether s has a backslash that escapes nothing. miekg/dns accepts such a name, but never writes
// one.
func malformed(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			continue
		}
		if i++; i == len(s) {
			return true
		}
		if digit(s[i]) {
			if len(s) < i+3 || !digit(s[i+1]) || !digit(s[i+2]) || s[i:i+3] > "255" {
				return true
			}
			i += 2
		}
	}
	return false
}
