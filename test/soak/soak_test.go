package soak

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coredns-headless/headless/test/ask"
	"github.com/coredns-headless/headless/test/fault"
	"github.com/coredns-headless/headless/test/parts"
)

// harm is a fault that may happen, for a while.
type harm struct {
	name string
	do   func(t *testing.T, r *fault.Rig, x *fault.Proxy, long time.Duration)
}

// toxic is harm to the connections between *headless* and the API server.
func toxic(kind string, attributes map[string]int) func(*testing.T, *fault.Rig, *fault.Proxy, time.Duration) {
	return func(t *testing.T, _ *fault.Rig, x *fault.Proxy, long time.Duration) {
		mend := x.Harm(t, kind, attributes)
		x.Cut(t)
		time.Sleep(long)
		mend()
		x.Cut(t)
	}
}

var harms = []harm{
	{"API server killed", func(t *testing.T, _ *fault.Rig, _ *fault.Proxy, long time.Duration) {
		cluster.StopAPIServer()
		time.Sleep(long)
		must(t, cluster.StartAPIServer())
	}},
	{"API server stopped and continued", func(t *testing.T, _ *fault.Rig, _ *fault.Proxy, long time.Duration) {
		must(t, cluster.SignalAPIServer(syscall.SIGSTOP))
		time.Sleep(long)
		must(t, cluster.SignalAPIServer(syscall.SIGCONT))
	}},
	{"etcd killed", func(t *testing.T, _ *fault.Rig, _ *fault.Proxy, long time.Duration) {
		cluster.StopEtcd()
		time.Sleep(long)
		must(t, cluster.StartEtcd())
	}},
	{"connections cut", func(t *testing.T, _ *fault.Rig, x *fault.Proxy, long time.Duration) {
		for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
			x.Cut(t)
		}
	}},
	{"connections reset", toxic("reset_peer", map[string]int{"timeout": 0})},
	{"responses slow", toxic("bandwidth", map[string]int{"rate": 20})},
	{"responses late", toxic("latency", map[string]int{"latency": 2000, "jitter": 1000})},
	{"responses cut", toxic("limit_data", map[string]int{"bytes": 5000})},
	{"responses garbage", toxic("garbage", nil)},
	{"connections silent", toxic("timeout", map[string]int{"timeout": 0})},
	{"Corefile reloaded", func(t *testing.T, r *fault.Rig, _ *fault.Proxy, _ time.Duration) { r.Reload(t) }},
	{"CoreDNS stopped for a second", func(t *testing.T, r *fault.Rig, _ *fault.Proxy, _ time.Duration) {
		r.Server.Signal(t, syscall.SIGSTOP)
		time.Sleep(time.Second)
		r.Server.Signal(t, syscall.SIGCONT)
	}},
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Whatever happens, in whatever order, no answer is wrong, and nothing is left of it.
func TestSoak(t *testing.T) {
	x := fault.NewProxy(t, cluster.Address)
	c := newChurn(t)
	r := fault.Start(t, cluster, fault.Options{
		Kubeconfig: fault.Kubeconfig(t, cluster, x.Address()), Part: &parts.CoreDNSStatic, // *kubernetes* races when it is reloaded
		Lines: []string{"snapshot " + filepath.Join(t.TempDir(), "snapshot")},
	})
	for _, q := range c.questions(fault.Suffix) { // the last slice may have come while CoreDNS started
		if _, err := ask.Until(r.Address(), time.Minute, q); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	rep := &report{begun: time.Now(), faults: make(map[string]int), fresh: make(map[string]time.Duration)}
	wg.Go(func() { c.run(ctx) })
	wg.Go(func() { rep.watch(ctx, r) })
	a, err := ask.Start(r.Address(), fault.Rate, append(r.Questions(t), c.questions(fault.Suffix)...)...)
	must(t, err)

	var order []int
	for time.Since(rep.begun) < *duration {
		if len(order) == 0 {
			order = rand.Perm(len(harms)) // each as often as any other
		}
		h := harms[order[0]]
		order = order[1:]
		long := time.Second + rand.N(min(*duration/12, 20*time.Second))
		h.do(t, r, x, long)
		r.Move(t)
		rep.add(h.name, r.Fresh(t, late))
		if sum := a.Report().Total(); sum.Wrong > 0 || sum.Servfail > 0 {
			t.Errorf("wrong answers after %q for %s", h.name, long.Round(time.Millisecond))
			break
		}
		time.Sleep(rand.N(3 * time.Second)) // of peace
	}
	cancel()
	wg.Wait()
	r.Stale(t, false)
	rep.asked = a.Stop()
	rep.settled(t, r)
	rep.changes, rep.failed = c.changes, c.failed
	text := rep.String()
	t.Logf("\n%s", text)
	if *reportTo != "" {
		must(t, os.MkdirAll(filepath.Dir(*reportTo), 0o750))
		must(t, os.WriteFile(*reportTo, []byte(text), 0o600))
	}
	if sum := rep.asked.Total(); sum.Wrong > 0 || sum.Servfail > 0 {
		t.Errorf("%d of %d answers were wrong, %d SERVFAIL:\n%s", sum.Wrong, sum.Asked, sum.Servfail, strings.Join(rep.asked.Examples, "\n"))
	}
}
