package ask

import (
	"fmt"
	"maps"
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
}

const examples = 10

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
	return b.String()
}

// add judges a reply. SERVFAIL is counted apart: it says that nobody knows, which is no wrong answer, but none either.
func (r *Report) add(q *Question, m *dns.Msg, s sent) {
	r.Slowest = max(r.Slowest, time.Since(s.at))
	c := r.Kinds[q.Kind]
	if m.Rcode == dns.RcodeServerFailure {
		c.Asked++
		c.Servfail++
		return
	}
	if err := s.judge(m); err != nil {
		r.wrong(q, err)
		return
	}
	c.Asked++
	c.Right++
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
	if r.FirstLost.IsZero() || at.Before(r.FirstLost) {
		r.FirstLost = at
	}
	if at.After(r.LastLost) {
		r.LastLost = at
	}
}
