package cluster

import (
	"bytes"
	golog "log"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/source"
	"github.com/coredns-headless/headless/plugin/tree"
)

// resolve says what the tree of w has for name, such as default/nginx/web-0: nil for no such name.
func resolve(w *source.Source, name string) []string {
	var p tree.Path
	for _, label := range strings.Split(name, "/") {
		p.Labels[p.N] = []byte(label)
		p.N++
	}
	a := w.Tree().Find(&p, tree.Query{Family: tree.IPv4})
	if a.Status == tree.None {
		return nil
	}
	list := make([]string, 0, len(a.Addrs))
	for _, addr := range a.Addrs {
		list = append(list, addr.String())
	}
	return list
}

// expect checks the addresses of names; an empty text means that there is no such name.
func expect(t *testing.T, w *source.Source, want map[string]string) {
	t.Helper()
	for name, addrs := range want {
		if got := strings.Join(resolve(w, name), " "); got != addrs {
			t.Errorf("%s: got %q, want %q", name, got, addrs)
		}
	}
}

// logged is what CoreDNS's log says while the test runs.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func captureLog(t *testing.T) *logged {
	l := new(logged)
	golog.SetOutput(l)
	t.Cleanup(func() { golog.SetOutput(os.Stderr) })
	return l
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

// with returns the lines that hold all of parts.
func (l *logged) with(parts ...string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []string
	for line := range strings.Lines(l.buf.String()) {
		all := true
		for _, p := range parts {
			all = all && strings.Contains(line, p)
		}
		if all {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
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
