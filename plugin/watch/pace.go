package watch

import (
	"sync"
	"sync/atomic"
	"time"

	apiwatch "k8s.io/apimachinery/pkg/watch"
)

// A pace keeps watches that end at once, as when a proxy or a server that starts breaks connections, from being asked for again at
// once. A reflector would list everything again after a watch without events of less than a second, and ask again without any pause for
// a streamed list that broke off.
type pace struct {
	soon   time.Duration // a watch that ends sooner than this seems to last so long
	breaks atomic.Int32  // streamed lists that broke off one after the other
}

// A streamed list costs more than a watch, so the pauses before the next one grow: twice as long each, up to soon<<maxDoubling.
const maxDoubling = 3

// of returns what w says, and its end not too soon.
func (p *pace) of(w apiwatch.Interface, streams bool) apiwatch.Interface {
	begun := time.Now()
	paced := &pacedWatch{Interface: w, events: make(chan apiwatch.Event), stopped: make(chan struct{})}
	go func() {
		defer close(paced.events)
		for e := range w.ResultChan() {
			select {
			case paced.events <- e:
			case <-paced.stopped:
				return
			}
		}
		least := p.soon
		switch {
		case time.Since(begun) >= least:
			p.breaks.Store(0)
			return
		case streams:
			least <<= min(p.breaks.Add(1), maxDoubling)
		}
		t := time.NewTimer(time.Until(begun.Add(least)))
		defer t.Stop()
		select {
		case <-t.C:
		case <-paced.stopped:
		}
	}()
	return paced
}

// pacedWatch is a watch whose events another goroutine passes on.
type pacedWatch struct {
	apiwatch.Interface
	events  chan apiwatch.Event
	stopped chan struct{}
	once    sync.Once
}

// ResultChan implements apiwatch.Interface.
func (w *pacedWatch) ResultChan() <-chan apiwatch.Event { return w.events }

// Stop implements apiwatch.Interface.
func (w *pacedWatch) Stop() {
	w.once.Do(func() { close(w.stopped) })
	w.Interface.Stop()
}
