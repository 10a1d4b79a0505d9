package zone

import (
	"slices"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/reply"
)

// Action is what there is to do with a query.
type Action uint8

// The actions.
const (
	// Next passes the query to the next plugin.
	Next Action = iota
	// Write writes Msg or, where that is nil, returns Rcode, so that the server replies.
	Write
	// NextUnlessDenied passes the query to the next plugin, and writes what Instead makes of its reply.
	NextUnlessDenied
	// Ask resolves Target through CoreDNS, and does what Finish makes of the answer.
	Ask
)

// Result is what a look-up comes to, as metrics count it.
type Result uint8

// The results. Refused is not counted.
const (
	Answered Result = iota
	NoData
	NXDomain
	ServFail
	Passed
	Refused
)

// Decision says what to do with a query.
type Decision struct {
	Action Action
	// Result is that of Write. NextUnlessDenied comes to it where Instead replaces the reply, else to Passed.
	Result Result
	// Origin is an index into Set.Names, -1 for a name outside all of them.
	Origin int
	Msg    *dns.Msg

	chase *chase // of Ask
}

// Rcode is what the server replies where there is no Msg.
func (d *Decision) Rcode() int {
	if d.Result == Refused {
		return dns.RcodeRefused
	}
	return dns.RcodeServerFailure
}

// answer says what there is.
func (d *Decision) answer(m *dns.Msg) { d.Action, d.Result, d.Msg = Write, Answered, m }

// deny says that there is no such name (NXDomain), or nothing of the type at it (NoData).
func (d *Decision) deny(result Result, r *dns.Msg, soa *dns.SOA) {
	rcode := dns.RcodeSuccess
	if result == NXDomain {
		rcode = dns.RcodeNameError
	}
	d.Action, d.Result, d.Msg = Write, result, reply.Negative(r, rcode, soa)
}

// fail lets the server reply: SERVFAIL, or REFUSED.
func (d *Decision) fail(result Result) { d.Action, d.Result, d.Msg = Write, result, nil }

// nextUnless passes the query on. Msg is written instead of a denial; where it is nil, an NXDOMAIN becomes NODATA.
func (d *Decision) nextUnless(result Result, instead *dns.Msg) {
	d.Action, d.Result, d.Msg = NextUnlessDenied, result, instead
}

// Instead is what to write instead of m, the reply of the next plugin, and nil where m stands. Before the first sync a
// denial of any kind becomes SERVFAIL. Of a name that exists here, an NXDOMAIN becomes NODATA with the SOA record that
// came with it. One that is truncated says nothing yet, since the client asks again over TCP, and one behind a CNAME
// is about another name.
func (d *Decision) Instead(m *dns.Msg) *dns.Msg {
	switch {
	case m.Truncated:
		return nil
	case d.Result == ServFail:
		if isDenial(m) {
			return d.Msg
		}
		return nil
	case m.Rcode != dns.RcodeNameError || len(m.Answer) > 0:
		return nil
	case d.Msg != nil:
		return d.Msg
	}
	noData := m.Copy()
	noData.Rcode = dns.RcodeSuccess
	noData.Ns = slices.DeleteFunc(noData.Ns, func(rr dns.RR) bool { return rr.Header().Rrtype != dns.TypeSOA })
	return noData
}

// isDenial reports whether a reply says that a name does not exist, or has nothing of the type asked for (RFC 2308
// section 2). A referral does not.
func isDenial(m *dns.Msg) bool {
	referral := len(m.Ns) > 0 && m.Ns[0].Header().Rrtype == dns.TypeNS && !m.Authoritative
	return m.Rcode == dns.RcodeNameError || m.Rcode == dns.RcodeSuccess && len(m.Answer) == 0 && !referral
}
