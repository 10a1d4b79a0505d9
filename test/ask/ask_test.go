package ask

import (
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

func questions() []Question {
	var list []Question
	for _, name := range []string{"right", "wrong", "servfail", "lost"} {
		list = append(list, Question{Name: name + ".test", Kind: name, Judge: Addresses("192.0.2.1")})
	}
	return list
}

func TestAskerJudgesEveryReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := begin(newWire(span{}, span{}), 400, questions())
		time.Sleep(5 * time.Second)
		r := a.Stop()
		for kind, c := range r.Kinds {
			of := map[string]int{"right": c.Right, "wrong": c.Wrong, "servfail": c.Servfail, "lost": c.Lost}
			if c.Asked < 490 || of[kind] != c.Asked || c.Right+c.Wrong+c.Servfail+c.Lost != c.Asked {
				t.Errorf("%s: %+v", kind, *c)
			}
		}
		if r.Silent == "right.test" || r.Silence < r.LastLost.Sub(r.FirstLost) {
			t.Errorf("%s without an answer for %s, and queries lost from %s to %s", r.Silent, r.Silence, r.FirstLost, r.LastLost)
		}
		if len(r.Examples) != examples || r.FirstLost.IsZero() || !r.LastLost.After(r.FirstLost) {
			t.Errorf("report: %+v", r)
		}
	})
}

// A report that says nothing of a kind would be no report: not even where the asker stops before the first query.
func TestAskerStopsNoSoonerThanItAskedEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := begin(newWire(span{}, span{}), 50, questions())
		if err := a.Report().Err(); err != nil {
			t.Errorf("just begun: %v", err)
		}
		for kind, c := range a.Stop().Kinds {
			if c.Asked == 0 {
				t.Errorf("%s: not asked", kind)
			}
		}
	})
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

func TestUntilTakesNoWrongAnswer(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) { _ = w.WriteMsg(answer(r)) })}
	go func() { _ = s.ActivateAndServe() }() // ends with Shutdown
	t.Cleanup(func() { _ = s.Shutdown() })   // what is left of it ends with the process
	if _, err := Until(conn.LocalAddr().String(), time.Minute, questions()[0]); err != nil {
		t.Error(err)
	}
	if _, err := Until(conn.LocalAddr().String(), 0, questions()[1]); err == nil {
		t.Error("a wrong answer is taken for a right one")
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
