package headless

import (
	"slices"
	"time"
)

// Ready implements the interface of *ready*, which asks one handler and takes its answer for all. So the whole
// generation is ready when every stanza is synced, or its startup_timeout has gone by. An API server that cannot be
// reached must not take the cluster's DNS out of service.
func (h *Headless) Ready() bool {
	if h.generation.starting.Load() > 0 {
		return false
	}
	return !slices.ContainsFunc(h.generation.waits, func(w wait) bool {
		return !w.stanza.tree.IsDone() && time.Now().Before(w.until)
	})
}
