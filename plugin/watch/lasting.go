package watch

import (
	"sync"
	"sync/atomic"
	"time"

	apiwatch "k8s.io/apimachinery/pkg/watch"
)

// shortest is how long a watch seems to last at least: one that ends at once, as when a proxy or a server that starts breaks connections, is
// asked for again after a pause.
const shortest = time.Second

// patience is how many watches in a row may end at once without an event before a reflector may list again: that may say what is wrong.
const patience = 3

// lasting lets the watches of one reflector seem to last.
type lasting struct {
	least  time.Duration
	proven func()       // called when a watch has brought an event, or lasted
	short  atomic.Int32 // watches in a row that did neither
}

func (l *lasting) prove() {
	l.short.Store(0)
	l.proven()
}

// of returns what w says, and its end not too soon. A watch that begins with a list proves nothing by that.
func (l *lasting) of(w apiwatch.Interface, streams bool) apiwatch.Interface {
	begun := time.Now()
	paced := &lastingWatch{Interface: w, events: make(chan apiwatch.Event), stopped: make(chan struct{})}
	prove := sync.OnceFunc(l.prove)
	if streams {
		prove = func() {}
	}
	go func() {
		defer close(paced.events)
		lasts := time.AfterFunc(l.least, prove)
		defer lasts.Stop()
		events := 0
		for e := range w.ResultChan() {
			events++
			prove()
			select {
			case paced.events <- e:
			case <-paced.stopped:
				return
			}
		}
		if lasts.Stop() && events == 0 && time.Since(begun) < l.least/2 {
			l.short.Add(1)
		}
		t := time.NewTimer(time.Until(begun.Add(l.least)))
		defer t.Stop()
		select {
		case <-t.C:
		case <-paced.stopped:
		}
	}()
	return paced
}

// lastingWatch is a watch whose events another goroutine passes on.
type lastingWatch struct {
	apiwatch.Interface
	events  chan apiwatch.Event
	stopped chan struct{}
	once    sync.Once
}

// ResultChan implements apiwatch.Interface.
func (w *lastingWatch) ResultChan() <-chan apiwatch.Event { return w.events }

// Stop implements apiwatch.Interface.
func (w *lastingWatch) Stop() {
	w.once.Do(func() { close(w.stopped) })
	w.Interface.Stop()
}
