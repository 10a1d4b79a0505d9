package tenant

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/coredns-headless/headless/test/ask"
	"github.com/coredns-headless/headless/test/controlplane"
)

const (
	// writers change a slice each, as fast as the API server takes it.
	writers = 4
	// lasts is how long that goes on, and least how many changes it has to come to, or it is no storm: an idle machine of two processors makes
	// some hundreds a second. A busy one may take atMost.
	lasts, atMost = 5 * time.Second, time.Minute
	least         = 250
	// soon is how long another's change may take to show meanwhile. It takes milliseconds, and that long where a busy machine runs all this.
	soon = 5 * time.Second
)

// other is the peer of somebody else's that changes meanwhile.
var other = controlplane.Crowd{Namespace: others, Service: "other", Pods: 1, First: netip.MustParseAddr("10.3.0.1")}

// storm changes the tenant's own slices all the time, and another's now and then, which must show.
func storm(t *testing.T, c kubernetes.Interface, address string) {
	if err := other.Create(t.Context(), cluster); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	var changes atomic.Int64
	last := make([]string, writers)
	for i := range writers {
		wg.Go(func() { last[i] = blow(ctx, t, c, i, &changes) })
	}
	for changes.Load() < least/5 { // the storm has begun
		time.Sleep(10 * time.Millisecond)
		if t.Failed() {
			return
		}
	}
	begun, before := time.Now(), changes.Load()
	seen, slowest := 0, time.Duration(0)
	w := other.Slice(0)
	for ; time.Since(begun) < lasts || changes.Load()-before < least && time.Since(begun) < atMost; seen++ {
		w.Endpoints[0].Addresses[0] = netip.AddrFrom4([4]byte{10, 3, byte(1 + seen>>8), byte(seen)}).String()
		if _, err := cluster.Client.DiscoveryV1().EndpointSlices(others).Update(t.Context(), w, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		took, err := ask.Until(address, soon, ask.Question{Name: "other-0.v.test", Judge: ask.Addresses(w.Endpoints[0].Addresses[0])})
		if err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, took)
	}
	made, took := changes.Load()-before, time.Since(begun)
	cancel()
	wg.Wait()
	t.Logf("%d changes in %s; %d of another's meanwhile, each seen after %s at most", made, took.Round(time.Millisecond), seen, slowest.Round(time.Millisecond))
	if made < least {
		t.Errorf("%d changes in %s, want %d at least", made, took, least)
	}
	for i, addr := range last { // all that was heard in its turn, not left out
		if _, err := ask.Until(address, soon, ask.Question{Name: fmt.Sprintf("storm-%d.t.test", i), Judge: ask.Addresses(addr)}); err != nil {
			t.Error(err)
		}
	}
}

// blow changes a slice of the tenant's until ctx is done, and returns the address that its peer has then.
func blow(ctx context.Context, t *testing.T, c kubernetes.Interface, i int, changes *atomic.Int64) (addr string) {
	client := c.DiscoveryV1().EndpointSlices(own)
	name := fmt.Sprintf("storm-%d", i)
	s, err := client.Create(ctx, slice(name, "mine", endpoints(own, name+"=10.67.0.1")), metav1.CreateOptions{})
	for n := 0; err == nil && ctx.Err() == nil; n++ {
		s.Endpoints[0].Addresses[0] = netip.AddrFrom4([4]byte{10, 68 + byte(i), byte(n >> 8), byte(n)}).String()
		s, err = client.Update(context.WithoutCancel(ctx), s, metav1.UpdateOptions{}) // what is under way when the storm ends is to be known
		changes.Add(1)
	}
	if err != nil {
		t.Error(err)
		return ""
	}
	return s.Endpoints[0].Addresses[0]
}
