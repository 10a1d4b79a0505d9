package transfer

import (
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/test/server"
)

// startNotifying runs CoreDNS with a secondary, and waits for what the secondary is told after the first sync. The server block
// has several keys, each of which makes its own plugins, and is still one CoreDNS to the secondary.
func startNotifying(t *testing.T) (*server.Server, *secondary) {
	t.Helper()
	s := server.New(t)
	sec := startSecondary(t, s)
	s.Start(t, settings{to: []string{sec.address}, alone: true, keys: "example.net:PORT"}.corefile(server.Stub(t)))
	s.WaitReady(t)
	for _, zone := range []string{mgmt, root, service, changing} {
		sec.follow(t, zone)
	}
	return s, sec
}

func TestNotify(t *testing.T) {
	s, sec := startNotifying(t)
	t.Run("gathered", func(t *testing.T) { gathered(t, s, sec) })
	t.Run("not for changes elsewhere", func(t *testing.T) { notForChangesElsewhere(t, s, sec) })
	t.Run("not for what is not in the zone", func(t *testing.T) { notForWhatIsNotInTheZone(t, s, sec) })
	wantApart(t, sec.of(changing))
	wantApart(t, sec.of(root))
}

// A hundred changes within a second bring few NOTIFYs, and one after the last.
func gathered(t *testing.T, s *server.Server, sec *secondary) {
	before := len(sec.of(changing))
	stalled := stalls(t)
	begun := time.Now()
	state := 0
	for range 100 {
		state = change(t, 2)
	}
	took := time.Since(begun)
	poll(t, patience, func() error { return shows(address(s), changing, state, 2) })
	seen := time.Since(begun)
	sec.follow(t, changing)
	list := sec.of(changing)[before:]
	t.Logf("100 changes in %s: %d NOTIFYs, the last after %s", took, len(list), list[len(list)-1].at.Sub(begun))
	// One at once, then one for each second until CoreDNS has seen the last.
	if most := 2 + int(seen/time.Second); len(list) > most {
		t.Errorf("%d NOTIFYs for changes seen within %s, want at most %d", len(list), seen, most)
	}
	wantApart(t, list)
	if late := list[len(list)-1].at.Sub(begun) - took - stalled(); late > 3*time.Second {
		t.Errorf("the last NOTIFY came %s after the last change", late)
	}
}

// stalls measures from now on for how long the machine let nobody run who asked for it: that is no fault of CoreDNS.
func stalls(t *testing.T) (sum func() time.Duration) {
	t.Helper()
	const nap = 50 * time.Millisecond
	var total atomic.Int64
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	go func() {
		for {
			slept := time.Now()
			select {
			case <-stop:
				return
			case <-time.After(nap):
				total.Add(int64(time.Since(slept) - nap))
			}
		}
	}()
	return func() time.Duration { return time.Duration(total.Load()) }
}

// wantApart checks that NOTIFYs of one zone are a second apart: the second begins after the reply, which comes after a NOTIFY's time.
func wantApart(t *testing.T, list []notify) {
	t.Helper()
	for i := 1; i < len(list); i++ {
		if apart := list[i].at.Sub(list[i-1].at); apart < time.Second {
			t.Errorf("NOTIFYs %s apart, want a second", apart)
		}
	}
}

// A change elsewhere in the cluster is none of the zone: its serial stays, and its secondaries are left in peace.
func notForChangesElsewhere(t *testing.T, s *server.Server, sec *secondary) {
	quiet := []string{mgmt, service}
	before := map[string]uint32{}
	counts := map[string]int{}
	for _, zone := range quiet {
		before[zone], counts[zone] = mustSerial(t, address(s), zone), len(sec.of(zone))
	}
	// The root's NOTIFY of the second change comes later than any of the first.
	for range 2 {
		had := sec.follow(t, root) // the NOTIFY of the change before may be on its way
		state := change(t, 2)
		poll(t, patience, func() error { return shows(address(s), changing, state, 2) })
		if sec.follow(t, root) == had {
			t.Error("the root was not notified")
		}
	}
	for _, zone := range quiet {
		if n := mustSerial(t, address(s), zone); n != before[zone] {
			t.Errorf("%s has serial %d, and had %d before a change in another namespace", zone, n, before[zone])
		}
		if n := len(sec.of(zone)); n != counts[zone] {
			t.Errorf("%s: %d NOTIFYs for changes in another namespace", zone, n-counts[zone])
		}
	}
}

// What changes nothing in the zone does not make secondaries transfer it again: here an annotation.
func notForWhatIsNotInTheZone(t *testing.T, s *server.Server, sec *secondary) {
	count := sec.follow(t, changing)
	before := mustSerial(t, address(s), changing)
	client := cluster.Client.CoreV1().Services("changing")
	many, err := client.Get(t.Context(), "many", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	many.Annotations = map[string]string{"example.org/touched": time.Now().String()}
	if _, err := client.Update(t.Context(), many, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	// A Service that is made after that shows when both were seen.
	other := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "later", Namespace: "other"},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "www.example.org"},
	}
	if _, err := cluster.Client.CoreV1().Services("other").Create(t.Context(), other, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cluster.Client.CoreV1().Services("other").Delete(t.Context(), "later", metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	}()
	poll(t, patience, func() error {
		z, err := axfr(address(s), root)
		if err == nil && z.rrsets[key{"later.other." + root, 5}] == nil {
			err = errors.New("the new Service does not show")
		}
		return err
	})
	sec.follow(t, root)
	if n := mustSerial(t, address(s), changing); n != before || len(sec.of(changing)) != count {
		t.Errorf("an annotation made serial %d of %d, and %d NOTIFYs", n, before, len(sec.of(changing))-count)
	}
}

// A zone whose secondary does not answer does not hold up the NOTIFYs of others.
func TestNotifyPastASilentSecondary(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:"+freePort(t))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	s := server.New(t)
	sec := startSecondary(t, s)
	c := settings{zones: changing, to: []string{sec.address}}
	c.also = "transfer " + mgmt + " " + root + " " + service + " {\n        to " + silent.LocalAddr().String() + "\n    }"
	s.Start(t, c.corefile(server.Stub(t)))
	s.WaitReady(t)
	stalled := stalls(t)
	begun := time.Now()
	sec.follow(t, changing)
	state := change(t, 2)
	poll(t, patience, func() error { return shows(address(s), changing, state, 2) })
	sec.follow(t, changing)
	if d := time.Since(begun) - stalled(); d > 6*time.Second { // after which *transfer* gives the silent one up
		t.Errorf("NOTIFYs of %s took %s beside a zone whose secondary is silent", changing, d)
	}
}
