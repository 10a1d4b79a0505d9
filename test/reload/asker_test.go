package reload

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/ask"
)

const (
	// askers ask at a time; each waits for its reply, so that no buffer of the machine's is too small for what is
	// asked.
	askers = 4
	// pause is between two queries of an asker.
	pause = 10 * time.Millisecond
	// lost is for how long a reply may be late.
	lost = 10 * time.Second
)

// An asker asks one CoreDNS all the time.
type asker struct {
	address string
	done    chan struct{}
	wg      sync.WaitGroup

	mu    sync.Mutex
	asked map[string]int // by kind
	lost  int            // queries that got no reply
	wrong []string
}

func startAsker(address string, questions []ask.Question) *asker {
	a := &asker{address: address, done: make(chan struct{}), asked: make(map[string]int)}
	for i := range askers {
		var mine []ask.Question
		for n := i; n < len(questions); n += askers {
			mine = append(mine, questions[n])
		}
		a.wg.Go(func() { a.run(mine) })
	}
	return a
}

func (a *asker) run(questions []ask.Question) {
	client := dns.Client{Timeout: lost}
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-a.done:
			return
		case <-ticker.C:
		}
		q := questions[n%len(questions)]
		m, _, err := client.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(q.Name), dns.TypeA), a.address)
		a.note(q, m, err)
	}
}

func (a *asker) note(q ask.Question, m *dns.Msg, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked[q.Kind]++
	if err != nil {
		a.lost++
		return
	}
	if err = q.Judge(m); err == nil && m.Rcode == dns.RcodeServerFailure {
		err = errors.New("SERVFAIL")
	}
	if err != nil {
		a.wrong = append(a.wrong, fmt.Sprintf("%s: %v", q.Name, err))
	}
}

// stop ends the asker, checks that nothing was wrong and that all kinds were asked, and returns how many queries were
// lost.
func (a *asker) stop(t *testing.T) int {
	t.Helper()
	close(a.done)
	a.wg.Wait()
	t.Logf("asked %v, lost %d", a.asked, a.lost)
	if len(a.wrong) > 0 {
		t.Errorf("%d wrong answers, the first of them\n%s", len(a.wrong), strings.Join(a.wrong[:min(10, len(a.wrong))], "\n"))
	}
	return a.lost
}

// more waits until each asker got on by a question, whoever else needs the machine: what serves now is asked.
func (a *asker) more() func() error {
	count := func() (sum int) {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, n := range a.asked {
			sum += n
		}
		return sum
	}
	had := count()
	return func() error {
		if n := count() - had; n < askers {
			return fmt.Errorf("%d queries since the reload", n)
		}
		return nil
	}
}
