// Package headless is a CoreDNS plugin that makes the pods behind headless Services resolve: under short names in the
// cluster zone, as a guest of *kubernetes*, and under suffixes of which it is the authority.
package headless

import (
	"context"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/zone"
)

// Version is the plugin's own.
const Version = "0.1.0"

const name = "headless"

// Headless answers for all headless stanzas of a server block.
type Headless struct {
	Next plugin.Handler

	zones  *zone.Set  // set at start-up, before the first query
	counts []counters // by Decision.Origin
	bypass []string

	// upstream resolves a name through CoreDNS itself.
	upstream func(context.Context, request.Request, string, uint16) (*dns.Msg, error)
	// observe sees every query, for *explain*; nil where no page explains this server block.
	observe func(context.Context, *dns.Msg)

	stanzas    []*stanza
	generation *generation
}

// Name implements plugin.Handler. It must equal the directive: other plugins find this one by it.
func (h *Headless) Name() string { return name }

// CacheBypassZones implements the interface of *cache*.
func (h *Headless) CacheBypassZones() []string { return h.bypass }

// ServeDNS implements plugin.Handler.
func (h *Headless) ServeDNS(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	if h.observe != nil {
		h.observe(ctx, r)
	}
	switch d := h.zones.Decide(r); d.Action {
	case zone.Write:
		return h.write(w, &d)
	case zone.Ask:
		d = d.Finish(h.ask(ctx, w, r, d.Target()))
		return h.write(w, &d)
	case zone.NextUnlessDenied:
		return h.nextUnlessDenied(ctx, w, r, &d)
	default:
		h.count(&d, zone.Passed)
		return h.next(ctx, w, r)
	}
}

func (h *Headless) next(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	return plugin.NextOrFailure(name, h.Next, ctx, w, r)
}

// count counts a query whose name lies in an origin.
func (h *Headless) count(d *zone.Decision, result zone.Result) {
	if d.Origin >= 0 && result != zone.Refused {
		h.counts[d.Origin][result].Inc()
	}
}

// write sends the message of d, or lets the server reply. What WriteMsg says goes nowhere, as in the plugins of
// CoreDNS: the client is gone then.
func (h *Headless) write(w dns.ResponseWriter, d *zone.Decision) (int, error) {
	h.count(d, d.Result)
	if d.Msg == nil {
		return d.Rcode(), nil
	}
	_ = w.WriteMsg(d.Msg)
	return dns.RcodeSuccess, nil // written, also where the rcode in it is another
}

// ask resolves the target of an ExternalName Service through CoreDNS, and returns nil where it has no answer. It
// bounds how deep such look-ups lie in one another: no other plugin does.
func (h *Headless) ask(ctx context.Context, w dns.ResponseWriter, r *dns.Msg, target string) *dns.Msg {
	depth, _ := ctx.Value(dnsserver.LoopKey{}).(int)
	if depth >= zone.MaxChain {
		return nil
	}
	ctx = context.WithValue(ctx, dnsserver.LoopKey{}, depth+1)
	m, err := h.upstream(ctx, request.Request{W: w, Req: r}, target, r.Question[0].Qtype)
	if err != nil {
		return nil
	}
	return m
}

// nextUnlessDenied passes a query to the next plugin, and replaces a denial.
func (h *Headless) nextUnlessDenied(
	ctx context.Context, w dns.ResponseWriter, r *dns.Msg, d *zone.Decision,
) (int, error) {
	u := &unlessDenied{ResponseWriter: w, instead: d.Msg}
	code, err := h.next(ctx, u, r)
	if u.denied {
		h.count(d, d.Result)
	} else {
		h.count(d, zone.Passed)
	}
	return code, err
}

// unlessDenied writes a message instead of a denial.
type unlessDenied struct {
	dns.ResponseWriter
	instead *dns.Msg
	denied  bool
}

// WriteMsg implements dns.ResponseWriter.
func (u *unlessDenied) WriteMsg(m *dns.Msg) error {
	if zone.IsDenial(m) {
		m, u.denied = u.instead, true
	}
	return u.ResponseWriter.WriteMsg(m)
}
