package fault

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
)

// oddity is what a gate does to the watches that it hands on.
type oddity struct {
	name string
	// first stands before the first event of a watch that goes on from a resourceVersion.
	first func(t *testing.T, a Asked, version string) []byte
	// each returns what becomes of the events of one watch.
	each func(t *testing.T, a Asked) func(event []byte) []byte
	// hides says that changes do not show meanwhile.
	hides bool
	// ends says that the watch ends with it, and everything is listed anew.
	ends bool
}

// An event that comes twice, or late, as no API server sends it, takes no peer back to where it was.
func TestEventsThatComeAgainChangeNothing(t *testing.T) {
	suffer(t,
		oddity{
			name: "each event comes twice",
			each: alike(func(_ *testing.T, event []byte) []byte { return append(bytes.Clone(event), event...) }),
		},
		oddity{name: "each event is followed by the one before", each: echoes(nil)},
		oddity{
			name: "each event is followed by an old deletion",
			each: echoes(func(t *testing.T, event []byte) []byte { return retype(t, event, watch.Deleted) }),
		},
		oddity{
			name: "changes come as additions",
			each: alike(func(t *testing.T, event []byte) []byte { return retype(t, event, watch.Added) }),
		},
	)
}

// A watch goes on after events that say nothing about what is known.
func TestOddEventsChangeNothing(t *testing.T) {
	suffer(t,
		oddity{name: "objects change that nobody knows", first: injected(watch.Modified)},
		oddity{name: "objects are deleted that nobody knows", first: injected(watch.Deleted)},
		oddity{
			name: "objects are of another kind",
			first: func(t *testing.T, _ Asked, version string) []byte {
				return event(t, watch.Added, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: still, Name: "web-0", ResourceVersion: version}})
			},
		},
		oddity{
			name: "objects are nameless",
			first: func(t *testing.T, a Asked, version string) []byte {
				o := object(a, "", version)
				return append(event(t, watch.Added, o), event(t, watch.Deleted, o)...)
			},
		},
		oddity{
			name: "an event is of 2 MB",
			first: func(t *testing.T, a Asked, version string) []byte {
				o := object(a, "unknown", version)
				o.SetAnnotations(map[string]string{"note": strings.Repeat("x", 2<<20)}) // etcd takes 1.5 MiB
				return event(t, watch.Added, o)
			},
		},
		oddity{
			name: "there are bookmarks only", hides: true, first: injected(watch.Bookmark),
			each: alike(func(t *testing.T, event []byte) []byte {
				if parse(t, event).Type != string(watch.Bookmark) {
					return nil
				}
				return event
			}),
		},
	)
}

// A watch that ends with nonsense is one list more.
func TestWatchesThatEndWithNonsense(t *testing.T) {
	suffer(t,
		oddity{name: "events are of a type that nobody knows", ends: true, first: injected("PATCHED", "", "Added")},
		oddity{
			name: "an event is said to be of 4 GB", ends: true, // client-go gives up at 16 MiB
			first: func(_ *testing.T, a Asked, _ string) []byte {
				if a.Resource != "services" { // encrypted and read thrice at once, these take a small machine a second
					return nil
				}
				return append([]byte{0xff, 0xff, 0xff, 0xff}, make([]byte, 17<<20)...)
			},
		},
		oddity{
			name: "errors are of a reason that nobody knows", ends: true,
			first: func(t *testing.T, _ Asked, _ string) []byte {
				return event(t, watch.Error, &metav1.Status{Status: metav1.StatusFailure, Code: 499, Reason: "NobodyKnows"})
			},
		},
		oddity{name: "errors are no Status", ends: true, first: injected(watch.Error)},
	)
}

// injected are events of an object that nobody knows.
func injected(types ...watch.EventType) func(*testing.T, Asked, string) []byte {
	return func(t *testing.T, a Asked, version string) (text []byte) {
		for _, kind := range types {
			text = append(text, event(t, kind, object(a, "unknown", version))...)
		}
		return text
	}
}

// alike does the same to each event.
func alike(became func(*testing.T, []byte) []byte) func(*testing.T, Asked) func([]byte) []byte {
	return func(t *testing.T, _ Asked) func([]byte) []byte {
		return func(event []byte) []byte { return became(t, event) }
	}
}

func (o oddity) test() (string, func(*testing.T)) { return o.name, o.run }

func (o oddity) run(t *testing.T) {
	g, r := startGate(t)
	before := time.Now()
	const cuts = 2
	r.Fault(t, o.name, func() {
		g.Harm(by(map[string]Harm{VerbWatch: o.harm(t)}))
		cut := func() {
			since := time.Now()
			g.Cut()
			r.asks(t, g, since, VerbWatch, verbStream, verbList)
		}
		for range cuts {
			cut()
			r.fine(t, g) // it watches again, or lists
			for range 2 {
				r.Move(t)
				if !o.hides {
					r.Fresh(t, Recovery)
				}
				time.Sleep(time.Second) // of queries
			}
		}
		g.Harm(nil)
		cut()
	})
	r.fine(t, g)
	least, most := cuts+1, cuts+1
	if o.ends {
		most += 2 * cuts // a streamed list, or one more and a watch
	}
	asked := g.Asked(before, verbList, VerbWatch, verbStream)
	if len(asked) != reflectors {
		t.Errorf("%d reflectors asked for anything, want %d", len(asked), reflectors)
	}
	for by, list := range asked {
		t.Logf("%v: %v", by, verbs(list, before))
		if len(list) < least || len(list) > most {
			t.Errorf("%v: %d requests, want %d to %d", by, len(list), least, most)
		}
	}
}

func (o oddity) harm(t *testing.T) Harm {
	return func(w http.ResponseWriter, r *http.Request, a Asked, api http.Handler) {
		if o.first != nil {
			w = &prefaced{ResponseWriter: w, first: o.first(t, a, r.URL.Query().Get("resourceVersion"))}
		}
		if o.each != nil {
			each := o.each(t, a)
			w = &frames{ResponseWriter: w, spoil: func(event []byte) ([]byte, error) { return each(event), nil }}
		}
		api.ServeHTTP(w, r)
	}
}

// prefaced writes something before all else.
type prefaced struct {
	http.ResponseWriter
	first []byte
}

// Unwrap lets http.ResponseController flush.
func (p *prefaced) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (p *prefaced) WriteHeader(code int) {
	p.ResponseWriter.WriteHeader(code)
	if code != http.StatusOK {
		return
	}
	_, _ = p.Write(p.first) // broken: the proxy finds that out
	_ = http.NewResponseController(p.ResponseWriter).Flush()
}

// object is one of the kind that is watched.
func object(a Asked, name, version string) metav1.Object {
	m := metav1.ObjectMeta{Name: name, ResourceVersion: version}
	if name != "" {
		m.Namespace = still
	}
	if a.Resource == "services" {
		return &corev1.Service{ObjectMeta: m, Spec: corev1.ServiceSpec{ClusterIP: "10.96.0.99"}}
	}
	m.Labels = map[string]string{discoveryv1.LabelServiceName: name}
	return &discoveryv1.EndpointSlice{ObjectMeta: m, AddressType: discoveryv1.AddressTypeIPv4}
}

// event is an event of a watch in protobuf, as the API server writes it.
func event(t *testing.T, kind watch.EventType, o any) []byte {
	t.Helper()
	kinds, _, err := scheme.Scheme.ObjectKinds(o.(runtime.Object))
	if err != nil {
		t.Error(err)
		return nil
	}
	plain := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)
	raw, err := runtime.Encode(scheme.Codecs.EncoderForVersion(plain, kinds[0].GroupVersion()), o.(runtime.Object))
	if err != nil {
		t.Error(err)
	}
	return frame(t, &metav1.WatchEvent{Type: string(kind), Object: runtime.RawExtension{Raw: raw}})
}

func frame(t *testing.T, e *metav1.WatchEvent) []byte {
	t.Helper()
	text, err := e.Marshal()
	if err != nil {
		t.Error(err)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...) // #nosec G115 -- the longest is of some MB
}

func parse(t *testing.T, frame []byte) *metav1.WatchEvent {
	t.Helper()
	e := new(metav1.WatchEvent)
	if err := e.Unmarshal(frame[4:]); err != nil {
		t.Error(err)
	}
	return e
}

// echoes repeats after each event the one before of the same object, as it became.
func echoes(became func(*testing.T, []byte) []byte) func(*testing.T, Asked) func([]byte) []byte {
	return func(t *testing.T, _ Asked) func([]byte) []byte {
		before := make(map[string][]byte)
		return func(event []byte) []byte {
			o, err := runtime.Decode(scheme.Codecs.UniversalDeserializer(), parse(t, event).Object.Raw)
			if err != nil {
				t.Error(err)
				return event
			}
			key := o.(metav1.Object).GetNamespace() + "/" + o.(metav1.Object).GetName()
			both := append(bytes.Clone(event), before[key]...)
			before[key] = bytes.Clone(event)
			if became != nil {
				before[key] = became(t, event)
			}
			return both
		}
	}
}

// retype gives an event another type.
func retype(t *testing.T, text []byte, kind watch.EventType) []byte {
	t.Helper()
	e := parse(t, text)
	e.Type = string(kind)
	return frame(t, e)
}
