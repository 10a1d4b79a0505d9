package node

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/coredns-headless/headless/test/ask"
	"github.com/coredns-headless/headless/test/controlplane"
)

// client looks names up at the cluster's DNS all the time, each from another port, again until it is answered: what is
// sent to a pod that ends is lost. No answer may be another than that of before.
type client struct {
	tb testing.TB

	mu           sync.Mutex
	asked, again int
	failures     []string
}

// startClient starts a client of names that stock CoreDNS has: web-1's, which is at address, and others. It asks
// until the test ends, and fails that if a look-up fails, or if a moment came at which no CoreDNS could have
// answered.
func startClient(tb testing.TB, address string) *client {
	tb.Helper()
	c := &client{tb: tb}
	want := map[string]string{
		"kubernetes.default.svc.cluster.local.": "10.96.0.1", "web-1.nginx.default.svc.cluster.local.": address, "www.example.org.": "192.0.2.1",
	}
	names := slices.Sorted(maps.Keys(want))
	standing(tb)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-tick.C:
				name := names[n%len(names)]
				wg.Go(func() { c.lookUp(name, want[name]) })
			}
		}
	})
	tb.Cleanup(func() {
		close(stop)
		wg.Wait()
		tb.Logf("%d look-ups in all, %d asked again", c.asked, c.again)
		if len(c.failures) > 0 {
			tb.Errorf("%d look-ups of %d failed, such as %s", len(c.failures), c.asked, c.failures[0])
		}
	})
	return c
}

func (c *client) lookUp(name, want string) {
	at, tries := time.Now(), 0
	var wrong error
	lost := controlplane.Poll(patience, nil, func() error {
		tries++
		d := dns.Client{Timeout: ask.Patience}
		reply, _, err := d.Exchange(new(dns.Msg).SetQuestion(name, dns.TypeA), "10.96.0.10:53")
		if err == nil && reply.Rcode == dns.RcodeServerFailure {
			err = errors.New("SERVFAIL")
		}
		if err == nil {
			wrong = ask.Addresses(want)(reply)
		}
		return err
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if tries > 1 {
		c.again++
	}
	if err := errors.Join(lost, wrong); err != nil {
		c.failures = append(c.failures, fmt.Sprintf("%s at %s: %v", name, at.Format(time.TimeOnly), err))
	}
}

// standing fails the test if a moment comes at which no CoreDNS stands that was ready once and has not been told to
// end. It goes by what the API server says, in its order: a probe that a busy machine answers late is no such moment.
func standing(tb testing.TB) {
	tb.Helper()
	of := metav1.ListOptions{LabelSelector: "k8s-app=kube-dns"}
	pods, err := cluster.Client.CoreV1().Pods("kube-system").Watch(tb.Context(), of)
	if err != nil {
		tb.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { // ends with Stop
		stand := make(map[string]bool) // by name
		begun := false
		for e := range pods.ResultChan() {
			pod, ok := e.Object.(*corev1.Pod)
			if !ok {
				continue
			}
			ready := slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
				return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
			})
			if e.Type == watch.Deleted || pod.DeletionTimestamp != nil {
				delete(stand, pod.Name)
			} else if ready {
				stand[pod.Name], begun = true, true
			}
			if begun && len(stand) == 0 {
				tb.Errorf("no CoreDNS stands after %s of %s", e.Type, pod.Name)
				begun = false
			}
		}
	})
	tb.Cleanup(func() {
		pods.Stop()
		wg.Wait()
	})
}

// during says how many look-ups went on while do ran, and how many of them had to ask again.
func (c *client) during(what string, do func()) {
	c.tb.Helper()
	count := func() (asked, again, failed int) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.asked, c.again, len(c.failures)
	}
	asked, again, failed := count()
	begun := time.Now()
	do()
	nowAsked, nowAgain, nowFailed := count()
	c.tb.Logf("%s, %s: %d look-ups, %d asked again, %d failed", what, time.Since(begun).Round(time.Second), nowAsked-asked, nowAgain-again, nowFailed-failed)
}
