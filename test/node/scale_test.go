package node

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

const ttl = 5 * time.Second // of the plugin, by default

// While a StatefulSet is scaled from 2 to 30 and back, a client in a pod never fails to find one that stays, and never finds
// one that is gone for longer than TTL + 1 s.
func TestScale(t *testing.T) {
	serve(t, story(t, "scale", "Corefile"))
	apply(t, "scale")
	ready(t, "statefulset/web")
	finds(t, "web-0", addressOf(t, "web-1"), "lookup-go", "web-1")

	gone := vanished(t)
	names := []string{"web-1", "web-2", "web-17", "web-29"}
	client := exec.CommandContext(t.Context(), cluster.kubectl, append([]string{"--kubeconfig", cluster.Kubeconfig, "exec", "web-0", "--", "lookup-go"}, names...)...)
	out, err := client.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	lines, seen := make(chan []string, 1), make(chan struct{})
	go func() {
		var all []string
		see := sync.OnceFunc(func() { close(seen) })
		for s := bufio.NewScanner(out); s.Scan(); {
			all = append(all, s.Text())
			if strings.Contains(s.Text(), " web-29 10.") {
				see()
			}
		}
		lines <- all
	}()

	cluster.Do(t, "scale", "statefulset/web", "--replicas=30")
	cluster.Do(t, "rollout", "status", "statefulset/web", "--timeout=3m")
	finds(t, "web-0", addressOf(t, "web-29"), "lookup-go", "web-29")
	select { // the client in the pod has seen it, too
	case <-seen:
	case <-time.After(time.Minute):
		t.Fatal("web-29 is not found within a minute")
	}
	cluster.Do(t, "scale", "statefulset/web", "--replicas=2")
	var last map[string]time.Time
	wait(t, time.Minute, func() error {
		if last = gone(); len(last) < 28 {
			return fmt.Errorf("%d addresses are gone", len(last))
		}
		return nil
	})
	wait(t, time.Minute, func() error { // what may be answered still must not be answered from then on
		if err := found("web-0", "10.88.", "lookup-go", "web-29"); err == nil {
			return errors.New("web-29 is found still")
		}
		return nil
	})
	_ = client.Process.Kill()
	_ = client.Wait() // killed
	check(t, <-lines, last)
	asTold(t, "scale")
}

// check checks the client's lines against when addresses were gone.
func check(t *testing.T, lines []string, gone map[string]time.Time) {
	t.Helper()
	tries := map[string]int{}
	found := map[string]int{}
	for _, line := range lines {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue // the last, cut by the end
		}
		nanos, err := strconv.ParseInt(f[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Unix(0, nanos)
		tries[f[1]]++
		for _, address := range f[2:] {
			found[f[1]]++
			if end, ok := gone[address]; ok && at.Sub(end) > ttl+time.Second {
				t.Errorf("%s: %s, which is gone for %s", f[1], address, at.Sub(end))
			}
		}
		if f[1] == "web-1" && len(f) != 3 {
			t.Errorf("web-1, which stays: %q", f[2:])
		}
	}
	t.Logf("tries %v, of which found %v", tries, found)
	if found["web-29"] == 0 || found["web-29"] == tries["web-29"] {
		t.Error("web-29 was not seen to come and go")
	}
}

// vanished watches slices from now on; the function it returns says which addresses are gone since when.
func vanished(t *testing.T) func() map[string]time.Time {
	t.Helper()
	events, err := cluster.Client.DiscoveryV1().EndpointSlices("default").Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(events.Stop)
	var mu sync.Mutex
	gone := make(map[string]time.Time)
	had := make(map[string][]string) // by slice
	go func() {                      // ends with Stop
		for e := range events.ResultChan() {
			slice, ok := e.Object.(*discoveryv1.EndpointSlice)
			if !ok {
				continue
			}
			var now []string
			for _, ep := range slice.Endpoints {
				if e.Type != watch.Deleted && *ep.Conditions.Ready {
					now = append(now, ep.Addresses...)
				}
			}
			mu.Lock()
			for _, address := range had[slice.Name] {
				gone[address] = time.Now()
			}
			for _, address := range now {
				delete(gone, address)
			}
			mu.Unlock()
			had[slice.Name] = now
		}
	}()
	return func() map[string]time.Time {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(gone)
	}
}
