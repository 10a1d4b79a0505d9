package test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/server"
)

// An endpoint is one of a slice that a test makes by hand: what it says does not depend on when kwok does what.
type endpoint struct{ hostname, pod, addr string }

// port is what every Service made by makeService has.
const port = 5672

// makeNamespace makes a namespace whose name starts with prefix, and has it deleted at the test's end.
func makeNamespace(t *testing.T, prefix string) string {
	t.Helper()
	client := cluster.Client.CoreV1().Namespaces()
	ns, err := client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix + "-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Delete(context.Background(), ns.Name, metav1.DeleteOptions{}); err != nil { // the test's own context has ended
			t.Error(err)
		}
	})
	return ns.Name
}

// makeService makes a headless Service without a selector, and its slice.
func makeService(t *testing.T, namespace, name string, endpoints ...endpoint) {
	t.Helper()
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Ports: []corev1.ServicePort{{Name: "amqp", Port: port}}},
	}
	if _, err := cluster.Client.CoreV1().Services(namespace).Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := cluster.Client.DiscoveryV1().EndpointSlices(namespace).Create(t.Context(), slice(namespace, name, endpoints), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// setEndpoints gives a Service of makeService other endpoints.
func setEndpoints(t *testing.T, namespace, name string, endpoints ...endpoint) {
	t.Helper()
	if _, err := cluster.Client.DiscoveryV1().EndpointSlices(namespace).Update(t.Context(), slice(namespace, name, endpoints), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// makeAlias makes an ExternalName Service.
func makeAlias(t *testing.T, namespace, name, target string) {
	t.Helper()
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: target}}
	if _, err := cluster.Client.CoreV1().Services(namespace).Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func slice(namespace, service string, endpoints []endpoint) *discoveryv1.EndpointSlice {
	name, number, protocol := "amqp", int32(port), corev1.ProtocolTCP
	s := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: service, Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &number, Protocol: &protocol}},
	}
	for _, e := range endpoints {
		ep := discoveryv1.Endpoint{Addresses: []string{e.addr}}
		if e.hostname != "" {
			ep.Hostname = &e.hostname
		}
		if e.pod != "" {
			ep.TargetRef = &corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: e.pod}
		}
		s.Endpoints = append(s.Endpoints, ep)
	}
	return s
}

// runCorefile runs CoreDNS with a Corefile of the test's own, and waits until it is ready. In it KUBECONFIG stands
// for the cluster's, and what pairs has (word, text, ...) for what it says.
func runCorefile(t *testing.T, corefile string, pairs ...string) *server.Server {
	t.Helper()
	return startCorefile(t, strings.NewReplacer(append(pairs, "KUBECONFIG", cluster.Kubeconfig)...).Replace(corefile))
}

// unreachable is a kubeconfig of an API server that is not there.
func unreachable(t *testing.T) (kubeconfig string) {
	t.Helper()
	kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	if err := cluster.WriteKubeconfig(kubeconfig, "127.0.0.1:"+server.Free(t), "token"); err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

// wait polls until what the cluster does is done.
func wait(t *testing.T, done func() error) {
	t.Helper()
	if err := controlplane.Poll(time.Minute, nil, done); err != nil {
		t.Fatal(err)
	}
}
