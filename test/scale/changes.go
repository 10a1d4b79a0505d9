package scale

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/coredns-headless/headless/test/ask"
)

// changes measures changes all over the cluster, with all instances running.
func (b *bench) changes(ctx context.Context) error {
	if err := b.twice(ctx, phaseChurn, b.cluster, b.Rate, b.Steady); err != nil {
		return err
	}
	return b.twice(ctx, phaseFast, b.cluster, 10*b.Rate, b.Other)
}

// bigOnes measures changes in a Service and in a namespace that are big.
func (b *bench) bigOnes(ctx context.Context) error {
	if b.BigService > 0 {
		b.say("making a Service of %d endpoints", b.BigService)
		if err := b.service.create(ctx, b.plane); err != nil {
			return err
		}
		if err := b.twice(ctx, phaseBigService, b.service, b.Rate, b.Other); err != nil {
			return err
		}
		b.say("%s", phaseRoll)
		c, err := b.roll(ctx, b.service)
		if err != nil {
			return err
		}
		b.noteLatency(phaseRoll, c)
		b.noteCost(phaseRoll, c)
	}
	if b.BigNamespace == 0 {
		return nil
	}
	b.say("making a namespace of %d pods", b.BigNamespace)
	if err := b.namespace.create(ctx, b.plane); err != nil {
		return err
	}
	return b.twice(ctx, phaseBigNamespace, b.namespace, b.Rate, b.Other)
}

// twice churns unwatched for the processor time, and again watched for the latency: asking costs the instances time
// too.
func (b *bench) twice(ctx context.Context, phase string, g *group, rate int, d time.Duration) error {
	if d == 0 {
		return nil
	}
	b.say("%s: %d changes a second for %s, then for as long again with the answers watched", phase, rate, d)
	s, pod := g.next() // all have caught up when they have this one
	if _, err := b.apply(ctx, s, true, pod); err != nil {
		return err
	}
	c, err := b.churn(ctx, g, rate, 0, d)
	if err != nil {
		return err
	}
	b.noteCost(phase, c)
	if c, err = b.churn(ctx, g, rate, b.Rate, d); err != nil {
		return err
	}
	b.noteLatency(phase, c)
	return nil
}

func (b *bench) noteCost(phase string, c *churned) {
	b.result.add(phase, "", "changes a second", "/s", float64(c.changes)/c.took.Seconds())
	for _, i := range b.instances {
		b.result.add(phase, i.name, "processor", "%", 100*c.cpu[i.name].Seconds()/c.took.Seconds())
		b.result.add(phase, i.name, "processor time per change", "µs", c.cpu[i.name].Seconds()*1e6/float64(c.changes))
		b.result.add(phase, i.name, "received per change", "kB", float64(c.bytes[i.name])/1e3/float64(c.changes))
	}
}

func (b *bench) noteLatency(phase string, c *churned) {
	for _, t := range b.targets() {
		list := c.latency[t.label]
		b.result.add(phase, t.label, "samples", "", float64(len(list)))
		b.result.add(phase, t.label, "p50", "ms", ms(quantile(list, 0.5)))
		b.result.add(phase, t.label, "p99", "ms", ms(quantile(list, 0.99)))
		if later := c.later[t.label]; later != nil {
			b.result.add(phase, t.label, "later than kubernetes, p50", "ms", ms(quantile(later, 0.5)))
			b.result.add(phase, t.label, "later than kubernetes, p99", "ms", ms(quantile(later, 0.99)))
		}
	}
}

// lookups times look-ups at rest, and while there are as many changes as the API server takes.
func (b *bench) lookups(ctx context.Context) error {
	if b.Lookups == 0 {
		return nil
	}
	b.say("look-ups at rest for %s, then as long with as many changes as the API server takes", b.Lookups)
	rest, err := b.ask(ctx, b.Lookups)
	if err != nil {
		return err
	}
	var busy map[string][]time.Duration
	var asking error
	var wg sync.WaitGroup
	wg.Go(func() { busy, asking = b.ask(ctx, b.Lookups) })
	c, err := b.churn(ctx, b.cluster, 0, 0, b.Lookups)
	wg.Wait()
	if err != nil || asking != nil {
		return fmt.Errorf("look-ups: %w, changes: %w", asking, err)
	}
	b.noteCost(phaseFull, c)
	for name := range rest {
		b.result.add(phaseRest, name, "p50", "ms", ms(quantile(rest[name], 0.5)))
		b.result.add(phaseRest, name, "p99", "ms", ms(quantile(rest[name], 0.99)))
		b.result.add(phaseFull, name, "p50", "ms", ms(quantile(busy[name], 0.5)))
		b.result.add(phaseFull, name, "p99", "ms", ms(quantile(busy[name], 0.99)))
	}
	return nil
}

// ask asks each instance for one pod after the other, at most one every ms, and returns how long the replies took, by
// instance.
func (b *bench) ask(ctx context.Context, d time.Duration) (map[string][]time.Duration, error) {
	took := make(map[string][]time.Duration)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for _, t := range append(b.targets(), &target{instance: b.instances[0], label: idle, name: (*slot).short}) {
		wg.Go(func() {
			list, err := b.askOne(ctx, t, d)
			mu.Lock()
			defer mu.Unlock()
			took[t.label] = list
			if err != nil {
				failed = fmt.Errorf("%s: %w", t.label, err)
			}
		})
	}
	wg.Wait()
	return took, failed
}

func (b *bench) askOne(ctx context.Context, t *target, d time.Duration) (took []time.Duration, err error) {
	q, err := t.dial()
	if err != nil {
		return nil, err
	}
	defer q.conn.Close()
	for end := time.Now().Add(d); time.Now().Before(end) && ctx.Err() == nil; {
		s := b.cluster.slots[rand.IntN(len(b.cluster.slots))] // #nosec G404 -- any will do
		begun := time.Now()
		name := t.name(s, s.index*perSlice+rand.IntN(s.size())) // #nosec G404 -- any will do
		addr, err := q.ask(name)
		for ask.Lost(err) && time.Since(begun) < patience && ctx.Err() == nil { // a busy machine loses some
			addr, err = q.ask(name)
		}
		if err != nil || !addr.IsValid() && t.label != idle {
			return took, fmt.Errorf("no answer: %w", err)
		}
		took = append(took, time.Since(begun))
		time.Sleep(every - min(every, time.Since(begun)))
	}
	return took, nil
}
