package scale

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// churned is what a time of changes cost.
type churned struct {
	changes int
	took    time.Duration
	latency map[string][]time.Duration // by target: from the sending of a change to the new answer
	later   map[string][]time.Duration // by target with *headless*: than *kubernetes* answered the same change
	cpu     map[string]time.Duration   // by instance
	bytes   map[string]int64           // by instance: from the API server
}

const (
	workers = 16
	// patience is how long a new answer is waited for.
	patience = 30 * time.Second
)

// churn changes one endpoint after another, rate of them a second or as many as the API server takes (0), for a time; sampled
// of them a second are watched until every target answers the new address.
func (b *bench) churn(ctx context.Context, g *group, rate, sampled int, d time.Duration) (*churned, error) {
	c := newChurned()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	measured, err := b.usage()
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	turns := make(chan bool) // true: watch it
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range workers {
		wg.Go(func() {
			for watched := range turns {
				s, pod := g.next()
				latency, err := b.apply(ctx, s, watched, pod)
				if err != nil {
					fail(err)
				}
				mu.Lock()
				c.note(latency)
				mu.Unlock()
			}
		})
	}
	pace(ctx, rate, sampled, d, turns)
	close(turns)
	wg.Wait()
	c.took = time.Since(begun)
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	c.cpu, c.bytes, err = measured()
	return c, err
}

func newChurned() *churned {
	return &churned{latency: make(map[string][]time.Duration), later: make(map[string][]time.Duration)}
}

func (c *churned) note(latency map[string]time.Duration) {
	c.changes++
	for h, k := range map[string]string{headless: kubernetes, bothHeadless: bothKubernetes} {
		if d, ok := latency[h]; ok {
			c.later[h] = append(c.later[h], d-latency[k])
		}
	}
	for label, d := range latency {
		c.latency[label] = append(c.latency[label], d)
	}
}

// pace sends turns, evenly spaced in time; those that nobody was free for come as soon as somebody is.
func pace(ctx context.Context, rate, sampled int, d time.Duration, turns chan<- bool) {
	begun := time.Now()
	watched := 0
	for n := 0; time.Since(begun) < d; n++ {
		if rate > 0 {
			due := begun.Add(time.Duration(n) * time.Second / time.Duration(rate))
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Until(due)):
			}
		}
		watch := time.Duration(watched)*time.Second < time.Since(begun)*time.Duration(sampled)
		if watch {
			watched++
		}
		select {
		case <-ctx.Done():
			return
		case turns <- watch:
		}
	}
}

// apply gives pods of a slice new addresses and returns, if it is watched, how long the answer for the first one took at
// each target, from the sending of the change.
func (b *bench) apply(ctx context.Context, s *slot, watched bool, pods ...int) (map[string]time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c := s.change(pods...)
	latency := make(map[string]time.Duration)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	var targets []*target
	if watched {
		targets = b.targets()
	}
	for _, t := range targets {
		wg.Go(func() {
			at, err := t.await(ctx, s, c.pod, c.addr)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = err
				return
			}
			latency[t.label] = at.Sub(c.sent)
		})
	}
	if err := c.send(ctx, b.client); err != nil {
		cancel()
		wg.Wait()
		return nil, fmt.Errorf("update %s/%s: %w", c.body.Namespace, c.body.Name, err)
	}
	wg.Wait()
	return latency, failed
}

// roll rewrites every slice of the group, several at a time, all addresses new.
func (b *bench) roll(ctx context.Context, g *group) (*churned, error) {
	c := newChurned()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	measured, err := b.usage()
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	turns := make(chan *slot, len(g.slots))
	for _, s := range g.slots {
		turns <- s
	}
	close(turns)
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range 4 {
		wg.Go(func() {
			for s := range turns {
				latency, err := b.apply(ctx, s, true, s.all()...)
				if err != nil {
					fail(err)
					return
				}
				mu.Lock()
				c.note(latency)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	c.took = time.Since(begun)
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	c.cpu, c.bytes, err = measured()
	return c, err
}

// usage begins to measure what the instances use, until the function that it returns is called.
func (b *bench) usage() (func() (map[string]time.Duration, map[string]int64, error), error) {
	read := func() (map[string]time.Duration, map[string]int64, error) {
		used, received := make(map[string]time.Duration), make(map[string]int64)
		for _, i := range b.instances {
			d, err := cpu(i.pid())
			if err != nil {
				return nil, nil, i.ended(err)
			}
			used[i.name], received[i.name] = d, i.proxy.received.Load()
		}
		return used, received, nil
	}
	used, received, err := read()
	return func() (map[string]time.Duration, map[string]int64, error) {
		now, total, err := read()
		for name := range now {
			now[name] -= used[name]
			total[name] -= received[name]
		}
		return now, total, err
	}, err
}
