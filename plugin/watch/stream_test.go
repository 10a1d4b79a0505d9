package watch

import (
	"net/http"
	"testing"

	"github.com/coredns-headless/headless/plugin/object"
)

// client-go says nothing of it, and asks again.
func TestStreamedListThatBreaksOffIsSaidAndCounted(t *testing.T) {
	hurry(t)
	noLeaks(t)
	log := captureLog(t)
	s := newAPIServer(t)
	breaks := func(w http.ResponseWriter, c call) bool {
		if c.Streams && c.Resource == "services" {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"type":"ADDED","object":{"kind":"Service","apiVersion":"v1","metadata":{"name":"a","namespace":"a"}}}`))
			return true
		}
		return false
	}
	s.setRefuse(breaks)
	w := watchCluster(t, s)
	eventually(t, "it is counted", func() bool {
		_, _, failed := w.Counts(object.KindService)
		return failed >= 2
	})
	if lines := log.with("watch services: the streamed list ended before its end"); len(lines) != 1 {
		t.Errorf("said %d times", len(lines))
	}
	if again := log.with("works again"); len(again) > 0 {
		t.Errorf("%q", again)
	}
	s.setRefuse(nil)
	eventually(t, "it works again", func() bool { return w.Tree().IsDone() && len(log.with("watch services: works again")) == 1 })
	if w.Stale() {
		t.Error("it is stale")
	}
}
