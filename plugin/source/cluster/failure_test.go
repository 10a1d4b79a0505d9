package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/source"
	"github.com/coredns-headless/headless/plugin/source/sourcetest"
)

// reflectors are the three of all namespaces, as the log names them.
var reflectors = []string{
	"services", "endpointslices labelled " + selectHeadless, "endpointslices labelled " + selectForeign,
}

func TestForbiddenRequestIsSaidOnceAMinuteAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := sourcetest.CaptureLog(t)
		s := filled(t)
		s.setRefuse(func(w http.ResponseWriter, c call) bool { return c.Resource == "services" && forbidden(w, c) })
		begun := time.Now()
		w := watchCluster(t, s)
		if w.Wait(time.Minute) || time.Since(begun) > 0 {
			t.Errorf("synced, or waited for %s after the first failure", time.Since(begun))
		}
		time.Sleep(time.Minute - 1)
		tries := each(s.made(), func(c call) bool { return c.Verb == "list" })[0]
		if tries < fewest || tries > most {
			t.Errorf("listed %d times in a minute, want %d to %d", tries, fewest, most)
		}
		if failed := w.Count(object.KindService).Failed.Load(); !w.Stale() || failed != uint64(2*tries) {
			t.Errorf("stale %t, %d requests failed; want true, two a try: %d", w.Stale(), failed, 2*tries)
		}
		for minute := range 2 {
			for _, verb := range []string{"watch", "list"} {
				want := `[WARNING] plugin/headless: test: ` + verb + ` services: services is forbidden: User "dns" cannot ` + verb +
					` resource "services" in API group "" at the cluster scope`
				if lines := log.With(want); len(lines) != minute+1 || !strings.HasSuffix(lines[0], want) {
					t.Errorf("log: %q, want %d times %q", log.With(), minute+1, want)
				}
			}
			time.Sleep(time.Minute)
		}

		s.setRefuse(nil)
		time.Sleep(slowest)
		sourcetest.Expect(t, w.Tree(), whole)
		if !w.Tree().IsDone() || w.Stale() {
			t.Errorf("synced %t, stale %t", w.Tree().IsDone(), w.Stale())
		}
		if n := len(log.With("INFO", "test: watch services: works again")); n != 1 {
			t.Errorf("log: %q, want that it works again", log.With())
		}
	})
}

// Ports and times in a reason, and reasons that take turns, do not fill the log; another reason is said at once.
func TestReasonsAreSaidOnce(t *testing.T) { synctest.Test(t, reasonsAreSaidOnce) }

func reasonsAreSaidOnce(t *testing.T) {
	r := &request{source: source.New("test", nil), resource: "services"}
	log := sourcetest.CaptureLog(t)
	for n := range 100 {
		for _, reason := range []string{
			fmt.Sprintf("certificate has expired: current time 2026-11-24T00:57:%02dZ is after 2026-11-24T00:00:00Z", n),
			fmt.Sprintf("write tcp 127.0.0.1:%d->127.0.0.1:6443: broken pipe", 32768+n),
		} {
			r.report(t.Context(), "watch", errors.New(reason))
		}
	}
	if lines := log.With("WARNING"); len(lines) != 2 {
		t.Errorf("log: %q, want each reason once", lines)
	}
	for n := range 100 {
		r.report(t.Context(), "watch", errors.New(strings.Repeat("x", n+1)))
	}
	if lines := log.With("WARNING"); len(lines) != reasonsMax || !strings.HasSuffix(lines[len(lines)-1], ": x") {
		t.Errorf("log: %q, want one more reason", lines)
	}
	r.report(t.Context(), "watch", nil)
	r.report(t.Context(), "watch", errors.New("refused"))
	if lines := log.With("WARNING", "refused"); len(lines) != 1 {
		t.Errorf("log: %q, want a reason after it worked", log.With())
	}
}

func TestForbiddenInOneNamespaceLeavesTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := sourcetest.CaptureLog(t)
		s := newAPIServer(t)
		for _, ns := range []string{"a", "b"} {
			s.set(headlessService(ns+"/nginx", ""))
			s.set(endpointSlice(ns+"/nginx-x", "", "nginx", "web-0=10.0.0.1"))
		}
		s.setRefuse(func(w http.ResponseWriter, c call) bool {
			return c.Namespace == "b" && c.Resource == "endpointslices" && forbidden(w, c)
		})
		w := watchCluster(t, s, "a", "b")
		synctest.Wait()
		sourcetest.Expect(t, w.Tree(), map[string]string{"a/web-0": "10.0.0.1", "b/web-0": ""})
		if tree := w.Tree(); !tree.Synced([]byte("a")) || tree.Synced([]byte("b")) || tree.IsDone() {
			t.Errorf("a synced %t, b %t, all %t", tree.Synced([]byte("a")), tree.Synced([]byte("b")), tree.IsDone())
		}
		for _, selector := range []string{selectHeadless, selectForeign} {
			if len(log.With("WARNING", "test: list endpointslices labelled "+selector+" in namespace b: ", "forbidden")) != 1 {
				t.Errorf("log: %q, want selector %q and the namespace", log.With(), selector)
			}
		}
		s.setRefuse(nil)
		time.Sleep(slowest)
		sourcetest.Expect(t, w.Tree(), map[string]string{"b/web-0": "10.0.0.1"})
		if !w.Tree().IsDone() {
			t.Error("not synced")
		}
	})
}

// A token that is refused is read again from its file at the next try, not only every 50 s.
func TestRefusedTokenIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sourcetest.CaptureLog(t)
		s := filled(t)
		s.setRefuse(func(w http.ResponseWriter, c call) bool {
			return c.Authorization != "Bearer new" && status(w, apierrors.NewUnauthorized(c.Authorization))
		})
		file := filepath.Join(t.TempDir(), "token")
		must(t, os.WriteFile(file, []byte("old"), 0o600))
		config := s.config()
		config.BearerToken, config.BearerTokenFile = "old", file
		w := start(t, config)
		if w.Wait(time.Minute) {
			t.Error("synced with the old token")
		}
		synctest.Wait()
		must(t, os.WriteFile(file, []byte("new\n"), 0o600))
		time.Sleep(2 * backoff().Duration)
		sourcetest.Expect(t, w.Tree(), whole)
		if !w.Tree().IsDone() {
			t.Error("not synced")
		}
	})
}

// client-go decodes a list of another kind, an object without a kind, and a Status of success into a list of nothing.
func TestWhatIsNoListEmptiesNothing(t *testing.T) {
	for _, body := range []string{
		`{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"107"},"items":[]}`,
		`{"kind":"Status","apiVersion":"v1","metadata":{"resourceVersion":"107"},"status":"Success"}`,
		`{}`,
	} {
		bubble(t, body, func(t *testing.T) {
			log := sourcetest.CaptureLog(t)
			s := filled(t)
			w := synced(t, s)
			s.setRefuse(func(w http.ResponseWriter, c call) bool {
				if c.Verb == "watch" {
					return forbidden(w, c) // so it is listed
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(body))
				return true
			})
			s.cut()
			time.Sleep(2 * backoff().Duration)
			for _, resource := range reflectors {
				if len(log.With("list "+resource, "no resourceVersion")) == 0 {
					t.Errorf("log: %q, want a word of %s", log.With(), resource)
				}
			}
			sourcetest.Expect(t, w.Tree(), whole)
			s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.9"))
			s.setRefuse(nil)
			time.Sleep(slowest)
			sourcetest.Expect(t, w.Tree(), map[string]string{"default/web-0": "10.0.0.9"})
		})
	}
}

// client-go asks again at once in these cases, thousands of times a second, and says nothing of the first.
func TestRequestsThatEndAtOnceAreNotMadeInALoop(t *testing.T) {
	event := func(w http.ResponseWriter, event, metadata string) bool {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"type":%q,"object":{"kind":"Service","apiVersion":"v1","metadata":{%s}}}`, event, metadata)
		return true
	}
	tests := []struct {
		name   string
		refuse func(http.ResponseWriter, call) bool
		says   string
		failed uint64 // of the first requests
	}{
		{
			name: "a streamed list breaks off",
			refuse: func(w http.ResponseWriter, c call) bool {
				return c.Streams && event(w, "ADDED", `"name":"a","namespace":"a"`)
			},
			says: "watch services: the streamed list ended before it was complete", failed: burst,
		},
		{
			name: "a streamed list is refused as too old",
			refuse: func(w http.ResponseWriter, c call) bool {
				return c.Streams && status(w, apierrors.NewResourceExpired("too old resource version"))
			},
			says: "watch services: too old resource version", failed: burst,
		},
		{
			name: "a watch ends after a bookmark",
			refuse: func(w http.ResponseWriter, c call) bool {
				return streamless(w, c) || c.Verb == "watch" && event(w, "BOOKMARK", `"resourceVersion":"101"`)
			},
		},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			log := sourcetest.CaptureLog(t)
			s := filled(t)
			s.setRefuse(func(w http.ResponseWriter, c call) bool { return c.Resource == "services" && tt.refuse(w, c) })
			w := watchCluster(t, s)
			asked := func(want int) {
				t.Helper()
				synctest.Wait()
				if n := each(s.made(), nil)[0]; n != want || !w.Stale() {
					t.Errorf("%d requests, stale %t; want %d, true", n, w.Stale(), want)
				}
			}
			asked(burst)
			if failed := w.Count(object.KindService).Failed.Load(); failed != tt.failed {
				t.Errorf("%d of the first requests failed, want %d", failed, tt.failed)
			}
			time.Sleep(59 * time.Second)
			asked(burst + int(59*time.Second/refill))
			said := 0
			if tt.says != "" {
				said = 1
			}
			if lines := log.With("WARNING"); len(lines) != said || len(log.With("WARNING", tt.says)) != said {
				t.Errorf("log: %q, want %d times %q", lines, said, tt.says)
			}
			if again := log.With("works again"); len(again) > 0 {
				t.Errorf("%q", again)
			}
			s.setRefuse(nil)
			time.Sleep(refill)
			sourcetest.Expect(t, w.Tree(), whole)
			if again := log.With("watch services: works again"); w.Stale() || len(again) != said {
				t.Errorf("stale %t, log: %q", w.Stale(), again)
			}
		})
	}
}

// The reason is the same each time: a URL with another random timeout in it is not another reason.
func TestUnreachableServerIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := sourcetest.CaptureLog(t)
		var dials atomic.Int32
		w := start(t, &rest.Config{Host: "http://api.test", Dial: func(_ context.Context, network, _ string) (net.Conn, error) {
			dials.Add(1)
			return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
		}})
		if w.Wait(time.Minute) {
			t.Error("synced with nobody")
		}
		time.Sleep(time.Minute - 1)
		if n := dials.Load(); n < 3*fewest || n > 3*most {
			t.Errorf("dialled %d times in a minute, want %d to %d for each of three", n, fewest, most)
		}
		for _, what := range reflectors {
			if n := len(log.With("WARNING", "watch "+what+": ", "connection refused")); n != 1 {
				t.Errorf("%d warnings of %s, want 1: %q", n, what, log.With())
			}
		}
	})
}

// A redirect to another server would give it the token, and the log says why it is not followed.
func TestRedirectToAnotherServerIsRefused(t *testing.T) {
	for _, to := range []string{"https://elsewhere.test/", "http://elsewhere.test/"} {
		bubble(t, to, func(t *testing.T) {
			log := sourcetest.CaptureLog(t)
			s := filled(t)
			w := synced(t, s)
			s.setRefuse(func(w http.ResponseWriter, _ call) bool {
				w.Header().Set("Location", to)
				w.WriteHeader(http.StatusTemporaryRedirect)
				return true
			})
			s.cut()
			time.Sleep(2 * backoff().Duration)
			if len(log.With("redirect to", "refused: it would get the token")) == 0 {
				t.Errorf("log: %q", log.With())
			}
			sourcetest.Expect(t, w.Tree(), whole)
		})
	}
}

// Where a refusal says when to come back, client-go comes back by itself, ten times, at once for 0. Reflectors do so
// when they back off.
func TestRetryAfterChangesNothing(t *testing.T) {
	for _, after := range []string{"0", "3600"} {
		// Where a server is unavailable a list is tried, too.
		for code, tries := range map[int]int{http.StatusTooManyRequests: 1, http.StatusServiceUnavailable: 2} {
			bubble(t, fmt.Sprintf("%d after %s", code, after), func(t *testing.T) {
				sourcetest.CaptureLog(t)
				s := filled(t)
				w := synced(t, s)
				s.setRefuse(func(w http.ResponseWriter, _ call) bool {
					w.Header().Set("Retry-After", after)
					w.WriteHeader(code)
					return true
				})
				s.cut()
				time.Sleep(time.Minute)
				between(t, "requests", each(s.made()[3:], nil), tries*(fewest-1), tries*(most-1))
				if !w.Stale() {
					t.Error("it is not stale")
				}
			})
		}
	}
}

func TestStopEndsEverythingAtOnce(t *testing.T) {
	answer := func(code int, body string) func(http.ResponseWriter, call) bool {
		return func(w http.ResponseWriter, _ call) bool {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
			return true
		}
	}
	tests := []struct {
		name   string
		refuse func(http.ResponseWriter, call) bool
		dial   func(context.Context, string, string) (net.Conn, error)
	}{
		{name: "while it watches"},
		{name: "while it backs off from 403", refuse: forbidden},
		{name: "while it backs off from 500", refuse: answer(http.StatusInternalServerError, "")},
		{name: "while it backs off from 429", refuse: answer(http.StatusTooManyRequests, "")},
		{name: "while it reads nonsense", refuse: answer(http.StatusOK, "<html>")},
		{name: "while it waits for its turn", refuse: func(_ http.ResponseWriter, c call) bool { return c.Streams }},
		{name: "while nobody is there", dial: func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED }},
		{name: "while nobody answers", dial: func(context.Context, string, string) (net.Conn, error) {
			silent, _ := net.Pipe()
			return silent, nil
		}},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			sourcetest.CaptureLog(t)
			s := newAPIServer(t)
			s.setRefuse(tt.refuse)
			config := s.config()
			if tt.dial != nil {
				config.Dial = tt.dial
			}
			w := start(t, config)
			time.Sleep(time.Minute)
			begun := time.Now()
			w.Stop()
			if took := time.Since(begun); took > 0 {
				t.Errorf("Stop took %s", took)
			}
		})
	}
}
