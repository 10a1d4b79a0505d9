package headless

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/tree"
)

// rolling is a Service of 100 pods, the first of them at an address that changes with the version.
func rolling(service string, version int) []object.Object {
	meta := metav1.ObjectMeta{Namespace: "default", Name: service, ResourceVersion: strconv.Itoa(version)}
	svc := &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone}}
	meta.Labels = map[string]string{discoveryv1.LabelServiceName: service}
	slice := &discoveryv1.EndpointSlice{ObjectMeta: meta, AddressType: discoveryv1.AddressTypeIPv4}
	for i := range 100 {
		addr := netip.AddrFrom4([4]byte{10, 1, 0, byte(i)})
		if i == 0 {
			addr = netip.AddrFrom4([4]byte{10, 2, byte(version >> 8), byte(version)})
		}
		pod := fmt.Sprintf("%s-%d", service, i)
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{addr.String()}, Hostname: &pod, TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: pod},
		})
	}
	var list []object.Object
	for _, o := range []any{svc, slice} {
		slim, err := object.From(o)
		if err != nil {
			panic(err)
		}
		list = append(list, slim)
	}
	return list
}

// BenchmarkWhileChanging tells the p99 of look-ups of a peer at rest, and while 1,000 changes a second are applied to
// slices of 100 endpoints, its own among them.
func BenchmarkWhileChanging(b *testing.B) {
	const services = 100
	tr := tree.New()
	source := tr.Writer("")
	var list []object.Object
	for i := range services {
		list = append(list, rolling(fmt.Sprintf("web%d", i), 1)...)
	}
	source.Replace(list, 1)
	h := open(b, "headless cluster.local {\nmanifests $CLUSTER\n}", new(nowhere))
	h.plant(tr)

	b.Run("at rest", func(b *testing.B) { percentiles(b, h) })
	b.Run("1000 changes a second", func(b *testing.B) {
		// What decoding costs is not the tree's: versions are made before.
		var changes []object.Object
		for v := range 50 * services {
			changes = append(changes, rolling(fmt.Sprintf("web%d", v%services), v+2)[1])
		}
		done := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			t := time.NewTicker(time.Millisecond)
			defer t.Stop()
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				case <-t.C:
					source.Set(changes[i%len(changes)])
				}
			}
		})
		percentiles(b, h)
		close(done)
		wg.Wait()
	})
}

// percentiles reports p50 and p99 of a look-up, the clock's reading included.
func percentiles(b *testing.B, h *Headless) {
	b.Helper()
	took := make([]time.Duration, 0, 1<<20)
	r, w, ctx := query("web7-0.default.svc.cluster.local.", 1), new(nowhere), b.Context()
	for b.Loop() {
		begun := time.Now()
		_, _ = h.ServeDNS(ctx, w, r)
		if d := time.Since(begun); len(took) < cap(took) {
			took = append(took, d)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2]), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100]), "p99-ns")
}
