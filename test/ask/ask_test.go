package ask

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// serve answers right.test, answers wrong.test with another address, fails at servfail.test, and leaves lost.test alone.
func serve(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
		m := new(dns.Msg).SetReply(r)
		a := &dns.A{Hdr: dns.RR_Header{Name: r.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(192, 0, 2, 1)}
		switch r.Question[0].Name {
		case "right.test.":
			m.Answer = append(m.Answer, a)
		case "wrong.test.":
			a.A = net.IPv4(192, 0, 2, 2)
			m.Answer = append(m.Answer, a)
		case "servfail.test.":
			m.Rcode = dns.RcodeServerFailure
		case "lost.test.":
			return
		}
		_ = w.WriteMsg(m) // the client sees what is lost
	})}
	go func() { _ = s.ActivateAndServe() }() // ends with Shutdown
	t.Cleanup(func() { _ = s.Shutdown() })   // what is left of it ends with the process
	return conn.LocalAddr().String()
}

func questions() []Question {
	var list []Question
	for _, name := range []string{"right", "wrong", "servfail", "lost"} {
		list = append(list, Question{Name: name + ".test", Kind: name, Judge: Addresses("192.0.2.1")})
	}
	return list
}

func TestAskerJudgesEveryReply(t *testing.T) {
	a, err := Start(serve(t), 400, questions()...)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); a.Report().Kinds["lost"].Lost < 5; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing was lost")
		}
	}
	r := a.Stop()
	for kind, c := range r.Kinds {
		of := map[string]int{"right": c.Right, "wrong": c.Wrong, "servfail": c.Servfail, "lost": c.Lost}
		if c.Asked < 50 || of[kind] != c.Asked || c.Right+c.Wrong+c.Servfail+c.Lost != c.Asked {
			t.Errorf("%s: %+v", kind, *c)
		}
	}
	if len(r.Examples) != examples || r.FirstLost.IsZero() || !r.LastLost.After(r.FirstLost) {
		t.Errorf("report: %+v", r)
	}
}

func TestAskerGoesOnWhereNobodyListens(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := conn.LocalAddr().String()
	conn.Close()
	a, err := Start(address, 200, questions()[0])
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond) // a while of queries that nobody gets
	if r := a.Stop(); r.Total().Asked < 20 || r.Total().Lost != r.Total().Asked {
		t.Errorf("%+v", r.Total())
	}
}

func TestSameLeavesOutTTLAndSerial(t *testing.T) {
	m := func(texts ...string) *dns.Msg {
		m := new(dns.Msg)
		for _, text := range texts {
			rr, err := dns.NewRR(text)
			if err != nil {
				t.Fatal(err)
			}
			m.Answer = append(m.Answer, rr)
		}
		return m
	}
	same := Same(m("a.test. 5 IN A 192.0.2.1", "a.test. 5 IN A 192.0.2.2", "test. 5 IN SOA ns.test. root.test. 7 1 1 1 1"))
	if err := same(m("test. 9 IN SOA ns.test. root.test. 8 1 1 1 1", "a.test. 6 IN A 192.0.2.2", "a.test. 6 IN A 192.0.2.1")); err != nil {
		t.Error(err)
	}
	if err := same(m("a.test. 5 IN A 192.0.2.1")); err == nil {
		t.Error("a record that is missing is no difference")
	}
}

func TestUntilSaysWhatWasWrongLast(t *testing.T) {
	address := serve(t)
	if _, err := Until(address, time.Second, questions()[0]); err != nil {
		t.Error(err)
	}
	wrong := questions()[1]
	reason := errors.New("never right")
	wrong.Judge = func(*dns.Msg) error { return reason }
	if _, err := Until(address, 0, wrong); !errors.Is(err, reason) {
		t.Errorf("got %v", err)
	}
}
