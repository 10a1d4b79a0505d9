package test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/test/server"
)

// A Service that is made over a peer has its name from then on, and the peer has it back when the Service is gone. Below a
// suffix nobody ever hears that there is no such name. (In the cluster zone *kubernetes* may hear of the Service later, or of
// its end earlier.)
func TestServiceOverAPeer(t *testing.T) {
	ns := makeNamespace(t, "over")
	makeService(t, ns, "queue", rabbits...)
	s := start(t, "suffix mgmt.example.com "+ns+".svc.cluster.local")
	names := []string{"rabbit-0.mgmt.example.com", "rabbit-0." + ns + ".svc.cluster.local"}
	turnsInto := func(addr string, from ...string) {
		t.Helper()
		for _, name := range names {
			s.Poll(t, 20*time.Second, func() error {
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

// One hostname behind two Services, one pod behind three, pods named like their namespace and like no label.
func TestNamesThatMeet(t *testing.T) {
	ns := makeNamespace(t, "meet")
	makeService(t, ns, "first",
		endpoint{hostname: "node-0", pod: "first-0", addr: "10.77.1.1"}, endpoint{pod: "shared", addr: "10.77.1.9"}, endpoint{pod: ns, addr: "10.77.1.10"},
		endpoint{pod: "with.dots", addr: "10.77.1.11"})
	makeService(t, ns, "second", endpoint{hostname: "node-0", pod: "second-0", addr: "10.77.1.2"}, endpoint{pod: "shared", addr: "10.77.1.9"})
	makeService(t, ns, "third", endpoint{hostname: "shared", pod: "shared", addr: "10.77.1.9"}, endpoint{hostname: "second-0", pod: "third-0", addr: "10.77.1.3"})
	s := start(t, "suffix mgmt.example.com "+ns+".svc.cluster.local", "suffix k8s.example.com svc.cluster.local")
	for _, domain := range []string{".mgmt.example.com", "." + ns + ".k8s.example.com", "." + ns + ".svc.cluster.local"} {
		for name, addr := range map[string]string{
			"first-0": "10.77.1.1", "node-0.first": "10.77.1.1", "first-0.first": "10.77.1.1",
			"node-0.second": "10.77.1.2", "second-0.second": "10.77.1.2",
			"second-0": "10.77.1.2", "second-0.third": "10.77.1.3", "third-0": "10.77.1.3", // a pod comes before a hostname
			"shared": "10.77.1.9", "shared.first": "10.77.1.9", "shared.second": "10.77.1.9", "shared.third": "10.77.1.9",
			ns: "10.77.1.10", ns + ".first": "10.77.1.10",
			"10-77-1-11": "10.77.1.11", "10-77-1-11.first": "10.77.1.11",
		} {
			want(t, s, name+domain, addr)
		}
		for _, name := range []string{"node-0", "with.dots", `with\.dots`, "with.dots.first", `with\.dots.first`, "10-77-1-9.third", "shared.shared"} {
			wantStatus(t, s, "NXDOMAIN", name+domain)
		}
	}
	wantStatus(t, s, "NOERROR", ns+".k8s.example.com") // the namespace, whatever its pods are named
	becomesOne(t, s, ns)
}

// becomesOne has one of the two that share a hostname go, and waits until the other has it for itself.
func becomesOne(t *testing.T, s *server.Server, ns string) {
	t.Helper()
	setEndpoints(t, ns, "second", endpoint{pod: "shared", addr: "10.77.1.9"})
	for _, domain := range []string{".mgmt.example.com", "." + ns + ".svc.cluster.local"} {
		s.Shows(t, 20*time.Second, "node-0"+domain, "10.77.1.1")
	}
}
