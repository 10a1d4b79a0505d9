package transfer

import (
	"errors"
	"fmt"
	"testing"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The serial of a suffix that is grafted on a Service only grows, also while the Service comes and goes: each of these changes
// has to reach its secondaries.
func TestTransferOfAServiceThatComesAndGoes(t *testing.T) {
	const apex = "brief.example.org."
	s := start(t, settings{options: []string{"suffix " + apex + " brief.changing.svc.cluster.local"}})
	ctx := t.Context()
	services, slices := cluster.Client.CoreV1().Services("changing"), cluster.Client.DiscoveryV1().EndpointSlices("changing")
	port, protocol, name := int32(80), corev1.ProtocolTCP, "brief"
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Ports: []corev1.ServicePort{{Name: name, Port: port}}},
	}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: "brief-1", Labels: map[string]string{discoveryv1.LabelServiceName: name}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port, Protocol: &protocol}},
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.151.32.1"}, Hostname: &name}},
	}
	before := mustAXFR(t, address(s), apex)
	if before.rrsets[key{apex, dns.TypeNS}] == nil || before.rrsets[key{apex, dns.TypeA}] != nil {
		t.Errorf("the zone of a Service that is not there:\n%s", before.rrsets)
	}
	for round := range 2 {
		for _, step := range []struct {
			name string
			do   func() error
			has  bool
		}{
			{"Service and slice", func() error {
				_, err := services.Create(ctx, service, metav1.CreateOptions{})
				_, err2 := slices.Create(ctx, slice, metav1.CreateOptions{})
				return errors.Join(err, err2)
			}, true},
			{"no Service", func() error { return services.Delete(ctx, name, metav1.DeleteOptions{}) }, false},
			{"neither", func() error { return slices.Delete(ctx, slice.Name, metav1.DeleteOptions{}) }, false},
		} {
			if err := step.do(); err != nil {
				t.Fatal(err)
			}
			var now *zone
			poll(t, patience, func() (err error) {
				now, err = axfr(address(s), apex)
				if has := err == nil && now.rrsets[key{"brief." + apex, dns.TypeA}] != nil; err == nil && has != step.has {
					err = fmt.Errorf("round %d, %s: the transfer has\n%s", round, step.name, now.rrsets)
				}
				return err
			})
			same := now.soa.Serial == before.soa.Serial
			if newer(before.soa.Serial, now.soa.Serial) || same && diff(before.rrsets, now.rrsets) != "" {
				t.Errorf("round %d, %s: serial %d after %d", round, step.name, now.soa.Serial, before.soa.Serial)
			}
			before = now
		}
	}
}
