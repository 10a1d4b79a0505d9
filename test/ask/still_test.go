package ask

import (
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

// span is a while after the beginning.
type span struct{ from, to time.Duration }

func (s span) has(d time.Duration) bool { return s.from <= d && d < s.to }

// wire leads to a server that answers at once, but for the while in which it is gone. The asker stands for a while,
// and reads a little later than it sends.
type wire struct {
	net.Conn
	begun        time.Time
	stands, gone span
	replies      chan []byte // nil: refused
}

func newWire(stands, gone span) *wire {
	return &wire{begun: time.Now(), stands: stands, gone: gone, replies: make(chan []byte, 100)}
}

// answer is right, wrong or SERVFAIL, as the name says, or nil.
func answer(query *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetReply(query)
	name := m.Question[0].Name
	a := &dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(192, 0, 2, 1)}
	switch label, _, _ := strings.Cut(name, "."); label {
	case "lost":
		return nil
	case "servfail":
		m.Rcode = dns.RcodeServerFailure
		return m
	case "wrong":
		a.A = net.IPv4(192, 0, 2, 2)
	}
	m.Answer = append(m.Answer, a)
	return m
}

func (w *wire) Write(text []byte) (int, error) {
	query := new(dns.Msg)
	if err := query.Unpack(text); err != nil {
		return 0, err
	}
	if w.gone.has(time.Since(w.begun)) {
		w.replies <- nil
	} else if m := answer(query); m != nil {
		reply, err := m.Pack()
		if err != nil {
			return 0, err
		}
		w.replies <- reply
	}
	w.wait(0)
	return len(text), nil
}

func (w *wire) Read(buf []byte) (int, error) {
	text, ok := <-w.replies
	switch {
	case !ok:
		return 0, io.EOF
	case text == nil:
		return 0, syscall.ECONNREFUSED
	}
	w.wait(5 * time.Millisecond)
	return copy(buf, text), nil
}

func (w *wire) wait(longer time.Duration) {
	if now := time.Since(w.begun); w.stands.has(now) {
		time.Sleep(w.stands.to - now + longer)
	}
}

func (w *wire) Close() error {
	close(w.replies)
	return nil
}

// That the asker stands is not the server's fault; a server that is gone for as long is.
func TestAskerThatStandsLosesNothing(t *testing.T) {
	while := span{time.Second, 4 * time.Second}
	for name, tt := range map[string]struct {
		stands, gone span
		asked, lost  int
		silence      time.Duration
	}{
		"the asker stands":   {stands: while, asked: 300},
		"the server is gone": {gone: while, asked: 600, lost: 300, silence: 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := begin(newWire(tt.stands, tt.gone), 100, questions()[:1])
				time.Sleep(6 * time.Second)
				r := a.Stop()
				const inexact = 2 // queries, at the ends
				sum := r.Total()
				if d := sum.Asked - tt.asked; d < -inexact || d > inexact {
					t.Errorf("asked %d times, want %d", sum.Asked, tt.asked)
				}
				if d := sum.Lost - tt.lost; d < 0 || d > tt.lost/100 || sum.Right+sum.Lost != sum.Asked {
					t.Errorf("%+v, want %d lost", sum, tt.lost)
				}
				if d := r.Silence - tt.silence; d < -20*time.Millisecond || d > 20*time.Millisecond {
					t.Errorf("silent for %s, want %s", r.Silence, tt.silence)
				}
			})
		})
	}
}

// A server that forwards says SERVFAIL when it has waited in vain for one that stood with the asker.
func TestForwardedServfailAfterTheAskerStoodIsALoss(t *testing.T) {
	m := &dns.Msg{MsgHdr: dns.MsgHdr{Rcode: dns.RcodeServerFailure}}
	const late = Patience + time.Millisecond
	for _, tt := range []struct {
		forwarded bool
		took      time.Duration
		want      Count
	}{
		{forwarded: true, took: 0, want: Count{Asked: 1, Servfail: 1}},
		{forwarded: true, took: late, want: Count{Asked: 1, Lost: 1}},
		{forwarded: false, took: late, want: Count{Asked: 1, Servfail: 1}},
	} {
		synctest.Test(t, func(t *testing.T) {
			q := &Question{Kind: "bystander", Forwarded: tt.forwarded}
			r := &Report{Kinds: map[string]*Count{q.Kind: new(Count)}}
			s := &sent{sent: time.Now()}
			time.Sleep(tt.took)
			if r.add(q, m, s) || r.Total() != tt.want {
				t.Errorf("forwarded %t, after %s: %+v, want %+v", tt.forwarded, tt.took, r.Total(), tt.want)
			}
		})
	}
}
