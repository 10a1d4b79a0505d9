package cluster

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
)

// An event that comes twice, or late, as no API server sends it, takes no peer back to where it was.
func TestEventsThatComeAgainChangeNothing(t *testing.T) {
	suffer(t,
		odd("each event comes twice", eachEvent(func(_ *testing.T, event []byte) []byte {
			return append(bytes.Clone(event), event...)
		})),
		odd("each event is followed by the one before", echoes(nil)),
		odd("each event is followed by an old deletion", echoes(func(t *testing.T, event []byte) []byte {
			return retype(t, event, apiwatch.Deleted)
		})),
		odd("changes come as additions", eachEvent(func(t *testing.T, event []byte) []byte {
			return retype(t, event, apiwatch.Added)
		})),
	)
}

// A watch goes on after events that say nothing about what is known.
func TestOddEventsChangeNothing(t *testing.T) {
	only := odd("there are bookmarks only", eachEvent(func(t *testing.T, event []byte) []byte {
		if parse(t, event).Type != string(apiwatch.Bookmark) {
			return nil
		}
		return event
	}))
	only.hides, only.least, only.most = true, 1, 2
	nameless := odd("objects are nameless", preface(func(t *testing.T, a asked, version string) []byte {
		o := stranger(a, "", version)
		return append(encoded(t, apiwatch.Added, o), encoded(t, apiwatch.Deleted, o)...)
	}))
	nameless.aside = "left out: no namespace"
	large := odd("an event is of 2 MB", alternating(preface(func(t *testing.T, a asked, version string) []byte {
		if a.resource != "services" { // once is enough
			return nil
		}
		o := stranger(a, "default/unknown", version)
		o.SetAnnotations(map[string]string{"note": strings.Repeat("x", 2<<20)}) // etcd takes 1.5 MiB
		return encoded(t, apiwatch.Added, o)
	})))
	large.lasts, large.least = time.Minute, 1
	suffer(t, only,
		odd("objects change that nobody knows", injected(apiwatch.Modified)),
		odd("objects are deleted that nobody knows", injected(apiwatch.Deleted)),
		odd("objects are of another kind", preface(func(t *testing.T, _ asked, version string) []byte {
			return encoded(t, apiwatch.Added, &corev1.Pod{ObjectMeta: named("default/web-0", version)})
		})),
		nameless, large,
	)
}

// A watch that ends with nonsense is one list more.
func TestWatchesThatEndWithNonsense(t *testing.T) {
	endless := mad("an event is said to be of 4 GB", alternating(preface(func(_ *testing.T, a asked, _ string) []byte {
		if a.resource != "services" { // once is enough
			return nil
		}
		return append([]byte{0xff, 0xff, 0xff, 0xff}, make([]byte, 17<<20)...) // client-go gives up at 16 MiB
	})))
	endless.lasts, endless.least = time.Minute, 1
	suffer(t, endless,
		mad("events are of a type that nobody knows", injected("PATCHED", "", "Added")),
		mad("errors are of a reason that nobody knows", preface(func(t *testing.T, _ asked, _ string) []byte {
			return encoded(t, apiwatch.Error, &metav1.Status{Status: metav1.StatusFailure, Code: 499, Reason: "NobodyKnows"})
		})),
		mad("errors are no Status", injected(apiwatch.Error)),
	)
}

// odd does harm to watches that go on, which changes nothing: five end at their time, and there are no more requests.
func odd(name string, h harm) trouble {
	return trouble{name: name, answers: by(map[string]harm{verbWatch: h}), least: 5, most: 7, lists: -1}
}

// mad does harm to watches that go on, each of which ends with a list.
func mad(name string, h harm) trouble {
	return trouble{name: name, answers: by(map[string]harm{verbWatch: h}), least: 5, most: 15, lists: 7}
}

// by does another harm for each verb, and none for the others.
func by(verbs map[string]harm) harm {
	return func(w http.ResponseWriter, r *http.Request, a asked, api http.Handler) {
		if h := verbs[a.verb]; h != nil {
			h(w, r, a, api)
			return
		}
		api.ServeHTTP(w, r)
	}
}

// protobufs says in protobuf what is written in JSON: an event at a time, or a list.
type protobufs struct {
	http.ResponseWriter
	t     *testing.T
	watch bool
}

const mediaType = "application/vnd.kubernetes.protobuf"

// Write implements http.ResponseWriter.
func (p *protobufs) Write(text []byte) (int, error) {
	p.Header().Set("Content-Type", mediaType)
	var out []byte
	if p.watch {
		p.Header().Set("Content-Type", mediaType+";stream=watch")
		e := new(struct {
			Type   string
			Object json.RawMessage
		})
		must(p.t, json.Unmarshal(text, e))
		out = encoded(p.t, apiwatch.EventType(e.Type), decodedJSON(p.t, e.Object))
	} else {
		out = marshalled(p.t, decodedJSON(p.t, text))
	}
	_, err := p.ResponseWriter.Write(out)
	return len(text), err
}

// Flush implements http.Flusher.
func (p *protobufs) Flush() {
	if p.watch {
		p.Header().Set("Content-Type", mediaType+";stream=watch")
	}
	p.ResponseWriter.(http.Flusher).Flush()
}

func decodedJSON(t *testing.T, text []byte) runtime.Object {
	o, err := runtime.Decode(scheme.Codecs.UniversalDeserializer(), text)
	must(t, err)
	return o
}

func marshalled(t *testing.T, o runtime.Object) []byte {
	kinds, _, err := scheme.Scheme.ObjectKinds(o)
	must(t, err)
	plain := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)
	raw, err := runtime.Encode(scheme.Codecs.EncoderForVersion(plain, kinds[0].GroupVersion()), o)
	must(t, err)
	return raw
}

// encoded is an event of a watch in protobuf, as the API server writes it: its length in four octets, and the event.
func encoded(t *testing.T, kind apiwatch.EventType, o any) []byte {
	raw := marshalled(t, o.(runtime.Object))
	return framed(t, &metav1.WatchEvent{Type: string(kind), Object: runtime.RawExtension{Raw: raw}})
}

func framed(t *testing.T, e *metav1.WatchEvent) []byte {
	text, err := e.Marshal()
	must(t, err)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...) // of some MB at most
}

func parse(t *testing.T, frame []byte) *metav1.WatchEvent {
	e := new(metav1.WatchEvent)
	must(t, e.Unmarshal(frame[4:]))
	return e
}

// retype gives an event another type.
func retype(t *testing.T, text []byte, kind apiwatch.EventType) []byte {
	e := parse(t, text)
	e.Type = string(kind)
	return framed(t, e)
}

// frames spoils a watch event by event.
type frames struct {
	http.ResponseWriter
	// spoil returns what becomes of an event.
	spoil func([]byte) []byte
}

// Write implements http.ResponseWriter.
func (f *frames) Write(event []byte) (int, error) {
	_, err := f.ResponseWriter.Write(f.spoil(event))
	return len(event), err
}

// Flush implements http.Flusher.
func (f *frames) Flush() { f.ResponseWriter.(http.Flusher).Flush() }

// eachEvent makes something else of each event.
func eachEvent(became func(*testing.T, []byte) []byte) harm {
	return func(w http.ResponseWriter, r *http.Request, a asked, api http.Handler) {
		api.ServeHTTP(&frames{w, func(event []byte) []byte { return became(a.t, event) }}, r)
	}
}

// echoes repeats after each event the one before of the same object, as it became.
func echoes(became func(*testing.T, []byte) []byte) harm {
	return func(w http.ResponseWriter, r *http.Request, a asked, api http.Handler) {
		before := make(map[string][]byte)
		eachEvent(func(t *testing.T, event []byte) []byte {
			o, err := runtime.Decode(scheme.Codecs.UniversalDeserializer(), parse(t, event).Object.Raw)
			must(t, err)
			key := o.(metav1.Object).GetNamespace() + "/" + o.(metav1.Object).GetName()
			both := append(bytes.Clone(event), before[key]...)
			before[key] = event
			if became != nil {
				before[key] = became(t, event)
			}
			return both
		})(w, r, a, api)
	}
}

// preface stands before the first event of a watch that goes on from a resourceVersion.
func preface(first func(t *testing.T, a asked, version string) []byte) harm {
	return func(w http.ResponseWriter, r *http.Request, a asked, api http.Handler) {
		w.Header().Set("Content-Type", mediaType+";stream=watch")
		_, _ = w.Write(first(a.t, a, r.URL.Query().Get("resourceVersion"))) // broken: the API server finds that out
		api.ServeHTTP(w, r)
	}
}

// injected are events of an object that nobody knows.
func injected(types ...apiwatch.EventType) harm {
	return preface(func(t *testing.T, a asked, version string) (text []byte) {
		for _, kind := range types {
			text = append(text, encoded(t, kind, stranger(a, "default/unknown", version))...)
		}
		return text
	})
}

// stranger is an object of the kind that is watched.
func stranger(a asked, name, version string) metav1.Object {
	if a.resource == "services" {
		return &corev1.Service{ObjectMeta: named(name, version), Spec: corev1.ServiceSpec{ClusterIP: "10.96.0.99"}}
	}
	return &discoveryv1.EndpointSlice{ObjectMeta: named(name, version), AddressType: discoveryv1.AddressTypeIPv4}
}
