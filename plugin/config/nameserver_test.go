package config

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var sameAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func addrs(list ...string) []netip.Addr {
	var as []netip.Addr
	for _, a := range list {
		as = append(as, netip.MustParseAddr(a))
	}
	return as
}

// inSuffixes is a stanza for the suffixes a.test, in line 2, and b.test, then options from line 4.
func inSuffixes(options ...string) string {
	return inBlock(append([]string{"suffix a.test default.svc.cluster.local", "suffix b.test svc.cluster.local"},
		options...)...)
}

func TestNameserversAreRead(t *testing.T) {
	tests := []struct {
		name  string
		input string
		want  []Nameserver
	}{
		{name: "none: the default is the plugin's", input: inSuffixes("ttl 5")},
		{
			name: "outside, with addresses served elsewhere", input: inSuffixes("nameserver ns1.example.org"),
			want: []Nameserver{{Name: "ns1.example.org.", At: line(4)}},
		},
		{
			name: "inside, with an address", input: inSuffixes("nameserver ns.a.test 192.0.2.1"),
			want: []Nameserver{{Name: "ns.a.test.", Addrs: addrs("192.0.2.1"), At: line(4)}},
		},
		{
			name:  "several addresses, in their order",
			input: inSuffixes("nameserver ns.a.test 192.0.2.2 2001:db8::1 192.0.2.1"),
			want: []Nameserver{
				{Name: "ns.a.test.", Addrs: addrs("192.0.2.2", "2001:db8::1", "192.0.2.1"), At: line(4)},
			},
		},
		{
			name:  "addresses without duplicates, however they are written",
			input: inSuffixes("nameserver ns.a.test 192.0.2.1 2001:db8::1 ::ffff:192.0.2.1 192.0.2.1 2001:DB8:0::1"),
			want:  []Nameserver{{Name: "ns.a.test.", Addrs: addrs("192.0.2.1", "2001:db8::1"), At: line(4)}},
		},
		{
			name: "a loopback, as in tests", input: inSuffixes("nameserver ns.a.test 127.0.0.1 ::1"),
			want: []Nameserver{{Name: "ns.a.test.", Addrs: addrs("127.0.0.1", "::1"), At: line(4)}},
		},
		{
			name: "several, inside and outside, in their order",
			input: inSuffixes("nameserver z.example.org", "not_ready", "nameserver ns.b.test 192.0.2.1",
				"nameserver a.example.org."),
			want: []Nameserver{
				{Name: "z.example.org.", At: line(4)},
				{Name: "ns.b.test.", Addrs: addrs("192.0.2.1"), At: line(6)},
				{Name: "a.example.org.", At: line(7)},
			},
		},
		{
			name: "upper case", input: inSuffixes("nameserver NS.A.Test. 192.0.2.1"),
			want: []Nameserver{{Name: "ns.a.test.", Addrs: addrs("192.0.2.1"), At: line(4)}},
		},
		{
			name: "the suffix itself", input: inSuffixes("nameserver a.test 192.0.2.1"),
			want: []Nameserver{{Name: "a.test.", Addrs: addrs("192.0.2.1"), At: line(4)}},
		},
		{
			name: "a name that only ends like a suffix", input: inSuffixes("nameserver nsa.test"),
			want: []Nameserver{{Name: "nsa.test.", At: line(4)}},
		},
		{
			name: "above the suffixes", input: inSuffixes("nameserver test"),
			want: []Nameserver{{Name: "test.", At: line(4)}},
		},
		{
			name:  "before the suffixes",
			input: inBlock("nameserver ns.a.test 192.0.2.1", "suffix a.test svc.cluster.local"),
			want:  []Nameserver{{Name: "ns.a.test.", Addrs: addrs("192.0.2.1"), At: line(2)}},
		},
		{
			name:  "inside a shared suffix, whose other names are served elsewhere",
			input: inSuffixes("fallthrough a.test", "nameserver ns.a.test"),
			want:  []Nameserver{{Name: "ns.a.test.", At: line(5)}},
		},
		{
			name:  "inside the suffix that is not shared",
			input: inSuffixes("nameserver ns.b.test 192.0.2.1", "fallthrough a.test"),
			want:  []Nameserver{{Name: "ns.b.test.", Addrs: addrs("192.0.2.1"), At: line(4)}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list, err := parse(tt.input, "dns://.:53")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, list[0].Nameservers, sameAddr); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Each stanza has its own name servers, because the suffixes of another cluster may be delegated elsewhere.
func TestNameserversAreTheirStanzas(t *testing.T) {
	list, err := parse(inSuffixes("nameserver ns.example.org")+`
headless other.local {
suffix c.test svc.other.local
nameserver ns.example.org
}
headless third.local`, "dns://.:53")
	if err != nil {
		t.Fatal(err)
	}
	var got [][]Nameserver
	for _, s := range list {
		got = append(got, s.Nameservers)
	}
	want := [][]Nameserver{{{Name: "ns.example.org.", At: line(4)}}, {{Name: "ns.example.org.", At: line(8)}}, nil}
	if diff := cmp.Diff(want, got, sameAddr); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWrongNameserverIsRefused(t *testing.T) {
	const (
		noName    = ": must be a domain name; usage: nameserver NAME [ADDRESS...]"
		noSuffix  = " needs a suffix that fallthrough does not cover"
		inside    = " is inside a suffix and needs an address; usage: nameserver NAME ADDRESS..."
		outside   = " is outside the suffixes and takes no address; usage: nameserver NAME"
		inCluster = " must be outside the cluster zones"
		address   = ": must be an IP address without a zone, and not 0.0.0.0 or ::"
		twice     = " is listed twice; put all its addresses on one line"
	)
	long := strings.Repeat("a", 64) + ".test"
	check(t, []mistake{
		{
			name: "nothing", input: inSuffixes("nameserver"),
			want: at(4) + "wrong argument count for 'nameserver'; usage: nameserver NAME [ADDRESS...]",
		},
		{
			name: "an IPv4 address for a name", input: inSuffixes("nameserver 192.0.2.1"),
			want: at(4) + "invalid nameserver '192.0.2.1'" + noName,
		},
		{
			name: "an IPv6 address for a name", input: inSuffixes("nameserver 2001:db8::1"),
			want: at(4) + "invalid nameserver '2001:db8::1'" + noName,
		},
		{
			name: "an address with a dot at the end", input: inSuffixes("nameserver 192.0.2.1."),
			want: at(4) + "invalid nameserver '192.0.2.1.'" + noName,
		},
		{
			name: "a network for a name", input: inSuffixes("nameserver 192.0.0.0/8"),
			want: at(4) + "invalid nameserver '192.0.0.0/8'" + noName,
		},
		{
			name: "a name with a length", input: inSuffixes("nameserver ns.example.org/24"),
			want: at(4) + "invalid nameserver 'ns.example.org/24'" + noName,
		},
		{
			name: "an address before the name", input: inSuffixes("nameserver 192.0.2.1 ns.a.test"),
			want: at(4) + "invalid nameserver '192.0.2.1'" + noName,
		},
		{name: "root", input: inSuffixes("nameserver ."), want: at(4) + "invalid nameserver '.'" + noName},
		{name: "empty", input: inSuffixes(`nameserver ""`), want: at(4) + "invalid nameserver ''" + noName},
		{
			name: "no domain name", input: inSuffixes("nameserver ns..test"),
			want: at(4) + "invalid nameserver 'ns..test'" + noName,
		},
		{
			name: "a label too long", input: inSuffixes("nameserver " + long),
			want: at(4) + "invalid nameserver '" + long + "'" + noName,
		},
		{
			name: "with a port", input: inSuffixes("nameserver ns.example.org:53"),
			want: at(4) + "invalid nameserver 'ns.example.org:53'" + noName,
		},
		{
			name: "address no address", input: inSuffixes("nameserver ns.a.test 192.0.2.256"),
			want: at(4) + "invalid nameserver address '192.0.2.256'" + address,
		},
		{
			name: "address with a port", input: inSuffixes("nameserver ns.a.test 192.0.2.1:53"),
			want: at(4) + "invalid nameserver address '192.0.2.1:53'" + address,
		},
		{
			name: "address with a zone", input: inSuffixes("nameserver ns.a.test fe80::1%eth0"),
			want: at(4) + "invalid nameserver address 'fe80::1%eth0'" + address,
		},
		{
			name: "address that is a name", input: inSuffixes("nameserver ns.a.test ns2.a.test"),
			want: at(4) + "invalid nameserver address 'ns2.a.test'" + address,
		},
		{
			name: "address that is a network", input: inSuffixes("nameserver ns.a.test 192.0.2.0/24"),
			want: at(4) + "invalid nameserver address '192.0.2.0/24'" + address,
		},
		{
			name: "address empty", input: inSuffixes(`nameserver ns.a.test ""`),
			want: at(4) + "invalid nameserver address ''" + address,
		},
		{
			name: "an unspecified address", input: inSuffixes("nameserver ns.a.test 0.0.0.0"),
			want: at(4) + "invalid nameserver address '0.0.0.0'" + address,
		},
		{
			name: "an unspecified IPv6 address", input: inSuffixes("nameserver ns.a.test ::"),
			want: at(4) + "invalid nameserver address '::'" + address,
		},
		{
			name: "an unspecified address mapped into IPv6", input: inSuffixes("nameserver ns.a.test ::ffff:0.0.0.0"),
			want: at(4) + "invalid nameserver address '::ffff:0.0.0.0'" + address,
		},
		{
			name:  "a bad address behind good ones",
			input: inSuffixes("not_ready", "nameserver ns.a.test 192.0.2.1 2001:db8::1 x"),
			want:  at(5) + "invalid nameserver address 'x'" + address,
		},
		{
			name:  "twice",
			input: inSuffixes("nameserver ns.a.test 192.0.2.1", "ttl 5", "nameserver NS.a.test. 192.0.2.2"),
			want:  at(6) + "nameserver 'NS.a.test.'" + twice,
		},
		{
			name: "twice outside", input: inSuffixes("nameserver ns.example.org", "nameserver ns.example.org"),
			want: at(5) + "nameserver 'ns.example.org'" + twice,
		},
		{
			name: "inside without addresses", input: inSuffixes("nameserver ns.A.test"),
			want: at(4) + "nameserver 'ns.a.test.'" + inside,
		},
		{
			name: "inside the second suffix without addresses", input: inSuffixes("nameserver ns.dns.b.test"),
			want: at(4) + "nameserver 'ns.dns.b.test.'" + inside,
		},
		{
			name: "the suffix itself without addresses", input: inSuffixes("nameserver b.test"),
			want: at(4) + "nameserver 'b.test.'" + inside,
		},
		{
			name: "outside with addresses", input: inSuffixes("nameserver ns.example.org 192.0.2.1"),
			want: at(4) + "nameserver 'ns.example.org.'" + outside,
		},
		{
			name: "beside with addresses", input: inSuffixes("nameserver nsa.test 192.0.2.1"),
			want: at(4) + "nameserver 'nsa.test.'" + outside,
		},
		{
			name:  "inside a shared suffix with addresses",
			input: inSuffixes("fallthrough a.test", "nameserver ns.a.test 192.0.2.1"),
			want:  at(5) + "nameserver 'ns.a.test.'" + outside,
		},
		{
			name: "in the cluster zone", input: inSuffixes("nameserver ns.Cluster.local"),
			want: at(4) + "nameserver 'ns.cluster.local.'" + inCluster,
		},
		{
			name: "the cluster zone itself", input: inSuffixes("nameserver cluster.local"),
			want: at(4) + "nameserver 'cluster.local.'" + inCluster,
		},
		{
			name:  "the suffix of a Service",
			input: inBlock("suffix a.test web.default.svc.cluster.local", "nameserver a.test 192.0.2.1"),
			want:  at(3) + "nameserver 'a.test.' is a suffix of a Service, whose addresses it would hide; give it a name below",
		},
		{
			name:  "in the cluster zone below a suffix above it",
			input: inBlock("suffix local svc.cluster.local", "nameserver ns.cluster.local 192.0.2.1"),
			want:  at(3) + "nameserver 'ns.cluster.local.'" + inCluster,
		},
		{
			name: "no suffix", input: inBlock("ttl 5", "nameserver ns.example.org"),
			want: at(3) + "nameserver 'ns.example.org.'" + noSuffix,
		},
		{
			name: "every suffix shared", input: inSuffixes("nameserver ns.example.org", "fallthrough"),
			want: at(4) + "nameserver 'ns.example.org.'" + noSuffix,
		},
		{
			name:  "the first wrong one is reported",
			input: inSuffixes("nameserver ns.example.org", "nameserver ns.a.test", "nameserver ns.b.test"),
			want:  at(5) + "nameserver 'ns.a.test.'" + inside,
		},
		{
			name: "of the second stanza",
			input: inSuffixes() +
				"\nheadless other.local {\nsuffix c.test svc.other.local\nnameserver ns.c.test\n}",
			want: at(7) + "nameserver 'ns.c.test.'" + inside,
		},
	})
}
