package fault

import (
	"errors"
	"flag"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/ask"
)

var long = flag.Bool("long", false, "let faults last for a while, and not only until they show")

// linger lets a fault that shows go on, where faults are to last.
func linger(d time.Duration) {
	if *long {
		time.Sleep(d)
	}
}

func start(t *testing.T) {
	t.Helper()
	if err := cluster.StartAPIServer(); err != nil {
		t.Fatal(err)
	}
}

// mended starts the API server again for the tests after one that failed while it was gone.
func mended(t *testing.T) {
	t.Cleanup(func() {
		if t.Failed() {
			cluster.StopAPIServer()
			_ = cluster.StartAPIServer()
		}
	})
}

// While the API server is gone everything is answered as before; when it is back, what changed shows.
func TestAPIServerKilled(t *testing.T) {
	mended(t)
	r := Start(t, cluster, Options{Kubeconfig: cluster.Kubeconfig})
	r.Fault(t, "API server killed, back at once", func() {
		cluster.StopAPIServer()
		start(t)
	})
	r.Fault(t, "API server killed", func() {
		cluster.StopAPIServer()
		r.Stale(t, true)
		r.says(t, "connection refused")
		linger(5 * time.Minute)
		start(t)
	})
}

// An API server without its etcd goes on with watches, and begins those that it can answer from what it remembers.
// Lists that have to be as new as etcd wait for it.
func TestEtcdKilled(t *testing.T) {
	line := NewLine(t, cluster.Address)
	r := Start(t, cluster, Options{Kubeconfig: Kubeconfig(t, cluster, line.Address)})
	t.Cleanup(func() {
		if t.Failed() {
			_ = cluster.StartEtcd() // for the tests after this one
		}
	})
	r.Fault(t, "etcd killed and back", func() {
		cluster.StopEtcd()
		line.Cut() // a watch that is older than a second goes on, and the list of a younger one waits for etcd
		late := r.Orphan(t, Options{Kubeconfig: cluster.Kubeconfig})
		late.Stale(t, true)
		if m, err := ask.Once(late.Address(), ask.Question{Name: mover(Suffix)}); err != nil || m.Rcode != dns.RcodeServerFailure {
			t.Errorf("a CoreDNS that could list nothing says %v %v, want SERVFAIL", m, err)
		}
		linger(50 * time.Second)
		if err := cluster.StartEtcd(); err != nil {
			t.Fatal(err)
		}
		late.Stale(t, false)
		late.Answers(t, late.peers())
	})
}

// reflectors are those of a watch of all namespaces: Services, and two kinds of slices.
const reflectors = 3

// asked is how often the plugins that run have asked for lists, be they streamed, or for watches that go on.
func (r *Rig) asked(t *testing.T, lists bool) (n int) {
	t.Helper()
	r.Server.Poll(t, hang, func() error {
		n = 0
		all, err := cluster.Requests("headless/")
		for _, request := range all {
			if request.Lists() == lists {
				n++
			}
		}
		return err // half a line, maybe
	})
	return n
}

func TestAPIServerStopped(t *testing.T) {
	r := Start(t, cluster, Options{Kubeconfig: cluster.Kubeconfig})
	signal := func(sig syscall.Signal) {
		if err := cluster.SignalAPIServer(sig); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { signal(syscall.SIGCONT) })
	r.Fault(t, "API server stopped (SIGSTOP) and continued", func() {
		signal(syscall.SIGSTOP)
		r.Stale(t, true) // client-go pings after 30 s, and gives up 15 s later
		linger(time.Minute)
		signal(syscall.SIGCONT)
	})
}

// Queries that come while CoreDNS stands still may be answered late, or never; none is answered wrongly.
func TestCoreDNSStopped(t *testing.T) {
	r := Start(t, cluster, Options{Kubeconfig: cluster.Kubeconfig})
	r.Fault(t, "CoreDNS stopped (SIGSTOP) and continued", func() {
		r.Halt(t, func() {
			r.Move(t)
			linger(50 * time.Second)
		})
		r.Fresh(t)
	})
}

// With less memory than it would like (GOMEMLIMIT far below what is in use) CoreDNS collects garbage all the time.
// Twice it has to list again meanwhile.
func TestMemoryShort(t *testing.T) {
	mended(t)
	line := NewLine(t, cluster.Address)
	r := Start(t, cluster, Options{Kubeconfig: Kubeconfig(t, cluster, line.Address), Env: []string{"GOMEMLIMIT=16MiB"}})
	before := r.asked(t, true)
	r.Fault(t, "GOMEMLIMIT below what is in use", func() {
		for range 2 {
			line.Shut()
			r.Move(t) // unseen,
			cluster.StopAPIServer()
			start(t) // and then too old for a watch to go on from the version before it
			line.Open()
			r.Fresh(t)
		}
	})
	if n := r.asked(t, true) - before; n < 2 {
		t.Errorf("%d lists, want 2 at least", n)
	}
}

// says waits until the plugin's log has some words.
func (r *Rig) says(t *testing.T, words string) {
	t.Helper()
	r.Server.Poll(t, hang, func() error {
		for line := range strings.Lines(r.Server.Log(t)) {
			if strings.Contains(line, "plugin/headless") && strings.Contains(line, words) {
				return nil
			}
		}
		return errors.New("the log does not say " + words)
	})
}
