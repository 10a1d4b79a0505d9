package cluster

import (
	"context"
	"sync"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/source"
	"github.com/coredns-headless/headless/plugin/tree"
)

// leftovers watches slices that neither selector shows: those that were copied or restored, or that the EndpointSlice
// controller made before their Service became headless. They name that controller and lack its label, and
// *kubernetes* counts them. So a headless Service that has no other slice is watched by its name.
type leftovers struct {
	source  *source.Source
	request func(namespace, selector string) *request
	watched map[object.Key]*leftover
	more    int // Services that are not watched, because they are too many
}

type leftover struct {
	writer *tree.Writer
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// At most leftoverMax Services are watched at once, and Services are looked for each leftoverEvery.
const (
	leftoverMax   = 100
	leftoverEvery = 2 * time.Second
)

// run looks for such Services whenever the tree has changed since the last look, from the first sync on.
func (l *leftovers) run(ctx context.Context) {
	t := l.source.Tree()
	select {
	case <-t.Done():
	case <-ctx.Done():
		return
	}
	ticker := time.NewTicker(leftoverEvery)
	defer ticker.Stop()
	defer func() {
		for _, w := range l.watched {
			w.cancel()
			w.wg.Wait()
		}
	}()
	var version uint64
	for {
		if now := t.Version(); now != version {
			version = now
			l.look(ctx)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// look ends watches that are not needed any more, and begins others.
func (l *leftovers) look(ctx context.Context) {
	for k, w := range l.watched {
		if !w.writer.Alone(k) {
			w.cancel()
			w.wg.Wait()
			w.writer.Close()
			delete(l.watched, k)
		}
	}
	more := 0
	for _, k := range l.source.Tree().Sliceless() {
		switch {
		case l.watched[k] != nil:
		case len(l.watched) == leftoverMax:
			more++
		default:
			l.watched[k] = l.watch(ctx, k)
		}
	}
	l.source.Unwatched.Store(int64(more))
	if more > 0 && l.more == 0 {
		log.Warningf("%s: %d headless Services have no EndpointSlice; %d of them are not watched for slices "+
			"without the label of the EndpointSlice controller", l.source.Name(), more+leftoverMax, more)
	}
	l.more = more
}

// watch begins to watch the slices of a Service.
func (l *leftovers) watch(ctx context.Context, k object.Key) *leftover {
	selector := selectLeftover + "," + discoveryv1.LabelServiceName + "=" + k.Name
	w := &leftover{writer: l.source.Tree().Late(k.Namespace)}
	ctx, w.cancel = context.WithCancel(ctx)
	r := l.request(k.Namespace, selector)
	w.wg.Go(func() {
		r.reflect(ctx, w.writer, &discoveryv1.EndpointSlice{})
		r.setStale(false) // nobody asks any more
	})
	return w
}
