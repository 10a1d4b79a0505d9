package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coredns-headless/headless/plugin/object"
)

// longest is the longest wait before a request that failed is made again: the back-off's cap, with all of its jitter.
var longest = time.Duration(float64(backoff().Cap) * (1 + backoff().Jitter))

// trouble is a fault between a watch and its API server, and what may be seen of it. Whatever it is, no answer is
// wrong, nothing that is known is forgotten, and a change shows soon after its end.
type trouble struct {
	name string
	// answers does the harm to what the API server answers, wire to what comes over connections, begin to anything
	// else.
	answers harm
	wire    harmRead
	begin   func(*bed)
	// lasts is for how long; by default five minutes.
	lasts time.Duration
	// stale says that what is known counts as out of date until the end, and no list comes; noticed is when that
	// shows at the latest.
	stale   bool
	noticed time.Duration
	// hides says that changes do not show, and nothing tells of it; flips that what is known counts as out of date
	// now and then.
	hides, flips bool
	// says is a part of what the log says of each reflector, once, and again each minute, and aside one of what it
	// may say besides.
	says, aside string
	// least and most are how many requests each reflector makes meanwhile, and lists how many of them at most ask
	// for all there is, unless 0; none may for -1.
	least, most, lists int
	// unseen says that no request reaches the API server. Those that fail are counted, then.
	unseen bool
}

// Of a reflector that has nothing but failures: how often it tries, and how many requests it makes where nothing
// but its budget holds it up.
func tries(lasts time.Duration) (least, most int) {
	return int(lasts / longest), int(lasts/backoff().Cap) + backoff().Steps
}

func budget(lasts time.Duration) int { return burst + int(lasts/refill) }

// backsOff has each try be so many requests.
func (tr trouble) backsOff(requests int) trouble {
	least, most := tries(tr.span())
	tr.stale, tr.least, tr.most = true, least, most*requests
	return tr
}

func (tr trouble) span() time.Duration {
	return cmp.Or(tr.lasts, 5*time.Minute)
}

// suffer runs each trouble twice: of a watch that is up to date, and of one that starts.
func suffer(t *testing.T, list ...trouble) {
	t.Helper()
	for _, tr := range list {
		bubble(t, tr.name, tr.run)
		if tr.stale {
			bubble(t, tr.name+" at start", tr.start)
		}
	}
}

// run harms a watch that is up to date.
func (tr trouble) run(t *testing.T) {
	b := newBed(t)
	b.watch()
	time.Sleep(time.Minute)
	b.shows("before", false)
	begun := time.Now()
	b.harm(tr)
	b.end()
	b.move()
	time.Sleep(tr.noticed)
	synctest.Wait()
	b.probe(tr)
	for rest := tr.span() - tr.noticed; rest > 0; rest -= time.Minute {
		time.Sleep(min(rest, time.Minute))
		if !tr.stale && !tr.hides {
			b.shows("meanwhile", tr.flips)
			b.end()
			b.move()
		}
	}
	b.mend(tr, begun)
	if tr.hides {
		b.move()
	}
	time.Sleep(slowest)
	b.shows("afterwards", false)
	b.move()
	b.shows("at once", false)
}

// start harms the first list. Nothing is known until it has come, and nothing of a half is.
func (tr trouble) start(t *testing.T) {
	tr.lasts = min(tr.span(), 5*time.Minute)
	tr.least = min(tr.least, int(tr.lasts/longest))
	b := newBed(t)
	begun := time.Now()
	b.harm(tr)
	b.none = true
	b.watch()
	time.Sleep(tr.noticed)
	synctest.Wait()
	b.probe(tr)
	time.Sleep(tr.span() - tr.noticed)
	if b.w.Tree().IsDone() || !b.w.Stale() {
		t.Error("it counts as synced, and no list has come")
	}
	b.mend(tr, begun)
	time.Sleep(slowest)
	b.shows("afterwards", false)
}

// probe asks all the time until the trouble is over, whether anything is wrong and whether what is known counts as
// out of date.
func (b *bed) probe(tr trouble) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			b.check()
			if tr.stale && !b.w.Stale() && !b.t.Failed() {
				b.t.Errorf("it does not count as stale after %s", time.Since(b.begun))
			}
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	})
	b.quiet = sync.OnceFunc(func() {
		close(stop)
		wg.Wait()
	})
	b.t.Cleanup(b.quiet)
}

// mend ends a trouble that begun at a time, and checks what it cost.
func (b *bed) mend(tr trouble, begun time.Time) {
	b.t.Helper()
	b.quiet()
	asked := b.since(begun)
	services := b.w.Count(object.KindService).Failed.Load()
	endpoints := b.w.Count(object.KindEndpointSlice).Failed.Load()
	warnings := b.log.With("WARNING")
	if tr.aside != "" {
		warnings = slices.DeleteFunc(warnings, func(line string) bool { return strings.Contains(line, tr.aside) })
	}
	b.mended()
	b.end() // what still hangs
	if tr.unseen {
		half := make([]string, endpoints/2) // of two reflectors
		asked = map[string][]string{"services": make([]string, services), "headless": half, "foreign": half}
	}
	if len(asked) != len(reflectors) {
		b.t.Errorf("%d reflectors asked for anything, want %d", len(asked), len(reflectors))
	}
	for by, verbs := range asked {
		if len(verbs) < tr.least || len(verbs) > tr.most {
			b.t.Errorf("%s: %d requests in %s, want %d to %d: %v", by, len(verbs), tr.span(), tr.least, tr.most, verbs)
		}
		if n := len(verbs) - countOf(verbs, verbWatch); tr.lists != 0 && n > max(tr.lists, 0) {
			b.t.Errorf("%s: %d lists, want %d at most: %v", by, n, max(tr.lists, 0), verbs)
		}
	}
	const slicesOf = "endpointslices labelled "
	for _, by := range []string{"services", slicesOf + selectHeadless, slicesOf + selectForeign} {
		lines := len(b.log.With("WARNING", " "+by+": ", tr.says))
		if most := 2 * (1 + int(tr.span()/repeatAfter)); tr.says != "" && lines == 0 || lines > most {
			b.t.Errorf("the log says %q %d times of %s in %s, want 1 to %d", tr.says, lines, by, tr.span(), most)
		}
	}
	if tr.says == "" && len(warnings) > 0 {
		b.t.Errorf("the log says %q", warnings)
	}
}

func countOf(list []string, what string) (n int) {
	for _, s := range list {
		if s == what {
			n++
		}
	}
	return n
}

// check fails the test if an answer is wrong.
func (b *bed) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.t.Failed() {
		return
	}
	for n := range stillPods {
		got := strings.Join(resolve(b.w, fmt.Sprintf("default/web-%d", n)), " ")
		if want := stillAddr(n); got != want && (got != "" || !b.none) {
			b.t.Errorf("web-%d is %q after %s, want %q", n, got, time.Since(b.begun), want)
		}
	}
	got := strings.Join(resolve(b.w, "default/kafka-0"), " ")
	if !slices.Contains(b.had, got) && (got != "" || !b.none) {
		b.t.Errorf("kafka-0 is %q after %s, want one of %q", got, time.Since(b.begun), b.had)
	}
}

// shows checks that all is known, and counts as such. Nothing older may be answered from now on.
func (b *bed) shows(when string, flips bool) {
	b.t.Helper()
	synctest.Wait()
	b.mu.Lock()
	b.had, b.none = b.had[len(b.had)-1:], false
	b.mu.Unlock()
	b.check()
	if b.w.Stale() && !flips || !b.w.Tree().IsDone() {
		b.t.Errorf("%s: stale %t, synced %t", when, b.w.Stale(), b.w.Tree().IsDone())
	}
	if b.t.Failed() {
		log := b.log.With("")
		b.t.Fatalf("%s: log:\n%s", when, strings.Join(log[:min(20, len(log))], "\n"))
	}
}
