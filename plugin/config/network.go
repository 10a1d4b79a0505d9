package config

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/dnsname"
)

const (
	arpa4 = "in-addr.arpa."
	arpa6 = "ip6.arpa."
)

// isNetwork reports whether z is a CIDR or a reverse zone. CoreDNS turns a CIDR into reverse zones in the keys of a
// server block, not in the arguments of a plugin.
func isNetwork(z string) bool {
	if _, err := netip.ParsePrefix(z); err == nil {
		return true
	}
	name := strings.ToLower(dns.Fqdn(z))
	return dns.IsSubDomain(arpa4, name) || dns.IsSubDomain(arpa6, name)
}

// network parses a pod network.
func (p *parser) network(z string) error {
	const usage = "use the pod network, such as 10.244.0.0/16"
	n, err := netip.ParsePrefix(z)
	if err != nil {
		var name dnsname.Name
		parsed := name.Parse(z)
		var ok bool
		if n, ok = name.Network(); !parsed || !ok {
			return p.Errf("zone %s is not the reverse zone of a network; %s", quote(z), usage)
		}
	}
	zone := dnsname.Reverse(n)
	related := func(served string) bool { return dns.IsSubDomain(served, zone) || dns.IsSubDomain(zone, served) }
	switch {
	case n.Bits() == 0:
		return p.Errf("zone %s covers every address; %s", quote(z), usage)
	case n.Addr().Is4In6():
		return p.Errf("network %s is IPv4-mapped IPv6; use the IPv4 network", quote(z))
	case n != n.Masked():
		return p.Errf("network %s has host bits set; use %s", quote(z), n.Masked())
	case slices.Contains(p.s.Networks, n):
		return p.Errf("network %s is listed twice", quote(z))
	case len(p.served) > 0 && !slices.ContainsFunc(p.served, related):
		return p.Errf("network %s is not in the server block's zones (%s)", quote(z), strings.Join(p.served, ", "))
	}
	p.s.Networks = append(p.s.Networks, n)
	return nil
}
