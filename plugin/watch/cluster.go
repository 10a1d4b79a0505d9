package watch

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
	apiwatch "k8s.io/apimachinery/pkg/watch"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	discoveryclient "k8s.io/client-go/kubernetes/typed/discovery/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/coredns-headless/headless/plugin/object"
)

// The two selectors take every slice of a headless Service and next to no other. The EndpointSlice controller labels those
// that it makes; slices mirrored from Endpoints, and those made by hand, lack the label, and the controller's name.
const (
	selectHeadless = corev1.IsHeadlessService
	selectForeign  = "!" + corev1.IsHeadlessService + "," + discoveryv1.LabelManagedBy + " notin (endpointslice-controller.k8s.io)"
)

// backoff is how long a reflector waits after requests that failed: 0.8 to 10 s. client-go's own goes up to a minute,
// which is long for somebody who has just granted the right that was missing.
func backoff() *wait.Backoff {
	return &wait.Backoff{Duration: 800 * time.Millisecond, Factor: 2, Steps: 4, Cap: 5 * time.Second, Jitter: 1}
}

// A reflector makes no more requests in a row than burst, nor more than one each refill after them. client-go asks
// again without a wait after a streamed list that ends before its last bookmark (kubernetes/kubernetes#140902), after
// one refused with 410, and after a watch that ends with an event. Where it backs off, it stays below this limit.
const (
	refill = 2 * time.Second
	burst  = 10
)

// Cluster watches an API server: namespaces one by one, or all where none is given.
func Cluster(name string, config *rest.Config, namespaces []string) (*Watch, error) {
	config = rest.CopyConfig(config)
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	config.QPS = -1 // no limit: many namespaces list at once, and reflectors back off by themselves
	client := &http.Client{Transport: &lateTransport{config: config}}
	core, err := coreclient.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	discovery, err := discoveryclient.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}

	w := newWatch(name, namespaces)
	w.server = config.Host
	for _, ns := range scopes(namespaces) {
		services, slices := core.Services(ns), discovery.EndpointSlices(ns)
		w.reflect(&request{
			w: w, resource: "services", namespace: ns, kind: object.KindService,
			list:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return services.List(ctx, o) },
			watch: services.Watch,
		}, &corev1.Service{})
		for _, selector := range []string{selectHeadless, selectForeign} {
			w.reflect(&request{
				w: w, resource: "endpointslices", namespace: ns, kind: object.KindEndpointSlice, selector: selector,
				list:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return slices.List(ctx, o) },
				watch: slices.Watch,
			}, &discoveryv1.EndpointSlice{})
		}
	}
	return w, nil
}

// reflect adds a reflector that feeds the tree.
func (w *Watch) reflect(r *request, expected runtime.Object) {
	st := &store{w: w, source: w.tree.Writer(r.namespace), kind: r.kind, from: r}
	w.sources = append(w.sources, source{place{r.kind, r.selector == selectHeadless, r.namespace}, st.source})
	r.limit = flowcontrol.NewTokenBucketRateLimiter(float32(time.Second)/float32(refill), burst)
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			if o.Continue == "" { // the pages of a list count as one request
				if err := r.wait(ctx); err != nil {
					return nil, err
				}
			}
			o.LabelSelector = r.selector
			list, err := r.list(ctx, o)
			if err == nil {
				err = isList(list)
			}
			if err != nil || !continues(list) {
				r.report(ctx, "list", err)
			}
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (apiwatch.Interface, error) {
			if err := r.wait(ctx); err != nil {
				return nil, err
			}
			o.LabelSelector = r.selector
			return r.begin(ctx, o)
		},
	}
	w.runs = append(w.runs, func(ctx context.Context) {
		options := cache.ReflectorOptions{
			Name: r.resource, Backoff: backoff(), Clock: stoppedClock{ctx: ctx},
			Logger: new(klog.Logger), // the zero Logger is silent: what matters is reported by the request
		}
		ctx = klog.NewContext(ctx, klog.Logger{})
		cache.NewReflectorWithOptions(lw, expected, st, options).RunWithContext(ctx)
	})
}

// stoppedClock ends the waits of a reflector with its context. Before client-go asks again for a streamed list that
// nobody answered, it waits for the clock alone (Reflector.watchList), and would hold up Stop.
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
