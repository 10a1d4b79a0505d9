package scale

import (
	"context"
	"time"
)

// starts measures each instance alone, one after the other, in several rounds; at the end all run.
func (b *bench) starts(ctx context.Context) error {
	for round := range b.Starts {
		b.say("start %d of %d: idle, kubernetes, headless and both, one after the other", round+1, b.Starts)
		for n := range b.instances {
			i := b.instances[(n+round)%len(b.instances)] // none is always the first
			if err := b.begin(ctx, i, round); err != nil {
				return err
			}
			i.stop()
		}
	}
	for _, i := range b.instances {
		if _, err := i.start(ctx, b.cluster.slots[0]); err != nil {
			return err
		}
	}
	return nil
}

// begin starts an instance and notes what that took.
func (b *bench) begin(ctx context.Context, i *instance, round int) error {
	before := i.proxy.received.Load()
	took, err := i.start(ctx, b.cluster.slots[len(b.cluster.slots)-1])
	if err != nil {
		return err
	}
	if err := pause(ctx, settle); err != nil {
		return err
	}
	used, err := cpu(i.pid())
	if err != nil {
		return err
	}
	high, err := peak(i.pid())
	if err != nil {
		return err
	}
	size, err := heap(ctx, i.profile)
	if err != nil {
		return err
	}
	lists, _, err := b.requests(i.name)
	if err != nil {
		return err
	}
	i.watches = lists / (round + 1)
	b.result.add(phaseStart, i.name, "synced", "ms", ms(took))
	b.result.add(phaseStart, i.name, "processor time", "ms", ms(used))
	b.result.add(phaseStart, i.name, "resident peak", "MB", mb(high))
	b.result.add(phaseStart, i.name, "heap", "MB", mb(size))
	b.result.add(phaseStart, i.name, "received", "MB", mb(i.proxy.received.Load()-before))
	b.result.add(phaseStart, i.name, "lists", "", float64(i.watches))
	if b.Profiles != "" && round == 0 {
		return saveProfile(ctx, i.profile, b.Profiles, i.name)
	}
	return nil
}

// requests counts what a user has asked for so far: everything there is, and what has changed since.
func (b *bench) requests(user string) (lists, resumed int, err error) {
	all, err := b.plane.Requests("")
	for _, r := range all {
		switch {
		case r.User.Username != user:
		case r.Lists():
			lists++
		default:
			resumed++
		}
	}
	return lists, resumed, err
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
func mb(n int64) float64         { return float64(n) / 1e6 }
