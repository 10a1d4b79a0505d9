package controlplane

import (
	"context"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A Crowd is a headless Service of many pods that exist only in its EndpointSlices, of 100 endpoints each as
// Kubernetes makes them: pod n is named SERVICE-n, which is its hostname too, and has the n-th address from First on.
type Crowd struct {
	Namespace, Service string
	Pods               int
	First              netip.Addr
}

const sliceSize = 100 // --max-endpoints-per-slice of kube-controller-manager

// Create makes the Service and its slices. The namespace is there.
func (w Crowd) Create(ctx context.Context, c *ControlPlane) error {
	svc := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: w.Service},
		Spec:       corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Ports: []corev1.ServicePort{{Name: "web", Port: 80}}},
	}
	if _, err := c.Client.CoreV1().Services(w.Namespace).Create(ctx, svc, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("create Service %s: %w", w.Service, err)
	}
	for i := range (w.Pods + sliceSize - 1) / sliceSize {
		if _, err := c.Client.DiscoveryV1().EndpointSlices(w.Namespace).Create(ctx, w.Slice(i), metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("create slice %d of Service %s: %w", i, w.Service, err)
		}
	}
	return nil
}

// Slice is the i-th slice.
func (w Crowd) Slice(i int) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.Namespace, Name: fmt.Sprintf("%s-%d", w.Service, i),
			Labels: map[string]string{
				discoveryv1.LabelServiceName: w.Service, discoveryv1.LabelManagedBy: "endpointslice-controller.k8s.io", corev1.IsHeadlessService: "",
			},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: new("web"), Port: new(int32(80)), Protocol: new(corev1.ProtocolTCP)}},
	}
	for n := i * sliceSize; n < min((i+1)*sliceSize, w.Pods); n++ {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{w.Addr(n).String()}, Hostname: new(w.Pod(n)), Conditions: discoveryv1.EndpointConditions{Ready: new(true)},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: w.Namespace, Name: w.Pod(n)}, NodeName: new(fmt.Sprintf("node-%d", n%50)),
		})
	}
	return s
}

// Pod is the name of the n-th pod.
func (w Crowd) Pod(n int) string { return fmt.Sprintf("%s-%d", w.Service, n) }

// Addr is the address of the n-th pod.
func (w Crowd) Addr(n int) netip.Addr {
	b := w.First.As4()
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	v += uint32(n) // #nosec G115 -- crowds are small
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}
