package watch

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
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

// upToDate is a watch that has synced, in a hurry.
func upToDate(t *testing.T) (*apiServer, *Watch) {
	t.Helper()
	noLeaks(t)
	hurry(t)
	captureLog(t)
	s := filled(t)
	w := watchCluster(t, s)
	eventually(t, "it syncs", func() bool { return w.Tree().IsDone() && !w.Stale() })
	return s, w
}

// patiently does it to so many watches of each reflector as it bears without a list.
func patiently(refuse func(http.ResponseWriter, call) bool) func(http.ResponseWriter, call) bool {
	var mu sync.Mutex
	watches := make(map[string]int)
	return func(w http.ResponseWriter, c call) bool {
		mu.Lock()
		defer mu.Unlock()
		watches[c.Resource+c.Selector]++
		return watches[c.Resource+c.Selector] < patience && refuse(w, c)
	}
}

// A connection that breaks, or a watch that ends at once, is no reason to list everything again, nor to ask without a pause.
func TestWatchThatBreaksOffGoesOnWithoutAList(t *testing.T) {
	tests := []struct {
		name   string
		refuse func(http.ResponseWriter, call) bool
		made   int
		stale  bool
	}{
		{name: "before the answer", refuse: breakOff, made: 9, stale: true},
		{name: "after the answer", refuse: patiently(closed), made: 3 * (1 + patience)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, w := upToDate(t)
			s.setRefuse(tt.refuse)
			s.cut()
			eventually(t, "it is tried again and again", func() bool { return len(s.made()) >= tt.made })
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

// A list makes up for the watches that ended at once before it: what ends after it, with nothing to tell, goes on without another.
func TestListMakesUpForShortWatches(t *testing.T) {
	s, w := upToDate(t)
	s.setRefuse(closed)
	s.cut()
	eventually(t, "short watches end in lists", func() bool { return lists(s) == 6 && !w.Stale() })
	s.setRefuse(nil)
	asked := len(s.made())
	s.cut()
	eventually(t, "it is watched again", func() bool { return len(s.made()) >= asked+3 && !w.Stale() })
	s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.9"))
	eventually(t, "the change shows", func() bool { return strings.Join(resolve(w, "default/web-0"), "") == "10.0.0.9" })
	if n := lists(s); n != 6 {
		t.Errorf("%d lists, want 6", n)
	}
}

func TestShortWatchSeemsToLast(t *testing.T) {
	noLeaks(t)
	synctest.Test(t, shortWatchSeemsToLast)
}

func shortWatchSeemsToLast(t *testing.T) {
	const least = 50 * time.Millisecond
	proofs := make(chan struct{}, 10)
	l := lasting{least: least, proven: func() { proofs <- struct{}{} }}
	ended := func() *apiwatch.FakeWatcher {
		w := apiwatch.NewFake()
		w.Stop()
		return w
	}
	for i := range patience {
		begun := time.Now()
		for e := range l.of(ended(), false).ResultChan() {
			t.Errorf("got %v", e)
		}
		if got := time.Since(begun); got < least {
			t.Errorf("seems to last %s, want %s", got, least)
		}
		if got := l.short.Load(); got != int32(i+1) || len(proofs) > 0 {
			t.Errorf("%d short watches and %d proofs after %d", got, len(proofs), i+1)
		}
	}
	w := apiwatch.NewFake()
	paced := l.of(w, false)
	go w.Add(headlessService("default/nginx", "1"))
	<-paced.ResultChan()
	if got := l.short.Load(); got != 0 || len(proofs) != 1 {
		t.Errorf("%d short watches and %d proofs after an event", got, len(proofs))
	}
	paced.Stop()
	paced.Stop()
	for e := range paced.ResultChan() {
		t.Errorf("got %v", e)
	}
	quiet := l.of(apiwatch.NewFake(), false)
	eventually(t, "a watch that lasts is a proof", func() bool { return len(proofs) == 2 })
	quiet.Stop()
	listing := l.of(apiwatch.NewFake(), true)
	time.Sleep(2 * least) // in which a watch without a list would have lasted
	listing.Stop()
	if len(proofs) != 2 {
		t.Error("a list is no proof before it is complete")
	}
}
