// Package zone decides what a query means. It knows names, trees and messages, and does no I/O: whoever calls it
// writes the message, calls the next plugin, or resolves a name.
package zone

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/dnsname"
	"github.com/coredns-headless/headless/plugin/tree"
)

// Stanza is a stanza of a Corefile, and the tree of its names. Domain names are fully qualified and in lower case.
type Stanza struct {
	Tree *tree.Tree
	// Zones are the cluster zones.
	Zones    []string
	Networks []netip.Prefix
	Suffixes []Suffix
	// Nameservers are those of the suffixes; none means ns.dns.SUFFIX with the listener's addresses.
	Nameservers []Nameserver
	NotReady    bool
	// PTRSuffix is the option ptr suffix: PTR records prefer names under suffixes.
	PTRSuffix bool
	// Stale reports whether the tree may be out of date. nil is never.
	Stale func() bool
	// TTL of records, in seconds, and of negative replies.
	TTL uint32
	// ApexTTL is that of SOA and NS records, and of the addresses of name servers, in seconds.
	ApexTTL uint32
}

// Suffix is a domain that is grafted onto a target: the root of the tree, a namespace, or a Service of it.
type Suffix struct {
	Name               string
	Namespace, Service string
	// Shared says that a later plugin serves the rest of the domain (fallthrough).
	Shared bool
}

// Nameserver is a name server of the suffixes. Its addresses are those of a name inside a suffix.
type Nameserver struct {
	Name  string
	Addrs []netip.Addr
}

// Behind are the plugins of the chain that may serve the cluster zones, without what follows them.
type Behind interface {
	// SOA is what the SOA record of a zone says: the minimum TTL in seconds, and the serial. It reports false if
	// *kubernetes* is not there.
	SOA(r *dns.Msg, zone string) (minTTL, serial uint32, ok bool)
	// Names are the domain names that *kubernetes* has for the address that r asks the name of.
	Names(r *dns.Msg) []string
	// Addrs are the addresses that they have for a name, of type A or AAAA.
	Addrs(name string, qtype uint16) []netip.Addr
}

// A Set has the origins of one server block. It does not change; the trees that it looks into do.
type Set struct {
	stanzas  []*stanza
	origins  []*Origin  // most labels first: the longest match is the first
	networks []*network // longest prefix first
	names    []string   // of all of them
	behind   Behind     // nil for none
}

// stanza is a Stanza and what it was made into.
type stanza struct {
	Stanza
	zones, suffixes []*Origin // as the Corefile has them
}

// New returns the Set of stanzas. Listening are the addresses of name servers that the Corefile does not name.
func New(stanzas []Stanza, listening []netip.Addr, behind Behind) *Set {
	s := &Set{behind: behind}
	index := func(name string) int {
		s.names = append(s.names, name)
		return len(s.names) - 1
	}
	for _, x := range stanzas {
		st := &stanza{Stanza: x}
		for _, z := range x.Zones {
			st.zones = append(st.zones, newGuest(st, z, index(z)))
		}
		for _, x := range x.Suffixes {
			st.suffixes = append(st.suffixes, newSuffix(st, x, listening, index(x.Name)))
		}
		for _, n := range x.Networks {
			s.networks = append(s.networks, &network{n, dnsname.Reverse(n), st, index(n.String())})
		}
		s.stanzas = append(s.stanzas, st)
		s.origins = append(append(s.origins, st.zones...), st.suffixes...)
	}
	slices.SortStableFunc(s.origins, func(a, b *Origin) int { return b.name.Labels() - a.name.Labels() })
	slices.SortStableFunc(s.networks, func(a, b *network) int { return b.prefix.Bits() - a.prefix.Bits() })
	return s
}

// Names are the cluster zones, suffixes and pod networks. Decision.Origin is an index into them.
func (s *Set) Names() []string { return s.names }

// Origins are the cluster zones and suffixes, those with most labels first.
func (s *Set) Origins() []*Origin { return s.origins }

// maxBuffered is how many addresses a look-up holds without allocating.
const maxBuffered = 8

// scratch is what a decision is made on. It is reused, rather than taken from the stack of each query.
type scratch struct {
	name dnsname.Name
	path tree.Path
	buf  [maxBuffered]netip.Addr

	chain []string // the names that led here
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// Decide says what to do with a query. CoreDNS answers each query over UDP in a goroutine of its own, whose stack
// begins small and is copied whenever it must grow. So Decide takes little of it, and has given that back before the
// caller goes on.
func (s *Set) Decide(r *dns.Msg) Decision { return s.decide(r, nil) }

// decide is Decide for a name that a chain of aliases has led to.
//
//go:noinline
func (s *Set) decide(r *dns.Msg, chain []string) (d Decision) {
	d = Decision{Result: Passed, Origin: -1}
	if r.Opcode != dns.OpcodeQuery || len(r.Question) != 1 || r.Question[0].Qclass != dns.ClassINET {
		return d
	}
	c := scratches.Get().(*scratch)
	c.chain = chain
	if c.name.Parse(r.Question[0].Name) {
		switch o, labels := s.origin(&c.name); {
		case o == nil && len(s.networks) > 0:
			s.decideReverse(&d, r, c)
		case o == nil:
		case o.guest:
			s.decideGuest(&d, r, o, c, labels)
		default:
			s.decideSuffix(&d, r, o, c, labels)
		}
	}
	c.chain = nil
	scratches.Put(c)
	return d
}

// origin finds the origin that n lies in, and how many labels more n has.
func (s *Set) origin(n *dnsname.Name) (o *Origin, labels int) {
	for _, o := range s.origins {
		if labels, ok := n.Below(&o.name); ok {
			return o, labels
		}
	}
	return nil, 0
}

// Object finds what is behind a name that is answered here: the names of a namespace, a Service and a pod, the last
// two empty where there is none. It looks nothing up until find is called, and reports false for a name outside all
// origins.
func (s *Set) Object(name string) (find func() (namespace, service, pod string), ok bool) {
	n := new(dnsname.Name)
	if !n.Parse(name) {
		return nil, false
	}
	o, labels := s.origin(n)
	if o == nil {
		return nil, false
	}
	return func() (namespace, service, pod string) {
		a := o.find(n, labels, tree.Query{NotReady: o.stanza.NotReady})
		return a.Object()
	}, true
}

// Bypass are the zones that *cache* must not keep, so that a pod's new address shows at once. A suffix that another
// plugin has a part of is not among them, since that wants the cache. None lies below another, as each costs every
// query.
func (s *Set) Bypass() []string {
	var list []*Origin
	for _, o := range s.origins { // most labels first
		if !slices.ContainsFunc(s.origins, func(other *Origin) bool { return !other.Authority() && other.below(o) }) {
			list = append(slices.DeleteFunc(list, func(other *Origin) bool { return other.below(o) }), o)
		}
	}
	zones := make([]string, len(list))
	for i, o := range list {
		zones[i] = o.zone
	}
	return zones
}
