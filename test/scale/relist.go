package scale

import (
	"context"
	"fmt"
	"time"
)

// relists restarts the API server, several times, while all connections are held; then lets one instance after the
// other reach it, so that each lists alone. In every other round, from the first on, slices change while nobody can
// see it, before the API server stops: the new one knows no events from before its own start, so that a watch resumed
// at the client's resourceVersion is 410 Gone.
func (b *bench) relists(ctx context.Context) error {
	for round := range b.Relists {
		phase := []string{phaseExpired, phaseRestart}[round%2]
		if err := b.relist(ctx, phase, round); err != nil {
			return fmt.Errorf("%s: %w", phase, err)
		}
	}
	return nil
}

func (b *bench) relist(ctx context.Context, phase string, round int) error {
	for _, i := range b.instances {
		i.proxy.hold()
	}
	if phase == phaseExpired {
		for range 20 {
			s, pod := b.cluster.next()
			if _, err := b.apply(ctx, s, false, pod); err != nil {
				return err
			}
		}
	}
	b.plane.StopAPIServer()
	begun := time.Now()
	if err := b.plane.StartAPIServer(); err != nil {
		return err
	}
	b.say("%s, round %d of %d: API server back after %s; now one instance after the other reaches it", phase, round+1, b.Relists, time.Since(begun).Round(time.Millisecond))
	watchers := b.instances[1:] // the idle one watches nothing
	for n := range watchers {
		if err := b.rejoin(ctx, watchers[(n+round)%len(watchers)], phase); err != nil {
			return err
		}
	}
	b.instances[0].proxy.release()
	return nil
}

// rejoin lets an instance reach the API server again, and measures what that costs until it answers a change.
func (b *bench) rejoin(ctx context.Context, i *instance, phase string) error {
	before := i.proxy.received.Load()
	lists, resumed, err := b.requests(i.name)
	if err != nil {
		return err
	}
	used, err := cpu(i.pid())
	if err != nil {
		return err
	}
	if err := resetPeak(i.pid()); err != nil {
		return err
	}
	begun := time.Now()
	i.proxy.release()
	s, pod := b.cluster.next()
	if err := s.change(pod).send(ctx, b.client); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, 3*time.Minute) // client-go tries again after up to a minute
	defer cancel()
	for _, t := range i.targets {
		if _, err := t.await(waiting, s, pod, s.addr(pod)); err != nil {
			return i.ended(err)
		}
	}
	took := time.Since(begun)
	if err := b.quiet(waiting, i, lists+resumed); err != nil {
		return err
	}
	high, err := peak(i.pid())
	if err != nil {
		return err
	}
	now, err := cpu(i.pid())
	if err != nil {
		return err
	}
	newLists, newResumed, err := b.requests(i.name)
	if err != nil {
		return err
	}
	b.result.add(phase, i.name, "resident peak", "MB", mb(high))
	b.result.add(phase, i.name, "lists", "", float64(newLists-lists))
	b.result.add(phase, i.name, "resumed watches", "", float64(newResumed-resumed))
	b.result.add(phase, i.name, "received", "MB", mb(i.proxy.received.Load()-before))
	b.result.add(phase, i.name, "processor time", "ms", ms(now-used))
	b.result.add(phase, i.name, "answers again", "ms", ms(took))
	return nil
}

// quiet waits until the instance has asked for all that it watches, and nothing more comes.
func (b *bench) quiet(ctx context.Context, i *instance, asked int) error {
	for {
		received := i.proxy.received.Load()
		if err := pause(ctx, 2*settle); err != nil {
			return fmt.Errorf("%s does not watch again: %w", i.name, err)
		}
		lists, resumed, err := b.requests(i.name)
		if err != nil {
			return err
		}
		if lists+resumed-asked >= i.watches && i.proxy.received.Load() == received {
			return nil
		}
	}
}
