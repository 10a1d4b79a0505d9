package watch

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// idle is a watch that runs until it is stopped, and tells both.
func idle(name string, started, stopped *[]string) *Watch {
	w := newWatch(name, nil)
	*started = append(*started, name)
	w.runs = append(w.runs, func(ctx context.Context) {
		<-ctx.Done()
		*stopped = append(*stopped, name) // Stop waits for it
	})
	return w
}

func TestRegistrySharesAWatchUntilNobodyHoldsIt(t *testing.T) { synctest.Test(t, registryShares) }

func registryShares(t *testing.T) {
	var r Registry
	var made, stopped []string
	release := func(holder any) func(any) bool { return func(h any) bool { return h == holder } }
	ended := func(when string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, stopped); diff != "" {
			t.Errorf("%s: stopped (-want +got):\n%s", when, diff)
		}
	}
	type holder struct{ generation int }
	one, two := &holder{1}, &holder{2}

	a := idle("a", &made, &stopped)
	if w, shared := r.Acquire("a", one, a, Snapshot{}); w != a || shared {
		t.Error("not the fresh one, and there was no other")
	}
	if w, shared := r.Acquire("a", one, idle("a again", &made, &stopped), Snapshot{}); w != a || shared { // another server block
		t.Error("the same holder got another watch of that key")
	}
	if w, shared := r.Acquire("a", two, idle("a reloaded", &made, &stopped), Snapshot{}); w != a || !shared {
		t.Error("a second holder got another watch of that key")
	}
	b := idle("b", &made, &stopped)
	if w, _ := r.Acquire("b", two, b, Snapshot{}); w != b {
		t.Error("another key got the same watch")
	}
	if got := len(r.Watches()); got != 2 {
		t.Errorf("%d watches, want 2", got)
	}

	r.Release(release(&holder{1}))
	ended("released by a stranger")
	r.Release(release(one))
	ended("released by one of two holders")
	r.Release(release(one))
	ended("released twice")
	r.Release(release(two))
	if len(stopped) != 2 || len(r.Watches()) != 0 {
		t.Errorf("released by all: stopped %q, %d watches left", stopped, len(r.Watches()))
	}
	r.Release(func(any) bool { return true })

	stopped = nil
	again := idle("a anew", &made, &stopped)
	if w, _ := r.Acquire("a", one, again, Snapshot{}); w != again {
		t.Error("a stopped watch came back")
	}
	r.Release(release(one))
	ended("released by the only holder", "a anew")
}

func TestRegistryStopsOnlyWhatIsIdle(t *testing.T) { synctest.Test(t, registryStopsOnlyWhatIsIdle) }

func registryStopsOnlyWhatIsIdle(t *testing.T) {
	var r Registry
	var made, stopped []string
	for _, key := range []string{"shared", "old"} {
		r.Acquire(key, "old", idle(key, &made, &stopped), Snapshot{})
	}
	for _, key := range []string{"shared", "new"} {
		r.Acquire(key, "new", idle(key+" of new", &made, &stopped), Snapshot{})
	}
	r.Release(func(h any) bool { return h == "old" })
	if diff := cmp.Diff([]string{"old"}, stopped); diff != "" {
		t.Errorf("stopped (-want +got):\n%s", diff)
	}
	r.Release(func(any) bool { return true })
}

// What a watch brought stays readable after it ended: a query may still be under way.
func TestTreeOutlivesItsWatch(t *testing.T) {
	captureLog(t)
	w := newWatch("test", nil)
	must(t, (&store{w: w, from: &request{w: w}, source: w.tree.Writer("")}).Add(headlessService("default/nginx", "1")))
	w.Start()
	w.Stop()
	if got := resolve(w, "default/nginx"); got == nil {
		t.Error("the Service is gone")
	}
}
