package ask

import (
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
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
	loses(t, a, 50) // the last one of each round
	r := a.Stop()
	for kind, c := range r.Kinds {
		of := map[string]int{"right": c.Right, "wrong": c.Wrong, "servfail": c.Servfail, "lost": c.Lost}
		if c.Asked < 50 || of[kind] != c.Asked || c.Right+c.Wrong+c.Servfail+c.Lost != c.Asked {
			t.Errorf("%s: %+v", kind, *c)
		}
	}
	if r.Silent == "right.test" || r.Silence < r.LastLost.Sub(r.FirstLost)-a.stood {
		t.Errorf("%s without an answer for %s, and queries lost from %s to %s", r.Silent, r.Silence, r.FirstLost, r.LastLost)
	}
	if len(r.Examples) != examples || r.FirstLost.IsZero() || !r.LastLost.After(r.FirstLost) {
		t.Errorf("report: %+v", r)
	}
}

// loses waits until n queries are lost.
func loses(t *testing.T, a *Asker, n int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); a.Report().Total().Lost < n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("fewer than %d queries were lost:\n%s", n, a.Report())
		}
	}
}

// A report that says nothing of a kind would be no report: not even where the asker stops before the first query.
func TestAskerStopsNoSoonerThanItAskedEverything(t *testing.T) {
	var list []Question
	for _, kind := range []string{"first", "second", "third"} {
		list = append(list, Question{Name: "right.test", Kind: kind, Judge: Addresses("192.0.2.1")})
	}
	a, err := Start(serve(t), 50, list...)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Report().Err(); err != nil {
		t.Errorf("just begun: %v", err)
	}
	for kind, c := range a.Stop().Kinds {
		if c.Asked == 0 {
			t.Errorf("%s: not asked", kind)
		}
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
	loses(t, a, 20)
	if r := a.Stop(); r.Total().Lost != r.Total().Asked {
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

// clean is a report of 10,000 queries, 400 a second, all answered rightly.
func clean() Report {
	return Report{Kinds: map[string]*Count{"peer": {Asked: 6000, Right: 6000}, "suffix": {Asked: 4000, Right: 4000}}, whole: true, rate: 400}
}

func TestReportSaysWhatClientsMustNotSee(t *testing.T) {
	loses := func(n int) func(*Report) {
		return func(r *Report) { r.Kinds["peer"].Lost, r.Kinds["peer"].Right = n, 6000-n }
	}
	silent := func(d time.Duration) func(*Report) { return func(r *Report) { r.silent(&Question{Name: "a.test"}, d) } }
	overloaded := func(n int, d time.Duration) func(*Report) {
		return func(r *Report) {
			loses(n)(r)
			silent(d)(r)
			r.hard = 9000
		}
	}
	for _, tt := range []struct {
		name  string
		spoil func(*Report)
		stood []time.Duration
		want  string // part of the error
	}{
		{name: "all is right", spoil: func(*Report) {}},
		{name: "one is wrong", spoil: func(r *Report) { r.Kinds["peer"].Wrong++ }, want: "1 of 10000 answers were wrong"},
		{name: "one is SERVFAIL", spoil: func(r *Report) { r.Kinds["suffix"].Servfail++ }, want: "1 SERVFAIL"},
		{name: "as many as are asked within patience", spoil: loses(800)},
		{name: "more than are asked within patience", spoil: loses(801), want: "801 of 10000 queries were lost, want 800 at most"},
		{name: "as many as while it stood", spoil: loses(2000), stood: []time.Duration{time.Second, 2 * time.Second}},
		{name: "more than while it stood", spoil: loses(2001), stood: []time.Duration{time.Second, 2 * time.Second}, want: "want 2000 at most"},
		{name: "a name for a while", spoil: silent(silence)},
		{name: "a name for longer", spoil: silent(silence + time.Second), want: "a.test: no right answer for 5s"},
		{name: "a name while it stood", spoil: silent(silence + 2*time.Second), stood: []time.Duration{time.Second, 2 * time.Second}},
		{name: "a name for longer than that", spoil: silent(silence + 3*time.Second), stood: []time.Duration{time.Second, 2 * time.Second}, want: "for 7s"},
		{name: "half of an overloaded machine's", spoil: overloaded(4500, 8*time.Second)},
		{name: "more than that", spoil: overloaded(4501, 0), want: "4501 of 10000 queries were lost, want 4500 at most"},
		{name: "a name there", spoil: overloaded(0, 9*time.Second), want: "a.test: no right answer for 9s"},
		{name: "a kind", spoil: func(r *Report) { r.Kinds["moving"] = &Count{Asked: 9, Lost: 9} }, want: "moving: none of 9"},
		{name: "a kind that was not asked yet", spoil: func(r *Report) { r.whole, r.Kinds["moving"] = false, new(Count) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := clean()
			tt.spoil(&r)
			err := r.Err(tt.stood...)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestQueriesLostOneAfterTheOtherAreOneLoss(t *testing.T) {
	begun := time.Now()
	q := questions()[3]
	r := Report{Kinds: map[string]*Count{q.Kind: new(Count)}}
	for _, ms := range []int{0, 10, 50, 20, 200, 249, 300} { // those of one look at what is open come in any order
		r.lost(&q, begun.Add(time.Duration(ms)*time.Millisecond))
	}
	if r.Losses != 3 {
		t.Errorf("%d losses, want 3", r.Losses)
	}
}

// What is answered between two queries that are lost ends the silence; the order of replies is not that of queries.
func TestSilenceIsOfNamesNotOfQueries(t *testing.T) {
	begun := time.Now()
	a := &Asker{questions: questions(), open: make(map[uint16]*sent), since: make([]time.Time, 4), report: Report{Kinds: make(map[string]*Count)}}
	for i, s := range []struct{ question, after int }{{0, 0}, {1, 1}, {0, 2}, {1, 3}, {0, 4}, {1, 5}} {
		x := &sent{question: s.question, at: begun.Add(time.Duration(s.after) * time.Second)}
		a.open[uint16(i)], a.order = x, append(a.order, x)
	}
	list := slices.Clone(a.order)
	for _, x := range []struct {
		at    int
		right bool
	}{{5, true}, {2, true}, {4, false}, {3, false}, {1, false}, {0, false}} {
		list[x.at].done, list[x.at].right = true, x.right
		a.follow()
		if x.at != 0 && a.report.Silence != 0 {
			t.Fatalf("silent for %s before it is known what came of the first query", a.report.Silence)
		}
	}
	if a.report.Silence != 4*time.Second || a.report.Silent != "wrong.test" {
		t.Errorf("silent: %s for %s, want wrong.test for 4s", a.report.Silent, a.report.Silence)
	}
}

// A machine that is busy loses a query now and then.
func TestOnceAsksAgainWhereAQueryIsLost(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var queries atomic.Int32
	s := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
		if queries.Add(1) > 1 {
			_ = w.WriteMsg(new(dns.Msg).SetRcode(r, dns.RcodeServerFailure)) // the client sees what is lost
		}
	})}
	go func() { _ = s.ActivateAndServe() }() // ends with Shutdown
	m, err := Once(conn.LocalAddr().String(), questions()[0])
	_ = s.Shutdown() // what is left of it ends with the process
	if n := queries.Load(); err != nil || m.Rcode != dns.RcodeServerFailure || n < 2 {
		t.Errorf("%v after %d queries: %v, want the second one's SERVFAIL", m, n, err)
	}
}

func TestLoadOfThisMachine(t *testing.T) {
	if _, err := os.Stat("/proc/loadavg"); err != nil {
		t.Skipf("only Linux tells its load: %v", err)
	}
	if average, now := load(); average < 0 || now <= 0 || now > 10000 { // this test runs
		t.Errorf("%v on the average, %v now", average, now)
	}
}
