package headless

import (
	"sync/atomic"
	"time"

	"github.com/coredns/caddy"
)

// generation is one reading of the Corefile. The plugin *ready* asks one handler and takes its word for all, so readiness is
// the generation's.
type generation struct {
	starting  atomic.Int32 // handlers that have not started
	waits     atomic.Pointer[[]wait]
	snapshots map[string]string // the watch whose state a file keeps, while the Corefile is read
	serves    []func()          // what to do once it serves, and not if it fails to start
}

// wait says until when to wait for a stanza's first sync.
type wait struct {
	stanza *stanza
	until  time.Time
}

// Ready implements the interface of *ready*: every stanza is synced, or its startup_timeout has gone by. A feature at the
// side that cannot reach its API server must not take the cluster's DNS out of service.
func (h *Headless) Ready() bool {
	waits := h.generation.waits.Load()
	if waits == nil || h.generation.starting.Load() > 0 {
		return false
	}
	for _, w := range *waits {
		if !w.stanza.tree.IsDone() && time.Now().Before(w.until) {
			return false
		}
	}
	return true
}

type generationKey struct{}

// generationOf returns the generation that c's instance belongs to.
func generationOf(c *caddy.Controller) *generation {
	g, ok := c.Get(generationKey{}).(*generation)
	if !ok {
		g = &generation{snapshots: make(map[string]string)}
		c.Set(generationKey{}, g)
	}
	return g
}

// hook has caddy call serving. At SIGUSR1 caddy forgets all hooks, and at one that it knows it panics.
func hook() {
	defer func() { _ = recover() }()
	caddy.RegisterEventHook(name, serving)
}

// serving does what was put off until an instance listens, and the one before it is gone.
func serving(event caddy.EventName, of any) error {
	i, ok := of.(*caddy.Instance)
	if event != caddy.InstanceStartupEvent || !ok {
		return nil
	}
	i.StorageMu.RLock()
	g, ok := i.Storage[generationKey{}].(*generation)
	i.StorageMu.RUnlock()
	if ok {
		for _, do := range g.serves {
			do()
		}
	}
	return nil
}

// dead reports whether the holder of a watch belongs to an instance that caddy does not know (any more): one that failed to
// start. Nobody tells it so.
func dead(holder any) bool {
	for _, i := range caddy.Instances() {
		i.StorageMu.RLock()
		g := i.Storage[generationKey{}]
		i.StorageMu.RUnlock()
		if g == holder {
			return false
		}
	}
	return true
}
