package fault

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coredns-headless/headless/test/parts"
)

// trouble is harm that a gate does for a while.
type trouble struct {
	name  string
	harm  Harm
	lasts time.Duration
	// cuts is how often the watches that run are ended while it lasts, at even intervals; at least once.
	cuts int
	// most is how many requests one reflector may make until the change is seen that was made meanwhile.
	most int
	// least is how many requests each has to make, or the fault was none; until then it lasts longer.
	least int
	// lists is how many of them may ask for all there is, if that is bounded more tightly.
	lists int
	// stale says that all reflectors know at the end that they may be out of date, and that metrics say so.
	stale bool
	// says is a part of what is logged, if anything.
	says string
}

// runnable is a test with a CoreDNS of its own.
type runnable interface {
	test() (name string, run func(*testing.T))
}

// suffer runs tests, some side by side: they wait most of the time.
func suffer[T runnable](t *testing.T, list ...T) {
	t.Helper()
	if _, err := parts.CoreDNS.Path(); err != nil { // builds it, once
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	room := make(chan struct{}, 4)
	for _, x := range list {
		wg.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			t.Run(x.test())
		})
	}
	wg.Wait()
}

func (tr trouble) test() (string, func(*testing.T)) { return tr.name, tr.run }

// run harms all requests, from the end of the watches that run on. A change that is made meanwhile must be seen soon after.
func (tr trouble) run(t *testing.T) {
	g, r := startGate(t)
	before := time.Now()
	var slept, harmed time.Time
	row := r.Fault(t, tr.name, func() {
		g.Harm(tr.harm)
		cuts := max(tr.cuts, 1)
		for range cuts {
			g.Cut()
			r.Move(t)
			time.Sleep(tr.lasts / time.Duration(cuts)) // the fault's length
		}
		slept = time.Now()
		r.Server.Poll(t, time.Minute, func() error { return tr.harmed(t, r, g, before) })
		harmed = time.Now()
		g.Harm(nil)
		g.Cut() // what still hangs
	})
	if row.Fresh > Recovery {
		t.Errorf("the change showed %s after the fault was over, want %s at most", row.Fresh, Recovery)
	}
	r.fine(t, g)
	longer := func(a Asked) bool { return a.At.After(slept) && a.At.Before(harmed) } // than it is to last
	for by, list := range g.Asked(before, verbList, VerbWatch, verbStream) {
		t.Logf("%v: %v", by, verbs(list, before))
		if list = slices.DeleteFunc(list, longer); len(list) > tr.most {
			t.Errorf("%v: %d requests, want %d at most", by, len(list), tr.most)
		}
	}
	for by, list := range g.Asked(before, verbList, verbStream) {
		if list = slices.DeleteFunc(list, longer); tr.lists > 0 && len(list) > tr.lists {
			t.Errorf("%v: %d lists, want %d at most", by, len(list), tr.lists)
		}
	}
}

// harmed reports an error until all reflectors were harmed as much as they must be, and know and say it.
func (tr trouble) harmed(t *testing.T, r *Rig, g *Gate, since time.Time) error {
	t.Helper()
	asked := g.Asked(since, verbList, VerbWatch, verbStream)
	if len(asked) != reflectors {
		return fmt.Errorf("%d reflectors asked for anything, want %d", len(asked), reflectors)
	}
	for by, list := range asked {
		if len(list) < tr.least {
			return fmt.Errorf("%v: %d requests were harmed, want %d at least: %v", by, len(list), tr.least, verbs(list, since))
		}
	}
	if !strings.Contains(r.Server.Log(t), tr.says) {
		return fmt.Errorf("the log does not say %q", tr.says)
	}
	if tr.stale {
		return r.metric(t, g.stale(1))
	}
	return nil
}

// reflectors are those of a watch of all namespaces: Services, and two kinds of slices.
const reflectors = 3

// startGate opens a gate and starts a CoreDNS behind it that has a moving peer of its own, so that tests can run side by side.
func startGate(t *testing.T) (*Gate, *Rig) {
	t.Helper()
	w := movingCrowd()
	w.Namespace = strings.Trim(strings.Map(label, strings.ToLower(path.Base(t.Name()))), "-")
	if err := fill(t.Context(), cluster, w); err != nil {
		t.Fatal(err)
	}
	g := NewGate(t, cluster)
	r := Start(t, cluster, Options{Kubeconfig: g.Kubeconfig, Moving: w.Namespace})
	r.fine(t, g)
	time.Sleep(time.Second) // a watch that lasted for less is no watch to client-go: it lists again
	return g, r
}

// label turns what stands in no DNS label into hyphens.
func label(c rune) rune {
	if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
		return c
	}
	return '-'
}

// fine waits until all reflectors watch.
func (r *Rig) fine(t *testing.T, g *Gate) {
	t.Helper()
	r.Server.Poll(t, time.Minute, func() error { return r.metric(t, g.stale(0)) })
}

// asks waits until each reflector has made a request with one of these verbs.
func (r *Rig) asks(t *testing.T, g *Gate, since time.Time, verb ...string) {
	t.Helper()
	r.Server.Poll(t, time.Minute, func() error {
		if n := len(g.Asked(since, verb...)); n != reflectors {
			return fmt.Errorf("%d reflectors asked for %q, want %d", n, verb, reflectors)
		}
		return nil
	})
}

// stale is a line of metrics.
func (g *Gate) stale(is int) string {
	return fmt.Sprintf("coredns_headless_stale{source=%q} %d\n", "kubeconfig "+g.Kubeconfig, is)
}

func (r *Rig) metric(t *testing.T, line string) error {
	t.Helper()
	if !strings.Contains(r.Server.Metrics(t), line) {
		return fmt.Errorf("metrics do not say %s", line)
	}
	return nil
}

// verbs lists requests as verb@seconds.
func verbs(list []Asked, since time.Time) string {
	texts := make([]string, 0, len(list))
	for _, a := range list {
		texts = append(texts, fmt.Sprintf("%s@%.1f", a.Verb, a.At.Sub(since).Seconds()))
	}
	return strings.Join(texts, " ")
}
