package soak

import (
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/ask"
)

// A history is what a pod's names were answered with, and are. Changes arrive in order: once one has shown, what was
// before it is wrong. No time judges when one has to.
type history struct {
	states []state
}

// state is an address, "" for no ready endpoint.
type state struct {
	addr string
	// made says that the API server said so. It may have taken a change that it did not answer, which may then be
	// seen, or not.
	made bool
	at   time.Time // of the change
	due  time.Time // from then on queries must not be answered with what was before; zero for not yet
}

// now is what the API server has, as far as it said.
func (h *history) now() string {
	for i := len(h.states) - 1; i >= 0; i-- {
		if h.states[i].made {
			return h.states[i].addr
		}
	}
	return ""
}

// may notes that an address may be seen from now on.
func (h *history) may(addr string) { h.states = append(h.states, state{addr: addr}) }

// is notes that the API server has an address.
func (h *history) is(addr string, at time.Time) {
	s := state{addr: addr, made: true, at: at}
	if last := len(h.states) - 1; last >= 0 && !h.states[last].made && h.states[last].addr == addr {
		h.states[last] = s
		return
	}
	h.states = append(h.states, s)
}

// shown notes that what was made before a time has arrived by now.
func (h *history) shown(before, now time.Time) {
	for i := range h.states {
		if s := &h.states[i]; s.made && s.due.IsZero() && s.at.Before(before) {
			s.due = now
		}
	}
	h.states = h.states[h.due(now.Add(-2*ask.Patience)):] // no query is open that may be answered with those before
}

// allowed are the addresses that a query may be answered with that was sent at a time.
func (h *history) allowed(sent time.Time) (sets [][]string) {
	for _, s := range h.states[h.due(sent):] {
		if s.addr == "" {
			sets = append(sets, nil)
		} else {
			sets = append(sets, []string{s.addr})
		}
	}
	return sets
}

// due is the last state that was due at a time.
func (h *history) due(at time.Time) (last int) {
	for i, s := range h.states {
		if !s.due.IsZero() && !s.due.After(at) {
			last = i
		}
	}
	return last
}

// reply has an address for an answer, or is NXDOMAIN.
func reply(addr string) *dns.Msg {
	m := new(dns.Msg)
	if addr == "" {
		m.Rcode = dns.RcodeNameError
		return m
	}
	rr, err := dns.NewRR("a.test. 5 IN A " + addr)
	if err != nil {
		panic(err) // the test's own mistake
	}
	m.Answer = []dns.RR{rr}
	return m
}

// The judge lets nothing pass that a client must not see: NXDOMAIN is right where a pod is not ready, until it must
// be known to be again.
func TestJudge(t *testing.T) {
	begun := time.Now()
	at := func(seconds int) time.Time { return begun.Add(time.Duration(seconds) * time.Second) }
	h := new(history)
	h.is("10.0.0.1", at(0))
	h.shown(at(1), at(1))
	h.may("10.0.0.2")
	h.is("10.0.0.2", at(2))
	h.may("10.0.0.3") // and nobody knows
	h.is("", at(4))
	h.shown(at(3), at(5)) // what was made at 3 shows at 5
	h.is("10.0.0.4", at(6))
	for _, tt := range []struct {
		sent int
		want map[string]bool
	}{
		{4, map[string]bool{"10.0.0.1": true, "10.0.0.2": true, "10.0.0.3": true, "": true, "10.0.0.4": true, "10.9.9.9": false}},
		{5, map[string]bool{"10.0.0.1": false, "10.0.0.2": true, "10.0.0.3": true, "": true, "10.0.0.4": true, "10.9.9.9": false}},
	} {
		for addr, want := range tt.want {
			err := ask.OneOf(func() [][]string { return h.allowed(at(tt.sent)) })(reply(addr))
			if (err == nil) != want {
				t.Errorf("%q, sent at %d: %v", addr, tt.sent, err)
			}
		}
	}
	h.shown(at(7), at(7))
	h.shown(at(20), at(20))
	if len(h.states) != 1 || h.now() != "10.0.0.4" {
		t.Errorf("kept %v", h.states)
	}
}
