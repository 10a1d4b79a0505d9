package soak

import (
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/ask"
)

// calm is how long a change may take to show while nothing is broken: milliseconds, and what a machine takes that is busy with all this.
const calm = 8 * time.Second

// listing is how long a list may take from the first slice that changes what is answered to the last one.
const listing = time.Second

// never is the time of what need not have arrived yet.
var never time.Time

// A history is what a pod's names were answered with, and are. Changes arrive in order: once one must have arrived, what was before it is
// wrong.
type history struct {
	states []state
}

// state is an address, "" for no ready endpoint.
type state struct {
	addr string
	// made says that the API server said so. It may have taken a change that it did not answer, which may then be seen, or not.
	made bool
	at   time.Time // of the change
	due  time.Time // from then on queries must not be answered with what was before
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

// is notes that the API server has an address, which is due some time.
func (h *history) is(addr string, at, due time.Time) {
	s := state{addr: addr, made: true, at: at, due: due}
	if last := len(h.states) - 1; last >= 0 && !h.states[last].made && h.states[last].addr == addr {
		h.states[last] = s
		return
	}
	h.states = append(h.states, s)
}

// hold takes back what is not due yet at a time: something breaks then, and nobody knows when the change arrives.
func (h *history) hold(at time.Time) {
	for i := range h.states {
		if h.states[i].due.After(at) {
			h.states[i].due = never
		}
	}
}

// release makes due what is not, now that a change was seen that was made at a time: those before it have arrived, but for a list that puts one
// slice after the other in its place, and those after it may take as long as in peace.
func (h *history) release(before, now time.Time) {
	for i := range h.states {
		s := &h.states[i]
		if !s.made || s.due != never {
			continue
		}
		s.due = now.Add(listing)
		if !s.at.Before(before) {
			s.due = now.Add(calm)
		}
	}
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
		if s.due != never && !s.due.After(at) {
			last = i
		}
	}
	return last
}

// forget drops what no query can be answered with any more that is still open now.
func (h *history) forget(now time.Time) { h.states = h.states[h.due(now.Add(-2*ask.Patience)):] }

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

// The judge lets nothing pass that a client must not see.
func TestJudge(t *testing.T) {
	begun := time.Now()
	at := func(seconds float64) time.Time { return begun.Add(time.Duration(seconds * float64(time.Second))) }
	c := calm.Seconds()
	// Calm until 100; something is broken from 100 to 130, when a change made at 120 was seen.
	h := new(history)
	change := func(addr string, second float64, due time.Time) {
		h.may(addr)
		h.is(addr, at(second), due)
	}
	change("10.0.0.1", 0, at(0))
	change("10.0.0.2", 50, at(50+c))
	change("10.0.0.3", 99, at(99+c)) // not due when the trouble begins
	h.hold(at(100))
	change("10.0.0.4", 110, never)
	h.may("10.0.0.5") // and nobody knows
	change("10.0.0.6", 125, never)
	before := history{append([]state(nil), h.states...)} // as it is at 129
	h.release(at(120), at(130))

	judge := func(h *history, sent float64, addr string) error {
		return ask.OneOf(func() [][]string { return h.allowed(at(sent)) })(reply(addr))
	}
	for _, tt := range []struct {
		h     *history
		sent  float64
		right string
		wrong []string // and NXDOMAIN, always
	}{
		{&before, 49, "10.0.0.1", []string{"10.9.9.9"}},
		{&before, 50 + c - 0.1, "10.0.0.1", []string{"10.9.9.9"}}, // the change may still be on its way,
		{&before, 50 + c - 0.1, "10.0.0.2", nil},                  // or have arrived
		{&before, 50 + c, "10.0.0.2", []string{"10.0.0.1"}},
		{&before, 129, "10.0.0.2", []string{"10.0.0.1"}},
		{&before, 129, "10.0.0.3", nil},
		{&before, 129, "10.0.0.6", nil},
		{h, 130, "10.0.0.3", []string{"10.0.0.1"}},
		{h, 130 + listing.Seconds(), "10.0.0.4", []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}},
		{h, 130 + listing.Seconds(), "10.0.0.5", nil},
		{h, 130 + c, "10.0.0.6", []string{"10.0.0.4", "10.0.0.5"}},
	} {
		if err := judge(tt.h, tt.sent, tt.right); err != nil {
			t.Errorf("sent at %.1f: %v", tt.sent, err)
		}
		for _, addr := range append(tt.wrong, "") {
			if judge(tt.h, tt.sent, addr) == nil {
				t.Errorf("sent at %.1f: %q passes", tt.sent, addr)
			}
		}
	}
	h.forget(at(130 + c + 2*ask.Patience.Seconds()))
	if len(h.states) != 1 || h.now() != "10.0.0.6" {
		t.Errorf("kept %v", h.states)
	}
}

// Where a pod is not ready NXDOMAIN is right, until it must be known to be ready again.
func TestJudgeOfReadiness(t *testing.T) {
	begun := time.Now()
	h := new(history)
	h.is("10.0.0.1", begun, begun)
	h.is("", begun, begun.Add(calm))
	h.is("10.0.0.1", begun.Add(time.Minute), begun.Add(time.Minute+calm))
	for _, tt := range []struct {
		after           time.Duration
		address, absent bool
	}{
		{0, true, true}, {calm, true, true}, {time.Minute, true, true}, {time.Minute + calm, true, false},
	} {
		for addr, want := range map[string]bool{"10.0.0.1": tt.address, "": tt.absent} {
			err := ask.OneOf(func() [][]string { return h.allowed(begun.Add(tt.after)) })(reply(addr))
			if (err == nil) != want {
				t.Errorf("%q after %s: %v", addr, tt.after, err)
			}
		}
	}
}
