// Package watch brings objects into a tree: from an API server or from manifests.
package watch

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	clog "github.com/coredns/coredns/plugin/pkg/log"
	"golang.org/x/time/rate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/tree"
)

var log = clog.NewWithPlugin("headless")

// A Watch keeps one tree up to date from Start to Stop.
type Watch struct {
	name  string
	tree  *tree.Tree
	count [2]count // by object.Kind

	latency Latency

	// Of an API server: its URL, and what its objects are put into.
	server  string
	sources []source
	saved   atomic.Int64 // until when a snapshot has every change, in Unix time

	runs   []func(context.Context) // each in a goroutine of its own
	cancel context.CancelFunc
	wg     sync.WaitGroup

	outdated atomic.Int32 // requests whose objects may be out of date

	failOnce sync.Once
	failure  chan struct{} // closed when a request failed for the first time

	mu     sync.Mutex
	warned map[object.Key]bool
	lines  *rate.Limiter // of warnings
	unsaid int           // objects left out that the log did not name
	summed *time.Timer   // says how many, unless nil
}

type count struct{ received, applied, skipped, failed atomic.Uint64 }

// tellEvery is how often the log says how far a first list has come, if it goes on.
const tellEvery = 2 * time.Second

// warnedMax bounds what is remembered of objects that were warned of. Beyond it only the metrics tell.
const warnedMax = 1000

// Where very many objects are left out, as after a mistake in a controller, the log names warnBurst of them at once, one each second after
// them, and each unsaidEvery says how many it did not name.
const (
	warnBurst   = 20
	unsaidEvery = time.Minute
)

func newWatch(name string, namespaces []string) *Watch {
	return &Watch{
		name: name, tree: tree.New(namespaces...),
		failure: make(chan struct{}), warned: make(map[object.Key]bool), lines: rate.NewLimiter(1, warnBurst),
	}
}

// scopes are the namespaces to watch one by one, or "" for all at once.
func scopes(namespaces []string) []string {
	if len(namespaces) == 0 {
		return []string{metav1.NamespaceAll}
	}
	return namespaces
}

// Name says where the objects come from, for logs and metrics.
func (w *Watch) Name() string { return w.name }

// Tree is the tree that the watch keeps.
func (w *Watch) Tree() *tree.Tree { return w.tree }

// Counts returns how many objects of a kind were put into the tree, how many were left out, wholly or in part, and how many
// requests for them failed.
func (w *Watch) Counts(k object.Kind) (applied, skipped, failed uint64) {
	return w.count[k].applied.Load(), w.count[k].skipped.Load(), w.count[k].failed.Load()
}

// Latency is that of the changes that were watched, nil of manifests, which do not say when they were made.
func (w *Watch) Latency() *Latency {
	if w.server == "" {
		return nil
	}
	return &w.latency
}

// Stale reports whether what is known may be out of date: a request failed, a list is under way, or a snapshot is
// served.
func (w *Watch) Stale() bool { return w.outdated.Load() > 0 || w.tree.Presumed() }

// Saved is until when the snapshot has every change, the zero Time if there is none.
func (w *Watch) Saved() (t time.Time) {
	if at := w.saved.Load(); at > 0 {
		t = time.Unix(at, 0)
	}
	return t
}

// Start begins to watch. It does not wait for anything.
func (w *Watch) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	for _, run := range w.runs {
		w.wg.Go(func() { run(ctx) })
	}
	w.wg.Go(func() { w.tell(ctx) })
}

// tell says in the log how far the first lists have come, and that they are complete.
func (w *Watch) tell(ctx context.Context) {
	begun := time.Now()
	t := time.NewTicker(tellEvery)
	defer t.Stop()
	var told uint64
	for {
		select {
		case <-w.tree.Done():
			services, peers := w.tree.Size()
			log.Infof("%s: synced after %s: Services %d, endpoints of headless Services %d", w.name, time.Since(begun).Round(time.Millisecond), services, peers)
			return
		case <-ctx.Done():
			return
		case <-t.C:
			services, slices := w.count[object.KindService].received.Load(), w.count[object.KindEndpointSlice].received.Load()
			if services+slices > told {
				told = services + slices
				log.Infof("%s: not synced after %s: received so far Services %d, EndpointSlices %d", w.name, time.Since(begun).Round(time.Second), services, slices)
			}
		}
	}
}

// Stop ends what Start began, and waits for it. The tree stays as it is.
func (w *Watch) Stop() {
	w.cancel()
	w.wg.Wait()
	w.sum()
}

// sum says how many objects were left out without a word.
func (w *Watch) sum() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.summed != nil {
		w.summed.Stop()
		log.Warningf("%s: %d more times an object was left out: coredns_headless_objects_skipped_total counts all", w.name, w.unsaid)
	}
	w.unsaid, w.summed = 0, nil
}

// Wait waits until the tree is synced, a request failed, or timeout has passed, and reports whether the tree is synced.
// After a failure the next try is seconds away, and nobody gains from waiting for it.
func (w *Watch) Wait(timeout time.Duration) bool {
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case <-w.tree.Done():
	case <-w.failure:
	case <-t.C:
	}
	return w.tree.IsDone()
}

// fail notes that a request failed.
func (w *Watch) fail() { w.failOnce.Do(func() { close(w.failure) }) }

// skip counts an object that is left out, wholly or in part, and says so once.
func (w *Watch) skip(k object.Key, err error) {
	w.count[k.Kind].skipped.Add(1)
	if object.IsExpected(err) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.warned[k] || len(w.warned) == warnedMax {
		return
	}
	if !w.lines.Allow() { // it is named when it comes again
		if w.unsaid++; w.summed == nil {
			w.summed = time.AfterFunc(unsaidEvery, w.sum)
		}
		return
	}
	w.warned[k] = true
	log.Warningf("%s: %s %q: left out: %v", w.name, k.Kind, k.Namespace+"/"+k.Name, err)
}
