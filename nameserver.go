package headless

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/dnsname"
	"github.com/coredns-headless/headless/plugin/reply"
)

// nameserver is a name server of a suffix.
type nameserver struct {
	name  dnsname.Name
	text  string
	addrs []netip.Addr
	local bool // addrs are the listener's, known at start-up
}

func newNameserver(text string, addrs []netip.Addr) *nameserver {
	ns := &nameserver{text: text, addrs: addrs}
	ns.name.Parse(text)
	return ns
}

// spelled is the name of the server, and its end as in apex where it lies in the zone.
func (ns *nameserver) spelled(zone, apex string) string {
	if label, ok := strings.CutSuffix(ns.text, zone); ok && (label == "" || strings.HasSuffix(label, ".")) {
		return label + apex
	}
	return ns.text
}

// setNameservers sets those of a suffix.
func (o *origin) setNameservers() {
	for _, n := range o.stanza.Nameservers {
		ns := newNameserver(n.Name, n.Addrs)
		o.ns = append(o.ns, ns)
	}
	if len(o.ns) == 0 {
		ns := newNameserver(dnsname.Under("ns.dns.", o.zone), nil)
		ns.local = true
		o.ns = append(o.ns, ns)
	}
	for _, ns := range o.ns {
		if _, ok := ns.name.Below(&o.name); ok && !o.shared {
			o.inside = append(o.inside, ns)
		}
	}
}

// listening sets the addresses of name servers that are this one, by the hosts that the server block listens on.
func (h *Headless) listening(hosts []string) {
	addrs := hostAddrs(hosts)
	for _, o := range h.origins {
		for _, ns := range o.ns {
			if ns.local {
				ns.addrs = addrs
			}
		}
	}
}

// hostAddrs are the addresses that the hosts mean: of unspecified ones those of the interfaces that others can reach.
func hostAddrs(hosts []string) []netip.Addr {
	var list []netip.Addr
	for _, host := range hosts {
		a, err := netip.ParseAddr(host)
		switch {
		case err == nil && !a.IsUnspecified():
			list = append(list, a.Unmap().WithZone(""))
		case err == nil && a.Is4():
			list = append(list, slices.DeleteFunc(interfaceAddrs(), netip.Addr.Is6)...)
		default:
			list = append(list, interfaceAddrs()...)
		}
	}
	if len(list) == 0 {
		list = interfaceAddrs()
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}

// interfaceAddrs are the addresses of this machine that are neither loopback nor link-local.
func interfaceAddrs() []netip.Addr {
	var list []netip.Addr
	found, _ := net.InterfaceAddrs() // without any the name servers have no addresses
	for _, f := range found {
		if p, err := netip.ParsePrefix(f.String()); err == nil && p.Addr().IsGlobalUnicast() {
			list = append(list, p.Addr().Unmap())
		}
	}
	return list
}

// nameserver is the name server that n is the name of, if it lies in the zone.
func (o *origin) nameserver(n *dnsname.Name) *nameserver {
	for _, ns := range o.inside {
		if labels, ok := n.Below(&ns.name); ok && labels == 0 {
			return ns
		}
	}
	return nil
}

// nsRecords are the NS records of the apex, which is spelled as given.
func (o *origin) nsRecords(apex string) []dns.RR {
	rrs := make([]dns.RR, len(o.ns))
	for i, ns := range o.ns {
		rrs[i] = reply.NS(apex, o.stanza.TTL, ns.spelled(o.zone, apex))
	}
	return rrs
}

// glueRecords are the addresses of the zone's name servers that lie in it, but for those given.
func (o *origin) glueRecords(apex string, but ...*nameserver) []dns.RR {
	var rrs []dns.RR
	for _, ns := range o.inside {
		if slices.ContainsFunc(but, func(b *nameserver) bool { return b.text == ns.text }) {
			continue
		}
		for _, a := range ns.addrs {
			rrs = append(rrs, reply.Address(ns.spelled(o.zone, apex), o.stanza.TTL, a))
		}
	}
	return rrs
}
