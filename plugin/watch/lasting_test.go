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
			captureLog(t)
			s := filled(t)
			w := watchCluster(t, s)
			eventually(t, "it syncs", func() bool { return w.Tree().IsDone() && !w.Stale() })
			s.setRefuse(tt.refuse)
			s.CloseClientConnections()
			eventually(t, "it is tried again and again", func() bool { return len(s.made()) >= 9 })
			if tt.stale {
				eventually(t, "what is known counts as stale", w.Stale)
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

func TestShortWatchSeemsToLast(t *testing.T) {
	noLeaks(t)
	for _, least := range []time.Duration{0, 20 * time.Millisecond} {
		begun := time.Now()
		w := apiwatch.NewFake()
		go w.Stop()
		for e := range lasting(w, least).ResultChan() {
			t.Errorf("got %v", e)
		}
		if got := time.Since(begun); got < least {
			t.Errorf("seems to last %s, want %s", got, least)
		}
	}
	stopped := lasting(apiwatch.NewFake(), time.Hour)
	stopped.Stop()
	stopped.Stop()
	for e := range stopped.ResultChan() {
		t.Errorf("got %v", e)
	}
}
