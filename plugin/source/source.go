// Package source keeps trees of names up to date. A Source is what all of them have in common: a tree, counts and
// warnings. The packages below this one bring the objects, from an API server, from manifests or from a snapshot.
package source

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	clog "github.com/coredns/coredns/plugin/pkg/log"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/tree"
)

var log = clog.NewWithPlugin("headless")

// A Source keeps one tree up to date from Start to Stop.
type Source struct {
	// Server is the URL of the API server that the objects come from, empty for manifests.
	Server string
	// Parts are what the tree is filled by, of an API server.
	Parts []Part
	// Latency observes how long a change took until its names answered, in seconds. It is nil for manifests: they do
	// not tell when they were changed.
	Latency prometheus.Histogram
	// Outdated counts the requests whose objects may be out of date.
	Outdated atomic.Int32
	// Unwatched are headless Services without EndpointSlices that are too many to be watched one by one.
	Unwatched atomic.Int64
	// Saved is the Unix time up to which a snapshot has every change, 0 if there is no snapshot.
	Saved atomic.Int64

	name   string
	tree   *tree.Tree
	counts [2]Count // by object.Kind
	users  int      // guarded by Shared.mu

	runs    []func(context.Context) // each in a goroutine of its own
	running atomic.Bool
	cancel  context.CancelFunc
	wg      sync.WaitGroup

	failOnce sync.Once
	failed   chan struct{} // closed when a request fails for the first time

	warnings
}

// A Part is what one reflector brings: objects of a kind, in one namespace or, for "", in all of them.
type Part struct {
	Kind object.Kind
	// Headless says that only EndpointSlices with the label of headless Services belong to the part.
	Headless  bool
	Namespace string
	Writer    *tree.Writer
}

// Count counts objects of a kind, and requests for them.
type Count struct {
	Received, Applied atomic.Uint64
	// Skipped are objects left out, wholly or in part.
	Skipped atomic.Uint64
	// Failed are requests.
	Failed atomic.Uint64
}

// progressEvery is how often the log says how many objects have come before the first sync.
const progressEvery = 2 * time.Second

// New returns a source whose tree is empty. Name says in logs and metrics where the objects come from.
func New(name string, namespaces []string) *Source {
	return &Source{name: name, tree: tree.New(namespaces...), failed: make(chan struct{}), warnings: newWarnings(name)}
}

// NewLatency returns the histogram of a source: Kubernetes' network programming latency, for DNS. It has the buckets
// that *kubernetes* has: 1 ms, doubled up to 524 s.
func NewLatency(name string) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "coredns_headless_programming_duration_seconds",
		Help: "How long after a change of a pod or Service its EndpointSlice's names answered, " +
			"of what was watched, not listed.",
		ConstLabels: prometheus.Labels{"source": name},
		Buckets:     prometheus.ExponentialBuckets(0.001, 2, 20),
	})
}

// Scopes returns the namespaces to read one by one, or "" for all at once.
func Scopes(namespaces []string) []string {
	if len(namespaces) == 0 {
		return []string{metav1.NamespaceAll}
	}
	return namespaces
}

// Name says where the objects come from, for logs and metrics.
func (s *Source) Name() string { return s.name }

// Tree returns the tree that the source keeps up to date.
func (s *Source) Tree() *tree.Tree { return s.tree }

// Count returns the counters of a kind.
func (s *Source) Count(k object.Kind) *Count { return &s.counts[k] }

// Stale reports whether the tree may be out of date: a request failed, a list is under way, or a snapshot is served.
func (s *Source) Stale() bool { return s.Outdated.Load() > 0 || s.tree.Presumed() }

// Run adds a function that Start runs in a goroutine of its own. Stop ends its context and waits for it.
func (s *Source) Run(f func(context.Context)) { s.runs = append(s.runs, f) }

// Start starts the source, unless it runs already. It does not wait for anything.
func (s *Source) Start() {
	if s.running.Swap(true) {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	for _, run := range append(s.runs, s.logProgress) {
		s.wg.Go(func() { run(ctx) })
	}
}

// Running reports whether the source was started.
func (s *Source) Running() bool { return s.running.Load() }

// Stop stops what Start started, and waits for it. The tree stays as it is.
func (s *Source) Stop() {
	if s.cancel != nil {
		s.cancel()
		s.wg.Wait()
	}
	s.logUnnamed()
}

// logProgress logs how many objects have come before the first sync, and that sync.
func (s *Source) logProgress(ctx context.Context) {
	begun := time.Now()
	t := time.NewTicker(progressEvery)
	defer t.Stop()
	var logged uint64
	for {
		select {
		case <-s.tree.Done():
			services, peers := s.tree.Size()
			log.Infof("%s: synced after %s: %d Services, %d endpoints of headless Services",
				s.name, time.Since(begun).Round(time.Millisecond), services, peers)
			return
		case <-ctx.Done():
			return
		case <-t.C:
			services := s.Count(object.KindService).Received.Load()
			slices := s.Count(object.KindEndpointSlice).Received.Load()
			if services+slices > logged {
				logged = services + slices
				log.Infof("%s: still syncing after %s: %d Services, %d EndpointSlices received",
					s.name, time.Since(begun).Round(time.Second), services, slices)
			}
		}
	}
}

// Wait waits until the tree is synced, a request fails, or timeout has passed, and reports whether the tree is synced.
// It does not wait for the next try after a failure, which is seconds away.
func (s *Source) Wait(timeout time.Duration) bool {
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case <-s.tree.Done():
	case <-s.failed:
	case <-t.C:
	}
	return s.tree.IsDone()
}

// Fail counts a request for objects of a kind that failed.
func (s *Source) Fail(k object.Kind) {
	s.Count(k).Failed.Add(1)
	s.failOnce.Do(func() { close(s.failed) })
}

// Skip counts an object that is left out, wholly or in part, and logs why, unless it is not meant for DNS at all.
func (s *Source) Skip(k object.Key, err error) {
	s.Count(k.Kind).Skipped.Add(1)
	if !object.IsExpected(err) {
		s.warn(k, err)
	}
}

// warnings logs the objects that are left out, each of them once.
type warnings struct {
	source string
	mu     sync.Mutex
	warned map[object.Key]bool
	limit  *rate.Limiter
	// unnamed counts the objects that the limit kept out of the log; timer runs while there are some.
	unnamed int
	timer   *time.Timer
}

// warnedMax bounds how many objects are remembered. Beyond it only the metrics count them.
const warnedMax = 1000

// If very many objects are left out, as after a mistake in a controller, the log names warnBurst of them at once, then
// one each second, and each unnamedEvery says how many it did not name.
const (
	warnBurst    = 20
	unnamedEvery = time.Minute
)

func newWarnings(source string) warnings {
	return warnings{source: source, warned: make(map[object.Key]bool), limit: rate.NewLimiter(1, warnBurst)}
}

func (w *warnings) warn(k object.Key, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.warned[k] || len(w.warned) == warnedMax {
		return
	}
	if !w.limit.Allow() { // the log names it when it comes again
		if w.unnamed++; w.timer == nil {
			w.timer = time.AfterFunc(unnamedEvery, w.logUnnamed)
		}
		return
	}
	w.warned[k] = true
	log.Warningf("%s: %s %q: left out: %v", w.source, k.Kind, k.Namespace+"/"+k.Name, err)
}

// logUnnamed logs how many objects the limit kept out of the log.
func (w *warnings) logUnnamed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
		log.Warningf("%s: %d more objects were left out; coredns_headless_objects_skipped_total counts all",
			w.source, w.unnamed)
	}
	w.unnamed, w.timer = 0, nil
}
