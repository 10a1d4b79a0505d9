package headless

import (
	"context"
	"strings"

	"github.com/coredns/coredns/plugin"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/zone"
)

// Headless answers for all headless stanzas of a server block.
type Headless struct {
	Next plugin.Handler

	zones  *zone.Set  // set at start-up, before the first query
	counts []counters // by Decision.Origin
	bypass []string

	upstream *upstream
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
		d = d.Finish(h.upstream.ask(ctx, w, r, d.Target()))
		return h.write(w, &d)
	case zone.NextUnlessDenied:
		return h.nextUnlessDenied(ctx, w, r, d)
	default:
		h.count(&d, zone.Passed)
		return h.next(ctx, w, r)
	}
}

// next passes a query to the next plugin. Where there is none it refuses the query, as *file* does. A look-up of our
// own that no plugin serves is refused as well, where CoreDNS would say SERVFAIL.
func (h *Headless) next(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	if h.Next == nil {
		return dns.RcodeRefused, nil
	}
	code, err := plugin.NextOrFailure(name, h.Next, ctx, w, r)
	if isUnserved(err) && isAsking(ctx) {
		return dns.RcodeRefused, nil
	}
	return code, err
}

// isUnserved reports whether a query came to the end of the chain: plugin.NextOrFailure says so in words alone.
func isUnserved(err error) bool {
	return err != nil && strings.HasSuffix(err.Error(), "no next plugin found")
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

// nextUnlessDenied passes a query to the next plugin, and replaces a denial.
func (h *Headless) nextUnlessDenied(
	ctx context.Context, w dns.ResponseWriter, r *dns.Msg, d zone.Decision,
) (int, error) {
	u := &unlessDenied{ResponseWriter: w, d: &d}
	code, err := plugin.NextOrFailure(name, h.Next, ctx, u, r)
	if isUnserved(err) {
		code, err = dns.RcodeSuccess, u.WriteMsg(new(dns.Msg).SetRcode(r, dns.RcodeNameError))
	}
	if u.replaced {
		h.count(&d, d.Result)
	} else {
		h.count(&d, zone.Passed)
	}
	return code, err
}

// unlessDenied writes what a decision has instead of a denial.
type unlessDenied struct {
	dns.ResponseWriter
	d        *zone.Decision
	replaced bool
}

// WriteMsg implements dns.ResponseWriter.
func (u *unlessDenied) WriteMsg(m *dns.Msg) error {
	if instead := u.d.Instead(m); instead != nil {
		m, u.replaced = instead, true
	}
	return u.ResponseWriter.WriteMsg(m)
}
