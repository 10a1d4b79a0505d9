package watch

import (
	"net/http"
	"strings"
	"testing"
	"time"

	apiwatch "k8s.io/apimachinery/pkg/watch"
)

// lists counts the requests for all there is.
func lists(s *apiServer) (n int) {
	for _, c := range s.made() {
		if c.Verb == "list" || c.Streams {
			n++
		}
	}
	return n
}

// breakOff ends a request without an answer.
func breakOff(w http.ResponseWriter, _ call) bool {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		err = conn.Close()
	}
	return err == nil
}

// closed answers a watch and ends it.
func closed(w http.ResponseWriter, c call) bool {
	if c.Verb == "watch" && !c.Streams {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
	}
	return c.Verb == "watch" && !c.Streams
}

// A connection that breaks, or a watch that ends at once, is no reason to list everything again, nor to ask without a pause.
func TestWatchThatBreaksOffGoesOnWithoutAList(t *testing.T) {
	tests := []struct {
		name   string
		refuse func(http.ResponseWriter, call) bool
		stale  bool
	}{
		{name: "before the answer", refuse: breakOff, stale: true},
		{name: "after the answer", refuse: closed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			noLeaks(t)
			hurry(t)
			log := captureLog(t)
			s := filled(t)
			w := watchCluster(t, s)
			eventually(t, "it syncs", func() bool { return w.Tree().IsDone() && !w.Stale() })
			time.Sleep(time.Second) // a reflector lists after a watch without events that was shorter, whoever ended it
			s.setRefuse(tt.refuse)
			s.CloseClientConnections()
			eventually(t, "it is tried again and again", func() bool { return len(s.made()) >= 9 })
			if tt.stale {
				eventually(t, "what is known counts as stale", w.Stale)
				eventually(t, "the log says why", func() bool { return len(log.with("WARNING", "watch services: no answer")) == 1 })
			}
			expect(t, w, whole)
			s.setRefuse(nil)
			s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.9"))
			eventually(t, "the change shows", func() bool { return strings.Join(resolve(w, "default/web-0"), "") == "10.0.0.9" })
			eventually(t, "it is up to date", func() bool { return !w.Stale() })
			if n := lists(s); n != 3 {
				t.Errorf("%d lists, want 3", n)
			}
		})
	}
}

// A reflector asks for a streamed list that broke off at once again, and then again.
func TestListThatBreaksOffIsNotAskedForWithoutAPause(t *testing.T) {
	noLeaks(t)
	hurry(t)
	captureLog(t)
	s := filled(t)
	s.setRefuse(func(w http.ResponseWriter, c call) bool {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		return true
	})
	w := watchCluster(t, s)
	eventually(t, "it is tried twice", func() bool { return lists(s) >= 6 })
	if n := lists(s); n > 6 {
		t.Errorf("%d lists in no time, want two of each", n)
	}
	s.setRefuse(nil)
	eventually(t, "it syncs", w.Tree().IsDone)
	expect(t, w, whole)
}

func TestShortWatchesSeemToLast(t *testing.T) {
	noLeaks(t)
	const soon = 20 * time.Millisecond
	p := pace{soon: soon}
	seems := func(lasts time.Duration, streams bool) time.Duration {
		begun := time.Now()
		w := apiwatch.NewFake()
		time.AfterFunc(lasts, w.Stop)
		for e := range p.of(w, streams).ResultChan() {
			t.Errorf("got %v", e)
		}
		return time.Since(begun)
	}
	for range 3 {
		if got := seems(0, false); got < soon {
			t.Errorf("a watch seems to last %s, want %s", got, soon)
		}
	}
	for _, want := range []time.Duration{2, 4, 8, 8} {
		if got := seems(0, true); got < want*soon {
			t.Errorf("a streamed list seems to last %s, want %s", got, want*soon)
		}
	}
	seems(2*soon, false)
	if got := p.breaks.Load(); got != 0 {
		t.Errorf("%d breaks counted after a watch that lasted", got)
	}
}
