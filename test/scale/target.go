package scale

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// The plugins in the instance that has both.
const (
	bothKubernetes = "both: kubernetes"
	bothHeadless   = "both: headless"
)

// target is a plugin of an instance, asked for a name that only it answers there.
type target struct {
	instance *instance
	label    string
	name     func(*slot, int) string
}

// every is how often a name is asked for until its new address shows.
const every = time.Millisecond

// await asks for a pod's name until the answer is addr, or any reply at all if addr is the zero Addr, and returns
// when that came in.
func (t *target) await(ctx context.Context, s *slot, pod int, addr netip.Addr) (time.Time, error) {
	q, err := t.dial()
	if err != nil {
		return time.Time{}, err
	}
	defer q.conn.Close()
	name := t.name(s, pod)
	next := time.Now()
	for {
		got, err := q.ask(name)
		if now := time.Now(); err == nil && (got == addr || !addr.IsValid()) {
			return now, nil
		}
		if next = next.Add(every); time.Until(next) < 0 {
			next = time.Now()
		}
		select {
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("%s: %s is %v (%w), want %v: %w", t.label, name, got, err, addr, ctx.Err())
		case <-time.After(time.Until(next)):
		}
	}
}

// querier is a client with a socket of its own.
type querier struct {
	client dns.Client
	conn   *dns.Conn
	msg    dns.Msg
}

func (t *target) dial() (*querier, error) {
	conn, err := dns.Dial("udp", t.instance.dns)
	return &querier{client: dns.Client{Timeout: time.Second}, conn: conn}, err
}

// ask returns the first address of a name, the zero Addr where there is none.
func (q *querier) ask(name string) (netip.Addr, error) {
	r, _, err := q.client.ExchangeWithConn(q.msg.SetQuestion(name, dns.TypeA), q.conn)
	if err != nil {
		return netip.Addr{}, err
	}
	for _, rr := range r.Answer {
		if a, ok := rr.(*dns.A); ok {
			addr, _ := netip.AddrFromSlice(a.A.To4())
			return addr, nil
		}
	}
	return netip.Addr{}, nil
}
