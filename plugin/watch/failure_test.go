package watch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"

	"github.com/coredns-headless/headless/plugin/object"
)

func TestForbiddenRequestIsSaidOnceAndRecovers(t *testing.T) {
	noLeaks(t)
	hurry(t)
	log := captureLog(t)
	s := newAPIServer(t)
	s.set(headlessService("default/nginx", ""))
	s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.1"))
	s.setRefuse(func(w http.ResponseWriter, c call) bool { return c.Resource == "services" && forbidden(w, c) })

	begun := time.Now()
	w := watchCluster(t, s)
	if w.Wait(time.Minute) {
		t.Error("synced without the Services")
	}
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("waited for %s after the first failure", took)
	}
	tries := func() int {
		return len(slices.DeleteFunc(s.made(), func(c call) bool { return c.Resource != "services" || c.Verb != "list" }))
	}
	eventually(t, "it is tried again and again", func() bool { return tries() > 5 })
	for _, verb := range []string{"watch", "list"} {
		want := `[WARNING] plugin/headless: test: ` + verb + ` services: services is forbidden: User "dns" cannot ` + verb +
			` resource "services" in API group "" at the cluster scope`
		if lines := log.with(want); len(lines) != 1 || !strings.HasSuffix(lines[0], want) {
			t.Errorf("log: %q, want once %q", log.with(), want)
		}
	}
	if n := len(log.with("WARNING")); n != 2 {
		t.Errorf("log: %q, want two warnings", log.with())
	}
	if _, _, failed := w.Counts(object.KindService); !w.Stale() || failed < 10 {
		t.Errorf("stale %t, %d requests for Services failed; want true, two a try", w.Stale(), failed)
	}

	s.setRefuse(nil)
	eventually(t, "it syncs", w.Tree().IsDone)
	expect(t, w, map[string]string{"default/web-0": "10.0.0.1"})
	eventually(t, "the log says that it works again", func() bool { return len(log.with("INFO", "test: watch services: works again")) == 1 })
	eventually(t, "it is up to date", func() bool { return !w.Stale() })
	if n := len(log.with("WARNING")); n != 2 {
		t.Errorf("log: %q, want two warnings", log.with())
	}
}

// Ports and times in a reason, and reasons that take turns, do not fill the log; another reason is said at once.
func TestReasonsAreSaidOnce(t *testing.T) {
	r := &request{w: newWatch("test", nil), resource: "services"}
	log := captureLog(t)
	for n := range 100 {
		for _, reason := range []string{
			fmt.Sprintf("certificate has expired: current time 2026-11-24T00:57:%02dZ is after 2026-11-24T00:00:00Z", n),
			fmt.Sprintf("write tcp 127.0.0.1:%d->127.0.0.1:6443: broken pipe", 32768+n),
		} {
			r.report(t.Context(), "watch", errors.New(reason))
		}
	}
	if lines := log.with("WARNING"); len(lines) != 2 {
		t.Errorf("log: %q, want each reason once", lines)
	}
	for n := range 100 {
		r.report(t.Context(), "watch", errors.New(strings.Repeat("x", n+1)))
	}
	if lines := log.with("WARNING"); len(lines) != reasonsMax || !strings.HasSuffix(lines[len(lines)-1], ": x") {
		t.Errorf("log: %q, want one more reason", lines)
	}
	r.report(t.Context(), "watch", nil)
	r.report(t.Context(), "watch", errors.New("refused"))
	if lines := log.with("WARNING", "refused"); len(lines) != 1 {
		t.Errorf("log: %q, want a reason after it worked", log.with())
	}
}

func TestForbiddenInOneNamespaceLeavesTheOther(t *testing.T) {
	noLeaks(t)
	hurry(t)
	log := captureLog(t)
	s := newAPIServer(t)
	for _, ns := range []string{"a", "b"} {
		s.set(headlessService(ns+"/nginx", ""))
		s.set(endpointSlice(ns+"/nginx-x", "", "nginx", "web-0=10.0.0.1"))
	}
	s.setRefuse(func(w http.ResponseWriter, c call) bool {
		return c.Namespace == "b" && c.Resource == "endpointslices" && forbidden(w, c)
	})
	w := watchCluster(t, s, "a", "b")
	w.Wait(time.Minute)
	eventually(t, "namespace a syncs by itself", func() bool { return w.Tree().Synced([]byte("a")) })
	expect(t, w, map[string]string{"a/web-0": "10.0.0.1", "b/web-0": ""})
	if w.Tree().Synced([]byte("b")) || w.Tree().IsDone() {
		t.Error("b counts as synced, and its slices are forbidden")
	}
	eventually(t, "the log names both selectors and the namespace", func() bool {
		return len(log.with("WARNING", "test: list endpointslices labelled "+selectHeadless+" in namespace b: ", "forbidden")) == 1 &&
			len(log.with("WARNING", "test: list endpointslices labelled "+selectForeign+" in namespace b: ", "forbidden")) == 1
	})
	s.setRefuse(nil)
	eventually(t, "everything syncs", w.Tree().IsDone)
	expect(t, w, map[string]string{"b/web-0": "10.0.0.1"})
}

// A token that is refused is read again from its file, not only every 50 s.
func TestRefusedTokenIsReadAgain(t *testing.T) {
	noLeaks(t)
	hurry(t)
	s := newAPIServer(t)
	s.set(headlessService("default/nginx", ""))
	s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.1"))
	s.setRefuse(func(w http.ResponseWriter, c call) bool {
		return c.Authorization != "Bearer new" && status(w, apierrors.NewUnauthorized(c.Authorization))
	})
	file := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(file, []byte("old"), 0o600))
	config := s.config()
	config.BearerToken, config.BearerTokenFile = "old", file
	w, err := Cluster("test", config, nil)
	must(t, err)
	w.Start()
	t.Cleanup(w.Stop)
	if w.Wait(time.Minute) {
		t.Error("synced with the old token")
	}
	must(t, os.WriteFile(file, []byte("new\n"), 0o600))
	eventually(t, "it syncs", w.Tree().IsDone)
	expect(t, w, map[string]string{"default/web-0": "10.0.0.1"})
}

// client-go decodes a list of another kind, an object without a kind, and a Status of success into a list of nothing.
func TestWhatIsNoListEmptiesNothing(t *testing.T) {
	for _, body := range []string{
		`{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"107"},"items":[]}`,
		`{"kind":"Status","apiVersion":"v1","metadata":{"resourceVersion":"107"},"status":"Success"}`,
		`{}`,
	} {
		t.Run(body, func(t *testing.T) {
			noLeaks(t)
			hurry(t)
			log := captureLog(t)
			s := newAPIServer(t)
			s.set(headlessService("default/nginx", ""))
			s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.1"))
			w := watchCluster(t, s)
			if !w.Wait(time.Minute) {
				t.Fatal("not synced")
			}
			s.setRefuse(func(w http.ResponseWriter, c call) bool {
				if c.Verb == "watch" {
					return forbidden(w, c) // so it is listed
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(body))
				return true
			})
			s.cut()
			for _, resource := range []string{"services", "endpointslices"} {
				eventually(t, "the log tells of "+resource, func() bool { return len(log.with("list "+resource, "no resourceVersion")) > 0 })
			}
			expect(t, w, map[string]string{"default/web-0": "10.0.0.1"})
			s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.2"))
			s.setRefuse(nil)
			eventually(t, "the change arrives", func() bool { return slices.Equal(resolve(w, "default/web-0"), []string{"10.0.0.2"}) })
		})
	}
}

// client-go asks again at once in these cases, thousands of times a second.
func TestRequestsThatEndAtOnceAreNotMadeInALoop(t *testing.T) {
	event := func(w http.ResponseWriter, text string) bool {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(text))
		return true
	}
	tests := []struct {
		name   string
		refuse func(http.ResponseWriter, call) bool
	}{
		{"a streamed list breaks off", func(w http.ResponseWriter, c call) bool {
			return c.Streams && event(w, `{"type":"ADDED","object":{"kind":"Service","apiVersion":"v1","metadata":{"name":"a","namespace":"a"}}}`)
		}},
		{"a streamed list is refused as too old", func(w http.ResponseWriter, c call) bool {
			return c.Streams && status(w, apierrors.NewResourceExpired("too old resource version"))
		}},
		{"a watch ends after a bookmark", func(w http.ResponseWriter, c call) bool {
			switch {
			case c.Streams:
				return forbidden(w, c) // so it is listed and watched
			case c.Verb == "watch":
				return event(w, `{"type":"BOOKMARK","object":{"kind":"Service","apiVersion":"v1","metadata":{"resourceVersion":"101"}}}`)
			}
			return false
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer func(was int) { burst = was }(burst)
			burst = 3
			noLeaks(t)
			pace(t, time.Millisecond, time.Millisecond, time.Hour) // it is not backing off that holds them back
			captureLog(t)
			s := newAPIServer(t)
			s.setRefuse(func(w http.ResponseWriter, c call) bool { return c.Resource == "services" && tt.refuse(w, c) })
			w := watchCluster(t, s)
			made := func() int {
				return len(slices.DeleteFunc(s.made(), func(c call) bool { return c.Resource != "services" }))
			}
			eventually(t, "a burst of requests", func() bool { return made() >= burst })
			time.Sleep(300 * time.Millisecond) // in which a loop would make very many
			if made() > burst {
				t.Errorf("%d requests in a row, want %d", made(), burst)
			}
			stopsAtOnce(t, w)
		})
	}
}

// The reason is the same each time: a URL with another random timeout in it is not another reason.
func TestUnreachableServerIsSaidOnce(t *testing.T) {
	noLeaks(t)
	hurry(t)
	log := captureLog(t)
	var dials atomic.Int32
	dial := func(_ context.Context, network, _ string) (net.Conn, error) {
		dials.Add(1)
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	w, err := Cluster("test", &rest.Config{Host: "http://api.test", Dial: dial}, nil)
	must(t, err)
	w.Start()
	defer w.Stop()
	if w.Wait(time.Minute) {
		t.Error("synced with nobody")
	}
	eventually(t, "it is tried again and again", func() bool { return dials.Load() >= 30 })
	if n := len(log.with("WARNING", "watch services: ", "connection refused")); n != 1 {
		t.Errorf("%d warnings of Services, want 1: %q", n, log.with("services"))
	}
	for _, selector := range []string{selectHeadless, selectForeign} {
		if n := len(log.with("WARNING", "watch endpointslices labelled "+selector+": ", "connection refused")); n != 1 {
			t.Errorf("%d warnings of EndpointSlices labelled %s, want 1", n, selector)
		}
	}
}

func TestWatchThatEndsGoesOnFromWhereItWas(t *testing.T) {
	noLeaks(t)
	hurry(t)
	log := captureLog(t)
	s := newAPIServer(t)
	s.set(headlessService("default/nginx", ""))
	s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.1"))
	w := watchCluster(t, s)
	if !w.Wait(time.Minute) {
		t.Fatal("not synced")
	}
	s.cut()
	expect(t, w, map[string]string{"default/web-0": "10.0.0.1"}) // stale is better than nothing
	s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.2"))
	eventually(t, "the change arrives", func() bool { return slices.Equal(resolve(w, "default/web-0"), []string{"10.0.0.2"}) })
	if lines := log.with("WARNING"); len(lines) > 0 {
		t.Errorf("log: %q", lines)
	}
}

func TestWatchThatIsToldToWaitIsStale(t *testing.T) {
	noLeaks(t)
	captureLog(t)
	s := newAPIServer(t)
	w := watchCluster(t, s)
	if !w.Wait(time.Minute) {
		t.Fatal("not synced")
	}
	eventually(t, "it is up to date", func() bool { return !w.Stale() })
	s.setRefuse(func(w http.ResponseWriter, _ call) bool {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	time.Sleep(time.Second) // a watch that lasted for less is listed anew
	s.cut()
	eventually(t, "it is stale", w.Stale)
}

func TestStopEndsEverythingAtOnce(t *testing.T) {
	tests := []struct {
		name   string
		refuse func(http.ResponseWriter, call) bool
	}{
		{name: "while it watches"},
		{name: "while it backs off from 403", refuse: forbidden},
		{name: "while it backs off from 500", refuse: func(w http.ResponseWriter, _ call) bool {
			w.WriteHeader(http.StatusInternalServerError)
			return true
		}},
		{name: "while it is told to wait", refuse: func(w http.ResponseWriter, _ call) bool {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}},
		{name: "while it reads nonsense", refuse: func(w http.ResponseWriter, _ call) bool {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html>"))
			return true
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			noLeaks(t)
			idly(t)
			captureLog(t)
			s := newAPIServer(t)
			s.setRefuse(tt.refuse)
			w, err := Cluster("test", s.config(), nil)
			must(t, err)
			w.Start()
			eventually(t, "all three have asked", func() bool { return len(s.made()) >= 3 })
			w.Wait(200 * time.Millisecond)
			stopsAtOnce(t, w)
		})
	}
}

func TestStopEndsEverythingWhileNobodyAnswers(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		noLeaks(t)
		idly(t)
		captureLog(t)
		s := newAPIServer(t)
		config := s.config()
		s.Close()
		w, err := Cluster("test", config, nil)
		must(t, err)
		w.Start()
		w.Wait(time.Minute)
		stopsAtOnce(t, w)
	})
	t.Run("silent", func(t *testing.T) {
		noLeaks(t)
		captureLog(t)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		t.Cleanup(func() { _ = l.Close() })
		w, err := Cluster("test", &rest.Config{Host: "http://" + l.Addr().String()}, nil)
		must(t, err)
		w.Start()
		if w.Wait(50 * time.Millisecond) {
			t.Error("synced with nobody")
		}
		stopsAtOnce(t, w)
	})
}

// stopsAtOnce ends a watch that would wait for an hour.
func stopsAtOnce(t *testing.T, w *Watch) {
	t.Helper()
	begun := time.Now()
	w.Stop()
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("Stop took %s", took)
	}
}
