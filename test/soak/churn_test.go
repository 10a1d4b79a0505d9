package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/test/ask"
	"github.com/coredns-headless/headless/test/controlplane"
)

const (
	namespace = "churn"
	services  = 5
	pods      = 10 // of each
	// late is how long after a change the state before it may be answered: faults keep changes away for longer than they last.
	late = 2 * time.Minute
)

// churn changes slices all the time, and knows what may be answered.
type churn struct {
	mu      sync.Mutex
	pods    map[string]*pod
	next    netip.Addr
	changes int
	failed  int
}

// pod is what the API server has of a pod, "" for no ready endpoint, and what it had.
type pod struct {
	now    string
	before []past
}

type past struct {
	addr  string
	until time.Time
}

func crowd(i int) controlplane.Crowd {
	return controlplane.Crowd{Namespace: namespace, Service: fmt.Sprintf("crowd%d", i), Pods: pods, First: netip.AddrFrom4([4]byte{10, 100, byte(i), 1})}
}

func newChurn(t *testing.T) *churn {
	t.Helper()
	c := &churn{pods: make(map[string]*pod), next: netip.MustParseAddr("10.128.0.1")}
	for i := range services {
		w := crowd(i)
		if err := w.Create(t.Context(), cluster); err != nil {
			t.Fatal(err)
		}
		for n := range pods {
			c.pods[w.Pod(n)] = &pod{now: w.Addr(n).String()}
		}
	}
	return c
}

// run makes 20 changes a second, as many as the largest clusters see, until ctx is done. Those that a fault keeps away are not made up for.
func (c *churn) run(ctx context.Context) {
	t := time.NewTicker(50 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			if err := c.change(ctx, rand.IntN(services)); err != nil && ctx.Err() == nil {
				c.mu.Lock()
				c.failed++
				c.mu.Unlock()
			}
		case <-ctx.Done():
			return
		}
	}
}

// change gives a pod another address, or makes it ready or not.
func (c *churn) change(ctx context.Context, service int) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client := cluster.Client.DiscoveryV1().EndpointSlices(namespace)
	list, err := client.List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + crowd(service).Service})
	if err != nil {
		return err
	}
	if len(list.Items) != 1 {
		return fmt.Errorf("%d slices", len(list.Items))
	}
	s := &list.Items[0]
	c.sync(s) // an update that failed may have been made all the same
	e := &s.Endpoints[rand.IntN(len(s.Endpoints))]
	if rand.IntN(4) == 0 {
		e.Conditions.Ready = new(!*e.Conditions.Ready)
	} else {
		c.next = c.next.Next()
		e.Addresses[0] = c.next.String()
	}
	c.may(s)
	if s, err = client.Update(ctx, s, metav1.UpdateOptions{}); err == nil {
		c.sync(s)
	}
	return err
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
		p, a := c.pods[s.Endpoints[i].TargetRef.Name], addr(&s.Endpoints[i])
		if a != p.now {
			p.before = append(p.before, past{a, time.Now().Add(late)})
		}
	}
}

// sync notes that the API server has s.
func (c *churn) sync(s *discoveryv1.EndpointSlice) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for i := range s.Endpoints {
		p, a := c.pods[s.Endpoints[i].TargetRef.Name], addr(&s.Endpoints[i])
		if a == p.now {
			continue
		}
		c.changes++
		p.before = append(p.before, past{p.now, now.Add(late)})
		p.now = a
		for len(p.before) > 0 && p.before[0].until.Before(now) {
			p.before = p.before[1:]
		}
	}
}

// questions ask for every pod under its short name and below the suffix.
func (c *churn) questions(suffix string) (list []ask.Question) {
	for name, p := range c.pods {
		judge := ask.OneOf(func() [][]string { return c.allowed(p) })
		for _, zone := range []string{"svc.cluster.local", suffix} {
			list = append(list, ask.Question{Kind: "churn", Name: name + "." + namespace + "." + zone, Judge: judge})
		}
	}
	return list
}

func (c *churn) allowed(p *pod) [][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	set := func(a string) []string {
		if a == "" {
			return nil
		}
		return []string{a}
	}
	sets := [][]string{set(p.now)}
	for _, was := range p.before {
		if time.Now().Before(was.until) {
			sets = append(sets, set(was.addr))
		}
	}
	return sets
}
