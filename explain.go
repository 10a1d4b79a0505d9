package headless

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/pkg/nonwriter"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/dnsname"
	"github.com/coredns-headless/headless/plugin/explain"
)

// explains are the addresses that pages are served at, by all server blocks and generations of the Corefile.
var explains explain.Listeners

// nextTimeout bounds what the next plugin may take, which often is *forward*.
const nextTimeout = 3 * time.Second

// explained is a server block that explains itself.
type explained struct {
	h      *Headless
	key    string   // of the server block, such as dns://.:53
	listen string   // the part of it, and of *bind*, that other server blocks may share
	before []string // the plugins that get a query before *headless*
	zone   dnsname.Name
}

// explain opens the pages that stanzas ask for.
func (h *Headless) explain(c *caddy.Controller) error {
	cfg := dnsserver.GetConfig(c)
	e := &explained{h: h, key: c.Key, listen: fmt.Sprint(cfg.Transport, cfg.ListenHosts, cfg.Port)}
	e.zone.Parse(cfg.Zone)
	for _, p := range cfg.Handlers() {
		if p.Name() == name {
			break
		}
		e.before = append(e.before, p.Name())
	}
	var open []string
	for _, s := range h.stanzas {
		if s.Explain.Address == "" || slices.Contains(open, s.Explain.Address) {
			continue
		}
		at, release, err := explains.Acquire(s.Explain.Address, h.generation, e)
		if err != nil {
			return plugin.Error(name, s.Explain.At.Errorf("%w", err))
		}
		h.generation.onClose(release)
		open = append(open, s.Explain.Address)
		log.Infof("%s: names are explained at http://%s", e.key, at)
	}
	h.explains = len(open) > 0
	return nil
}

// Serves implements explain.Server.
func (e *explained) Serves(name string) (listen string, labels int, ok bool) {
	var n dnsname.Name
	if !n.Parse(dns.Fqdn(name)) {
		return "", 0, false
	}
	_, ok = n.Below(&e.zone)
	return e.listen, e.zone.Labels(), ok
}

// Explain implements explain.Server. Whether *headless* answers is what decide does with a query, so that it cannot be anything else, and
// the answer is that of all of CoreDNS.
func (e *explained) Explain(name, qtype string) explain.Report {
	h := e.h
	n := new(dnsname.Name)
	n.Parse(dns.Fqdn(name))
	r := explain.Report{Server: e.key, Name: printable(n), Type: qtype}
	q := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.StringToType[qtype])
	m, seen, asked := h.ask(q)
	if seen != nil && *seen != q.Question[0] {
		q.Question[0] = *seen
		n.Parse(seen.Name)
		r.Add("before headless it becomes %s %s, by one of the plugins %s", printable(n), dns.TypeToString[seen.Qtype], strings.Join(e.before, ", "))
	}
	h.steps(&r, n, q.Question[0].Qtype)
	v := h.decide(new(asker), q)
	answer := m
	switch {
	case asked && seen == nil:
		r.Add("headless is not asked")
		r.Outcome = "answered before headless, by one of the plugins " + strings.Join(e.before, ", ") + ": "
	case v.refused:
		r.Outcome = "answered by headless: REFUSED, to whom transfer allows no transfer of the zone"
		return r
	case v.result == resultServfail && !v.doubt:
		r.Outcome = "answered by headless: SERVFAIL until the first sync"
		return r
	case v.m != nil:
		r.Outcome = "answered by headless: "
		if !asked {
			answer = v.m
		}
	case v.alias != nil:
		r.Add("headless follows it to %s", v.alias.target)
		r.Outcome = "answered by headless: "
		if !asked {
			r.Outcome += "ask CoreDNS anything, and then look again, since nobody did yet and it cannot ask itself"
			return r
		}
	case h.Next == nil:
		r.Outcome = "handed to the next plugin: there is none"
		return r
	default:
		r.Outcome = "handed to the next plugin, " + h.Next.Name() + ": "
		if v.doubt {
			r.Outcome = "handed to the next plugin, whose denial becomes SERVFAIL until the first sync, " + h.Next.Name() + ": "
		}
		if !asked {
			var text string
			if answer, text = h.askNext(q); answer == nil {
				r.Outcome += text
				return r
			}
		}
	}
	r.Outcome += said(answer)
	r.Records = texts(answer)
	return r
}

// trace is of a query that explain makes: what of it came to *headless*.
type trace struct {
	h    *Headless
	seen atomic.Pointer[dns.Question] // *cache* may go on with a query after it has answered
}

type traceKey struct{}

// trace notes who asks, and what of a query that explain makes came so far.
func (h *Headless) trace(ctx context.Context, r *dns.Msg) {
	if h.server.Load() == nil {
		if s, ok := ctx.Value(dnsserver.Key{}).(*dnsserver.Server); ok {
			h.server.Store(s)
		}
	}
	if t, ok := ctx.Value(traceKey{}).(*trace); ok && t.h == h && len(r.Question) == 1 {
		q := r.Question[0]
		t.seen.CompareAndSwap(nil, &q)
	}
}

// ask asks all of CoreDNS as somebody on loopback does, and returns the answer and the question that came to *headless*, nil where none did.
// It does not ask until somebody else has, since only queries tell plugins which server they are of, and no transfers, which are long.
func (h *Headless) ask(q *dns.Msg) (m *dns.Msg, seen *dns.Question, asked bool) {
	server := h.server.Load()
	if server == nil || isTransfer(q.Question[0].Qtype) {
		return nil, nil, false
	}
	t := &trace{h: h}
	ctx, cancel := context.WithTimeout(context.Background(), nextTimeout)
	defer cancel()
	ctx = context.WithValue(ctx, dnsserver.Key{}, server)
	ctx = context.WithValue(ctx, dnsserver.LoopKey{}, 0)
	ctx = context.WithValue(ctx, traceKey{}, t)
	w := nonwriter.New(new(asker))
	server.ServeDNS(ctx, w, q.Copy()) // plugins may change it
	return w.Msg, t.seen.Load(), true
}

// askNext asks the next plugin, which returns an answer or in words what it did.
func (h *Headless) askNext(q *dns.Msg) (*dns.Msg, string) {
	ctx, cancel := context.WithTimeout(context.Background(), nextTimeout)
	defer cancel()
	w := nonwriter.New(new(asker))
	code, err := h.Next.ServeDNS(ctx, w, q)
	if err != nil {
		return w.Msg, err.Error()
	}
	return w.Msg, dns.RcodeToString[code]
}

// said is the rcode of m, or NODATA (RFC 2308 section 2.2).
func said(m *dns.Msg) string {
	if m == nil {
		return "no answer"
	}
	if m.Rcode == dns.RcodeSuccess && len(m.Answer) == 0 {
		return "NODATA"
	}
	return dns.RcodeToString[m.Rcode]
}

func texts(m *dns.Msg) (list []string) {
	if m == nil {
		return nil
	}
	for _, section := range [][]dns.RR{m.Answer, m.Ns} {
		for _, rr := range section {
			list = append(list, strings.ReplaceAll(rr.String(), "\t", " "))
		}
	}
	return list
}

// printable is a name with odd octets as \DDD.
func printable(n *dnsname.Name) string {
	labels := make([]string, 0, n.Labels())
	for i := n.Labels() - 1; i >= 0; i-- {
		labels = append(labels, string(n.Label(i)))
	}
	text, _ := dnsname.Join(".", labels...) // it came out of a name
	return text
}

// asker is a client that does not listen, over TCP so that it gets everything.
type asker struct{ dns.ResponseWriter }

// LocalAddr implements dns.ResponseWriter.
func (*asker) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv6loopback} }

// RemoteAddr implements dns.ResponseWriter.
func (*asker) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv6loopback} }
