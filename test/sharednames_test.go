package test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A Service that is made over a peer has its name from then on, and the peer has it back when the Service is gone. Below a
// suffix nobody ever hears that there is no such name. (In the cluster zone *kubernetes* may hear of the Service later, or of
// its end earlier.)
func TestServiceOverAPeer(t *testing.T) {
	t.Parallel()
	ns := makeNamespace(t, "over")
	makeService(t, ns, "queue", rabbits...)
	s := start(t, "suffix mgmt.example.com "+ns+".svc.cluster.local")
	names := []string{"rabbit-0.mgmt.example.com", "rabbit-0." + ns + ".svc.cluster.local"}
	turnsInto := func(addr string, from ...string) {
		t.Helper()
		for _, name := range names {
			s.Poll(t, time.Minute, func() error {
				r, err := s.TryDig(name)
				if err != nil {
					return err
				}
				got := r.Addresses()
				if slices.Equal(got, []string{addr}) {
					return nil
				}
				if name == names[0] && !slices.Equal(got, from) {
					t.Errorf("%s on its way to %s:\n%s", name, addr, r.Text)
				}
				return fmt.Errorf("%s: want %s\n%s", name, addr, r.Text)
			})
		}
	}
	services := cluster.Client.CoreV1().Services(ns)
	turnsInto("10.77.0.1")
	for range 2 {
		service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "rabbit-0"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: port}}}}
		made, err := services.Create(t.Context(), service, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		turnsInto(made.Spec.ClusterIP, "10.77.0.1")
		for _, domain := range []string{".mgmt.example.com", "." + ns + ".svc.cluster.local"} {
			want(t, s, "rabbit-0.queue"+domain, "10.77.0.1")
			want(t, s, "rabbit-1"+domain, "10.77.0.2")
		}
		if err := services.Delete(t.Context(), "rabbit-0", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		turnsInto("10.77.0.1", made.Spec.ClusterIP)
	}
}
