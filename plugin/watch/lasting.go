package watch

import (
	"sync"
	"time"

	apiwatch "k8s.io/apimachinery/pkg/watch"
)

// shortest is how long a watch seems to last at least: one that ends at once, as when a proxy or a server that starts breaks connections, is
// asked for again after a pause.
const shortest = time.Second

// lasting returns what w says, and its end not before least has passed.
func lasting(w apiwatch.Interface, least time.Duration) apiwatch.Interface {
	begun := time.Now()
	l := &lastingWatch{Interface: w, events: make(chan apiwatch.Event), stopped: make(chan struct{})}
	go func() {
		defer close(l.events)
		for e := range w.ResultChan() {
			select {
			case l.events <- e:
			case <-l.stopped:
				return
			}
		}
		t := time.NewTimer(time.Until(begun.Add(least)))
		defer t.Stop()
		select {
		case <-t.C:
		case <-l.stopped:
		}
	}()
	return l
}

// lastingWatch is a watch whose events another goroutine passes on.
type lastingWatch struct {
	apiwatch.Interface
	events  chan apiwatch.Event
	stopped chan struct{}
	once    sync.Once
}

// ResultChan implements apiwatch.Interface.
func (l *lastingWatch) ResultChan() <-chan apiwatch.Event { return l.events }

// Stop implements apiwatch.Interface.
func (l *lastingWatch) Stop() {
	l.once.Do(func() { close(l.stopped) })
	l.Interface.Stop()
}
