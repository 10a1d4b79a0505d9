package config

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// nameserver parses the option nameserver.
func (p *parser) nameserver(args []string) error {
	name, err := zoneName(args[0])
	_, aerr := netip.ParseAddr(strings.TrimSuffix(args[0], "."))
	if err != nil || aerr == nil || name == "." || strings.Contains(args[0], "/") {
		return p.Errf("invalid nameserver %s: must be a domain name; usage: nameserver NAME [ADDRESS...]",
			quote(args[0]))
	}
	if slices.ContainsFunc(p.s.Nameservers, func(n Nameserver) bool { return n.Name == name }) {
		return p.Errf("nameserver %s is listed twice; put all its addresses on one line", quote(args[0]))
	}
	n := Nameserver{Name: name, At: position(p.Controller)}
	for _, text := range args[1:] {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" || a.Unmap().IsUnspecified() {
			return p.Errf("invalid nameserver address %s: must be an IP address without a zone, and not 0.0.0.0 or ::",
				quote(text))
		}
		if a = a.Unmap(); !slices.Contains(n.Addrs, a) {
			n.Addrs = append(n.Addrs, a)
		}
	}
	p.s.Nameservers = append(p.s.Nameservers, n)
	return nil
}

// checkNameservers checks the name servers against all suffixes of the stanza.
func (p *parser) checkNameservers() error {
	for _, n := range p.s.Nameservers {
		name := quote(n.Name)
		within := func(s Suffix) bool { return !s.Shared && dns.IsSubDomain(s.Name, n.Name) }
		switch inside := slices.ContainsFunc(p.s.Suffixes, within); {
		case !slices.ContainsFunc(p.s.Suffixes, func(s Suffix) bool { return !s.Shared }):
			return n.At.Errorf("nameserver %s needs a suffix that fallthrough does not cover", name)
		case inside && len(n.Addrs) == 0:
			return n.At.Errorf("nameserver %s is inside a suffix and needs an address; "+
				"usage: nameserver NAME ADDRESS...", name)
		case !inside && len(n.Addrs) > 0:
			return n.At.Errorf("nameserver %s is outside the suffixes and takes no address; usage: nameserver NAME",
				name)
		case slices.ContainsFunc(p.s.Suffixes, func(s Suffix) bool { return s.Name == n.Name && s.Target.Service != "" }):
			return n.At.Errorf("nameserver %s is a suffix of a Service, whose addresses it would hide; "+
				"give it a name below", name)
		case slices.ContainsFunc(p.s.Zones, func(z string) bool { return dns.IsSubDomain(z, n.Name) }):
			return n.At.Errorf("nameserver %s must be outside the cluster zones", name)
		}
	}
	return nil
}
