package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/test/ask"
	"github.com/coredns-headless/headless/test/controlplane"
)

const (
	namespace = "churn"
	services  = 5
	pods      = 10 // of each
	// interval is between two changes: 20 a second, as many as the largest clusters see.
	interval = 50 * time.Millisecond
)

// churn changes slices all the time, and knows what may be answered.
type churn struct {
	mu      sync.Mutex
	pods    map[string]*history
	next    netip.Addr
	changes int // made
	missed  int // kept away by faults, or by an API server that was busy
}

// toggles reports whether the n-th pod of a Service changes its readiness, and not only its address. It is one of
// them: NXDOMAIN is a right answer for those that are not ready, so for most it must never be.
func toggles(n int) bool { return n == 0 }

func crowd(i int) controlplane.Crowd {
	return controlplane.Crowd{Namespace: namespace, Service: fmt.Sprintf("crowd%d", i), Pods: pods, First: netip.AddrFrom4([4]byte{10, 100, byte(i), 1})}
}

func newChurn(t *testing.T) *churn {
	t.Helper()
	c := &churn{pods: make(map[string]*history), next: netip.MustParseAddr("10.128.0.1")}
	now := time.Now()
	for i := range services {
		w := crowd(i)
		if err := w.Create(t.Context(), cluster); err != nil {
			t.Fatal(err)
		}
		for n := range pods {
			h := new(history)
			h.is(w.Addr(n).String(), now)
			c.pods[w.Pod(n)] = h
		}
	}
	return c
}

// run makes changes until ctx is done, each at its time, as many writers at once as there are Services: an API server
// that takes its time for one holds up no other.
func (c *churn) run(ctx context.Context) {
	var wg sync.WaitGroup
	begun := time.Now()
	for i := range services {
		wg.Go(func() { c.write(ctx, i, begun) })
	}
	wg.Wait()
}

// write changes the slice of one Service. What is late by more than a second is left out.
func (c *churn) write(ctx context.Context, service int, begun time.Time) {
	var s *discoveryv1.EndpointSlice // as the API server has it, nil if that has to be found out
	for n := service; ctx.Err() == nil; n += services {
		due := begun.Add(time.Duration(n) * interval)
		err := errors.New("too late")
		if time.Since(due) < time.Second {
			select {
			case <-time.After(time.Until(due)):
			case <-ctx.Done():
				return
			}
			s, err = c.change(ctx, service, s)
		}
		c.mu.Lock()
		switch {
		case err == nil:
			c.changes++
		case ctx.Err() == nil:
			c.missed++
		}
		c.mu.Unlock()
	}
}

// change gives a pod another address, or makes it ready or not.
func (c *churn) change(ctx context.Context, service int, s *discoveryv1.EndpointSlice) (*discoveryv1.EndpointSlice, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client := cluster.Client.DiscoveryV1().EndpointSlices(namespace)
	if s == nil {
		var err error
		if s, err = client.Get(ctx, crowd(service).Slice(0).Name, metav1.GetOptions{}); err != nil {
			return nil, err
		}
		c.is(s) // an update that failed may have been made all the same
	}
	n := rand.IntN(len(s.Endpoints))
	if e := &s.Endpoints[n]; toggles(n) && rand.IntN(2) == 0 {
		e.Conditions.Ready = new(!*e.Conditions.Ready)
	} else {
		e.Addresses[0] = c.address()
	}
	c.may(s)
	s, err := client.Update(ctx, s, metav1.UpdateOptions{})
	if err != nil {
		return nil, err
	}
	c.is(s)
	return s, nil
}

// address is one that no pod had.
func (c *churn) address() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = c.next.Next()
	return c.next.String()
}

func addr(e *discoveryv1.Endpoint) string {
	if !*e.Conditions.Ready {
		return ""
	}
	return e.Addresses[0]
}

// may notes that s may be answered from now on.
func (c *churn) may(s *discoveryv1.EndpointSlice) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range s.Endpoints {
		if h, a := c.pods[s.Endpoints[i].TargetRef.Name], addr(&s.Endpoints[i]); a != h.now() {
			h.may(a)
		}
	}
}

// is notes that the API server has s.
func (c *churn) is(s *discoveryv1.EndpointSlice) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range s.Endpoints {
		if h, a := c.pods[s.Endpoints[i].TargetRef.Name], addr(&s.Endpoints[i]); a != h.now() {
			h.is(a, time.Now())
		}
	}
}

// shown notes that what was made before a time has arrived.
func (c *churn) shown(before time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.pods {
		h.shown(before, time.Now())
	}
}

func (c *churn) made() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changes
}

// questions ask for every pod under its short name and below the suffix.
func (c *churn) questions(suffix string) (list []ask.Question) {
	for name, h := range c.pods {
		for _, zone := range []string{"svc.cluster.local", suffix} {
			list = append(list, ask.Question{Kind: "churn", Name: name + "." + namespace + "." + zone, Sent: func() func(*dns.Msg) error { return c.judge(h) }})
		}
	}
	return list
}

// judge is who judges the reply to a query that is sent now.
func (c *churn) judge(h *history) func(*dns.Msg) error {
	sent := time.Now()
	return ask.OneOf(func() [][]string {
		c.mu.Lock()
		defer c.mu.Unlock()
		return h.allowed(sent)
	})
}
