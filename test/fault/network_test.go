package fault

import (
	"flag"
	"testing"
	"time"
)

var long = flag.Bool("long", false, "let faults last for minutes, not for seconds")

// lasts is how long a fault lasts.
func lasts(short time.Duration) time.Duration {
	if *long {
		return 10 * short
	}
	return short
}

// throughProxy runs a rig whose CoreDNS reaches the API server through a proxy.
func throughProxy(t *testing.T) (*Rig, *Proxy) {
	t.Helper()
	x := NewProxy(t, cluster.Address)
	return Start(t, cluster, Options{Kubeconfig: Kubeconfig(t, cluster, x.Address())}), x
}

// lists counts the lists that the plugin has asked for.
func lists(t *testing.T) (n int) {
	t.Helper()
	all, err := cluster.Requests("headless/")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.Lists() {
			n++
		}
	}
	return n
}

// Each change shows although no connection lives longer than a second, and next to nothing is listed again: a watch goes on where the last
// one ended, unless several in a row broke at once.
func TestConnectionsCutEverySecond(t *testing.T) {
	r, x := throughProxy(t)
	before := lists(t)
	cuts := 0
	r.Fault(t, "connections cut every second", func() {
		var slowest time.Duration
		for end := time.Now().Add(lasts(20 * time.Second)); time.Now().Before(end); {
			x.Cut(t)
			cuts++
			r.Move(t)
			slowest = max(slowest, r.Fresh(t, 30*time.Second))
			time.Sleep(time.Second - time.Duration(time.Now().Nanosecond())) // to the next full second
		}
		t.Logf("a change showed after %s at most", slowest.Round(time.Millisecond))
	})
	if n := lists(t) - before; n > cuts {
		t.Errorf("%d lists, want no more than %d: one for each reflector after three cuts", n, cuts)
	}
}

func TestConnectionsReset(t *testing.T) {
	r, x := throughProxy(t)
	r.Fault(t, "every connection reset", func() {
		mend := x.Harm(t, "reset_peer", map[string]int{"timeout": 0})
		x.Cut(t)
		r.Move(t)
		r.Stale(t, true)
		time.Sleep(lasts(5 * time.Second)) // the fault's length
		mend()
	})
}

func TestResponsesSlow(t *testing.T) {
	r, x := throughProxy(t)
	r.Fault(t, "responses slow: 10 kB/s, 1 s late", func() {
		slow := x.Harm(t, "bandwidth", map[string]int{"rate": 10})
		late := x.Harm(t, "latency", map[string]int{"latency": 1000})
		x.Cut(t)
		r.Move(t)
		r.Fresh(t, time.Minute)
		time.Sleep(lasts(3 * time.Second)) // the fault's length
		slow()
		late()
	})
}

func TestResponsesCutInTheMiddle(t *testing.T) {
	r, x := throughProxy(t)
	r.Fault(t, "responses cut after 2 kB", func() { // behind the TLS handshake, before the first event
		mend := x.Harm(t, "limit_data", map[string]int{"bytes": 2000})
		x.Cut(t)
		r.Move(t)
		r.Stale(t, true)
		time.Sleep(lasts(5 * time.Second)) // the fault's length
		mend()
		x.Cut(t)
	})
}

func TestResponsesGarbage(t *testing.T) {
	r, x := throughProxy(t)
	r.Fault(t, "responses garbage", func() {
		mend := x.Harm(t, "garbage", nil)
		x.Cut(t)
		r.Move(t)
		r.Stale(t, true)
		time.Sleep(lasts(5 * time.Second)) // the fault's length
		mend()
	})
}

// A connection that is open and silent is found out by client-go, which pings after 30 s and gives up 15 s later.
func TestConnectionsSilent(t *testing.T) {
	r, x := throughProxy(t)
	r.Fault(t, "connections open and silent", func() {
		mend := x.Harm(t, "timeout", map[string]int{"timeout": 0})
		r.Move(t)
		begun := time.Now()
		r.Stale(t, true)
		t.Logf("noticed after %s", time.Since(begun).Round(time.Second))
		mend()
	})
}
