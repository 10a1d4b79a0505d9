package cluster

import (
	"cmp"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coredns-headless/headless/plugin/source/sourcetest"
)

// In the first minute of a failure a reflector tries again after 0.8, 1.6, 3.2 s, and then each 5 s, or up to twice as
// much.
const fewest, most = 8, 14

// slowest is how long it takes at most until a reflector tries again: 10 s, and 6 s until it may make the three
// requests of a try, which are a streamed list, a list and a watch.
const slowest = 16 * time.Second

// each counts the requests of each reflector for which is reports true, nil for all.
func each(calls []call, is func(call) bool) (n [3]int) {
	for _, c := range calls {
		if is == nil || is(c) {
			n[slices.Index([]string{"", selectHeadless, selectForeign}, c.Selector)]++
		}
	}
	return n
}

// isFull reports whether c is for all there is.
func isFull(c call) bool { return c.Verb == "list" || c.Streams }

// between checks numbers of each reflector.
func between(t *testing.T, what string, got [3]int, least, most int) {
	t.Helper()
	if slices.Min(got[:]) < least || slices.Max(got[:]) > most {
		t.Errorf("%s of each reflector: %d, want %d to %d", what, got, least, most)
	}
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
	if c.Verb != "watch" || c.Streams {
		return false
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	return true
}

// A watch goes on where the last one ended. Only where one ends within a second of its answer, and brings nothing,
// client-go lists all there is, and backs off before that.
func TestBrokenConnections(t *testing.T) {
	tests := []struct {
		name            string
		lasted          time.Duration // how long it was watched before
		refuse          func(http.ResponseWriter, call) bool
		every           time.Duration // how often it breaks, 0 for once
		fewest, most    int           // requests of a reflector in a minute
		relist, relists int           // of them for all there is
		stale           bool          // what is known, after that minute
	}{
		{name: "once", lasted: time.Second, fewest: 1, most: 1},
		{name: "once, soon after a list", fewest: 1, most: 1, relist: 1, relists: 1},
		{name: "before each answer", lasted: time.Second, refuse: breakOff, fewest: fewest, most: 60, stale: true},
		{name: "after each answer", lasted: time.Second, refuse: closed, fewest: 2, most: 2, relist: 1, relists: 1},
		{
			name: "after each answer where no list is streamed", lasted: time.Second,
			refuse: func(w http.ResponseWriter, c call) bool { return streamless(w, c) || closed(w, c) },
			fewest: 3 * fewest, most: 3 * most, relist: 2 * fewest, relists: 2 * most, stale: true,
		},
		{name: "each 300 ms", every: 300 * time.Millisecond, fewest: fewest, most: most, relist: fewest, relists: most},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			sourcetest.CaptureLog(t)
			s := filled(t)
			w := synced(t, s)
			time.Sleep(tt.lasted)
			s.setRefuse(tt.refuse)
			first, begun := len(s.made()), time.Now()
			for time.Since(begun) < time.Minute {
				s.cut()
				time.Sleep(cmp.Or(tt.every, time.Minute))
			}
			during := s.made()[first:]
			between(t, "requests", each(during, nil), tt.fewest, tt.most)
			between(t, "lists", each(during, isFull), tt.relist, tt.relists)
			if tt.stale && !w.Stale() {
				t.Error("it is not stale")
			}
			sourcetest.Expect(t, w.Tree(), whole)

			s.setRefuse(nil)
			s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.9"))
			time.Sleep(slowest)
			sourcetest.Expect(t, w.Tree(), map[string]string{"default/web-0": "10.0.0.9", "default/web-1": "", "default/hand-0": "10.0.0.3"})
			if w.Stale() {
				t.Error("it is still stale")
			}
		})
	}
}

// What is known is out of date from the end of a watch on, not only from the next request on, which comes after a
// wait.
func TestStaleFromTheEndOfAWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sourcetest.CaptureLog(t)
		s := filled(t)
		w := synced(t, s)
		stale := func(when string, want bool) {
			t.Helper()
			synctest.Wait()
			if w.Stale() != want {
				t.Errorf("%s: stale %t", when, !want)
			}
		}
		s.cut()
		stale("client-go backs off", true)
		if n := len(s.made()); n != 3 {
			t.Errorf("%d requests, want the first three", n)
		}
		rest := make(chan struct{})
		s.setRefuse(func(w http.ResponseWriter, c call) bool {
			w.Header().Set("Content-Type", "application/json")
			w.(http.Flusher).Flush()
			<-rest
			return false
		})
		time.Sleep(2 * time.Second)
		stale("a streamed list has begun", true)
		if n := len(s.made()); n != 6 {
			t.Errorf("%d requests, want three more", n)
		}
		s.setRefuse(nil)
		close(rest)
		stale("it is complete", false)
		time.Sleep(time.Second)
		s.cut()
		stale("a watch goes on", false)
	})
}
