package headless

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/pkg/dnstest"
	"github.com/coredns/coredns/plugin/test"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"
)

// Look-ups of one target for one client are one look-up, and a client waits two seconds for the one of another.
func TestLookUpsUnderWayAreJoined(t *testing.T) {
	for _, tt := range []struct {
		name     string
		takes    time.Duration
		others   func(r *dns.Msg, w *test.ResponseWriter)
		lookups  int32
		answered bool
	}{
		{name: "in time", takes: time.Second, lookups: 1, answered: true},
		{name: "too late", takes: 3 * time.Second, lookups: 1},
		{
			name: "of another type", takes: time.Second, lookups: 2, answered: true,
			others: func(r *dns.Msg, _ *test.ResponseWriter) { r.Question[0].Qtype = dns.TypeAAAA },
		},
		{
			name: "with DNSSEC records", takes: time.Second, lookups: 2, answered: true,
			others: func(r *dns.Msg, _ *test.ResponseWriter) { r.SetEdns0(4096, true) },
		},
		{
			name: "for another client", takes: time.Second, lookups: 2, answered: true,
			others: func(_ *dns.Msg, w *test.ResponseWriter) { w.RemoteIP = "198.51.100.9" },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var lookups atomic.Int32
				u := &upstream{lookup: func(context.Context, request.Request, string, uint16) (*dns.Msg, error) {
					lookups.Add(1)
					time.Sleep(tt.takes)
					return new(dns.Msg), nil
				}}
				first, r, w := query("out.a.test.", dns.TypeA), query("out.a.test.", dns.TypeA), new(test.ResponseWriter)
				if tt.others != nil {
					tt.others(r, w)
				}
				go func() {
					if u.ask(t.Context(), new(test.ResponseWriter), first, "www.example.com.") == nil {
						t.Error("the first has no answer")
					}
				}()
				synctest.Wait()
				for range 2 {
					go func() {
						if m := u.ask(t.Context(), w, r, "WWW.example.com."); (m != nil) != tt.answered {
							t.Errorf("another one has %v", m)
						}
					}()
					synctest.Wait()
				}
				time.Sleep(tt.takes)
				synctest.Wait()
				if n := lookups.Load(); n != tt.lookups {
					t.Errorf("%d look-ups, want %d", n, tt.lookups)
				}
				if len(u.calls) > 0 {
					t.Errorf("%d look-ups are still under way", len(u.calls))
				}
			})
		})
	}
}

// A look-up that lies in itself would wait for itself.
func TestLookUpWithinItselfHasNoAnswer(t *testing.T) {
	u, depth := new(upstream), 0
	u.lookup = func(ctx context.Context, state request.Request, name string, _ uint16) (*dns.Msg, error) {
		depth++
		return u.ask(ctx, state.W, state.Req, name), nil
	}
	m := u.ask(t.Context(), new(test.ResponseWriter), query("out.a.test.", dns.TypeA), "www.example.com.")
	if m != nil || depth != 1 {
		t.Errorf("%v, after %d look-ups", m, depth)
	}
}

// Where no plugin serves a query, it is refused; CoreDNS would say SERVFAIL.
func TestNothingBehindRefuses(t *testing.T) {
	h := openFor(t, "cluster.local", externalSuffixes, externals()...)
	h.Next = nil
	notify := query("www.example.com.", dns.TypeSOA)
	notify.Opcode = dns.OpcodeNotify
	for _, r := range []*dns.Msg{query("www.example.com.", dns.TypeA), query("x.default.svc.cluster.local.", dns.TypeA), notify} {
		if m, rcode, err := ask(h, r); m != nil || rcode != dns.RcodeRefused || err != nil {
			t.Errorf("%s: %v, %s, %v", r.Question[0].Name, m, dns.RcodeToString[rcode], err)
		}
	}
}

// Where no plugin serves the target of an ExternalName Service, the answer says where it leads, as any authority does
// that does not serve the target (RFC 1034 section 4.3.2). Where a plugin fails to, it does not: many clients take a
// CNAME alone for no address.
func TestExternalNameThatNoPluginServes(t *testing.T) {
	h := openFor(t, "cluster.local", externalSuffixes, externals()...)
	h.upstream.lookup = func(ctx context.Context, state request.Request, name string, qtype uint16) (*dns.Msg, error) {
		r := state.NewWithQuestion(name, qtype).Req
		w := dnstest.NewRecorder(new(test.ResponseWriter))
		if code, _ := h.ServeDNS(ctx, w, r); w.Msg == nil { // CoreDNS's server replies
			return new(dns.Msg).SetRcode(r, code), nil
		}
		return w.Msg, nil
	}
	end := func(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
		return plugin.NextOrFailure("last", nil, ctx, w, r)
	}
	fails := func(context.Context, dns.ResponseWriter, *dns.Msg) (int, error) {
		return dns.RcodeServerFailure, errUpstream
	}
	const told = "@ $ CNAME www.example.com."
	for _, tt := range []struct {
		name string
		next plugin.Handler
		want string
	}{
		{name: "no plugin behind", want: told},
		{name: "a plugin that passes it on", next: plugin.HandlerFunc(end), want: told},
		{name: "a plugin that fails", next: plugin.HandlerFunc(fails), want: "SERVFAIL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h.Next = tt.next
			r := query("out.m.test.", dns.TypeA)
			m, rcode, err := ask(h, r)
			if tt.want == "SERVFAIL" {
				if m != nil || rcode != dns.RcodeServerFailure {
					t.Errorf("got %v, %s, %v", m, dns.RcodeToString[rcode], err)
				}
				return
			}
			same(t, (&row{want: tt.want}).reply(h, r), m)
		})
	}
}
