package dnsname

import (
	"net/netip"
	"testing"
)

// RFC 1035 section 3.5 cuts addresses at octets, RFC 3596 section 2.5 at nibbles.
func TestReverse(t *testing.T) {
	tests := []struct {
		network, want string
	}{
		{network: "0.0.0.0/0", want: "in-addr.arpa."},
		{network: "128.0.0.0/1", want: "in-addr.arpa."},
		{network: "8.0.0.0/7", want: "in-addr.arpa."},
		{network: "10.0.0.0/8", want: "10.in-addr.arpa."},
		{network: "10.128.0.0/9", want: "10.in-addr.arpa."},
		{network: "10.96.0.0/12", want: "10.in-addr.arpa."},
		{network: "10.244.0.0/15", want: "10.in-addr.arpa."},
		{network: "10.244.0.0/16", want: "244.10.in-addr.arpa."},
		{network: "10.244.128.0/17", want: "244.10.in-addr.arpa."},
		{network: "10.244.7.0/24", want: "7.244.10.in-addr.arpa."},
		{network: "10.244.7.8/31", want: "7.244.10.in-addr.arpa."},
		{network: "10.244.7.8/32", want: "8.7.244.10.in-addr.arpa."},
		{network: "::/0", want: "ip6.arpa."},
		{network: "c000::/3", want: "ip6.arpa."},
		{network: "f000::/4", want: "f.ip6.arpa."},
		{network: "fc00::/7", want: "f.ip6.arpa."},
		{network: "fd00::/8", want: "d.f.ip6.arpa."},
		{network: "fd00:10:244::/56", want: "0.0.4.4.2.0.0.1.0.0.0.0.d.f.ip6.arpa."},
		{network: "fd00:10:244::/57", want: "0.0.4.4.2.0.0.1.0.0.0.0.d.f.ip6.arpa."},
		{network: "fd00::/127", want: "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa."},
		{network: "fd00::1/128", want: "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa."},
	}
	for _, tt := range tests {
		t.Run(tt.network, func(t *testing.T) {
			n := netip.MustParsePrefix(tt.network)
			got := Reverse(n)
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			width := 4
			if n.Addr().Is4() {
				width = 8
			}
			wide := netip.PrefixFrom(n.Addr(), n.Bits()/width*width).Masked()
			var name Name
			parsed := name.Parse(got)
			if back, ok := name.Network(); !parsed || !ok || back != wide {
				t.Errorf("%s is %v, %v, want %v", got, back, ok, wide)
			}
		})
	}
}
