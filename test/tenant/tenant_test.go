package tenant

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/coredns-headless/headless/test/ask"
	"github.com/coredns-headless/headless/test/server"
)

const (
	rate    = 400               // questions about others a second
	outside = "www.example.org" // a name that is forwarded
)

func start(t *testing.T) (address string) {
	t.Helper()
	s := server.New(t)
	s.Start(t, `.:PORT {
    bind 127.0.0.1
    errors
    ready READY
    prometheus METRICS
    headless cluster.local 10.0.0.0/8 {
        kubeconfig `+cluster.Kubeconfig+`
        ptr suffix
        startup_timeout 1m
        suffix k.test svc.cluster.local
        suffix v.test victim.svc.cluster.local
        suffix s.test web.victim.svc.cluster.local
        suffix t.test tenant.svc.cluster.local
    }
    kubernetes cluster.local 10.0.0.0/8 {
        kubeconfig `+cluster.Kubeconfig+`
        startup_timeout 1m
    }
    forward . `+server.Stub(t)+`
}
`)
	s.WaitReady(t)
	return "127.0.0.1:" + s.Port
}

// questions ask for all that is not the tenant's. What is answered now is right.
func questions(t *testing.T, address string) (list []ask.Question) {
	t.Helper()
	add := func(kind string, qtype uint16, names ...string) {
		for _, name := range names {
			q := ask.Question{Kind: kind, Name: name, Type: qtype, Forwarded: name == outside}
			m, err := ask.Once(address, q)
			if err != nil || m.Rcode == dns.RcodeServerFailure {
				t.Fatalf("%s: %v\n%v", name, err, m)
			}
			q.Judge = ask.Same(m)
			list = append(list, q)
		}
	}
	for n := range web.Pods {
		p := web.Pod(n)
		add("peer", dns.TypeA, p+".victim.svc.cluster.local", p+".victim.k.test", p+".v.test", p+".web.v.test", p+".s.test", p+".web.victim.svc.cluster.local")
	}
	add("Service", dns.TypeA, "web.v.test", "s.test", "web.victim.k.test", "api.v.test", "api.victim.svc.cluster.local", "web.victim.svc.cluster.local")
	add("Service", dns.TypeSRV, "_web._tcp.web.v.test", "_web._tcp.web.victim.svc.cluster.local")
	add("nobody", dns.TypeA, "nosuch.victim.svc.cluster.local", "nosuch.v.test", "victim.k.test", "nosuch.k.test", "nosuch.t.test", "tenant.k.test",
		outside)
	for _, apex := range []string{"k.test", "v.test", "s.test", "t.test"} {
		add("apex", dns.TypeSOA, apex)
		add("apex", dns.TypeNS, apex)
		add("apex", dns.TypeA, "ns.dns."+apex)
	}
	add("apex", dns.TypeTXT, "dns-version.k.test")
	return list
}

// until waits until the answer to a question is right, and returns how long that took.
func until(t *testing.T, address string, q ask.Question) (took time.Duration) {
	t.Helper()
	took, err := ask.Until(address, patience, q)
	if err != nil {
		t.Error(err)
	}
	return took
}

// endpoints are one for each text, hostname=address; the pod of that name is in namespace.
func endpoints(namespace string, texts ...string) (list []discoveryv1.Endpoint) {
	for _, text := range texts {
		name, addr, _ := strings.Cut(text, "=")
		list = append(list, discoveryv1.Endpoint{
			Addresses: []string{addr}, Hostname: new(name), Conditions: discoveryv1.EndpointConditions{Ready: new(true)},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: name},
		})
	}
	return list
}

func slice(name, service string, list []discoveryv1.Endpoint) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: service, corev1.IsHeadlessService: ""}},
		AddressType: discoveryv1.AddressTypeIPv4, Endpoints: list,
	}
}

func headless(name string) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone}}
}

func external(name, target string) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: target}}
}

// attempt is what the tenant tries: objects in a namespace, and what it comes to.
type attempt struct {
	name      string
	namespace string // his own where empty
	services  []*corev1.Service
	slices    []*discoveryv1.EndpointSlice
	refused   bool              // by the API server
	shows     map[string]string // names that answer now, with their addresses
}

var attempts = []attempt{
	{name: "in another namespace", namespace: others, slices: []*discoveryv1.EndpointSlice{slice("a", "web", endpoints(others, "web-0=10.66.0.1"))}, refused: true},
	{
		name:     "a Service of the other's name, and a slice of it",
		services: []*corev1.Service{headless("web")}, slices: []*discoveryv1.EndpointSlice{slice("b", "web", endpoints(own, "web-0=10.66.0.2", "web-1=10.66.0.3"))},
		shows: map[string]string{"web-0.tenant.svc.cluster.local": "10.66.0.2", "web-1.t.test": "10.66.0.3", "web.tenant.k.test": "10.66.0.2 10.66.0.3"},
	},
	{name: "a slice of a Service with another namespace's name in it", slices: []*discoveryv1.EndpointSlice{slice("c", "web.victim", endpoints(own, "web-0=10.66.0.4"))}},
	{
		name:   "endpoints of the other's pods", // which lend no name: the hostname is his own
		slices: []*discoveryv1.EndpointSlice{slice("d", "mine", endpoints(others, "web-5=10.66.0.5", "victim-pod=10.66.0.6"))},
		shows:  map[string]string{"web-5.t.test": "10.66.0.5"},
	},
	{
		name:   "pods and hostnames that mean something elsewhere",
		slices: []*discoveryv1.EndpointSlice{slice("e", "mine", endpoints(own, "svc=10.66.0.7", "victim=10.66.0.8", "ns=10.66.0.9", "dns=10.66.0.10", "dns-version=10.66.0.11", "cluster=10.66.0.12"))},
		shows:  map[string]string{"svc.t.test": "10.66.0.7", "victim.t.test": "10.66.0.8", "svc.tenant.svc.cluster.local": "10.66.0.7"},
	},
	{name: "Services that mean something elsewhere", services: []*corev1.Service{headless("svc"), headless("victim"), headless("ns"), headless("k"), headless("test"), headless("kubernetes")}},
	{
		name:     "peers below a Service dns, as the name server is", // whose name stays the zone's
		services: []*corev1.Service{headless("dns")}, slices: []*discoveryv1.EndpointSlice{slice("f", "dns", endpoints(own, "ns=10.66.0.13"))},
	},
	{
		name: "ExternalName to himself, in a circle, and to the other's names",
		services: []*corev1.Service{
			external("self", "self.tenant.svc.cluster.local"), external("left", "right.t.test"), external("right", "left.t.test"),
			external("api-of-other", "api.victim.svc.cluster.local"), external("zone", "svc.cluster.local"), external("apex", "t.test"),
		},
	},
}

func (a attempt) try(ctx context.Context, c kubernetes.Interface) error {
	ns := a.namespace
	if ns == "" {
		ns = own
	}
	for _, s := range a.services {
		if _, err := c.CoreV1().Services(ns).Create(ctx, s, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	for _, s := range a.slices {
		if _, err := c.DiscoveryV1().EndpointSlices(ns).Create(ctx, s, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// Whatever a tenant writes into his own namespace, he changes names of that namespace and no others.
func TestTenantChangesNoNamesOfOthers(t *testing.T) {
	address := start(t)
	c := client(t)
	list := questions(t, address)
	a, err := ask.Start(address, rate, list...)
	if err != nil {
		t.Fatal(err)
	}
	for _, try := range attempts {
		t.Run(try.name, func(t *testing.T) {
			err := try.try(t.Context(), c)
			if refused := apierrors.IsForbidden(err) || apierrors.IsInvalid(err); refused != try.refused || err != nil && !refused {
				t.Fatalf("refused %t, want %t: %v", refused, try.refused, err)
			}
			for name, addrs := range try.shows {
				until(t, address, ask.Question{Name: name, Judge: ask.Addresses(strings.Fields(addrs)...)})
			}
		})
	}
	t.Run("what ExternalName leads to", func(t *testing.T) {
		for _, name := range []string{"self.t.test", "left.t.test", "zone.t.test", "apex.t.test", "self.tenant.k.test"} {
			if m, err := ask.Once(address, ask.Question{Name: name}); err != nil || len(m.Answer) > 10 {
				t.Errorf("%s: %v, %v", name, err, m)
			}
		}
	})
	t.Run("100,000 endpoints", func(t *testing.T) { crowd(t, c, address) })
	t.Run("as many changes as the API server takes", func(t *testing.T) { storm(t, c, address) })
	r := a.Stop()
	t.Logf("\n%s", r)
	if sum := r.Total(); sum.Wrong > 0 || sum.Servfail > 0 {
		t.Errorf("others' names: %d of %d answers were wrong, %d SERVFAIL", sum.Wrong, sum.Asked, sum.Servfail)
	}
	for _, q := range list {
		until(t, address, q)
	}
}

// crowd is as many endpoints in one Service as somebody has the patience for.
func crowd(t *testing.T, c kubernetes.Interface, address string) {
	const many, each = 100, 1000 // the most that the API server takes in a slice
	if _, err := c.CoreV1().Services(own).Create(t.Context(), headless("crowd"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddr("10.70.0.1")
	for i := range many {
		texts := make([]string, each)
		for j := range texts {
			texts[j] = fmt.Sprintf("crowd-%d=%s", i*each+j, addr)
			addr = addr.Next()
		}
		if _, err := c.DiscoveryV1().EndpointSlices(own).Create(t.Context(), slice(fmt.Sprintf("crowd-%d", i), "crowd", endpoints(own, texts...)), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	last := ask.Question{Name: fmt.Sprintf("crowd-%d.t.test", many*each-1), Judge: ask.Addresses(netip.MustParseAddr("10.71.134.160").String())}
	until(t, address, last)
	m, err := ask.Once(address, ask.Question{Name: "crowd.t.test"})
	if err != nil || !m.Truncated || len(m.Answer) > 30 { // as many as fit 512 octets
		t.Errorf("the Service's own name over UDP: %v, %v", err, m)
	}
}

// An address has a name as long as one namespace claims it. A tenant who claims another's takes the name away, and
// cannot give it another one: nor to a pod behind a Service that is not headless.
func TestTenantGivesNoPTROfOthers(t *testing.T) {
	address := start(t)
	c := client(t)
	reverse := func(addr string) string {
		name, err := dns.ReverseAddr(addr)
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	points := func(want string) func(*dns.Msg) error {
		return func(m *dns.Msg) error {
			var got []string
			for _, rr := range m.Answer {
				if ptr, ok := rr.(*dns.PTR); ok {
					got = append(got, ptr.Ptr)
				}
			}
			if !slices.Equal(got, []string{want}) {
				return fmt.Errorf("points to %q, want %q", got, want)
			}
			return nil
		}
	}
	named := func(addr, want string) {
		t.Helper()
		until(t, address, ask.Question{Name: reverse(addr), Type: dns.TypePTR, Judge: points(want)})
	}
	free, claimed := web.Addr(8).String(), web.Addr(9).String()
	named(free, "web-8.victim.k.test.")
	named(claimed, "web-9.victim.k.test.")
	const behindAPI = "10.66.2.2"
	theirs := slice("api-1", "api", endpoints(others, "api-0="+behindAPI))
	if _, err := cluster.Client.DiscoveryV1().EndpointSlices(others).Create(t.Context(), theirs, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	claim := slice("claim", "mine", endpoints(own, "aaa="+claimed, "own=10.66.1.1", "bank="+behindAPI))
	if _, err := c.DiscoveryV1().EndpointSlices(own).Create(t.Context(), claim, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	named("10.66.1.1", "own.tenant.k.test.")
	for _, addr := range []string{claimed, behindAPI} {
		m, err := ask.Once(address, ask.Question{Name: reverse(addr), Type: dns.TypePTR})
		if err != nil {
			t.Fatal(err)
		}
		for _, rr := range m.Answer { // *kubernetes* tells all that claim it; headless none
			if ptr := rr.(*dns.PTR); strings.HasSuffix(ptr.Ptr, ".test.") {
				t.Errorf("headless says that %s is %s", addr, ptr.Ptr)
			}
		}
	}
	named(free, "web-8.victim.k.test.")
}
