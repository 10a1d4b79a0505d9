package transfer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// zone is what a transfer brought.
type zone struct {
	apex   string
	soa    *dns.SOA
	rrsets rrsets
}

// rrsets are records as text, sorted, by owner and type.
type rrsets map[key][]string

type key struct {
	owner string
	qtype uint16
}

func (k key) String() string { return k.owner + " " + dns.TypeToString[k.qtype] }

func (r rrsets) add(rr dns.RR) {
	k := key{rr.Header().Name, rr.Header().Rrtype}
	r[k] = append(r[k], strings.Join(strings.Fields(rr.String()), " "))
	slices.Sort(r[k])
}

// owners are the names that have records.
func (r rrsets) owners() []string {
	set := make(map[string]bool)
	for k := range r {
		set[k.owner] = true
	}
	return slices.Sorted(maps.Keys(set))
}

func (r rrsets) String() string {
	var lines []string
	for _, set := range r {
		lines = append(lines, set...)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

// diff is what only one of two zones has, as lines: most of a zone is of no interest where two differ.
func diff(a, b rrsets) string {
	var lines []string
	list := func(sign string, of, other rrsets) {
		for k, set := range of {
			for _, rr := range set {
				if !slices.Contains(other[k], rr) {
					lines = append(lines, sign+" "+rr)
				}
			}
		}
	}
	list("-", a, b)
	list("+", b, a)
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[1:], b[1:]) })
	return strings.Join(lines[:min(len(lines), 20)], "\n")
}

// receive asks for a transfer and returns the records as they came.
func receive(q *dns.Msg, address string) ([]dns.RR, error) {
	transfer := dns.Transfer{DialTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second}
	envelopes, err := transfer.In(q, address)
	if err != nil {
		return nil, err
	}
	var records []dns.RR
	for e := range envelopes {
		records = append(records, e.RR...)
		err = errors.Join(err, e.Error)
	}
	return records, err
}

// axfr transfers a zone, and checks the form of RFC 5936 section 2.2.
func axfr(address, apex string) (*zone, error) {
	records, err := receive(new(dns.Msg).SetAxfr(apex), address)
	if err != nil {
		return nil, fmt.Errorf("AXFR of %s: %w", apex, err)
	}
	return whole(apex, records)
}

// whole reads a zone between two equal SOAs, in which every record stands once.
func whole(apex string, records []dns.RR) (*zone, error) {
	z := &zone{apex: apex, rrsets: make(rrsets)}
	last := len(records) - 1
	if last < 1 {
		return nil, fmt.Errorf("%s: %d records, want a zone between two SOAs", apex, len(records))
	}
	var ok bool
	if z.soa, ok = records[0].(*dns.SOA); !ok || z.soa.Hdr.Name != apex {
		return nil, fmt.Errorf("%s begins with %s, want its SOA", apex, records[0])
	}
	if records[0].String() != records[last].String() {
		return nil, fmt.Errorf("%s begins with %s and ends with %s", apex, records[0], records[last])
	}
	seen := make(map[string]bool)
	for _, rr := range records[:last] {
		h := rr.Header()
		switch text := rr.String(); {
		case !dns.IsSubDomain(apex, h.Name) || h.Class != dns.ClassINET:
			return nil, fmt.Errorf("%s has %s", apex, rr)
		case h.Rrtype == dns.TypeSOA && len(seen) > 0:
			return nil, fmt.Errorf("%s has a SOA in the middle: %s", apex, rr)
		case seen[text]:
			return nil, fmt.Errorf("%s has twice %s", apex, rr)
		default:
			seen[text] = true
			z.rrsets.add(rr)
		}
	}
	return z, nil
}

// mustAXFR is axfr for a test that cannot do without.
func mustAXFR(t *testing.T, address, apex string) *zone {
	t.Helper()
	z, err := axfr(address, apex)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// newer compares serials as RFC 1982 section 3.2 does.
func newer(a, b uint32) bool { return int32(a-b) > 0 }

// ask asks over UDP, a few times, as NSD loses what arrives while it reloads, and over TCP where the reply is truncated.
func ask(address, name string, qtype uint16) (m *dns.Msg, err error) {
	q := new(dns.Msg).SetQuestion(name, qtype)
	q.SetEdns0(4096, false)
	client := dns.Client{Timeout: 2 * time.Second}
	for range 3 {
		if m, _, err = client.Exchange(q, address); err == nil {
			break
		}
	}
	if err == nil && m.Truncated {
		m, err = exchangeTCP(q, address)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", name, dns.TypeToString[qtype], err)
	}
	return m, nil
}

// exchangeTCP returns the first message of a reply over TCP: all of it, where a transfer is refused.
func exchangeTCP(q *dns.Msg, address string) (*dns.Msg, error) {
	client := dns.Client{Net: "tcp", Timeout: 5 * time.Second}
	m, _, err := client.Exchange(q, address)
	return m, err
}

// serial asks for a zone's serial.
func serial(address, apex string) (uint32, error) {
	m, err := ask(address, apex, dns.TypeSOA)
	if err != nil {
		return 0, err
	}
	if len(m.Answer) == 1 {
		if soa, ok := m.Answer[0].(*dns.SOA); ok {
			return soa.Serial, nil
		}
	}
	return 0, fmt.Errorf("no SOA of %s:\n%s", apex, m)
}

func mustSerial(t *testing.T, address, apex string) uint32 {
	t.Helper()
	n, err := serial(address, apex)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// poll calls try until it returns nil.
func poll(t *testing.T, limit time.Duration, try func() error) {
	t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not after %s: %v", limit, err)
		}
	}
}
