package cluster

import (
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/source"
	"github.com/coredns-headless/headless/plugin/source/sourcetest"
	"github.com/coredns-headless/headless/plugin/tree"
)

// resolve says what the tree of w has for name, such as default/nginx/web-0: nil for no such name.
func resolve(w *source.Source, name string) []string {
	a := sourcetest.Find(w.Tree(), name)
	if a.Status == tree.None {
		return nil
	}
	list := make([]string, 0, len(a.Addrs))
	for _, addr := range a.Addrs {
		list = append(list, addr.String())
	}
	return list
}

// named names an object; a namespace and a name, divided by a slash.
func named(name, version string) metav1.ObjectMeta {
	namespace, name, _ := strings.Cut(name, "/")
	return metav1.ObjectMeta{Namespace: namespace, Name: name, ResourceVersion: version}
}

func headlessService(name, version string) *corev1.Service {
	return &corev1.Service{ObjectMeta: named(name, version), Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone}}
}

// endpointSlice is a slice of a Service, as the EndpointSlice controller makes it. Each endpoint is pod=address.
func endpointSlice(name, version, service string, endpoints ...string) *discoveryv1.EndpointSlice {
	o := &discoveryv1.EndpointSlice{ObjectMeta: named(name, version), AddressType: discoveryv1.AddressTypeIPv4}
	o.Labels = map[string]string{
		discoveryv1.LabelServiceName: service, corev1.IsHeadlessService: "",
		discoveryv1.LabelManagedBy: "endpointslice-controller.k8s.io",
	}
	for _, e := range endpoints {
		pod, addr, _ := strings.Cut(e, "=")
		netip.MustParseAddr(addr)
		o.Endpoints = append(o.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{addr}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: o.Namespace, Name: pod},
		})
	}
	return o
}

// slim is what the transformer makes of o.
func slim(t *testing.T, o any) object.Object {
	t.Helper()
	s, err := object.From(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// filled is an API server with a Service and slices of both kinds.
func filled(t *testing.T) *apiServer {
	s := newAPIServer(t)
	s.set(headlessService("default/nginx", ""))
	s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.1", "web-1=10.0.0.2"))
	s.set(handmade("default/hand", "nginx", "hand-0=10.0.0.3"))
	return s
}

// whole is what filled has.
var whole = map[string]string{
	"default/nginx": "10.0.0.1 10.0.0.2 10.0.0.3", "default/web-0": "10.0.0.1", "default/web-1": "10.0.0.2", "default/hand-0": "10.0.0.3",
}
