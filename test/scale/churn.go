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

// turn is a change whose time has come.
type turn struct {
	slot    *slot
	pods    []int
	watched bool
}

// churn changes one endpoint after another, rate of them a second or as many as the API server takes (0), for a time;
// sampled of them a second are watched until every target answers the new address.
func (b *bench) churn(ctx context.Context, g *group, rate, sampled int, d time.Duration) (*churned, error) {
	return b.work(ctx, workers, func(ctx context.Context, turns chan<- turn) { pace(ctx, g, rate, sampled, d, turns) })
}

// roll rewrites every slice of the group, several at a time, all addresses new.
func (b *bench) roll(ctx context.Context, g *group) (*churned, error) {
	return b.work(ctx, 4, func(ctx context.Context, turns chan<- turn) {
		for _, s := range g.slots {
			select {
			case <-ctx.Done():
				return
			case turns <- turn{s, s.all(), true}:
			}
		}
	})
}

// work makes the changes that feed sends, so many at a time, and says what they cost.
func (b *bench) work(ctx context.Context, workers int, feed func(context.Context, chan<- turn)) (*churned, error) {
	c := &churned{latency: make(map[string][]time.Duration), later: make(map[string][]time.Duration)}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	measured, err := b.usage()
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	turns := make(chan turn)
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range workers {
		wg.Go(func() {
			for t := range turns {
				latency, err := b.apply(ctx, t.slot, t.watched, t.pods...)
				if err != nil {
					fail(err)
				}
				mu.Lock()
				c.note(latency)
				mu.Unlock()
			}
		})
	}
	feed(ctx, turns)
	close(turns)
	wg.Wait()
	c.took = time.Since(begun)
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	c.cpu, c.bytes, err = measured()
	return c, err
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

// pace sends turns, one at least, evenly spaced in time; those that nobody was free for come as soon as somebody is.
func pace(ctx context.Context, g *group, rate, sampled int, d time.Duration, turns chan<- turn) {
	begun := time.Now()
	watched := 0
	for n := 0; n == 0 || time.Since(begun) < d; n++ {
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
		s, pod := g.next()
		select {
		case <-ctx.Done():
			return
		case turns <- turn{s, []int{pod}, watch}:
		}
	}
}

// apply gives pods of a slice new addresses and returns, if it is watched, how long the answer for the first one took
// at each target, from the sending of the change.
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
