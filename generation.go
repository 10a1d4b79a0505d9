package headless

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coredns/caddy"
)

// generation is one reading of the Corefile. A reload starts the next generation before it ends this one. What both
// use, such as a source, is shared: each acquires it, and releases it when it is closed.
type generation struct {
	ctx    context.Context // done when the generation is closed
	cancel context.CancelFunc

	starting  atomic.Int32       // handlers that have not started
	waits     []wait             // complete once starting is 0
	snapshots map[string]*stanza // by file, the first stanza that keeps its state there
	serves    []func()           // called once the generation serves, and not if it fails to start

	mu      sync.Mutex
	closers []func()
}

type generationKey struct{}

// generationOf returns the generation that c's instance belongs to.
func generationOf(c *caddy.Controller) *generation {
	g, ok := c.Get(generationKey{}).(*generation)
	if !ok {
		closeDead()
		g = newGeneration()
		newest.Store(g)
		c.Set(generationKey{}, g)
	}
	return g
}

func newGeneration() *generation {
	g := &generation{snapshots: make(map[string]*stanza)}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g
}

// onClose adds a function that close calls.
func (g *generation) onClose(release func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closers = append(g.closers, release)
}

// close ends what the generation started and releases what it acquired, the last first.
func (g *generation) close() {
	g.cancel()
	g.mu.Lock()
	closers := g.closers
	g.closers = nil
	g.mu.Unlock()
	for _, release := range slices.Backward(closers) {
		release()
	}
}

// newest is the last generation that was made. No other one may be dead.
var newest atomic.Pointer[generation]

// closeDead closes the newest generation if it failed to start. caddy does not tell it so.
func closeDead() {
	g := newest.Load()
	alive := func(i *caddy.Instance) bool { return generationIn(i) == g }
	if g != nil && !slices.ContainsFunc(caddy.Instances(), alive) {
		g.close()
	}
}

// generationIn returns the generation of an instance, nil if the plugin is not in its Corefile.
func generationIn(i *caddy.Instance) *generation {
	i.StorageMu.RLock()
	defer i.StorageMu.RUnlock()
	g, _ := i.Storage[generationKey{}].(*generation)
	return g
}

// hook has caddy call serving. At SIGUSR1 caddy forgets all hooks, and it panics at one that it has.
func hook(name string) {
	defer func() { _ = recover() }()
	caddy.RegisterEventHook(name, serving)
}

// serving calls what a generation put off until its instance listens, and the one before it is gone.
func serving(event caddy.EventName, of any) error {
	i, ok := of.(*caddy.Instance)
	if event != caddy.InstanceStartupEvent || !ok {
		return nil
	}
	if g := generationIn(i); g != nil {
		for _, do := range g.serves {
			do()
		}
	}
	return nil
}

// wait says until when to wait for the first sync of a stanza.
type wait struct {
	stanza *stanza
	until  time.Time
}
