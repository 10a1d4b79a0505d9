package ask

import (
	"errors"
	"fmt"
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

// Same judges a reply by another one: rcode, header bits, and the records of all sections but for TTLs, SOA serials and order.
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

// Once asks one question and returns the reply, or why there is none.
func Once(address string, q Question) (*dns.Msg, error) {
	if q.Type == 0 {
		q.Type = dns.TypeA
	}
	c := dns.Client{Timeout: Patience}
	m, _, err := c.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(q.Name), q.Type), address)
	return m, err
}

// Until asks until the reply is right, and returns how long that took.
func Until(address string, limit time.Duration, q Question) (time.Duration, error) {
	begun := time.Now()
	for {
		judge := q.judge()
		m, err := Once(address, q)
		switch {
		case err == nil && m.Rcode == dns.RcodeServerFailure:
			err = errors.New("SERVFAIL")
		case err == nil:
			err = judge(m)
		}
		if err == nil {
			return time.Since(begun), nil
		}
		if time.Since(begun) > limit {
			return 0, fmt.Errorf("%s: not after %s: %w", q.Name, limit, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
