package zone

import (
	"errors"
	"iter"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/dnsname"
	"github.com/coredns-headless/headless/plugin/reply"
	"github.com/coredns-headless/headless/plugin/tree"
)

// The errors of Transfer.
var (
	ErrNotAuthoritative = errors.New("no suffix of that name, or a shared one")
	ErrNotSynced        = errors.New("not synced yet")
)

// Transfer yields the records of a suffix that is not shared, as a transfer sends them: from the SOA record to the
// SOA record. A client that has the present serial, or a later one (RFC 1982), gets the SOA record alone; others get
// the whole zone, as RFC 1995 section 4 lets a server do. A serial of 0 asks for the whole zone.
func (s *Set) Transfer(zone string, serial uint32) (iter.Seq[[]dns.RR], error) {
	i := slices.IndexFunc(s.origins, func(o *Origin) bool { return o.zone == zone && o.Authority() })
	if i < 0 {
		return nil, ErrNotAuthoritative
	}
	o := s.origins[i]
	target := o.targetPath()
	if !o.synced(&target) {
		return nil, ErrNotSynced
	}
	if now := o.Serial(); serial != 0 && int32(serial-now) >= 0 { // #nosec G115 -- RFC 1982 section 3.2
		return func(yield func([]dns.RR) bool) { yield([]dns.RR{o.apexSOA(o.zone, now)}) }, nil
	}
	entries, now, root := o.stanza.Tree.Zone(&target, o.stanza.NotReady, o.standIns)
	if o.volatile.Load() {
		now = root
	}
	soa := o.apexSOA(o.zone, now)
	return func(yield func([]dns.RR) bool) {
		if !yield(append([]dns.RR{soa}, s.fixed(o)...)) {
			return
		}
		for _, e := range entries {
			if rrs := s.records(o, e); len(rrs) > 0 && !yield(rrs) {
				return
			}
		}
		yield([]dns.RR{soa})
	}, nil
}

// fixed are the records that a zone has beside the tree: its name servers, dns-version, and the zones cut out of it.
func (s *Set) fixed(o *Origin) []dns.RR {
	rrs := append(o.nsRecords(o.zone), o.glueRecords(o.zone)...)
	if len(o.target) == 0 {
		rrs = append(rrs, reply.TXT("dns-version."+o.zone, o.stanza.TTL, dnsVersion))
	}
	for _, below := range s.origins {
		if below != o && below.Authority() && below.below(o) && s.parent(below) == o {
			rrs = append(append(rrs, below.nsRecords(below.zone)...), below.glueRecords(below.zone, o.inZone...)...)
		}
	}
	return rrs
}

// parent is the origin that o's name would lie in without o.
func (s *Set) parent(o *Origin) *Origin {
	for _, above := range s.origins { // most labels first
		if above != o && o.below(above) {
			return above
		}
	}
	return nil
}

// records are what answers at a name of the tree have. Names that other origins have, and those of name servers, are
// left out.
func (s *Set) records(o *Origin, e tree.Entry) []dns.RR {
	name, ok := dnsname.Join(o.zone, e.Labels...)
	if !ok || !s.owns(o, name) {
		return nil
	}
	var rrs []dns.RR
	for _, a := range e.Answer.Addrs {
		rrs = append(rrs, reply.Address(name, o.stanza.TTL, a))
	}
	if targets := e.Targets(); len(targets) > 0 {
		q := new(dns.Msg).SetQuestion(name, dns.TypeSRV)
		rrs = append(rrs, reply.Services(q, o.stanza.TTL, targets, targetName(name)).Answer...)
	}
	if e.Answer.Status == tree.Alias && len(e.Labels) > 0 {
		if at := o.meaning(e.Answer.External, o.zone); !at.hidden {
			rrs = append(rrs, reply.CNAME(name, o.stanza.TTL, at.name))
		}
	}
	return rrs
}

// standIns are the addresses that stand for an ExternalName where a CNAME record would tell a name of the cluster
// zone. From then on the zone has records that change with other parts of the cluster. What only an upstream knows is
// asked when a query does.
func (o *Origin) standIns(target string) (addrs []netip.Addr) {
	at := o.meaning(target, o.zone)
	if !at.hidden {
		return nil
	}
	o.volatile.Store(true)
	for range MaxChain {
		if !at.known {
			break
		}
		a := o.stanza.Tree.Find(&at.path, tree.Query{Family: tree.AnyFamily, NotReady: o.stanza.NotReady})
		if a.Status != tree.Alias {
			return a.Addrs
		}
		at = o.meaning(a.External, o.zone)
	}
	return nil
}
