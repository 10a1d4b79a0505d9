package soak

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coredns-headless/headless/test/ask"
	"github.com/coredns-headless/headless/test/fault"
	"github.com/coredns-headless/headless/test/parts"
)

// Whatever happens, in whatever order, no answer is wrong, and nothing is left of it.
func TestSoak(t *testing.T) {
	c := newChurn(t)
	s := &stage{line: fault.NewLine(t, cluster.Address)}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	must(t, cluster.WriteKubeconfig(path, s.line.Address, token))
	s.rig = fault.Start(t, cluster, fault.Options{
		Kubeconfig: path, Lines: []string{"snapshot " + filepath.Join(t.TempDir(), "snapshot")},
		Part: &parts.CoreDNSStatic, // *kubernetes* races when it is reloaded
	})
	s.rig.Answers(t, c.questions(fault.Suffix)) // the last slice may have come while CoreDNS started
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	rep := &report{begun: time.Now(), faults: make(map[string]int), fresh: make(map[string]time.Duration)}
	wg.Go(func() { c.run(ctx) })
	wg.Go(func() { rep.watch(ctx, s.rig) })
	a, err := ask.Start(s.rig.Address(), fault.Rate, append(s.rig.Questions(t), c.questions(fault.Suffix)...)...)
	must(t, err)

	s.suffer(t, c, a, rep)
	rep.lasted = time.Since(rep.begun)
	cancel()
	wg.Wait()
	s.rig.Stale(t, false)
	rep.asked = a.Stop()
	rep.settled(t, s.rig)
	rep.changes, rep.failed = c.changes, c.missed
	text := rep.String()
	t.Logf("\n%s", text)
	if *reportTo != "" {
		must(t, os.MkdirAll(filepath.Dir(*reportTo), 0o750))
		must(t, os.WriteFile(*reportTo, []byte(text), 0o600))
	}
	if err := fault.Err(rep.asked); err != nil {
		t.Errorf("%v\n%s", err, strings.Join(rep.asked.Examples, "\n"))
	}
}

// suffer does one harm after the other, each as often as any other, until the time is up or an answer is wrong.
func (s *stage) suffer(t *testing.T, c *churn, a *ask.Asker, rep *report) {
	var order []int
	for time.Since(rep.begun) < *duration {
		if len(order) == 0 {
			order = rand.Perm(len(harms))
		}
		h := harms[order[0]]
		order = order[1:]
		long := time.Second + rand.N(min(*duration/12, 20*time.Second))
		begun, before := time.Now(), c.made()
		h.do(t, s, long)
		if h.all {
			rep.away += time.Since(begun)
			rep.meanwhile += c.made() - before
		}
		rep.add(h.name, s.settle(t, c))
		if err := fault.Err(a.Report()); err != nil {
			t.Errorf("after %q for %s: %v", h.name, long.Round(time.Millisecond), err)
			return
		}
		time.Sleep(rand.N(min(*duration/20, 16*time.Second))) // of peace
	}
}

// settle waits until what the churn has changed so far must have arrived, and returns how long a change took to show.
// The peer that moves is in the same watch as those that the churn changes. A list puts one slice after the other in
// its place, so it moves once more when it has moved: by the time that this shows, all of the list is in place.
func (s *stage) settle(t *testing.T, c *churn) (took time.Duration) {
	t.Helper()
	before := time.Now()
	s.rig.Move(t)
	took = s.rig.Fresh(t)
	s.rig.Move(t)
	s.rig.Fresh(t)
	c.shown(before)
	return took
}
