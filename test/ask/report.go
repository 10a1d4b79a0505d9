package ask

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Count says what came of the queries of one kind.
type Count struct {
	Asked, Right, Wrong, Servfail, Lost int
}

// Report says what came of all queries.
type Report struct {
	Kinds map[string]*Count
	// Examples are the first wrong replies.
	Examples []string
	Slowest  time.Duration
	// FirstLost and LastLost are when queries were sent that nobody answered.
	FirstLost, LastLost time.Time
	// Losses are the occasions on which queries were lost, apart from each other: a busy machine loses many on one.
	Losses int
	// Silence is the longest time in which no query for a name was answered rightly, and Silent is that name.
	Silence time.Duration
	Silent  string

	whole bool // it is Stop's: every question was asked
	rate  int
	hard  int // queries that were asked while the machine was overloaded
}

const examples = 10

// apart is how long after each other queries are lost on different occasions.
const apart = 50 * time.Millisecond

// silence is how long all queries for one name may stay without a right answer. A server that a busy machine lets
// wait for a second loses what does not fit its socket's buffer, some 270 queries, and where it waits for longer than
// Patience, all; twice that is no longer the machine, unless it is overloaded.
const silence = 2 * Patience

// overload is the load for each processor above which programs wait for seconds. CoreDNS with the race detector,
// which lost next to nothing at a load of 5 for each, lost a third of all queries at 10, and some names for 5.4 s.
// /proc/pressure/cpu does not tell: there some program waits 87 % of the time at 3.5 for each, and always at 8.
const overload = 5

// Err says what clients must never see, whatever is broken behind the server: a wrong answer, SERVFAIL, names without
// a right answer for long, and more lost queries than a busy machine loses. These come in bursts, so it is as many as
// are asked within Patience, or 2 % of many; where the machine is overloaded, half of what is asked meanwhile, and
// names for twice as long. A server that was stopped answers nothing for as long as it stood.
func (r Report) Err(stood ...time.Duration) error {
	var all, longest time.Duration
	for _, d := range stood {
		all, longest = all+d, max(longest, d)
	}
	sum := r.Total()
	most, limit := max(int(Patience.Seconds())*r.rate, sum.Asked/50), silence
	if r.hard > 0 {
		most, limit = max(most, r.hard/2), 2*limit
	}
	most, limit = most+int(all.Seconds()*float64(r.rate)), limit+longest
	var errs []error
	if sum.Wrong > 0 || sum.Servfail > 0 {
		errs = append(errs, fmt.Errorf("%d of %d answers were wrong, %d SERVFAIL", sum.Wrong, sum.Asked, sum.Servfail))
	}
	if sum.Lost > most {
		errs = append(errs, fmt.Errorf("%d of %d queries were lost, want %d at most", sum.Lost, sum.Asked, most))
	}
	if r.Silence > limit {
		errs = append(errs, fmt.Errorf("%s: no right answer for %s", r.Silent, r.Silence.Round(time.Millisecond)))
	}
	for _, k := range slices.Sorted(maps.Keys(r.Kinds)) {
		if r.whole && r.Kinds[k].Right == 0 {
			errs = append(errs, fmt.Errorf("%s: none of %d queries was answered rightly", k, r.Kinds[k].Asked))
		}
	}
	return errors.Join(errs...)
}

// load is how many programs run or wait for each processor: on the average of the last minute, and now; proc(5),
// loadavg.
func load() (average, now float64) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, 0
	}
	var more [2]float64 // of 5 and of 15 minutes
	if _, err := fmt.Sscanf(string(text), "%g %g %g %g/", &average, &more[0], &more[1], &now); err != nil {
		return 0, 0
	}
	of := float64(runtime.NumCPU())
	return average / of, now / of
}

// Total adds all kinds up.
func (r Report) Total() (sum Count) {
	for _, c := range r.Kinds {
		sum.Asked += c.Asked
		sum.Right += c.Right
		sum.Wrong += c.Wrong
		sum.Servfail += c.Servfail
		sum.Lost += c.Lost
	}
	return sum
}

func (r Report) String() string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(r.Kinds)) {
		c := r.Kinds[k]
		fmt.Fprintf(&b, "%-10s asked %6d, right %6d, wrong %d, SERVFAIL %d, lost %d\n", k, c.Asked, c.Right, c.Wrong, c.Servfail, c.Lost)
	}
	for _, e := range r.Examples {
		fmt.Fprintf(&b, "  wrong: %s\n", e)
	}
	if r.Silence > 0 {
		fmt.Fprintf(&b, "  no right answer for %s: %s\n", r.Silence.Round(time.Millisecond), r.Silent)
	}
	return b.String()
}

// add judges a reply, and reports whether it is right. SERVFAIL is counted apart: it says that nobody knows, which is
// no wrong answer, but none either. To what is forwarded, one that took longer than Patience, while the asker stood,
// is a loss.
func (r *Report) add(q *Question, m *dns.Msg, s *sent) bool {
	took := time.Since(s.sent)
	r.Slowest = max(r.Slowest, took)
	c := r.Kinds[q.Kind]
	if m.Rcode == dns.RcodeServerFailure {
		if q.Forwarded && took > Patience {
			r.lost(q, s.sent)
			return false
		}
		c.Asked++
		c.Servfail++
		return false
	}
	if err := s.judge(m); err != nil {
		r.wrong(q, err)
		return false
	}
	c.Asked++
	c.Right++
	return true
}

func (r *Report) silent(q *Question, long time.Duration) {
	if long > r.Silence {
		r.Silence, r.Silent = long, q.Name
	}
}

func (r *Report) wrong(q *Question, err error) {
	c := r.Kinds[q.Kind]
	c.Asked++
	c.Wrong++
	if len(r.Examples) < examples {
		r.Examples = append(r.Examples, fmt.Sprintf("%s %s: %s %v", time.Now().Format("15:04:05.000"), q.Kind, q.Name, err))
	}
}

func (r *Report) lost(q *Question, at time.Time) {
	c := r.Kinds[q.Kind]
	c.Asked++
	c.Lost++
	if at.Sub(r.LastLost).Abs() > apart {
		r.Losses++
	}
	if r.FirstLost.IsZero() || at.Before(r.FirstLost) {
		r.FirstLost = at
	}
	if at.After(r.LastLost) {
		r.LastLost = at
	}
}
