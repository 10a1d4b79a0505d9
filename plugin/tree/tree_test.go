package tree

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/plugin/object"
)

// meta returns the metadata of the object "namespace/name" at a version.
func meta(key string, version uint64) metav1.ObjectMeta {
	ns, name, _ := strings.Cut(key, "/")
	return metav1.ObjectMeta{Namespace: ns, Name: name, ResourceVersion: strconv.FormatUint(version, 10)}
}

func must(o object.Object, err error) object.Object {
	if err != nil {
		panic(err)
	}
	return o
}

func headless(key string, version uint64) object.Object {
	return must(object.From(&corev1.Service{
		ObjectMeta: meta(key, version),
		Spec:       corev1.ServiceSpec{ClusterIP: "None"},
	}))
}

func clusterIP(key string, version uint64, ips ...string) object.Object {
	return must(object.From(&corev1.Service{
		ObjectMeta: meta(key, version),
		Spec:       corev1.ServiceSpec{ClusterIPs: ips},
	}))
}

func external(key string, version uint64) object.Object {
	spec := corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "db.example.org"}
	return must(object.From(&corev1.Service{ObjectMeta: meta(key, version), Spec: spec}))
}

// sliceOf returns an EndpointSlice of the Service svc in the same namespace.
func sliceOf(key, svc string, version uint64, list ...object.Endpoint) object.Object {
	m := meta(key, version)
	m.Labels = map[string]string{discoveryv1.LabelServiceName: svc}
	s, err := object.FromEndpointSlice(&discoveryv1.EndpointSlice{ObjectMeta: m})
	if err != nil {
		panic(err)
	}
	s.Endpoints = list
	return s
}

// behind returns a headless Service of default, and a slice with its endpoints.
func behind(svc string, list ...object.Endpoint) []object.Object {
	return []object.Object{headless("default/"+svc, 1), sliceOf("default/"+svc+"-1", svc, 1, list...)}
}

// withPorts gives a Service or an EndpointSlice ports.
func withPorts(o object.Object, ports ...object.Port) object.Object {
	switch o := o.(type) {
	case *object.Service:
		o.Ports = ports
	case *object.EndpointSlice:
		o.Ports = ports
	}
	return o
}

// named returns a ready endpoint. A name that it does not have is "".
func named(pod, host, addr string) object.Endpoint {
	return object.Endpoint{Pod: pod, Host: host, Addr: netip.MustParseAddr(addr), Ready: true}
}

// stateful returns the endpoint of a StatefulSet's pod, deployed that of a Deployment's, nameless one without a pod.
func stateful(pod, addr string) object.Endpoint { return named(pod, pod, addr) }
func deployed(pod, addr string) object.Endpoint { return named(pod, "", addr) }

func nameless(addr string) object.Endpoint {
	e := named("", dash(addr), addr)
	e.Dashed = true
	return e
}

func dash(addr string) string { return strings.NewReplacer(".", "-", ":", "-").Replace(addr) }

func notReady(e object.Endpoint) object.Endpoint {
	e.Ready = false
	return e
}

// plant returns a tree that one writer has filled.
func plant(list ...object.Object) *Tree {
	t := New()
	t.Writer("").Replace(list, 1)
	return t
}

// pathOf returns the path of a name below the root, such as web-0.nginx.default.
func pathOf(name string) *Path {
	p := new(Path)
	if name == "" {
		return p
	}
	labels := strings.Split(name, ".")
	for i := len(labels) - 1; i >= 0; i-- {
		p.Labels[p.N] = []byte(labels[i])
		p.N++
	}
	return p
}

var statusNames = map[Status]string{
	None: "None", EmptyNonTerminal: "EmptyNonTerminal", Service: "Service",
	Peer: "Peer", Alias: "Alias", Port: "Port",
}

// said returns the answers for a name as a text with both families, such as "Peer 10.0.0.1 fd00::1".
func said(t testing.TB, look func(*Path, Query) Answer, name string, notReady bool) string {
	t.Helper()
	p := pathOf(name)
	plain := look(p, Query{NotReady: notReady})
	if len(plain.Addrs) > 0 {
		t.Errorf("%s: addresses %v that nobody asked for", name, plain.Addrs)
	}
	text := []string{statusNames[plain.Status]}
	for _, f := range []Family{IPv4, IPv6} {
		a := look(p, Query{Family: f, NotReady: notReady})
		if a.Status != plain.Status {
			t.Errorf("%s is %s, but %s when addresses are asked for", name, statusNames[plain.Status],
				statusNames[a.Status])
		}
		for _, addr := range a.Addrs {
			text = append(text, addr.String())
		}
	}
	return strings.Join(text, " ")
}

// wants has the texts of said by name.
type wants map[string]string

// check compares the answers of Find without NotReady.
func (w wants) check(t testing.TB, tr *Tree) {
	t.Helper()
	for name, want := range w {
		if got := said(t, tr.Find, name, false); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}

// count returns the number of values of a trie.
func count[E comparable](tr *trie[E]) (n int) {
	for range tr.all {
		n++
	}
	return n
}

// A cluster may have 150,000 of them: whoever adds a field must know what it costs.
func TestEndpointIs80Bytes(t *testing.T) {
	if size := unsafe.Sizeof(endpoint{}); size != 80 {
		t.Errorf("an endpoint has %d bytes, want 80", size)
	}
}
