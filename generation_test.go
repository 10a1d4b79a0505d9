package headless

import (
	"context"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coredns/caddy"
	"k8s.io/client-go/rest"

	"github.com/coredns-headless/headless/plugin/config"
	clustersource "github.com/coredns-headless/headless/plugin/source/cluster"
	"github.com/coredns-headless/headless/plugin/tree"
)

func TestReadyIsSyncedOrWaitedLongEnough(t *testing.T) {
	synced, unsynced := tree.New(), tree.New()
	synced.Writer("").Replace(nil, 1)
	unsynced.Writer("")
	later, earlier := time.Now().Add(time.Hour), time.Now().Add(-time.Second)
	of := func(tr *tree.Tree, until time.Time) wait { return wait{stanza: &stanza{tree: tr}, until: until} }
	tests := []struct {
		name  string
		waits []wait // nil before start-up
		want  bool
	}{
		{name: "before start-up", want: false},
		{name: "synced", waits: []wait{of(synced, later)}, want: true},
		{name: "not synced", waits: []wait{of(unsynced, later)}, want: false},
		{name: "waited long enough", waits: []wait{of(unsynced, earlier)}, want: true},
		{name: "one of two not synced", waits: []wait{of(synced, later), of(unsynced, later)}, want: false},
		{name: "each waited for by its own", waits: []wait{of(unsynced, earlier), of(unsynced, later)}, want: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := &Headless{generation: newGeneration()}
			if h.generation.waits = tt.waits; tt.waits == nil {
				h.generation.starting.Add(1)
			}
			if got := h.Ready(); got != tt.want {
				t.Errorf("ready: %t, want %t", got, tt.want)
			}
		})
	}
}

// The first failure ends the wait for the API server, and startup_timeout does; *ready* waits for startup_timeout in
// either case.
func TestStartWaitsForTheFirstFailureAndForStartupTimeout(t *testing.T) {
	for _, tt := range []struct {
		name    string
		refuses time.Duration // after which the API server refuses
		waits   time.Duration
	}{
		{name: "refused at once", refuses: 0, waits: 0},
		{name: "refused after a while", refuses: 3 * time.Second, waits: 3 * time.Second},
		{name: "no answer", refuses: time.Hour, waits: 5 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dial := func(context.Context, string, string) (net.Conn, error) {
					select {
					case <-time.After(tt.refuses):
					case <-t.Context().Done(): // net/http goes on with what nobody waits for
					}
					return nil, syscall.ECONNREFUSED
				}
				src, err := clustersource.Open(tt.name, &rest.Config{Host: "http://192.0.2.1", Dial: dial}, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer src.Stop()
				s := &stanza{Stanza: config.Stanza{StartupTimeout: 5 * time.Second}, source: src, tree: src.Tree()}
				h := &Headless{generation: newGeneration(), stanzas: []*stanza{s}}
				h.generation.starting.Add(1)
				begun := time.Now()
				h.start()
				if took := time.Since(begun); took != tt.waits {
					t.Errorf("start took %s, want %s", took, tt.waits)
				}
				if h.Ready() != (tt.waits == 5*time.Second) {
					t.Errorf("ready: %t", h.Ready())
				}
				time.Sleep(5*time.Second - tt.waits)
				if !h.Ready() {
					t.Error("not ready after startup_timeout")
				}
			})
		})
	}
}

// that all is well: it never asks again.
func TestReadyIsTheGenerations(t *testing.T) {
	c := controller(t, "headless a.local {\nmanifests $CLUSTER\n}")
	if err := setup(c); err != nil {
		t.Fatal(err)
	}
	c.ServerBlockIndex = 1
	c.Dispenser = controller(t, "headless b.local {\nmanifests $CLUSTER\n}").Dispenser
	if err := setup(c); err != nil {
		t.Fatal(err)
	}
	first, second := handlerOf(c, 0), handlerOf(c, 1)
	t.Cleanup(first.generation.close)
	first.start()
	if first.Ready() || second.Ready() {
		t.Error("ready, and the second server block has not started")
	}
	second.start()
	if !first.Ready() || !second.Ready() {
		t.Error("not ready, and both have started")
	}
	unsync(second)
	if first.Ready() || second.Ready() {
		t.Error("ready, and one of two is not")
	}
	if generationOf(caddy.NewTestController("dns", "headless")) == first.generation {
		t.Error("two Corefiles are one generation")
	}
}
