package watch

import (
	"net/http"
	"testing"
	"time"
)

// Where a refusal says when to come back, client-go comes back by itself, ten times, at once for 0. Reflectors do so when they back off.
func TestRetryAfterMakesNobodyAskMoreOften(t *testing.T) {
	noLeaks(t)
	captureLog(t)
	s := newAPIServer(t)
	s.setRefuse(func(w http.ResponseWriter, _ call) bool {
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	begun := time.Now()
	watchCluster(t, s)
	const reflectors, tries = 3, 2 // a streamed list, and a list
	eventually(t, "all have asked", func() bool { return len(s.made()) >= reflectors*tries })
	time.Sleep(backoff.Duration / 2) // time enough for ten more
	if asked, most := len(s.made()), reflectors*tries*(1+int(time.Since(begun)/backoff.Duration)); asked > most {
		t.Errorf("%d requests in %s, want %d at most", asked, time.Since(begun), most)
	}
}
