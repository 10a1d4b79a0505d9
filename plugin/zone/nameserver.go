package zone

import (
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
	ttl   uint32 // of the addresses
}

func newNameserver(text string, addrs []netip.Addr, ttl uint32) *nameserver {
	ns := &nameserver{text: text, addrs: addrs, ttl: ttl}
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

// setNameservers sets those of a suffix: those of the Corefile or, where it has none, this server. Its own addresses
// have the TTL of other records, since they change when it starts on another host.
func (o *Origin) setNameservers(listening []netip.Addr) {
	for _, n := range o.stanza.Nameservers {
		o.ns = append(o.ns, newNameserver(n.Name, n.Addrs, o.stanza.ApexTTL))
	}
	if len(o.ns) == 0 {
		o.ns = append(o.ns, newNameserver(dnsname.Under("ns.dns.", o.zone), listening, o.stanza.TTL))
	}
	for _, ns := range o.ns {
		if _, ok := ns.name.Below(&o.name); ok && !o.shared {
			o.inZone = append(o.inZone, ns)
		}
	}
}

// nameserver is the name server that n is the name of, if it lies in the zone.
func (o *Origin) nameserver(n *dnsname.Name) *nameserver {
	for _, ns := range o.inZone {
		if labels, ok := n.Below(&ns.name); ok && labels == 0 {
			return ns
		}
	}
	return nil
}

// nsRecords are the NS records of the apex, which is spelled as given.
func (o *Origin) nsRecords(apex string) []dns.RR {
	rrs := make([]dns.RR, len(o.ns))
	for i, ns := range o.ns {
		rrs[i] = reply.NS(apex, o.stanza.ApexTTL, ns.spelled(o.zone, apex))
	}
	return rrs
}

// glueRecords are the addresses of the zone's name servers that lie in it, but for those given.
func (o *Origin) glueRecords(apex string, but ...*nameserver) []dns.RR {
	var rrs []dns.RR
	for _, ns := range o.inZone {
		if slices.ContainsFunc(but, func(b *nameserver) bool { return b.text == ns.text }) {
			continue
		}
		for _, a := range ns.addrs {
			rrs = append(rrs, reply.Address(ns.spelled(o.zone, apex), ns.ttl, a))
		}
	}
	return rrs
}
