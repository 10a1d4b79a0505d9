// Package cluster brings objects from an API server into a tree.
package cluster

import (
	"context"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	discoveryclient "k8s.io/client-go/kubernetes/typed/discovery/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/source"
	"github.com/coredns-headless/headless/plugin/tree"
)

// The first two selectors take next to every slice of a headless Service and next to no other. The EndpointSlice
// controller labels those that it makes; slices mirrored from Endpoints, and those made by hand, lack the label, and
// the controller's name. The third one takes all others, those of Services with a cluster IP.
const (
	controller     = "endpointslice-controller.k8s.io"
	selectHeadless = corev1.IsHeadlessService
	selectForeign  = "!" + corev1.IsHeadlessService + "," + discoveryv1.LabelManagedBy + " notin (" + controller + ")"
	selectLeftover = "!" + corev1.IsHeadlessService + "," + discoveryv1.LabelManagedBy + "=" + controller
)

// backoff is how long a reflector waits after requests that failed: 0.8 to 10 s. client-go's own goes up to a minute,
// which is long for somebody who has just granted a missing right.
func backoff() *wait.Backoff {
	return &wait.Backoff{Duration: 800 * time.Millisecond, Factor: 2, Steps: 4, Cap: 5 * time.Second, Jitter: 1}
}

// A reflector makes at most burst requests in a row, and then one each refill. client-go asks again without a wait
// after a streamed list that ends before its last bookmark (kubernetes/kubernetes#140902), after one that is refused
// with 410, and after a watch that ends with an event. Where it backs off, it stays below this limit.
const (
	refill = 2 * time.Second
	burst  = 10
)

// Open returns a source that watches an API server: namespaces one by one, or all if none is given. It sends nothing
// before it is started.
func Open(name string, config *rest.Config, namespaces []string) (*source.Source, error) {
	config = rest.CopyConfig(config)
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	config.QPS = -1 // no limit: many namespaces list at once, and reflectors back off by themselves
	client := &http.Client{Transport: &lateTransport{config: config}, CheckRedirect: sameServer}
	core, err := coreclient.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	discovery, err := discoveryclient.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}

	s := source.New(name, namespaces)
	s.Server, s.Latency = config.Host, source.NewLatency(name)
	endpointSlices := func(ns, selector string) *request {
		slices := discovery.EndpointSlices(ns)
		return &request{
			source: s, resource: "endpointslices", namespace: ns, kind: object.KindEndpointSlice, selector: selector,
			list: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
				return slices.List(ctx, o)
			},
			watch: slices.Watch,
		}
	}
	for _, ns := range source.Scopes(namespaces) {
		services := core.Services(ns)
		addReflector(&request{
			source: s, resource: "services", namespace: ns, kind: object.KindService,
			list: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
				return services.List(ctx, o)
			},
			watch: services.Watch,
		}, &corev1.Service{})
		for _, selector := range []string{selectHeadless, selectForeign} {
			addReflector(endpointSlices(ns, selector), &discoveryv1.EndpointSlice{})
		}
	}
	l := &leftovers{source: s, request: endpointSlices, watched: make(map[object.Key]*leftover)}
	s.Run(l.run)
	return s, nil
}

// addReflector adds a part to the source, and the reflector that brings it.
func addReflector(r *request, expected runtime.Object) {
	w := r.source.Tree().Writer(r.namespace)
	r.source.Parts = append(r.source.Parts, source.Part{
		Kind: r.kind, Headless: r.selector == selectHeadless, Namespace: r.namespace, Writer: w,
	})
	r.source.Run(func(ctx context.Context) { r.reflect(ctx, w, expected) })
}

// reflect runs a reflector that keeps the objects of a writer up to date, until ctx is done.
func (r *request) reflect(ctx context.Context, w *tree.Writer, expected runtime.Object) {
	st := &store{source: r.source, writer: w, kind: r.kind, request: r}
	r.limit = flowcontrol.NewTokenBucketRateLimiter(float32(time.Second)/float32(refill), burst)
	lw := &cache.ListWatch{ListWithContextFunc: r.listPage, WatchFuncWithContext: r.beginWatch}
	options := cache.ReflectorOptions{
		Name: r.resource, Backoff: backoff(), Clock: stoppedClock{ctx: ctx},
		Logger: new(klog.Logger), // the zero Logger is silent: the request reports what matters
	}
	ctx = klog.NewContext(ctx, klog.Logger{})
	cache.NewReflectorWithOptions(lw, expected, st, options).RunWithContext(ctx)
}

// stoppedClock ends the waits of a reflector with its context. Before client-go asks again for a streamed list that
// nobody answered, it waits for the clock alone (Reflector.watchList), which would hold up Stop.
type stoppedClock struct {
	clock.RealClock
	ctx context.Context
}

// After implements clock.Clock.
func (c stoppedClock) After(d time.Duration) <-chan time.Time {
	ctx, cancel := context.WithTimeout(c.ctx, d)
	ch := make(chan time.Time, 1)
	context.AfterFunc(ctx, func() {
		cancel()
		ch <- c.Now()
	})
	return ch
}
