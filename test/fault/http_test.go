package fault

import (
	"net/http"
	"testing"
	"time"
)

// While the API server refuses everything, requests thin out, as the plugin backs off: from 0.8 s, doubled each time up to 5 s, and up to
// as much again for jitter. In 15 s these are five tries, each with two requests where a list is tried after a streamed list has failed.
func TestRefusalIsBackedOffFrom(t *testing.T) {
	after := http.Header{"Retry-After": {"1"}} // client-go by itself would ask again, up to 10 times, below the back-off
	const lasts = 15 * time.Second
	suffer(t,
		trouble{
			name: "429 to everything", lasts: lasts,
			harm:  Refuse(429, "TooManyRequests", nil),
			least: 3, most: 14, says: "Too Many Requests", stale: true,
		},
		trouble{
			name: "429 to everything, Retry-After 1 s", lasts: lasts,
			harm:  Refuse(429, "TooManyRequests", after),
			least: 3, most: 14, says: "Too Many Requests", stale: true,
		},
		trouble{
			name: "500 to everything", lasts: lasts,
			harm:  Refuse(500, "InternalError", nil),
			least: 4, most: 14, says: "Internal Server Error", stale: true,
		},
		trouble{
			name: "503 to everything", lasts: lasts,
			harm:  Refuse(503, "ServiceUnavailable", nil),
			least: 4, most: 14, says: "Service Unavailable", stale: true,
		},
	)
}

// A watch that is too old is listed anew, once for each time.
func TestGoneListsAnew(t *testing.T) {
	event := answer("application/json", `{"type":"ERROR","object":`+statusText(http.StatusGone, "Expired")+`}`)
	const lasts, cuts = 6 * time.Second, 3
	suffer(t,
		trouble{
			name: "410 to watches", lasts: lasts,
			harm: by(map[string]Harm{VerbWatch: gone}),
			cuts: cuts, least: 2, most: 10, lists: 2 * cuts,
		},
		trouble{
			name: "410 in watches", lasts: lasts,
			harm: by(map[string]Harm{VerbWatch: event}),
			cuts: cuts, least: 2, most: 10, lists: 2 * cuts,
		},
		trouble{
			name: "410 to watches and streamed lists", lasts: lasts,
			harm:  Refuse(http.StatusGone, "Expired", nil, VerbWatch, verbStream),
			least: 10, most: paced(lasts), says: "watch services: Gone", stale: true,
		},
	)
}

// paced is how many requests a reflector may make, no matter what: 10 in a row, one every 2 s after them, and those after the fault.
func paced(lasts time.Duration) int { return 10 + int(lasts/(2*time.Second)) + 5 }

// What is no answer changes nothing.
func TestNonsenseChangesNothing(t *testing.T) {
	const lasts, most = 6 * time.Second, 14
	// So that lists are asked for, not streamed.
	lists := func(h Harm) Harm { return by(map[string]Harm{VerbWatch: gone, verbStream: streamless, verbList: h}) }
	suffer(t,
		trouble{
			name: "answers are no protobuf", lasts: lasts,
			harm:  answer("application/vnd.kubernetes.protobuf", "k8s nonsense"),
			least: 3, most: most, says: "list services: ", stale: true,
		},
		trouble{
			name: "answers are no JSON", lasts: lasts,
			harm:  answer("application/json", `{"kind":"ServiceList","items":[{`),
			least: 3, most: most, says: "list services: ", stale: true,
		},
		trouble{
			name: "answers are HTML, status 200", lasts: lasts,
			harm:  answer("text/html", "<html>It works!</html>"),
			least: 3, most: most, says: "text/html", stale: true,
		},
		trouble{
			name: "answers are empty, status 200", lasts: lasts,
			harm:  answer("application/json", ""),
			least: 3, most: most, says: "0-length", stale: true,
		},
		trouble{
			name: "lists end in the middle", lasts: lasts,
			harm:  lists(halved),
			least: 3, most: most, says: "unexpected EOF", stale: true,
		},
		trouble{
			name: "lists are of another kind", lasts: lasts,
			harm:  lists(elsewhere("/api/v1/pods")),
			least: 3, most: most, says: "no resourceVersion", stale: true,
		},
		trouble{
			name: "lists are a Status of success", lasts: lasts,
			harm:  lists(answer("application/json", `{"kind":"Status","apiVersion":"v1","status":"Success"}`)),
			least: 3, most: most, says: "no resourceVersion", stale: true,
		},
	)
}

// Watches that end early are not asked for in a loop, and what they brought counts.
func TestWatchesThatEndEarlyAreNotALoop(t *testing.T) {
	const lasts = 6 * time.Second
	// So that streamed lists are asked for.
	streams := func(h Harm) Harm { return by(map[string]Harm{VerbWatch: gone, verbStream: h}) }
	suffer(t,
		trouble{
			name: "watches end at once", lasts: lasts,
			harm:  by(map[string]Harm{VerbWatch: answer("application/json", ""), verbStream: streamless}),
			least: 3, most: 14,
		},
		trouble{
			name: "watches end after an event", lasts: lasts,
			harm:  by(map[string]Harm{VerbWatch: bookmark}),
			least: 4, most: paced(lasts),
		},
		trouble{
			name: "watches end in the middle of an event", lasts: lasts,
			harm: by(map[string]Harm{VerbWatch: truncated(0)}),
			cuts: 3, least: 2, most: paced(lasts),
		},
		trouble{
			name: "streamed lists end in the middle", lasts: lasts,
			harm:  streams(truncated(1)),
			least: 3, most: paced(lasts), stale: true,
		},
		trouble{
			name: "streamed lists end before their first event", lasts: lasts,
			harm:  streams(truncated(0)),
			least: 3, most: paced(lasts),
		},
		trouble{
			name: "streamed lists lack the last bookmark", lasts: lasts,
			harm:  streams(unmarked),
			least: 2, most: 6, stale: true,
		},
		trouble{
			name: "lists are not streamed", lasts: lasts,
			harm: streams(streamless),
			cuts: 3, least: 3, most: paced(lasts),
		},
	)
}
