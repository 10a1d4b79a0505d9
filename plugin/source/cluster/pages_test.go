package cluster

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coredns-headless/headless/plugin/source/sourcetest"
)

// An API server that streams no lists gives 500 objects at a time where it lists from etcd. The limit on requests is
// for those that end early, and a list of 10,000 Services is 20 pages.
func TestListOfManyPagesIsNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sourcetest.CaptureLog(t)
		const pages = 2 * burst
		s := newAPIServer(t)
		s.setRefuse(func(w http.ResponseWriter, c call) bool {
			if c.Resource != "services" || c.Verb == "watch" {
				return streamless(w, c)
			}
			page, _ := strconv.Atoi(c.Continue) // the first has none
			next := strconv.Itoa(page + 1)
			if page == pages-1 {
				next = ""
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"kind":"ServiceList","apiVersion":"v1","metadata":{"resourceVersion":"100","continue":%q},"items":[`+
				`{"metadata":{"namespace":"default","name":"s%d","resourceVersion":"1"},"spec":{"clusterIP":"10.96.0.1"}}]}`, next, page)
			return true
		})
		begun := time.Now()
		w := watchCluster(t, s)
		if !w.Wait(time.Minute) || time.Since(begun) > 0 {
			t.Errorf("synced %t, after %s", w.Tree().IsDone(), time.Since(begun))
		}
		if services, _ := w.Tree().Size(); services != pages {
			t.Errorf("%d Services, want %d", services, pages)
		}
	})
}
