package node

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// client looks names up at the cluster's DNS all the time, each from another port, and for ten seconds: with the resolvers of glibc and Go, too, two
// queries have five each.
type client struct {
	tb testing.TB

	mu           sync.Mutex
	asked, again int
	failures     []string
}

// startClient starts a client of names that stock CoreDNS has: web-1's, which is at address, and others. It asks until the test ends, and fails that
// if a look-up fails.
func startClient(tb testing.TB, address string) *client {
	tb.Helper()
	c := &client{tb: tb}
	want := map[string]string{
		"kubernetes.default.svc.cluster.local.": "10.96.0.1", "web-1.nginx.default.svc.cluster.local.": address, "www.example.org.": "192.0.2.1",
	}
	names := slices.Sorted(maps.Keys(want))
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
	at := time.Now()
	tries := 0
	err := retry(10*time.Second, func() error {
		tries++
		return exchange(name, want)
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if tries > 1 {
		c.again++
	}
	if err != nil {
		c.failures = append(c.failures, fmt.Sprintf("%s at %s: %v", name, at.Format(time.TimeOnly), err))
	}
}

func exchange(name, want string) error {
	d := dns.Client{Timeout: 5 * time.Second}
	reply, _, err := d.Exchange(new(dns.Msg).SetQuestion(name, dns.TypeA), "10.96.0.10:53")
	if err != nil {
		return err
	}
	for _, rr := range reply.Answer {
		if a, ok := rr.(*dns.A); ok && a.A.String() == want {
			return nil
		}
	}
	return fmt.Errorf("no %s in %v", want, reply)
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
