package fault

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// by does another harm for each verb, and none for the others.
func by(verbs map[string]Harm) Harm {
	return func(w http.ResponseWriter, r *http.Request, a Asked, api http.Handler) {
		if h := verbs[a.Verb]; h != nil {
			h(w, r, a, api)
			return
		}
		api.ServeHTTP(w, r)
	}
}

var (
	gone = Refuse(http.StatusGone, "Expired", nil)
	// streamless is what an API server says that streams no lists.
	streamless = Refuse(http.StatusUnprocessableEntity, "Invalid", nil)
)

// answer gives every request the same answer.
func answer(contentType, body string) Harm {
	return func(w http.ResponseWriter, _ *http.Request, _ Asked, _ http.Handler) {
		say(w, http.StatusOK, contentType, body)
	}
}

// bookmark is a watch that ends after an event.
func bookmark(w http.ResponseWriter, r *http.Request, a Asked, _ http.Handler) {
	kind := map[string]string{
		"services":       `"kind":"Service","apiVersion":"v1"`,
		"endpointslices": `"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1"`,
	}[a.Resource]
	say(w, http.StatusOK, "application/json", fmt.Sprintf(`{"type":"BOOKMARK","object":{%s,"metadata":{"resourceVersion":"%s"}}}`,
		kind, r.URL.Query().Get("resourceVersion")))
}

// elsewhere answers with what the API server has at another path.
func elsewhere(path string) Harm {
	return func(w http.ResponseWriter, r *http.Request, _ Asked, api http.Handler) {
		r.URL.Path, r.URL.RawQuery = path, ""
		api.ServeHTTP(w, r)
	}
}

// halved ends each answer in its middle.
func halved(w http.ResponseWriter, r *http.Request, _ Asked, api http.Handler) {
	whole := httptest.NewRecorder()
	api.ServeHTTP(whole, r)
	body := whole.Body.String()
	say(w, whole.Code, whole.Header().Get("Content-Type"), body[:len(body)/2])
}

// truncated ends each watch in the middle of an event, after some whole ones.
func truncated(whole int) Harm {
	return func(w http.ResponseWriter, r *http.Request, _ Asked, api http.Handler) {
		seen := 0
		api.ServeHTTP(&frames{ResponseWriter: w, spoil: func(frame []byte) ([]byte, error) {
			if seen == whole {
				return frame[:len(frame)/2], errTruncated
			}
			seen++
			return frame, nil
		}}, r)
	}
}

// unmarked streams lists without the bookmark that ends them.
func unmarked(w http.ResponseWriter, r *http.Request, _ Asked, api http.Handler) {
	api.ServeHTTP(&frames{ResponseWriter: w, spoil: func(frame []byte) ([]byte, error) {
		if bytes.Contains(frame, []byte(metav1.InitialEventsAnnotationKey)) {
			return nil, nil
		}
		return frame, nil
	}}, r)
}

// frames spoils a watch in protobuf, frame by frame: each begins with its length in four octets.
type frames struct {
	http.ResponseWriter
	// spoil returns what becomes of a frame, and an error to end the watch after it.
	spoil func([]byte) ([]byte, error)
	rest  []byte
}

var errTruncated = errors.New("truncated")

// Unwrap lets http.ResponseController flush.
func (f *frames) Unwrap() http.ResponseWriter { return f.ResponseWriter }

// Write implements http.ResponseWriter.
func (f *frames) Write(text []byte) (int, error) {
	f.rest = append(f.rest, text...)
	for len(f.rest) >= 4 {
		n := 4 + int(binary.BigEndian.Uint32(f.rest))
		if len(f.rest) < n {
			break
		}
		frame, end := f.spoil(f.rest[:n])
		if _, err := f.ResponseWriter.Write(frame); err != nil {
			return 0, err
		}
		if end != nil {
			return 0, end
		}
		f.rest = f.rest[n:]
	}
	return len(text), nil
}
