package headless

import (
	"context"
	"fmt"
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
	"github.com/coredns-headless/headless/plugin/zone"
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
	zone   string

	server atomic.Pointer[dnsserver.Server]
}

// explain opens the pages that stanzas ask for.
func (h *Headless) explain(c *caddy.Controller) error {
	cfg := dnsserver.GetConfig(c)
	e := &explained{h: h, key: c.Key, listen: fmt.Sprint(cfg.Transport, cfg.ListenHosts, cfg.Port), zone: cfg.Zone}
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
	if len(open) > 0 {
		h.observe = e.observe
	}
	return nil
}

// Serves implements explain.Server.
func (e *explained) Serves(name string) (listen string, labels int, ok bool) {
	var n, zone dnsname.Name
	if !n.Parse(dns.Fqdn(name)) {
		return "", 0, false
	}
	zone.Parse(e.zone)
	_, ok = n.Below(&zone)
	return e.listen, zone.Labels(), ok
}

// Browse implements explain.Server.
func (e *explained) Browse(q string, from, n int, seen map[any]bool) ([]zone.Row, int) {
	return e.h.zones.Browse(e.key, e.zone, q, from, n, seen)
}

// Explain implements explain.Server. Whether *headless* answers is what Decide does with a query, so that it cannot
// be anything else, and the answer is that of all of CoreDNS.
func (e *explained) Explain(name, qtype string) explain.Report {
	q := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.StringToType[qtype])
	r := explain.Report{Server: e.key, Name: printable(q.Question[0].Name), Type: qtype}
	m, seen, asked := e.ask(q)
	if seen != nil && *seen != q.Question[0] {
		q.Question[0] = *seen
		r.Add("before headless it becomes %s %s, by one of the plugins %s",
			printable(seen.Name), dns.TypeToString[seen.Qtype], strings.Join(e.before, ", "))
	}
	steps := e.h.zones.Explain(q.Question[0])
	r.Origin, r.Node, r.Steps = steps.Origin, steps.Node, append(r.Steps, steps.List...)
	answer := m
	if asked && seen == nil {
		r.Add("headless is not asked")
		r.Outcome = "answered before headless, by one of the plugins " + strings.Join(e.before, ", ") + ": "
	} else if decided, ok := e.outcome(&r, q, asked); !ok {
		return r
	} else if !asked {
		answer = decided
	}
	r.Outcome += said(answer)
	r.Records = texts(answer)
	return r
}

// outcome says what headless does with a query, and returns the answer where CoreDNS was not asked for it. It reports
// false where there is no answer to show.
func (e *explained) outcome(r *explain.Report, q *dns.Msg, asked bool) (answer *dns.Msg, ok bool) {
	d, next := e.h.zones.Decide(q), e.h.Next
	switch {
	case d.Result == zone.Refused:
		r.Outcome = "answered by headless: REFUSED, to clients that transfer allows no transfer of the zone"
		return nil, false
	case d.Action == zone.Write && d.Msg == nil:
		r.Outcome = "answered by headless: SERVFAIL until the first sync, or for a loop of ExternalName Services"
		return nil, false
	case d.Action == zone.Write:
		r.Outcome = "answered by headless: "
		return d.Msg, true
	case d.Action == zone.Ask:
		r.Add("headless follows it to %s", d.Target())
		r.Outcome = "answered by headless: "
		if !asked {
			r.Outcome += "not known, because CoreDNS has had no query yet; send it one and look again"
		}
		return nil, asked
	case next == nil && d.Msg != nil:
		r.Outcome = "answered by headless, since no plugin follows: "
		return d.Msg, true
	case next == nil:
		r.Outcome = "passed to the next plugin: there is none"
		return nil, false
	}
	unless := ""
	switch {
	case d.Action != zone.NextUnlessDenied:
	case d.Result == zone.ServFail:
		unless = ", whose denial becomes SERVFAIL until the first sync"
	case d.Result == zone.Answered:
		unless = ", whose NXDOMAIN becomes the address of the endpoint that is not ready"
	default:
		unless = ", whose NXDOMAIN becomes NODATA"
	}
	r.Outcome = "passed to the next plugin" + unless + ", " + next.Name() + ": "
	if asked {
		return nil, true
	}
	answer, text := askNext(next, q)
	if answer == nil {
		r.Outcome += text
	}
	return answer, answer != nil
}

// trace is of a query that explain makes: what of it came to *headless*.
type trace struct {
	e    *explained
	seen atomic.Pointer[dns.Question] // *cache* may go on with a query after it has answered
}

type traceKey struct{}

// observe notes which server a query is of, and what of a query that explain makes came so far.
func (e *explained) observe(ctx context.Context, r *dns.Msg) {
	if e.server.Load() == nil {
		if s, ok := ctx.Value(dnsserver.Key{}).(*dnsserver.Server); ok {
			e.server.Store(s)
		}
	}
	if t, ok := ctx.Value(traceKey{}).(*trace); ok && t.e == e && len(r.Question) == 1 {
		q := r.Question[0]
		t.seen.CompareAndSwap(nil, &q)
	}
}

// ask asks all of CoreDNS as a client on loopback does, and returns the answer and the question that came to
// server they are of, and makes no transfers, which are long.
func (e *explained) ask(q *dns.Msg) (m *dns.Msg, seen *dns.Question, asked bool) {
	server := e.server.Load()
	if qtype := q.Question[0].Qtype; server == nil || qtype == dns.TypeAXFR || qtype == dns.TypeIXFR {
		return nil, nil, false
	}
	t := &trace{e: e}
	ctx, cancel := context.WithTimeout(context.Background(), nextTimeout)
	defer cancel()
	ctx = context.WithValue(ctx, dnsserver.Key{}, server)
	ctx = context.WithValue(ctx, dnsserver.LoopKey{}, 0)
	ctx = context.WithValue(ctx, traceKey{}, t)
	w := nonwriter.New(new(localClient))
	server.ServeDNS(ctx, w, q.Copy()) // plugins may change it
	return w.Msg, t.seen.Load(), true
}

// askNext asks the next plugin, which returns an answer or in words what it did.
func askNext(next plugin.Handler, q *dns.Msg) (*dns.Msg, string) {
	ctx, cancel := context.WithTimeout(context.Background(), nextTimeout)
	defer cancel()
	w := nonwriter.New(new(localClient))
	code, err := next.ServeDNS(ctx, w, q)
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

// printable is a domain name in lower case, with odd octets as \DDD.
func printable(name string) string {
	var n dnsname.Name
	n.Parse(name)
	labels := make([]string, 0, n.Labels())
	for i := n.Labels() - 1; i >= 0; i-- {
		labels = append(labels, string(n.Label(i)))
	}
	text, _ := dnsname.Join(".", labels...) // it came out of a name
	return text
}
