package cluster

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/rest"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// apiServer lists and watches Services and EndpointSlices as kube-apiserver does, in JSON. It lives in a bubble, and
// writes nothing while it holds its lock: pipes have no buffer.
type apiServer struct {
	*pipes
	t    *testing.T
	host string // of its URL

	// refuse answers a request in the API server's stead, if it reports true.
	refuse func(w http.ResponseWriter, c call) bool

	mu      sync.Mutex
	changed chan struct{} // closed at the next change
	version int
	log     []change
	calls   []call
}

// change is one object's: before is nil if it was added, after if it was deleted.
type change struct {
	resource      string
	before, after metav1.Object
	version       int
}

// call is a request as the test sees it.
type call struct {
	Verb, Resource, Namespace, Selector string
	Accept                              string
	Authorization                       string
	Continue                            string // of a list: where the page before ended
	// Streams says that a list is asked for as the beginning of a watch.
	Streams bool
}

func newAPIServer(t *testing.T) *apiServer {
	s := &apiServer{pipes: newPipes(), t: t, host: "http://api.test", changed: make(chan struct{}), version: 100}
	server := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(s.pipes) }) // always fails, when it is closed
	t.Cleanup(func() {
		s.cut()
		_ = server.Close()
		wg.Wait()
	})
	return s
}

func (s *apiServer) config() *rest.Config { return &rest.Config{Host: s.host, Dial: s.dial} }

// set adds o or changes it, with a resourceVersion of its own, and waits until all who watch have taken it.
func (s *apiServer) set(o metav1.Object) { s.change(o, false) }

func (s *apiServer) delete(o metav1.Object) { s.change(o, true) }

func (s *apiServer) change(o metav1.Object, gone bool) {
	defer synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	c := change{resource: "services", after: o, version: s.version}
	switch o := o.(type) {
	case *corev1.Service:
		o = o.DeepCopy()
		o.TypeMeta = metav1.TypeMeta{Kind: "Service", APIVersion: "v1"}
		c.after = o
	case *discoveryv1.EndpointSlice:
		o = o.DeepCopy()
		o.TypeMeta = metav1.TypeMeta{Kind: "EndpointSlice", APIVersion: "discovery.k8s.io/v1"}
		c.resource, c.after = "endpointslices", o
	}
	c.after.SetResourceVersion(strconv.Itoa(s.version))
	for _, old := range s.state(c.resource, s.version) {
		if old.GetNamespace() == o.GetNamespace() && old.GetName() == o.GetName() {
			c.before = old
		}
	}
	if gone {
		c.after = nil
	}
	s.log = append(s.log, c)
	close(s.changed)
	s.changed = make(chan struct{})
}

// state lists the objects that there are at version. The caller holds mu.
func (s *apiServer) state(resource string, version int) []metav1.Object {
	var list []metav1.Object
	for _, c := range s.log {
		if c.resource != resource || c.version > version {
			continue
		}
		list = slices.DeleteFunc(list, func(o metav1.Object) bool { return o == c.before })
		if c.after != nil {
			list = append(list, c.after)
		}
	}
	return list
}

// made returns the requests so far.
func (s *apiServer) made() []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	c := call{
		Verb: "list", Selector: q.Get("labelSelector"), Accept: r.Header.Get("Accept"), Continue: q.Get("continue"),
		Authorization: r.Header.Get("Authorization"), Streams: q.Get("sendInitialEvents") == "true",
	}
	if q.Get("watch") == "true" {
		c.Verb = "watch"
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/api/v1/")
	if !ok {
		path, ok = strings.CutPrefix(r.URL.Path, "/apis/discovery.k8s.io/v1/")
	}
	parts := strings.Split(path, "/")
	if len(parts) == 3 && parts[0] == "namespaces" {
		c.Namespace = parts[1]
	}
	c.Resource = parts[len(parts)-1]
	selector, err := labels.Parse(c.Selector)
	if !ok || err != nil {
		s.t.Errorf("request %s: %v", r.URL, err)
	}
	s.mu.Lock()
	s.calls = append(s.calls, c)
	refuse := s.refuse
	s.mu.Unlock()
	if refuse != nil && refuse(w, c) {
		return
	}
	selects := func(o metav1.Object) bool {
		return o != nil && (c.Namespace == "" || o.GetNamespace() == c.Namespace) && selector.Matches(labels.Set(o.GetLabels()))
	}
	w.Header().Set("Content-Type", "application/json")
	if c.Verb == "list" {
		s.list(w, c, selects)
		return
	}
	s.watch(w, r, c, selects)
}

func (s *apiServer) list(w http.ResponseWriter, c call, selects func(metav1.Object) bool) {
	kind := map[string][2]string{"services": {"ServiceList", "v1"}, "endpointslices": {"EndpointSliceList", "discovery.k8s.io/v1"}}[c.Resource]
	s.mu.Lock()
	items := slices.DeleteFunc(s.state(c.Resource, s.version), func(o metav1.Object) bool { return !selects(o) })
	version := strconv.Itoa(s.version)
	s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(map[string]any{
		"kind": kind[0], "apiVersion": kind[1], "metadata": map[string]any{"resourceVersion": version}, "items": items,
	})
}

func (s *apiServer) watch(w http.ResponseWriter, r *http.Request, c call, selects func(metav1.Object) bool) {
	send := func(event string, object any) {
		_ = json.NewEncoder(w).Encode(map[string]any{"type": event, "object": object})
	}
	from, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	if c.Streams {
		s.mu.Lock()
		from = s.version
		list := s.state(c.Resource, from)
		s.mu.Unlock()
		for _, o := range list {
			if selects(o) {
				send("ADDED", o)
			}
		}
		kind := map[string]string{"services": "Service", "endpointslices": "EndpointSlice"}[c.Resource]
		version := map[string]string{"services": "v1", "endpointslices": "discovery.k8s.io/v1"}[c.Resource]
		send("BOOKMARK", map[string]any{"kind": kind, "apiVersion": version, "metadata": map[string]any{
			"resourceVersion": strconv.Itoa(from), "annotations": map[string]string{metav1.InitialEventsAnnotationKey: "true"},
		}})
	}
	for r.Context().Err() == nil {
		s.mu.Lock()
		log, changed := s.log, s.changed
		s.mu.Unlock()
		for _, c2 := range log {
			if c2.version <= from || c2.resource != c.Resource {
				continue
			}
			from = c2.version
			before, after := selects(c2.before), selects(c2.after)
			switch { // as an object looks to who sees only what the selector selects
			case before && after:
				send("MODIFIED", c2.after)
			case before:
				o := c2.before
				if c2.after != nil {
					o = c2.after
				}
				send("DELETED", o)
			case after:
				send("ADDED", c2.after)
			}
		}
		w.(http.Flusher).Flush()
		select {
		case <-changed:
		case <-r.Context().Done():
		}
	}
}

// setRefuse changes what is refused.
func (s *apiServer) setRefuse(refuse func(http.ResponseWriter, call) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = refuse
}

// status writes an API error.
func status(w http.ResponseWriter, err *apierrors.StatusError) bool {
	w.Header().Set("Content-Type", "application/json")
	st := err.Status()
	st.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	w.WriteHeader(int(st.Code))
	_ = json.NewEncoder(w).Encode(st)
	return true
}

// streamless refuses to stream lists, as an API server does without the feature gate WatchList.
func streamless(w http.ResponseWriter, c call) bool {
	return c.Streams && status(w, apierrors.NewInvalid(schema.GroupKind{Group: "meta.k8s.io", Kind: "ListOptions"}, "", field.ErrorList{
		field.Forbidden(field.NewPath("sendInitialEvents"),
			"sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"),
	}))
}

// forbidden is what RBAC says to a service account without the right.
func forbidden(w http.ResponseWriter, c call) bool {
	where := "at the cluster scope"
	if c.Namespace != "" {
		where = fmt.Sprintf("in the namespace %q", c.Namespace)
	}
	group := map[string]string{"endpointslices": "discovery.k8s.io"}[c.Resource]
	return status(w, apierrors.NewForbidden(schema.GroupResource{Group: group, Resource: c.Resource}, "",
		fmt.Errorf("User %q cannot %s resource %q in API group %q %s", "dns", c.Verb, c.Resource, group, where)))
}
