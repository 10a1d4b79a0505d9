package ask

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

// span is a while after the beginning.
type span struct{ from, to time.Duration }

func (s span) has(d time.Duration) bool { return s.from <= d && d < s.to }

// wire leads to a server that answers at once, but where it is silent. The asker stands for a while, and reads a little later than it sends.
type wire struct {
	net.Conn
	begun          time.Time
	stands, silent span
	replies        chan []byte
}

func (w *wire) Write(text []byte) (int, error) {
	if !w.silent.has(time.Since(w.begun)) {
		reply := append([]byte(nil), text...)
		reply[2] |= 0x80 // QR
		w.replies <- reply
	}
	w.wait(0)
	return len(text), nil
}

func (w *wire) Read(buf []byte) (int, error) {
	text, ok := <-w.replies
	if !ok {
		return 0, io.EOF
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

// That the asker stands is not the server's fault; a server that is silent for as long is.
func TestAskerThatStandsLosesNothing(t *testing.T) {
	while := span{time.Second, 4 * time.Second}
	for name, tt := range map[string]struct {
		stands, silent span
		asked, lost    int
		silence        time.Duration
	}{
		"the asker stands":     {stands: while, asked: 300},
		"the server is silent": {silent: while, asked: 600, lost: 300, silence: 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{begun: time.Now(), stands: tt.stands, silent: tt.silent, replies: make(chan []byte, 100)}
				a := begin(w, 100, []Question{{Name: "a.test", Judge: func(*dns.Msg) error { return nil }}})
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
