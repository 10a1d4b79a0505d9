package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// longer is a time in which a bound on requests that grows with it shows.
const longer = 15 * time.Minute

// While the API server refuses everything, requests thin out as the back-off says: a streamed list, and a list, at
// each try. client-go would heed Retry-After by itself, ten times for each try.
func TestRefusalIsBackedOffFrom(t *testing.T) {
	suffer(t,
		trouble{
			name: "429 to everything", lasts: longer,
			says: "Too Many Requests", answers: refuse(429, "TooManyRequests", nil),
		}.backsOff(2),
		trouble{
			name: "429 to everything, Retry-After 1 s",
			says: "Too Many Requests", answers: refuse(429, "TooManyRequests", http.Header{"Retry-After": {"1"}}),
		}.backsOff(2),
		trouble{
			name: "500 to everything",
			says: "Internal Server Error", answers: refuse(500, "InternalError", nil),
		}.backsOff(2),
		trouble{
			name: "503 to everything",
			says: "Service Unavailable", answers: refuse(503, "ServiceUnavailable", nil),
		}.backsOff(2),
		trouble{
			name: "401 to everything",
			says: "Unauthorized", answers: refuse(401, "Unauthorized", nil),
		}.backsOff(2),
		trouble{name: "403 to everything", says: "Forbidden", answers: refuse(403, "Forbidden", nil)}.backsOff(2),
	)
}

// A watch that is too old is listed anew, once for each time.
func TestGoneListsAnew(t *testing.T) {
	event := answer("application/json", `{"type":"ERROR","object":`+statusText(http.StatusGone, "Expired")+`}`)
	suffer(t,
		trouble{
			name:    "410 to watches",
			answers: by(map[string]harm{verbWatch: gone}), says: "Gone", least: 10, most: 12, lists: 6,
		},
		trouble{name: "410 in watches", answers: by(map[string]harm{verbWatch: event}), least: 10, most: 12, lists: 6},
		trouble{
			name:    "410 to watches and streamed lists",
			answers: refuse(http.StatusGone, "Expired", nil, verbWatch, verbStream),
			lasts:   longer, stale: true, says: "Gone", least: int(longer / longest), most: budget(longer),
		},
	)
}

// What is no answer changes nothing.
func TestNonsenseChangesNothing(t *testing.T) {
	// So that lists are asked for, not streamed.
	lists := func(h harm) harm {
		return by(map[string]harm{verbWatch: gone, verbStream: unstreamed, verbList: h})
	}
	const success = `{"kind":"Status","apiVersion":"v1","metadata":{"resourceVersion":"107"},"status":"Success"}`
	const ofAnotherKind = `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"107"},"items":[]}`
	suffer(t,
		trouble{
			name:    "answers are no protobuf",
			answers: answer(mediaType, "k8s nonsense"),
			says:    "does not appear to be a protobuf message", noticed: 2 * time.Second,
		}.backsOff(2),
		trouble{
			name:    "answers are no JSON",
			answers: answer("application/json", `{"kind":"ServiceList","items":[{`),
			says:    "unexpected end of JSON input", noticed: 2 * time.Second,
		}.backsOff(2),
		trouble{
			name:    "answers are HTML, status 200",
			answers: answer("text/html", "<html>It works!</html>"), says: "text/html",
		}.backsOff(2),
		trouble{
			name:    "answers are empty, status 200",
			answers: answer("application/json", ""), says: "0-length", noticed: 2 * time.Second,
		}.backsOff(2),
		trouble{name: "lists end in the middle", answers: lists(halved), says: "unexpected EOF"}.backsOff(2),
		trouble{
			name:    "lists are of another kind",
			answers: lists(answer("application/json", ofAnotherKind)), says: "no resourceVersion",
		}.backsOff(2),
		trouble{
			name: "lists are a Status of success", says: "no resourceVersion",
			answers: lists(answer("application/json", success)),
		}.backsOff(2),
		trouble{
			name:    "lists end between two pages",
			answers: lists(pages(func(http.ResponseWriter) { panic(http.ErrAbortHandler) })), says: "stream error",
		}.backsOff(3),
	)
}

// Watches that end early are not asked for in a loop, and what they brought counts.
func TestWatchesThatEndEarlyAreNotALoop(t *testing.T) {
	// So that streamed lists are asked for.
	streams := func(h harm) harm { return by(map[string]harm{verbWatch: gone, verbStream: h}) }
	const lasts = 5 * time.Minute
	suffer(t,
		trouble{
			name:    "watches end at once",
			answers: by(map[string]harm{verbWatch: answer("application/json", "")}), least: 10, most: budget(lasts),
		},
		trouble{
			name:    "watches end after an event",
			answers: by(map[string]harm{verbWatch: bookmark}), hides: true, least: 10, most: budget(lasts),
		},
		trouble{
			name:    "watches end in the middle of an event",
			answers: by(map[string]harm{verbWatch: truncated(0)}), least: 5, most: budget(lasts),
		},
		trouble{
			name: "streamed lists end in the middle", answers: streams(truncated(1)),
			stale: true, says: "ended before it was complete", least: int(lasts / longest), most: budget(lasts),
		},
		trouble{
			name:    "streamed lists lack the last bookmark",
			answers: streams(unmarked), stale: true, aside: "Gone", least: 1, most: 4,
		},
		trouble{
			name:    "streamed lists end before their first event",
			answers: by(map[string]harm{verbWatch: alternating(gone), verbStream: truncated(0)}),
			says:    "Gone", least: 20, most: budget(lasts),
		},
	)
}

// An API server that streams no lists is asked for them, in pages where it has many; one whose pages expire, for
// all at once.
func TestListsInPages(t *testing.T) {
	lists := func(h harm) harm {
		return by(map[string]harm{verbWatch: alternating(gone), verbStream: unstreamed, verbList: h})
	}
	expired := func(w http.ResponseWriter) {
		say(w, http.StatusGone, "application/json", statusText(http.StatusGone, "Expired"))
	}
	suffer(t,
		trouble{name: "lists are not streamed", answers: lists(nil), says: "Gone", least: 20, most: 24},
		trouble{name: "lists come in pages", answers: lists(pages(nil)), says: "Gone", least: 20, most: 40},
		trouble{
			name:    "lists have pages that expire",
			answers: lists(alternating(pages(expired))), says: "Gone", least: 20, most: 40,
		},
	)
}

// refuse answers requests with one of these verbs, or all, with an HTTP status and the reason that goes with it
// (metav1.StatusReason).
func refuse(code int, reason string, header http.Header, which ...string) harm {
	return func(w http.ResponseWriter, r *http.Request, a asked, api http.Handler) {
		if len(which) > 0 && !slices.Contains(which, a.verb) {
			api.ServeHTTP(w, r)
			return
		}
		for k, v := range header {
			w.Header()[k] = v
		}
		say(w, code, "application/json", statusText(code, reason))
	}
}

var (
	gone = refuse(http.StatusGone, "Expired", nil)
	// unstreamed is what an API server says that streams no lists.
	unstreamed = refuse(http.StatusUnprocessableEntity, "Invalid", nil)
)

func statusText(code int, reason string) string {
	return fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",`+
		`"message":"%s","reason":"%s","code":%d}`, http.StatusText(code), reason, code)
}

func say(w http.ResponseWriter, code int, contentType, body string) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(code)
	fmt.Fprint(w, body) //nolint:gosec // what no browser shows
}

// answer gives every request the same answer.
func answer(contentType, body string) harm {
	return func(w http.ResponseWriter, _ *http.Request, _ asked, _ http.Handler) {
		say(w, http.StatusOK, contentType, body)
	}
}

// bookmark is a watch that ends after an event.
func bookmark(w http.ResponseWriter, r *http.Request, a asked, _ http.Handler) {
	kind := map[string]string{
		"services":       `"kind":"Service","apiVersion":"v1"`,
		"endpointslices": `"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1"`,
	}[a.resource]
	version := r.URL.Query().Get("resourceVersion")
	say(w, http.StatusOK, "application/json",
		fmt.Sprintf(`{"type":"BOOKMARK","object":{%s,"metadata":{"resourceVersion":"%s"}}}`, kind, version))
}

// halved ends each answer in its middle.
func halved(w http.ResponseWriter, r *http.Request, _ asked, api http.Handler) {
	whole := httptest.NewRecorder()
	api.ServeHTTP(whole, r)
	body := whole.Body.String()
	say(w, whole.Code, whole.Header().Get("Content-Type"), body[:len(body)/2])
}

// truncated ends each watch in the middle of an event, after some whole ones.
func truncated(whole int) harm {
	return func(w http.ResponseWriter, r *http.Request, _ asked, api http.Handler) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		seen := 0
		api.ServeHTTP(&frames{w, func(event []byte) []byte {
			seen++
			switch {
			case seen <= whole:
				return event
			case seen == whole+1:
				cancel()
				return event[:len(event)/2]
			}
			return nil
		}}, r.WithContext(ctx))
	}
}

// unmarked streams lists without the bookmark that ends them.
func unmarked(w http.ResponseWriter, r *http.Request, _ asked, api http.Handler) {
	api.ServeHTTP(&frames{w, func(event []byte) []byte {
		if strings.Contains(string(event), metav1.InitialEventsAnnotationKey) {
			return nil
		}
		return event
	}}, r)
}

// pages lists one object a page. What is done to all pages but the first may be harm.
func pages(further func(http.ResponseWriter)) harm {
	return func(w http.ResponseWriter, r *http.Request, a asked, api http.Handler) {
		whole := httptest.NewRecorder()
		api.ServeHTTP(whole, r)
		list, err := runtime.Decode(scheme.Codecs.UniversalDeserializer(), whole.Body.Bytes())
		must(a.t, err)
		items, err := meta.ExtractList(list)
		must(a.t, err)
		page, _ := strconv.Atoi(r.URL.Query().Get("continue")) // the first has none
		if page > 0 && further != nil {
			further(w)
			return
		}
		must(a.t, meta.SetList(list, items[page:page+1]))
		if page+1 < len(items) {
			m, err := meta.ListAccessor(list)
			must(a.t, err)
			m.SetContinue(strconv.Itoa(page + 1))
		}
		say(w, http.StatusOK, mediaType, string(marshalled(a.t, list)))
	}
}

// alternating does harm to every other request of each reflector that is not for a further page.
func alternating(h harm) harm {
	var mu sync.Mutex
	done := make(map[asked]bool)
	return func(w http.ResponseWriter, r *http.Request, a asked, api http.Handler) {
		who := asked{t: a.t, resource: a.resource, selector: a.selector}
		mu.Lock()
		if r.URL.Query().Get("continue") == "" {
			done[who] = !done[who]
		}
		harmed := done[who]
		mu.Unlock()
		if harmed {
			h(w, r, a, api)
			return
		}
		api.ServeHTTP(w, r)
	}
}

// An API server that lists nothing has nothing, as after its etcd was lost: then nothing is what is answered.
func TestEmptyListIsBelieved(t *testing.T) {
	bubble(t, "and what is listed later, too", func(t *testing.T) {
		b := newBed(t)
		b.watch()
		time.Sleep(time.Minute)
		b.shows("before", false)
		nothing := func(w http.ResponseWriter, r *http.Request, a asked, api http.Handler) {
			whole := httptest.NewRecorder()
			api.ServeHTTP(whole, r)
			list, err := runtime.Decode(scheme.Codecs.UniversalDeserializer(), whole.Body.Bytes())
			must(a.t, errors.Join(err, meta.SetList(list, nil)))
			say(w, http.StatusOK, mediaType, string(marshalled(a.t, list)))
		}
		b.harm(trouble{answers: by(map[string]harm{verbWatch: alternating(gone), verbStream: unstreamed, verbList: nothing})})
		b.end()
		time.Sleep(slowest)
		if got := resolve(b.w, "default/web-0"); got != nil || b.w.Stale() || !b.w.Tree().IsDone() {
			t.Errorf("web-0 is %q, stale %t, synced %t", got, b.w.Stale(), b.w.Tree().IsDone())
		}
		b.harm(trouble{answers: by(map[string]harm{verbWatch: alternating(gone)})})
		b.end()
		time.Sleep(slowest)
		b.shows("afterwards", false)
	})
}
