package headless

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/pkg/nonwriter"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/explain"
	"github.com/coredns-headless/headless/plugin/reply"
	"github.com/coredns-headless/headless/plugin/tree"
)

// explains are the addresses that pages are served at, by all server blocks and generations of the Corefile.
var explains explain.Listeners

// nextTimeout bounds what the next plugin may take, which often is *forward*.
const nextTimeout = 3 * time.Second

// explained is a server block that explains itself.
type explained struct {
	h      *Headless
	key    string // of the server block, such as dns://.:53
	listen string // the part of it, and of *bind*, that other server blocks may share
	zone   tree.Name
}

// explain opens the pages that stanzas ask for.
func (h *Headless) explain(c *caddy.Controller) error {
	cfg := dnsserver.GetConfig(c)
	e := &explained{h: h, key: c.Key, listen: fmt.Sprint(cfg.Transport, cfg.ListenHosts, cfg.Port)}
	e.zone.Parse(cfg.Zone)
	var open []string
	for _, s := range h.stanzas {
		if s.Explain.Address == "" || slices.Contains(open, s.Explain.Address) {
			continue
		}
		at, err := explains.Acquire(s.Explain.Address, h.generation, e)
		if err != nil {
			return plugin.Error(name, s.Explain.At.Errorf("%w", err))
		}
		open = append(open, s.Explain.Address)
		log.Infof("%s: names are explained at http://%s", e.key, at)
	}
	return nil
}

// Serves implements explain.Source.
func (e *explained) Serves(name string) (listen string, labels int, ok bool) {
	var n tree.Name
	if !n.Parse(dns.Fqdn(name)) {
		return "", 0, false
	}
	_, ok = n.Below(&e.zone)
	return e.listen, e.zone.Labels(), ok
}

// Explain implements explain.Source. The outcome is of what decide does with a query, so that it cannot be anything else.
func (e *explained) Explain(name, qtype string) explain.Report {
	h := e.h
	n := new(tree.Name)
	n.Parse(dns.Fqdn(name))
	t := dns.StringToType[qtype]
	r := explain.Report{Server: e.key, Name: printable(n), Type: qtype}
	h.steps(&r, n)
	q := new(dns.Msg).SetQuestion(dns.Fqdn(name), t)
	v := h.decide(new(asker), q)
	switch {
	case v.m != nil:
		r.Outcome = "answered by headless: " + said(v.m)
		r.Records = texts(v.m)
	case v.alias != nil:
		r.Outcome = "answered by headless: CNAME, and what CoreDNS has for " + v.alias.target
	case v.refused:
		r.Outcome = "answered by headless: REFUSED, since transfer allows no transfer of the zone"
	case v.result == resultServfail && !v.doubt:
		r.Outcome = "answered by headless: SERVFAIL until the first sync"
	default:
		h.explainNext(&r, q)
		if v.doubt {
			r.Outcome += "; until the first sync a denial becomes SERVFAIL"
		}
	}
	return r
}

// explainNext asks the next plugin.
func (h *Headless) explainNext(r *explain.Report, q *dns.Msg) {
	if h.Next == nil {
		r.Outcome = "handed to the next plugin: there is none"
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), nextTimeout)
	defer cancel()
	w := nonwriter.New(new(asker))
	code, err := h.Next.ServeDNS(ctx, w, q)
	r.Outcome = "handed to the next plugin, " + h.Next.Name() + ": "
	switch {
	case w.Msg != nil:
		r.Outcome += said(w.Msg)
		r.Records = texts(w.Msg)
	case err != nil:
		r.Outcome += err.Error()
	default:
		r.Outcome += dns.RcodeToString[code]
	}
}

// said is the rcode of m, or NODATA (RFC 2308 section 2.2).
func said(m *dns.Msg) string {
	if m.Rcode == dns.RcodeSuccess && len(m.Answer) == 0 {
		return "NODATA"
	}
	return dns.RcodeToString[m.Rcode]
}

func texts(m *dns.Msg) (list []string) {
	for _, section := range [][]dns.RR{m.Answer, m.Ns} {
		for _, rr := range section {
			list = append(list, strings.ReplaceAll(rr.String(), "\t", " "))
		}
	}
	return list
}

// printable is a name with odd octets as \DDD.
func printable(n *tree.Name) string {
	labels := make([]string, 0, n.Labels())
	for i := n.Labels() - 1; i >= 0; i-- {
		labels = append(labels, string(n.Label(i)))
	}
	text, _ := reply.Name(".", labels...) // it came out of a name
	return text
}

// asker is a client that does not listen.
type asker struct{ dns.ResponseWriter }

// LocalAddr implements dns.ResponseWriter.
func (*asker) LocalAddr() net.Addr { return &net.UDPAddr{IP: net.IPv6loopback} }

// RemoteAddr implements dns.ResponseWriter.
func (*asker) RemoteAddr() net.Addr { return &net.UDPAddr{IP: net.IPv6loopback} }
