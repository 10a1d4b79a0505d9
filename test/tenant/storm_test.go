package tenant

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/coredns-headless/headless/test/ask"
	"github.com/coredns-headless/headless/test/controlplane"
)

const (
	// writers change a slice each, as fast as the API server takes it.
	writers = 4
	// least is how many changes they make meanwhile.
	least = 250
	// patience is after how long it is certain that a change never shows.
	patience = 5 * time.Minute
)

// other is the peer of somebody else's that changes meanwhile.
var other = controlplane.Crowd{Namespace: others, Service: "other", Pods: 1, First: netip.MustParseAddr("10.3.0.1")}

// storm changes the tenant's own slices all the time, and another's again and again, which must show: the storm does
// not end before.
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
	w := other.Slice(0)
	for seen := 0; changes.Load() < least && !t.Failed(); seen++ {
		w.Endpoints[0].Addresses[0] = netip.AddrFrom4([4]byte{10, 3, byte(1 + seen>>8), byte(seen)}).String()
		if _, err := cluster.Client.DiscoveryV1().EndpointSlices(others).Update(t.Context(), w, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		before := changes.Load()
		took := until(t, address, ask.Question{Name: "other-0.v.test", Judge: ask.Addresses(w.Endpoints[0].Addresses[0])})
		t.Logf("another's change shows after %s, and %d of the tenant's", took.Round(time.Millisecond), changes.Load()-before)
	}
	cancel()
	wg.Wait()
	for i, addr := range last { // all that was heard in its turn, not left out
		until(t, address, ask.Question{Name: fmt.Sprintf("storm-%d.t.test", i), Judge: ask.Addresses(addr)})
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
		if apierrors.IsTimeout(err) {                                                 // a busy API server's, which may have made the change or not
			s, err = client.Get(context.WithoutCancel(ctx), name, metav1.GetOptions{})
		}
		changes.Add(1)
	}
	if err != nil {
		t.Error(err)
		return ""
	}
	return s.Endpoints[0].Addresses[0]
}
