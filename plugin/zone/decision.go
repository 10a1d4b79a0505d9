package zone

import (
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
	// NextUnlessDenied passes the query to the next plugin, and writes Msg if a denial comes back.
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
	// Result is that of Write. NextUnlessDenied comes to it where Msg is written, else to Passed.
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

// IsDenial reports whether a reply says that a name does not exist, or has nothing of the type asked for (RFC 2308
// section 2). One that is truncated says nothing yet: the client asks again over TCP. Nor does a referral.
func IsDenial(m *dns.Msg) bool {
	switch {
	case m.Truncated:
		return false
	case m.Rcode == dns.RcodeNameError:
		return true
	case m.Rcode != dns.RcodeSuccess || len(m.Answer) > 0:
		return false
	}
	referral := len(m.Ns) > 0 && m.Ns[0].Header().Rrtype == dns.TypeNS && !m.Authoritative
	return !referral
}
