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

// isNetwork reports whether z means addresses: a CIDR, or a reverse zone, as the keys of server blocks have them.
func isNetwork(z string) bool {
	if _, err := netip.ParsePrefix(z); err == nil {
		return true
	}
	name := strings.ToLower(dns.Fqdn(z))
	return dns.IsSubDomain(arpa4, name) || dns.IsSubDomain(arpa6, name)
}

// network reads a pod network.
func (p *parser) network(z string) error {
	const allowed = "name the pod network, such as 10.244.0.0/16"
	n, err := netip.ParsePrefix(z)
	if err != nil {
		var name dnsname.Name
		parsed := name.Parse(z)
		var ok bool
		if n, ok = name.Network(); !parsed || !ok {
			return p.Errf("zone %q is no reverse zone of a network: %s", z, allowed)
		}
	}
	zone := dnsname.Reverse(n)
	related := func(served string) bool { return dns.IsSubDomain(served, zone) || dns.IsSubDomain(zone, served) }
	switch {
	case n.Bits() == 0:
		return p.Errf("zone %q is all reverse names of its family, which belong to whoever answered them before: %s", z, allowed)
	case n.Addr().Is4In6():
		return p.Errf("network %q is IPv4 in IPv6: %s", z, allowed)
	case n != n.Masked():
		return p.Errf("network %q has bits set behind its length: allowed is %s", z, n.Masked())
	case slices.Contains(p.s.Networks, n):
		return p.Errf("network %q stands twice", z)
	case len(p.served) > 0 && !slices.ContainsFunc(p.served, related):
		return p.Errf("network %q lies outside the server block's zones, no query for it comes here: allowed is what lies in %s",
			z, strings.Join(p.served, ", "))
	}
	p.s.Networks = append(p.s.Networks, n)
	return nil
}
