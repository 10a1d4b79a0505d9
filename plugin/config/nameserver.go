package config

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

func (p *parser) nameserver(args []string) error {
	name, err := zoneName(args[0])
	_, aerr := netip.ParseAddr(strings.TrimSuffix(args[0], "."))
	if err != nil || aerr == nil || name == "." || strings.Contains(args[0], "/") {
		return p.Errf("nameserver %q is no domain name: allowed is nameserver NAME [ADDRESS...]", args[0])
	}
	if slices.ContainsFunc(p.s.Nameservers, func(n Nameserver) bool { return n.Name == name }) {
		return p.Errf("nameserver %q stands twice: allowed is to give all its addresses at once", args[0])
	}
	n := Nameserver{Name: name, At: position(p.Controller)}
	for _, text := range args[1:] {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" || a.Unmap().IsUnspecified() {
			return p.Errf("nameserver address %q: allowed are addresses of IPv4 and IPv6", text)
		}
		if a = a.Unmap(); !slices.Contains(n.Addrs, a) {
			n.Addrs = append(n.Addrs, a)
		}
	}
	p.s.Nameservers = append(p.s.Nameservers, n)
	return nil
}

// checkNameservers checks the name servers against the suffixes, which are complete.
func (p *parser) checkNameservers() error {
	for _, n := range p.s.Nameservers {
		within := func(s Suffix) bool { return !s.Shared && dns.IsSubDomain(s.Name, n.Name) }
		switch inside := slices.ContainsFunc(p.s.Suffixes, within); {
		case !slices.ContainsFunc(p.s.Suffixes, func(s Suffix) bool { return !s.Shared }):
			return n.At.Errorf("nameserver %q has no suffix to serve: allowed with a suffix that is not shared", n.Name)
		case inside && len(n.Addrs) == 0:
			return n.At.Errorf("nameserver %q lies inside a suffix, nobody else can tell its addresses: allowed is nameserver NAME ADDRESS...", n.Name)
		case !inside && len(n.Addrs) > 0:
			return n.At.Errorf("nameserver %q lies outside the suffixes, its addresses are told elsewhere: allowed is nameserver NAME", n.Name)
		case slices.ContainsFunc(p.s.Zones, func(z string) bool { return dns.IsSubDomain(z, n.Name) }):
			return n.At.Errorf("nameserver %q lies inside a cluster zone, which those who ask for suffixes cannot reach: allowed is a name outside", n.Name)
		}
	}
	return nil
}
