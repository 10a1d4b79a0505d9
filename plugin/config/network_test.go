package config

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var samePrefix = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

func prefixes(list ...string) []netip.Prefix {
	var ps []netip.Prefix
	for _, p := range list {
		ps = append(ps, netip.MustParsePrefix(p))
	}
	return ps
}

func TestNetworksStandAmongZones(t *testing.T) {
	tests := []struct {
		name  string
		zones string   // of the stanza
		keys  []string // the root where nil
		want  []netip.Prefix
	}{
		{name: "none", zones: "cluster.local"},
		{name: "on an octet's edge", zones: "cluster.local 10.244.0.0/16", want: prefixes("10.244.0.0/16")},
		{name: "before the zone", zones: "10.244.0.0/16 cluster.local", want: prefixes("10.244.0.0/16")},
		{
			name: "within an octet", zones: "cluster.local 10.96.0.0/12 10.244.128.0/17 192.0.2.32/31",
			want: prefixes("10.96.0.0/12", "10.244.128.0/17", "192.0.2.32/31"),
		},
		{
			name: "an address", zones: "cluster.local 10.0.0.1/32 fd00::1/128",
			want: prefixes("10.0.0.1/32", "fd00::1/128"),
		},
		{name: "half of all", zones: "cluster.local 128.0.0.0/1 8000::/1", want: prefixes("128.0.0.0/1", "8000::/1")},
		{name: "IPv6", zones: "cluster.local fd00:10:244::/56", want: prefixes("fd00:10:244::/56")},
		{
			name: "IPv6 within a nibble", zones: "cluster.local fd00:10::/63 FD00:20::/57",
			want: prefixes("fd00:10::/63", "fd00:20::/57"),
		},
		{
			name: "both families", zones: "cluster.local 10.244.0.0/16 fd00::/64",
			want: prefixes("10.244.0.0/16", "fd00::/64"),
		},
		{
			name: "one in another", zones: "cluster.local 10.0.0.0/8 10.244.0.0/16 10.244.7.0/24",
			want: prefixes("10.0.0.0/8", "10.244.0.0/16", "10.244.7.0/24"),
		},
		{name: "reverse zone", zones: "cluster.local 244.10.in-addr.arpa", want: prefixes("10.244.0.0/16")},
		{
			name: "reverse zone fully qualified, in upper case", zones: "cluster.local 244.10.IN-ADDR.ARPA.",
			want: prefixes("10.244.0.0/16"),
		},
		{name: "reverse zone of an octet", zones: "cluster.local 10.in-addr.arpa", want: prefixes("10.0.0.0/8")},
		{
			name: "reverse zone of an address", zones: "cluster.local 4.3.2.1.in-addr.arpa",
			want: prefixes("1.2.3.4/32"),
		},
		{name: "reverse zone with zeros", zones: "cluster.local 0.0.10.in-addr.arpa", want: prefixes("10.0.0.0/24")},
		{
			name: "reverse zone of IPv6", zones: "cluster.local 0.1.0.0.0.0.d.f.ip6.arpa",
			want: prefixes("fd00:10::/32"),
		},
		{name: "reverse zone of a nibble", zones: "cluster.local F.ip6.Arpa", want: prefixes("f000::/4")},
		{
			name:  "reverse zone of an IPv6 address",
			zones: "cluster.local 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa",
			want:  prefixes("fd00::1/128"),
		},
		{
			name: "the server block's keys: one that CoreDNS makes of 10.244.0.0/16, two of 10.96.0.0/15",
			keys: []string{
				"dns://cluster.local.:53", "dns://244.10.in-addr.arpa.:53", "dns://96.10.in-addr.arpa.:53",
				"dns://97.10.in-addr.arpa.:53",
			},
			want: prefixes("10.244.0.0/16", "10.96.0.0/16", "10.97.0.0/16"),
		},
		{
			name: "the server block's keys of IPv6",
			keys: []string{"dns://cluster.local.:53", "dns://0.0.d.f.ip6.arpa.:53"},
			want: prefixes("fd00::/16"),
		},
		{
			name: "in a server block of its reverse zone", zones: "cluster.local 10.244.0.0/16",
			want: prefixes("10.244.0.0/16"),
			keys: []string{"dns://cluster.local.:53", "dns://244.10.in-addr.arpa.:53"},
		},
		{
			name: "in a server block of all reverse names", zones: "cluster.local 10.244.0.0/16 fd00::/64",
			want: prefixes("10.244.0.0/16", "fd00::/64"),
			keys: []string{"dns://cluster.local.:53", "dns://in-addr.arpa.:53", "dns://ip6.arpa.:53"},
		},
		{
			name: "in a server block of a part of it", zones: "cluster.local 10.0.0.0/8", want: prefixes("10.0.0.0/8"),
			keys: []string{"dns://cluster.local.:53", "dns://244.10.in-addr.arpa.:53"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.keys == nil {
				tt.keys = []string{"dns://.:53"}
			}
			list, err := parse("headless "+tt.zones, tt.keys...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"cluster.local."}, list[0].Zones); diff != "" {
				t.Errorf("zones (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, list[0].Networks, samePrefix); diff != "" {
				t.Errorf("networks (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWrongNetworkIsRefused(t *testing.T) {
	const (
		none    = " is not the reverse zone of a network; " + nameNetwork
		outside = " is not in the server block's zones "
		bits    = " has host bits set; use "
	)
	zone := func(z string) string { return "# a comment\nheadless cluster.local " + z }
	check(t, []mistake{
		{
			name: "five octets", input: zone("5.4.3.2.1.in-addr.arpa"),
			want: at(2) + "zone '5.4.3.2.1.in-addr.arpa'" + none,
		},
		{name: "octet out of range", input: zone("256.in-addr.arpa"), want: at(2) + "zone '256.in-addr.arpa'" + none},
		{
			name: "octet with a leading zero", input: zone("010.in-addr.arpa"),
			want: at(2) + "zone '010.in-addr.arpa'" + none,
		},
		{name: "octet with a sign", input: zone("+10.in-addr.arpa"), want: at(2) + "zone '+10.in-addr.arpa'" + none},
		{
			name: "part of an octet (RFC 2317)", input: zone("0-25.2.0.192.in-addr.arpa"),
			want: at(2) + "zone '0-25.2.0.192.in-addr.arpa'" + none,
		},
		{name: "two nibbles in a label", input: zone("fd.ip6.arpa"), want: at(2) + "zone 'fd.ip6.arpa'" + none},
		{name: "no nibble", input: zone("g.ip6.arpa"), want: at(2) + "zone 'g.ip6.arpa'" + none},
		{
			name:  "33 nibbles",
			input: zone("0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa"),
			want:  at(2) + "zone '0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa'" + none,
		},
		{
			name: "length beyond the address", input: zone("10.0.0.0/33"),
			want: at(2) + "invalid cluster zone '10.0.0.0/33'" + noZone,
		},
		{
			name: "octet of a CIDR with a leading zero", input: zone("010.0.0.0/8"),
			want: at(2) + "invalid cluster zone '010.0.0.0/8'" + noZone,
		},
		{
			name: "an address with a zone", input: zone("fe80::%eth0/64"),
			want: at(2) + "invalid cluster zone 'fe80::%eth0/64'" + noZone,
		},
		{name: "an IPv6 address", input: zone("fd00::1"), want: at(2) + "invalid cluster zone 'fd00::1'" + noZone},
		{
			name: "all of IPv4", input: zone("0.0.0.0/0"),
			want: at(2) + "zone '0.0.0.0/0' covers every address; " + nameNetwork,
		},
		{name: "bits of IPv6", input: zone("fd00::1/64"), want: at(2) + "network 'fd00::1/64'" + bits + "fd00::/64"},
		{
			name: "bits within an octet", input: zone("10.100.0.0/12"),
			want: at(2) + "network '10.100.0.0/12'" + bits + "10.96.0.0/12",
		},
		{
			name: "twice in two spellings of IPv6", input: zone("fd00::/16 FD00:0::/16"),
			want: at(2) + "network 'FD00:0::/16' is listed twice",
		},
		{
			name: "twice, as a reverse zone first", input: zone("0.0.d.f.ip6.arpa fd00::/16"),
			want: at(2) + "network 'fd00::/16' is listed twice",
		},
		{
			name: "beside the server block's network", input: zone("10.245.0.0/16"),
			key:  "dns://244.10.in-addr.arpa.:53",
			want: at(2) + "network '10.245.0.0/16'" + outside + "(244.10.in-addr.arpa.)",
		},
		{
			name: "of the server block's other family", input: zone("fd00::/8"), key: "dns://in-addr.arpa.:53",
			want: at(2) + "network 'fd00::/8'" + outside + "(in-addr.arpa.)",
		},
		{
			name:  "of two stanzas",
			input: "headless cluster.local 10.244.0.0/16\nheadless other.local 10.245.0.0/16 10.244.0.0/16",
			want: at(2) +
				"network '10.244.0.0/16' is already listed at Testfile:1; a pod network has one cluster",
		},
		{
			name:  "of the first and the third stanza, written differently",
			input: "headless a.local 10.244.0.0/16\nheadless b.local\nheadless c.local 244.10.in-addr.arpa",
			want: at(3) +
				"network '10.244.0.0/16' is already listed at Testfile:1; a pod network has one cluster",
		},
	})
}

// The network of one cluster may be inside that of another. The longest match wins, as with suffixes.
func TestNetworksOfTwoStanzasMayNest(t *testing.T) {
	list, err := parse("headless cluster.local 10.0.0.0/8\nheadless other.local 10.244.0.0/16", "dns://.:53")
	if err != nil {
		t.Fatal(err)
	}
	got := [][]netip.Prefix{list[0].Networks, list[1].Networks}
	if diff := cmp.Diff([][]netip.Prefix{prefixes("10.0.0.0/8"), prefixes("10.244.0.0/16")}, got,
		samePrefix); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
