package fault

import (
	"fmt"
	"net/http"
	"slices"
)

// Refuse answers requests with one of these verbs, or all, with an HTTP status and the reason that goes with it (metav1.StatusReason).
func Refuse(code int, reason string, header http.Header, which ...string) Harm {
	return func(w http.ResponseWriter, r *http.Request, a Asked, api http.Handler) {
		if len(which) > 0 && !slices.Contains(which, a.Verb) {
			api.ServeHTTP(w, r)
			return
		}
		for k, v := range header {
			w.Header()[k] = v
		}
		say(w, code, "application/json", statusText(code, reason))
	}
}

func statusText(code int, reason string) string {
	return fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"%s","reason":"%s","code":%d}`,
		http.StatusText(code), reason, code)
}

func say(w http.ResponseWriter, code int, contentType, body string) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(code)
	fmt.Fprint(w, body) //nolint:gosec // what no browser shows
}
