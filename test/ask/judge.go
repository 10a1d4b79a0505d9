package ask

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Addresses judges a reply by the addresses in its answer, A and AAAA, in any order. None means NXDOMAIN or NODATA.
func Addresses(want ...string) func(*dns.Msg) error {
	return OneOf(func() [][]string { return [][]string{want} })
}

// OneOf judges a reply by the addresses in its answer: they are one of the sets that may be answered now.
func OneOf(now func() [][]string) func(*dns.Msg) error {
	return func(m *dns.Msg) error {
		got := addresses(m)
		sets := now()
		for _, want := range sets {
			slices.Sort(want)
			if slices.Equal(got, want) {
				return nil
			}
		}
		return fmt.Errorf("%s %q, want one of %q", dns.RcodeToString[m.Rcode], got, sets)
	}
}

func addresses(m *dns.Msg) []string {
	var list []string
	for _, rr := range m.Answer {
		switch rr := rr.(type) {
		case *dns.A:
			list = append(list, rr.A.String())
		case *dns.AAAA:
			list = append(list, rr.AAAA.String())
		}
	}
	slices.Sort(list)
	return list
}

// Same judges a reply by another one: rcode, header bits, and the records of all sections but for TTLs, SOA serials
// and order.
func Same(as *dns.Msg) func(*dns.Msg) error {
	want := gist(as)
	return func(m *dns.Msg) error {
		if got := gist(m); got != want {
			return fmt.Errorf("got %s, want %s", got, want)
		}
		return nil
	}
}

func gist(m *dns.Msg) string {
	var parts []string
	for _, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		var texts []string
		for _, rr := range section {
			rr = dns.Copy(rr)
			rr.Header().Ttl = 0
			if soa, ok := rr.(*dns.SOA); ok {
				soa.Serial, soa.Minttl = 0, 0 // the negative TTL
			}
			texts = append(texts, strings.ToLower(strings.Join(strings.Fields(rr.String()), " ")))
		}
		slices.Sort(texts)
		parts = append(parts, fmt.Sprintf("%q", texts))
	}
	return fmt.Sprintf("%s aa=%t %s", dns.RcodeToString[m.Rcode], m.Authoritative, strings.Join(parts, " "))
}

// again is for how long a query is asked again that nobody answers: a busy machine loses some.
const again = 30 * time.Second

// Once asks one question, again where the query is lost, and returns the first reply, or why there is none.
func Once(address string, q Question) (*dns.Msg, error) {
	return Exchange(dns.Client{Timeout: Patience}, q.query(), address)
}

// Exchange is the client's, again after each timeout.
func Exchange(c dns.Client, query *dns.Msg, address string) (*dns.Msg, error) {
	for begun := time.Now(); ; {
		last := time.Since(begun) >= again
		m, _, err := c.Exchange(query, address)
		if last || !Lost(err) {
			return m, err
		}
	}
}

// Lost reports whether err says that nothing came in time.
func Lost(err error) bool {
	late, ok := errors.AsType[net.Error](err)
	return ok && late.Timeout()
}

func (q *Question) query() *dns.Msg {
	qtype := q.Type
	if qtype == 0 {
		qtype = dns.TypeA
	}
	return new(dns.Msg).SetQuestion(dns.Fqdn(q.Name), qtype)
}

// Until asks until the reply is right, and returns how long that took. A query is asked after the limit, too: the one
// before it may be of long ago.
func Until(address string, limit time.Duration, q Question) (time.Duration, error) {
	c := dns.Client{Timeout: Patience}
	begun := time.Now()
	for {
		last := time.Since(begun) >= limit
		judge := q.judge()
		m, _, err := c.Exchange(q.query(), address)
		switch {
		case err == nil && m.Rcode == dns.RcodeServerFailure:
			err = errors.New("SERVFAIL")
		case err == nil:
			err = judge(m)
		}
		if err == nil {
			return time.Since(begun), nil
		}
		if last {
			return 0, fmt.Errorf("%s: not after %s: %w", q.Name, limit, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
