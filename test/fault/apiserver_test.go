package fault

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func restart(t *testing.T, down time.Duration) {
	t.Helper()
	cluster.StopAPIServer()
	time.Sleep(down) // the fault's length
	if err := cluster.StartAPIServer(); err != nil {
		t.Fatal(err)
	}
}

// While the API server is gone everything is answered as before; when it is back, what changed shows.
func TestAPIServerKilled(t *testing.T) {
	r := Start(t, cluster, Options{Kubeconfig: cluster.Kubeconfig})
	r.Fault(t, "API server killed, back at once", func() { restart(t, 0) })
	for range 2 {
		r.Fault(t, "API server killed, back after 3 s", func() { restart(t, 3*time.Second) })
	}
}

// The longer it is gone, the longer *headless* waits between two tries; metrics and log say that it is.
func TestAPIServerKilledForLong(t *testing.T) {
	r := Start(t, cluster, Options{Kubeconfig: cluster.Kubeconfig})
	r.Fault(t, "API server killed for long", func() {
		cluster.StopAPIServer()
		begun := time.Now()
		r.Stale(t, true)
		t.Logf("stale shows after %s", time.Since(begun).Round(time.Millisecond))
		time.Sleep(lasts(30 * time.Second)) // the fault's length
		if err := cluster.StartAPIServer(); err != nil {
			t.Fatal(err)
		}
	})
	refused := count(r.Server.Log(t), "connection refused")
	if most := 3 * 2 * (2 + int(lasts(30*time.Second)/time.Minute)); refused == 0 || refused > most {
		t.Errorf("the log tells %d times that nobody listens, want 1 to %d: two kinds of requests of three reflectors, once a minute", refused, most)
	}
}

// An API server without its etcd goes on with watches, and begins those and lists that it can answer from what it remembers. It answers none
// that is to be as new as etcd, as is asked for when all versions of before are gone (410).
func TestEtcdKilled(t *testing.T) {
	g := NewGate(t, cluster)
	x := NewProxy(t, g.Address)
	path := kubeconfig(t, x.Address(), func(c *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) {
		c.CertificateAuthority, c.CertificateAuthorityData = "", g.CA
	})
	r := Start(t, cluster, Options{Kubeconfig: path})
	t.Cleanup(func() {
		if t.Failed() {
			_ = cluster.StartEtcd() // for the tests after this one
		}
	})
	row := r.Fault(t, "etcd killed and back", func() {
		cluster.StopEtcd()
		begun := time.Now()
		x.Cut(t)
		r.asks(t, g, begun, VerbWatch)
		r.Stale(t, false)
		begun = time.Now()
		g.Harm(compacted)
		x.Cut(t)
		r.asks(t, g, begun, verbStream, verbList)
		time.Sleep(lasts(5 * time.Second)) // the fault's length
		if stale := r.metric(t, fmt.Sprintf("coredns_headless_stale{source=%q} 1\n", "kubeconfig "+path)); stale != nil {
			t.Error(stale)
		}
		for by, list := range g.Asked(begun, VerbWatch, verbStream, verbList) {
			t.Logf("%v: %v", by, verbs(list, begun))
		}
		g.Harm(nil)
		if err := cluster.StartEtcd(); err != nil {
			t.Fatal(err)
		}
	})
	soon(t, row)
}

// compacted is an API server that remembers no version but the newest.
func compacted(w http.ResponseWriter, r *http.Request, a Asked, api http.Handler) {
	if r.URL.Query().Get("resourceVersion") != "" {
		gone(w, r, a, api)
		return
	}
	api.ServeHTTP(w, r)
}

func TestAPIServerStopped(t *testing.T) {
	r := Start(t, cluster, Options{Kubeconfig: cluster.Kubeconfig})
	r.Fault(t, "API server stopped (SIGSTOP) and continued", func() {
		signal := func(sig syscall.Signal) {
			if err := cluster.SignalAPIServer(sig); err != nil {
				t.Fatal(err)
			}
		}
		signal(syscall.SIGSTOP)
		time.Sleep(lasts(10 * time.Second)) // the fault's length
		signal(syscall.SIGCONT)
	})
}

// Of the queries that come while CoreDNS stands still some are answered late, and some never; none is answered wrongly.
func TestCoreDNSStopped(t *testing.T) {
	r := Start(t, cluster, Options{Kubeconfig: cluster.Kubeconfig})
	var begun, over time.Time
	row := r.Fault(t, "CoreDNS stopped (SIGSTOP) and continued", func() {
		begun = time.Now()
		r.Halt(t, func() {
			r.Move(t)
			time.Sleep(lasts(5 * time.Second)) // the fault's length
		})
		r.Fresh(t, Recovery) // what came meanwhile may take a busy machine a while
		over = time.Now()
	})
	const busy = 3 * time.Second // what the machine may lose beside that
	if sum := row.Total(); sum.Lost == 0 || row.FirstLost.Before(begun.Add(-busy)) || row.LastLost.After(over.Add(busy)) {
		t.Errorf("%d queries lost from %s to %s, and CoreDNS stood from %s to %s", sum.Lost, row.FirstLost, row.LastLost, begun, over)
	}
}

// count counts the lines of the plugin's that have some words.
func count(log, words string) (n int) {
	for line := range strings.Lines(log) {
		if strings.Contains(line, "plugin/headless") && strings.Contains(line, words) {
			n++
		}
	}
	return n
}
