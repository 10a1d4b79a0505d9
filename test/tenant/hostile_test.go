package tenant

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/test/ask"
)

// pods are endpoints without a hostname.
func pods(texts ...string) []discoveryv1.Endpoint {
	list := endpoints(own, texts...)
	for i := range list {
		list[i].Hostname = nil
	}
	return list
}

func ofIPv6(s *discoveryv1.EndpointSlice) *discoveryv1.EndpointSlice {
	s.AddressType = discoveryv1.AddressTypeIPv6
	return s
}

// withPorts has ports p0, p1 and so on, of those numbers, for one pod.
func withPorts(name, pod string, numbers ...int32) *discoveryv1.EndpointSlice {
	s := slice(name, "mine", pods(pod))
	for i, n := range numbers {
		s.Ports = append(s.Ports, discoveryv1.EndpointPort{Name: new(fmt.Sprintf("p%d", i)), Port: new(n), Protocol: new(corev1.ProtocolTCP)})
	}
	return s
}

// The API server takes no address from which a name would lead to who asks, or to nobody, and nothing that is no
// address or hostname.
func TestAPIServerRefusesWhatIsNoEndpoint(t *testing.T) {
	c := client(t).DiscoveryV1().EndpointSlices(own)
	for _, addr := range []string{"127.0.0.1", "127.1.2.3", "0.0.0.0", "169.254.169.254", "224.0.0.251", "web", "", "10.0.0", "10.0.0.256", "10.0.0.1:80", "fd00::1"} {
		if _, err := c.Create(t.Context(), slice("refused", "mine", endpoints(own, "x="+addr)), metav1.CreateOptions{}); !apierrors.IsInvalid(err) {
			t.Errorf("%q: %v", addr, err)
		}
	}
	for _, addr := range []string{"::1", "::", "fe80::1", "ff02::1", "fd00::1%eth0", "fe80::1%eth0", "::ffff:127.0.0.1", "10.0.0.1"} {
		if _, err := c.Create(t.Context(), ofIPv6(slice("refused", "mine", endpoints(own, "x="+addr))), metav1.CreateOptions{}); !apierrors.IsInvalid(err) {
			t.Errorf("IPv6 %q: %v", addr, err)
		}
	}
	for _, host := range []string{"*", "WEB-0", "_tcp", "a b", "a\nb", `a\b`, "é", "a.b", "-a", strings.Repeat("x", 64)} {
		if _, err := c.Create(t.Context(), slice("refused", "mine", endpoints(own, host+"=10.66.2.1")), metav1.CreateOptions{}); !apierrors.IsInvalid(err) {
			t.Errorf("hostname %q: %v", host, err)
		}
	}
}

// What the API server takes and DNS should not have: references to what cannot be a pod, slices of what is no
// headless Service, and ports beyond 16 bits.
func TestTenantMakesNoPeersOfWhatIsNone(t *testing.T) {
	address := start(t)
	c := client(t)
	for _, s := range []*corev1.Service{external("outside", "www.example.org"), {ObjectMeta: metav1.ObjectMeta{Name: "balanced"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}} {
		if _, err := c.CoreV1().Services(own).Create(t.Context(), s, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []*discoveryv1.EndpointSlice{
		slice("odd-pods", "mine", pods("*=10.66.3.1", "_tcp=10.66.3.2", "a\nb=10.66.3.3", "a b=10.66.3.4", `a\b=10.66.3.5`, "é=10.66.3.6", strings.Repeat("y", 64)+"=10.66.3.7")),
		slice("external", "outside", endpoints(own, "of-external=10.66.3.8")),
		slice("balanced", "balanced", endpoints(own, "of-balanced=10.66.3.9")),
		slice("nobody", "nosuch", endpoints(own, "of-nobody=10.66.3.10")),
		slice("others", "api", endpoints(own, "of-others=10.66.3.11")), // a Service of the other's
		withPorts("numbers", "numbers-0=10.66.3.13", 0, -1, 65536, 65535),
		slice("last", "mine", endpoints(own, "last=10.66.3.12")), // once it has arrived, so have the others: one watch has them all, in order
	} {
		if _, err := c.DiscoveryV1().EndpointSlices(own).Create(t.Context(), s, metav1.CreateOptions{}); err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
	}
	for _, q := range []ask.Question{
		{Name: "last.t.test", Judge: ask.Addresses("10.66.3.12")},
		{Name: "10-66-3-1.t.test", Judge: ask.Addresses("10.66.3.1")},
		{Name: "10-66-3-7.t.test", Judge: ask.Addresses("10.66.3.7")},
	} {
		until(t, address, q)
	}
	for _, name := range []string{
		"*.t.test", "_tcp.t.test", `a\010b.t.test`, `a\ b.t.test`, `a\\b.t.test`, `\195\169.t.test`, "*.mine.t.test", "*.tenant.svc.cluster.local",
		"of-external.t.test", "of-balanced.t.test", "of-nobody.t.test", "of-others.t.test", "of-external.outside.t.test", "of-balanced.balanced.t.test", "of-nobody.nosuch.t.test", "nosuch.t.test",
		"_p0._tcp.mine.t.test", "_p1._tcp.mine.t.test", "_p2._tcp.mine.t.test", "of-others.v.test", "of-others.api.v.test", "of-others.tenant.svc.cluster.local",
	} {
		m, err := ask.Once(address, ask.Question{Name: name})
		if err != nil || m.Rcode != dns.RcodeNameError {
			t.Errorf("%s: %v\n%s", name, err, m)
		}
	}
	if m, err := ask.Once(address, ask.Question{Name: "_p3._tcp.mine.t.test", Type: dns.TypeSRV}); err != nil || len(m.Answer) != 1 {
		t.Errorf("the port that is one: %v\n%s", err, m)
	}
}

// Objects as large as the API server takes them, again and again: others' changes show meanwhile.
func TestTenantHoldsUpNoChangesOfOthers(t *testing.T) {
	address := start(t)
	c := client(t).DiscoveryV1().EndpointSlices(own)
	const pod = "bomb-0"
	addr := netip.MustParseAddr("10.80.0.1")
	bomb := slice("bomb", "mine", nil)
	for range 1000 {
		e := pods(pod + "=")[0]
		e.Addresses = nil
		for range 100 { // discovery.k8s.io's limit
			e.Addresses = append(e.Addresses, addr.String())
			addr = addr.Next()
		}
		bomb.Endpoints = append(bomb.Endpoints, e)
	}
	numbers := make([]int32, 10_000)
	for i := range numbers {
		numbers[i] = int32(i + 1)
	}
	ports := withPorts("ports", "ports-0=10.66.4.1", numbers...)
	for _, s := range []*discoveryv1.EndpointSlice{bomb, ports} {
		made, err := c.Create(t.Context(), s, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		*s = *made
		t.Cleanup(func() {
			if err := c.Delete(context.Background(), s.Name, metav1.DeleteOptions{}); err != nil { // the test's own context has ended
				t.Error(err)
			}
		})
	}
	w := web.Slice(0)
	for i := range 3 {
		bomb.Endpoints[i].Addresses = bomb.Endpoints[i].Addresses[1:]
		made, err := c.Update(t.Context(), bomb, metav1.UpdateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		bomb = made
		w.Endpoints[7].Addresses[0] = fmt.Sprintf("10.1.7.%d", i+1)
		if _, err := cluster.Client.DiscoveryV1().EndpointSlices(others).Update(t.Context(), w, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		// The cost, which is in proportion to the slice, TestPodOfManyAddressesIsOneEntryASlice shows.
		took := until(t, address, ask.Question{Name: "web-7.v.test", Judge: ask.Addresses(w.Endpoints[7].Addresses[0])})
		t.Logf("seen after %s", took)
	}
	for _, q := range []ask.Question{{Name: pod + ".t.test"}, {Name: "ports-0.mine.tenant.svc.cluster.local", Type: dns.TypeSRV}} {
		q.Judge = func(m *dns.Msg) error {
			if !m.Truncated || len(m.Answer) > 40 { // what 512 octets hold
				return errors.New(m.String())
			}
			return nil
		}
		until(t, address, q)
	}
}

// An ExternalName below a suffix tells addresses that only CoreDNS can find out, and never a name of the cluster.
func TestExternalNameTellsAddressesOfOthersAndNoNames(t *testing.T) {
	address := start(t)
	api, err := cluster.Client.CoreV1().Services(others).Get(t.Context(), "api", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct{ target, addr string }{
		"peek-service": {"api.victim.svc.cluster.local", api.Spec.ClusterIP}, "peek-peer": {"web-0.victim.svc.cluster.local", web.Addr(0).String()},
	} {
		if _, err := client(t).CoreV1().Services(own).Create(t.Context(), external(name, want.target), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		judge := func(m *dns.Msg) error {
			if strings.Contains(m.String(), "cluster.local") {
				return errors.New(m.String())
			}
			return ask.Addresses(want.addr)(m)
		}
		until(t, address, ask.Question{Name: name + ".t.test", Judge: judge})
	}
}

// Kubernetes' own roles for tenants leave EndpointSlices out (CVE-2021-25740): its controller makes them of their
// pods. The roles edit and admin are made of these, by a controller.
func TestRolesOfKubernetesDoNotWriteEndpointSlices(t *testing.T) {
	list, err := cluster.Client.RbacV1().ClusterRoles().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	writes := func(r rbacv1.PolicyRule) bool {
		return slices.ContainsFunc(r.Resources, func(s string) bool { return s == "endpoints" || s == "endpointslices" || s == "*" }) &&
			slices.ContainsFunc(r.Verbs, func(s string) bool { return s != "get" && s != "list" && s != "watch" })
	}
	services := 0
	for _, role := range list.Items {
		if role.Labels["rbac.authorization.k8s.io/aggregate-to-edit"] != "true" && role.Labels["rbac.authorization.k8s.io/aggregate-to-admin"] != "true" {
			continue
		}
		for _, rule := range role.Rules {
			if writes(rule) {
				t.Errorf("%s: %v", role.Name, rule)
			}
			if slices.Contains(rule.Resources, "services") {
				services++
			}
		}
	}
	if services == 0 {
		t.Error("the roles do not write Services either: these are not the ones")
	}
}
