package differential

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// asker asks one CoreDNS, one query at a time.
type asker struct {
	address string
	udp     *dns.Conn
}

func newAsker(port string) *asker { return &asker{address: "127.0.0.1:" + port} }

func (a *asker) close() {
	if a.udp != nil {
		a.udp.Close()
	}
}

const (
	patience = 10 * time.Second // how long a reply may take
	tries    = 3                // a datagram may be lost
)

// ask returns the reply: the one that came over TCP, where the first was truncated. No reply at all is nil.
func (a *asker) ask(q query) (*dns.Msg, error) {
	var late error // of TCP, over which nothing is lost
	for range tries {
		r, err := a.exchange(q)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			continue
		case err != nil:
			return nil, fmt.Errorf("%s: %w", q, err)
		case r.Truncated:
			client := dns.Client{Net: "tcp", Timeout: patience}
			r, _, err = client.Exchange(q.msg(), a.address)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				late = fmt.Errorf("%s over TCP: %w", q, err)
				continue
			}
			return r, err
		}
		return r, nil
	}
	return nil, late
}

func (a *asker) exchange(q query) (*dns.Msg, error) {
	if a.udp == nil {
		conn, err := net.Dial("udp", a.address)
		if err != nil {
			return nil, err
		}
		a.udp = &dns.Conn{Conn: conn}
	}
	a.udp.UDPSize = max(dns.MinMsgSize, q.size)
	m := q.msg()
	if err := a.udp.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if err := a.udp.WriteMsg(m); err != nil {
		return nil, err
	}
	for {
		r, err := a.udp.ReadMsg()
		if err != nil || r.Id == m.Id { // another ID answers a query that was given up
			return r, err
		}
	}
}

// shape is all of a reply that must not differ. Records stand in sections without order, since kubernetes takes
// endpoints from a map, and loadbalance shuffles.
func shape(m *dns.Msg, countdown bool) string {
	if m == nil {
		return "no reply\n"
	}
	var b strings.Builder
	h := m.MsgHdr
	fmt.Fprintf(&b, "%s %s", dns.OpcodeToString[h.Opcode], dns.RcodeToString[h.Rcode])
	for _, f := range []struct {
		on   bool
		name string
	}{
		{h.Response, "qr"},
		{h.Authoritative, "aa"},
		{h.Truncated, "tc"},
		{h.RecursionDesired, "rd"},
		{h.RecursionAvailable, "ra"},
		{h.Zero, "z"},
		{h.AuthenticatedData, "ad"},
		{h.CheckingDisabled, "cd"},
	} {
		if f.on {
			fmt.Fprint(&b, " ", f.name)
		}
	}
	b.WriteString("\n")
	for _, q := range m.Question {
		fmt.Fprintf(&b, "%s %d %d?\n", q.Name, q.Qclass, q.Qtype)
	}
	for i, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		lines := make([]string, 0, len(section))
		for _, rr := range section {
			lines = append(lines, record(rr, countdown))
		}
		slices.Sort(lines)
		fmt.Fprintf(&b, "%s: %s\n", []string{"answer", "authority", "additional"}[i], strings.Join(lines, "\n    "))
	}
	return b.String()
}

// record is a record without what may differ: a SOA's serial, and the TTL where a cache counts it down.
func record(rr dns.RR, countdown bool) string {
	if o, ok := rr.(*dns.OPT); ok {
		return "OPT" + strings.Join(strings.Fields(o.String()), " ")
	}
	rr = dns.Copy(rr)
	if soa, ok := rr.(*dns.SOA); ok {
		soa.Serial = 0
	}
	if countdown {
		rr.Header().Ttl = 0
	}
	return strings.Join(strings.Fields(rr.String()), " ")
}
