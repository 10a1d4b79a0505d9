package soak

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coredns-headless/headless/test/ask"
	"github.com/coredns-headless/headless/test/fault"
)

// sample is what CoreDNS holds at a time.
type sample struct {
	at                         time.Duration
	goroutines, resident, heap float64
}

// report is what came of a soak.
type report struct {
	begun           time.Time
	asked           ask.Report
	faults          map[string]int
	fresh           map[string]time.Duration // the longest
	changes, failed int
	lasted          time.Duration
	// away is for how long of that the API server could take no change, and meanwhile how many it took then all the
	// same.
	away      time.Duration
	meanwhile int

	mu      sync.Mutex
	samples []sample
}

func (r *report) add(name string, fresh time.Duration) {
	r.faults[name]++
	r.fresh[name] = max(r.fresh[name], fresh)
}

// rate is how many changes a second were made while the API server could take them.
func (r *report) rate() float64 {
	return float64(r.changes-r.meanwhile) / (r.lasted - r.away).Seconds()
}

// watch takes samples, in all about as many as fit a page.
func (r *report) watch(ctx context.Context, rig *fault.Rig) {
	t := time.NewTicker(max(*duration/24, 2*time.Second))
	defer t.Stop()
	for {
		select {
		case <-t.C:
			if s, err := take(rig); err == nil { // it may stand still
				s.at = time.Since(r.begun)
				r.mu.Lock()
				r.samples = append(r.samples, s)
				r.mu.Unlock()
			}
		case <-ctx.Done():
			return
		}
	}
}

func take(rig *fault.Rig) (s sample, err error) {
	m, err := rig.Server.Scrape()
	for name, to := range map[string]*float64{
		"go_goroutines": &s.goroutines, "process_resident_memory_bytes": &s.resident, "go_memstats_heap_inuse_bytes": &s.heap,
	} {
		f := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(m)
		if f == nil {
			return s, err
		}
		if *to, err = strconv.ParseFloat(f[1], 64); err != nil {
			return s, err
		}
	}
	return s, err
}

// settled fails the test if goroutines or files are left open, or if memory grew all the time.
func (r *report) settled(t *testing.T, rig *fault.Rig) {
	t.Helper()
	rig.Settles(t, "soak")
	quarter := len(r.samples) / 4
	if quarter == 0 {
		return
	}
	least := func(list []sample) float64 {
		return slices.MinFunc(list, func(a, b sample) int { return int(a.heap - b.heap) }).heap
	}
	// The least of many samples is what collections leave; 8 MiB are what tables of counters and caches may still
	// come to.
	if first, last := least(r.samples[quarter:2*quarter]), least(r.samples[len(r.samples)-quarter:]); last > 1.25*first+8<<20 {
		t.Errorf("heap in use was %.1f MB in the second quarter, and %.1f MB in the last", first/1e6, last/1e6)
	}
}

func (r *report) String() string {
	var b strings.Builder
	sum := r.asked.Total()
	fmt.Fprintf(&b, "%s: %d queries, every answer checked: %d wrong, %d SERVFAIL, %d lost, %s at most without a right answer for a name; "+
		"%d changes of slices made, %.1f a second while the API server took them, %d kept away\n\n",
		r.lasted.Round(time.Second), sum.Asked, sum.Wrong, sum.Servfail, sum.Lost, r.asked.Silence.Round(time.Millisecond), r.changes, r.rate(), r.failed)
	b.WriteString("| names | queries | right | wrong | SERVFAIL | lost |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, k := range slices.Sorted(maps.Keys(r.asked.Kinds)) {
		c := r.asked.Kinds[k]
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d |\n", k, c.Asked, c.Right, c.Wrong, c.Servfail, c.Lost)
	}
	b.WriteString("\n| fault | times | a change showed after at most |\n| --- | --- | --- |\n")
	for _, name := range slices.Sorted(maps.Keys(r.faults)) {
		fmt.Fprintf(&b, "| %s | %d | %s |\n", name, r.faults[name], r.fresh[name].Round(time.Millisecond))
	}
	b.WriteString("\n| after | goroutines | resident | heap in use |\n| --- | --- | --- | --- |\n")
	for _, s := range r.samples {
		fmt.Fprintf(&b, "| %s | %.0f | %.1f MB | %.1f MB |\n", s.at.Round(time.Second), s.goroutines, s.resident/1e6, s.heap/1e6)
	}
	return b.String()
}
