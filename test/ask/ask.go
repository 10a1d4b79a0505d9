// Package ask asks a DNS server hundreds of questions a second, whatever happens to the server, and judges each reply.
package ask

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

// A Question is asked again and again.
type Question struct {
	Name string
	Type uint16 // default A
	// Kind is what reports count it under, such as peer, suffix or bystander.
	Kind string
	// Judge says what is wrong with a reply. It is called with what it was asked for, by one goroutine at a time, and
	// keeps no part of it.
	Judge func(*dns.Msg) error
	// Sent makes the judge of each query in Judge's stead, when it is sent: a reply may be read long after the server
	// gave it.
	Sent func() func(*dns.Msg) error
	// Forwarded says that the server asks another one, which is in the asker's process: when the asker stands, so
	// does that one.
	Forwarded bool
}

// judge is who judges the reply to a query that is sent now.
func (q *Question) judge() func(*dns.Msg) error {
	if q.Sent != nil {
		return q.Sent()
	}
	return q.Judge
}

// burst is how many queries that a busy machine did not let go in time are asked at once. More than fit a socket's
// buffer, some 270, would be lost by the asker's fault.
const burst = 20

// Patience is how long a reply may take before the query counts as lost.
const Patience = 2 * time.Second

// still is how late the asker may be before it stood, and not the server: what it missed is not asked, and no query
// waited meanwhile.
const still = 100 * time.Millisecond

// recently is over how many seconds the load is evened out: a burst of half a minute is one, what runs for a moment
// is none.
const recently = 10

// An Asker asks from Start to Stop.
type Asker struct {
	conn      net.Conn
	questions []Question
	wg        sync.WaitGroup
	round     chan struct{} // closed when every question was asked once
	stop      chan struct{}
	done      chan struct{} // closed when after Stop no query is open

	// The sender's alone:
	weighed    time.Time // when the load was looked at last
	recent     float64   // load of the last seconds
	overloaded bool

	mu     sync.Mutex
	stood  time.Duration // for how long the asker stood, in all
	open   map[uint16]*sent
	order  []*sent     // all that is open, and what was asked after the oldest of it, in the order of asking
	since  []time.Time // by question: when it was asked first since its last right answer
	report Report
}

type sent struct {
	question    int
	at          time.Time // by the asker's clock
	sent        time.Time // by the machine's
	judge       func(*dns.Msg) error
	done, right bool
}

// Start asks the server at address, over UDP, rate questions a second, one after the other and from the first again.
// It does not wait for replies before it asks on, so that a server that stands still is asked as often as any other.
func Start(address string, rate int, questions ...Question) (*Asker, error) {
	conn, err := net.Dial("udp", address)
	if err != nil {
		return nil, err
	}
	return begin(conn, rate, questions), nil
}

func begin(conn net.Conn, rate int, questions []Question) *Asker {
	a := &Asker{
		conn: conn, questions: questions, round: make(chan struct{}), stop: make(chan struct{}), done: make(chan struct{}),
		open: make(map[uint16]*sent), since: make([]time.Time, len(questions)),
		report: Report{Kinds: make(map[string]*Count), rate: rate},
	}
	for _, q := range questions {
		a.report.Kinds[q.Kind] = new(Count)
	}
	a.weigh()
	a.wg.Go(func() { a.send(time.Second / time.Duration(rate)) })
	a.wg.Go(a.receive)
	return a
}

// Stop asks no more once every question was asked, waits for the replies that may still come, and returns what came
// of all.
func (a *Asker) Stop() Report {
	<-a.round
	close(a.stop)
	<-a.done
	a.conn.Close()
	a.wg.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.report.whole = true
	return a.report
}

// Report is what came of all queries so far; those that may still be answered are not in it.
func (a *Asker) Report() Report {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.report
	r.Kinds = make(map[string]*Count, len(a.report.Kinds))
	for k, c := range a.report.Kinds {
		r.Kinds[k] = new(*c)
	}
	return r
}

func (a *Asker) send(every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	begun := time.Now()
	last := begun
	for n := 0; ; {
		<-t.C
		now := time.Now()
		if late := now.Sub(last) - every; late > still {
			begun = begun.Add(late)
			a.mu.Lock()
			a.stood += late
			a.mu.Unlock()
		}
		last = now
		if now.Sub(a.weighed) > time.Second {
			a.weigh()
		}
		select {
		case <-a.stop:
			if !a.waiting() {
				close(a.done)
				return
			}
			continue
		default:
		}
		due := int(now.Sub(begun) / every) // a ticker leaves out what a busy machine missed
		for due = min(due, n+burst); n < due; n++ {
			a.ask(n)
		}
	}
}

// weigh finds out whether the machine is overloaded, of late or for a minute.
func (a *Asker) weigh() {
	average, now := load()
	if a.weighed.IsZero() {
		a.recent = average
	}
	a.weighed = time.Now()
	a.recent += (now - a.recent) / recently
	a.overloaded = max(average, a.recent) > overload
}

func (a *Asker) waiting() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.expire()
	return len(a.open) > 0
}

// ask sends the n-th query.
func (a *Asker) ask(n int) {
	q := n % len(a.questions)
	m := a.questions[q].query()
	m.Id = uint16(n) // #nosec G115 -- modulo 2^16 is meant: two seconds of queries are fewer
	text, err := m.Pack()
	if err != nil {
		panic(fmt.Sprintf("ask for %s: %v", a.questions[q].Name, err)) // the test's own mistake
	}
	judge := a.questions[q].judge()
	a.mu.Lock()
	a.expire()
	now := time.Now()
	s := &sent{question: q, at: a.clock(now), sent: now, judge: judge}
	a.open[m.Id], a.order = s, append(a.order, s)
	if a.overloaded {
		a.report.hard++
	}
	a.mu.Unlock()
	_, _ = a.conn.Write(text) // refused: lost, as the report will say
	if n == len(a.questions)-1 {
		close(a.round)
	}
}

// clock is what a clock that stands while the asker does shows at the time t. The caller holds a.mu.
func (a *Asker) clock(t time.Time) time.Time { return t.Add(-a.stood) }

// expire counts as lost what was asked more than Patience ago. The caller holds a.mu.
func (a *Asker) expire() {
	now := a.clock(time.Now())
	for id, s := range a.open {
		if now.Sub(s.at) > Patience {
			delete(a.open, id)
			a.report.lost(&a.questions[s.question], s.sent)
			s.done = true
		}
	}
	a.follow()
}

// follow notes, in the order of asking, for how long no answer to a question was right. The caller holds a.mu.
func (a *Asker) follow() {
	for ; len(a.order) > 0 && a.order[0].done; a.order = a.order[1:] {
		s := a.order[0]
		since := &a.since[s.question]
		if since.IsZero() {
			*since = s.at
		}
		a.report.silent(&a.questions[s.question], s.at.Sub(*since))
		if s.right {
			*since = time.Time{}
		}
	}
}

func (a *Asker) receive() {
	buf := make([]byte, dns.MaxMsgSize)
	for {
		n, err := a.conn.Read(buf)
		if err != nil {
			if errors.Is(err, syscall.ECONNREFUSED) {
				continue // nobody listens there now
			}
			return // closed
		}
		m := new(dns.Msg)
		if err := m.Unpack(buf[:n]); err != nil {
			m = nil
		}
		a.judge(m, buf[:n])
	}
}

func (a *Asker) judge(m *dns.Msg, text []byte) {
	if len(text) < 2 {
		return
	}
	id := uint16(text[0])<<8 | uint16(text[1])
	a.mu.Lock()
	defer a.mu.Unlock()
	s, ok := a.open[id]
	if !ok {
		return // too late: it counts as lost
	}
	delete(a.open, id)
	s.done = true
	q := &a.questions[s.question]
	if m == nil {
		a.report.wrong(q, fmt.Errorf("malformed reply %x", text))
	} else {
		s.right = a.report.add(q, m, s)
	}
	a.follow()
}
