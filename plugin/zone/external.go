package zone

import (
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/dnsname"
	"github.com/coredns-headless/headless/plugin/reply"
	"github.com/coredns-headless/headless/plugin/tree"
)

// MaxChain bounds CNAMEs in the tree, and look-ups through CoreDNS inside one another.
const MaxChain = 8

// chase follows an ExternalName Service to where it leads.
type chase struct {
	origin *Origin
	r      *dns.Msg
	target string // the name to ask CoreDNS for
	owner  string // of the next record
	// flat says that addresses stand at owner, since a CNAME cannot stand at an apex (RFC 1034 section 3.6.2), or
	// would tell a name of the cluster zone.
	flat   bool
	answer []dns.RR
}

// meaning is what a domain name means to an origin.
type meaning struct {
	name   string // below the suffix, where it lies below the origin's target; else as given
	path   tree.Path
	known  bool // path leads to it
	hidden bool // it lies in a cluster zone, not below the origin's target
}

// decideAlias answers at the name of an ExternalName Service, which chain has led to. Behind a CNAME it begins again
// at the new name (RFC 1034 section 4.3.2), so that an answer says of that name what asking it says. Names in a
// cluster zone are not told, so those it looks up in the tree.
func (s *Set) decideAlias(d *Decision, r *dns.Msg, o *Origin, chain []string, target string, flat bool) {
	c := &chase{origin: o, r: r, target: target, owner: r.Question[0].Name, flat: flat}
	fam := family(r.Question[0].Qtype)
	chain = append(slices.Clip(chain), strings.ToLower(c.owner))
	for {
		at := o.meaning(c.target, spelled(r, o.zone))
		c.flat = c.flat || at.hidden
		step := strings.ToLower(at.name)
		switch long := len(chain) > MaxChain; {
		case fam == tree.NoFamily && c.flat:
			d.deny(NoData, r, o.soa(r))
			return
		case fam == tree.NoFamily:
			d.answer(reply.Records(r, []dns.RR{reply.CNAME(c.owner, o.stanza.TTL, at.name)}, nil))
			return
		case slices.Contains(chain, step), long && c.flat:
			d.fail(ServFail)
			return
		case long: // the client goes on from here
			d.answer(reply.Records(r, nil, nil))
			return
		case !at.hidden:
			s.follow(d, c, at.name, chain)
			return
		case !at.known:
			d.Action, d.chase = Ask, c
			return
		case !o.synced(&at.path):
			d.fail(ServFail)
			return
		}
		found := o.stanza.Tree.Find(&at.path, tree.Query{Family: fam, NotReady: o.stanza.NotReady})
		if found.Status != tree.Alias {
			c.end(d, &found)
			return
		}
		chain, c.target = append(chain, step), found.External
	}
}

// follow answers with what a query for name gets, where this Set answers it, and else asks CoreDNS.
func (s *Set) follow(d *Decision, c *chase, name string, chain []string) {
	if !c.flat {
		c.answer = append(c.answer, reply.CNAME(c.owner, c.origin.stanza.TTL, name))
		c.owner = name
	}
	c.target = name
	next := s.decide(question(c.r, name, c.r.Question[0].Qtype), chain)
	switch {
	case next.Action == Ask:
		c.target = next.chase.target
		if !c.flat {
			c.owner, c.flat = next.chase.owner, next.chase.flat
			c.answer = append(c.answer, next.chase.answer...)
		}
		d.Action, d.chase = Ask, c
	case next.Action != Write:
		d.Action, d.chase = Ask, c
	case next.Msg == nil:
		d.fail(next.Result)
	case c.flat:
		c.finish(d, next.Msg)
	default:
		*d = next
		d.Origin = c.origin.index
		d.Msg.Question[0] = c.r.Question[0]
		d.Msg.Answer = slices.Concat(c.answer, d.Msg.Answer)
	}
}

// question is a query for another name, on behalf of the client that sent r.
func question(r *dns.Msg, name string, qtype uint16) *dns.Msg {
	return &dns.Msg{MsgHdr: r.MsgHdr, Question: []dns.Question{{Name: name, Qtype: qtype, Qclass: dns.ClassINET}}}
}

// end answers with what the tree has of a name in the cluster zone.
func (c *chase) end(d *Decision, found *tree.Answer) {
	o := c.origin
	switch {
	case len(found.Addrs) > 0:
		for _, addr := range found.Addrs {
			c.answer = append(c.answer, reply.Address(c.owner, o.stanza.TTL, addr))
		}
		d.answer(reply.Records(c.r, c.answer, nil))
	case found.Status == tree.None:
		d.Action, d.chase = Ask, c // *kubernetes* may have it
	default:
		c.deny(d, NoData, o.soa(c.r))
	}
}

// deny answers the chain as far as it goes, and that there is nothing at its end; soa may be nil. RFC 6604: the rcode
// is that of the end of the chain.
func (c *chase) deny(d *Decision, result Result, soa *dns.SOA) {
	d.deny(result, c.r, soa)
	d.Msg.Answer = slices.Clip(c.answer)
	if soa == nil {
		d.Msg.Ns = nil
	}
}

// meaning finds out what name means to the origin, of which the query's spelling is zone.
func (o *Origin) meaning(name, zone string) meaning {
	at := meaning{name: name}
	n := new(dnsname.Name)
	if !n.Parse(name) {
		return at
	}
	for _, z := range o.stanza.zones {
		labels, ok := n.Below(&z.name)
		if !ok {
			continue
		}
		at.hidden = true
		if labels == 0 || string(n.Label(labels-1)) != "svc" {
			break
		}
		at.known = z.path(&at.path, n, labels-1)
		var below []string
		for i, label := range at.path.Labels[:at.path.N] {
			switch {
			case i >= len(o.target):
				below = append(below, string(label))
			case string(label) != string(o.target[i]):
				return at
			}
		}
		if at.known && at.path.N >= len(o.target) {
			if under, ok := dnsname.Join(zone, below...); ok {
				at.name, at.hidden = under, false
			}
		}
		break
	}
	return at
}

// Target is the name that Ask resolves, for the type of the query.
func (d *Decision) Target() string { return d.chase.target }

// Finish decides what to write, once CoreDNS has answered; m is nil where it has not.
func (d *Decision) Finish(m *dns.Msg) Decision {
	c := *d.chase
	c.answer = slices.Clip(c.answer)
	out := Decision{Origin: d.Origin}
	switch {
	case m != nil && (m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError):
		c.finish(&out, m)
	case m != nil && m.Rcode == dns.RcodeRefused && !c.flat:
		// No plugin serves the target: whoever asks goes on from the CNAME, as with any authority (RFC 1034 section
		// 4.3.2).
		out.answer(reply.Records(c.r, c.answer, nil))
	default:
		out.fail(ServFail)
	}
	return out
}

func (c *chase) finish(d *Decision, m *dns.Msg) {
	c.gather(m)
	qtype := c.r.Question[0].Qtype
	switch {
	case m.Truncated || slices.ContainsFunc(c.answer, func(rr dns.RR) bool { return rr.Header().Rrtype == qtype }):
		d.answer(reply.Records(c.r, c.answer, nil))
		d.Msg.Truncated = m.Truncated // even if nothing is there: the client asks again over TCP
	case c.flat:
		c.deny(d, NoData, c.origin.soa(c.r))
	case m.Rcode == dns.RcodeNameError:
		c.deny(d, NXDomain, soaOf(m))
	default:
		c.deny(d, NoData, soaOf(m))
	}
}

// gather takes over what CoreDNS answered: all of it behind a CNAME, else the addresses under the owner's name.
func (c *chase) gather(m *dns.Msg) {
	ttl := c.origin.stanza.TTL
	for _, rr := range m.Answer {
		ttl = min(ttl, rr.Header().Ttl) // of a chain the shortest
	}
	for _, rr := range m.Answer {
		switch {
		case !c.flat:
			c.answer = append(c.answer, dns.Copy(rr)) // it may be a cache's
		case rr.Header().Rrtype == c.r.Question[0].Qtype:
			rr = dns.Copy(rr)
			rr.Header().Name, rr.Header().Ttl = c.owner, ttl
			c.answer = append(c.answer, rr)
		}
	}
}

// soaOf is a copy of the SOA record of a negative reply, nil where it has none.
func soaOf(m *dns.Msg) *dns.SOA {
	for _, rr := range m.Ns {
		if soa, ok := dns.Copy(rr).(*dns.SOA); ok {
			return soa
		}
	}
	return nil
}
