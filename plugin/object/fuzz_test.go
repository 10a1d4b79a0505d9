package object

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// checkLabel wants a label that a query, folded as Name.Parse does, can ask for.
func checkLabel(t *testing.T, what, s string) {
	t.Helper()
	if !IsLabel(s) || s != asciiLower(s) {
		t.Errorf("%s %q (%d octets) is no label in lower case", what, s, len(s))
	}
}

// FuzzEndpointSlice feeds anything to FromEndpointSlice: it never panics, and what it keeps can stand in a domain name.
func FuzzEndpointSlice(f *testing.F) {
	f.Add("default", "web-abc", "web", "web-0", "Pod", "default", "web-0", "10.0.0.1", "10.0.0.2", byte(0))
	f.Add("Default", "WEB", "Web", "", "Pod", "", "Web-0", "FD00::", "fe80::1%eth0", byte(3))
	f.Add("", "", "", "", "", "", "", "", "", byte(7))
	f.Add("a", "", "a", "*", "Pod", "a", "a b\x00\\", "::ffff:10.0.0.1", "fd00::10.0.0.1", byte(1))
	f.Add("a.b", "x", "web", ".", "Pod", "a.b", "..", "::", "::1", byte(2))
	f.Fuzz(func(t *testing.T, ns, name, svc, host, kind, podNs, pod, a1, a2 string, bits byte) {
		ready := bits&1 != 0
		s := &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: ns, Name: name, ResourceVersion: name, Labels: map[string]string{discoveryv1.LabelServiceName: svc},
			},
			Endpoints: []discoveryv1.Endpoint{
				{Addresses: []string{a1, a2}, Hostname: &host, Conditions: discoveryv1.EndpointConditions{Ready: &ready}},
				{Addresses: []string{a2}, TargetRef: &corev1.ObjectReference{Kind: kind, Namespace: podNs, Name: pod}},
				{Addresses: []string{a1}},
			},
		}
		s.Endpoints[0].TargetRef = s.Endpoints[1].TargetRef
		if bits&2 != 0 {
			s.Endpoints[0].Hostname = nil
		}
		if bits&4 != 0 {
			s.AddressType = discoveryv1.AddressTypeFQDN
		}
		got, err := FromEndpointSlice(s)
		if got == nil {
			if err == nil {
				t.Error("left out without a reason")
			}
			return
		}
		if whole := len(got.Endpoints) == 4; whole != (err == nil) {
			t.Errorf("%d endpoints of 4, error %v", len(got.Endpoints), err)
		}
		checkLabel(t, "namespace", got.Key().Namespace)
		checkLabel(t, "Service", got.Service)
		for _, e := range got.Endpoints {
			checkEndpoint(t, e)
		}
	})
}

func checkEndpoint(t *testing.T, e Endpoint) {
	t.Helper()
	if e.Pod != "" {
		checkLabel(t, "pod", e.Pod)
	}
	if e.Host != "" {
		checkLabel(t, "host", e.Host)
	}
	if e.Pod == "" && e.Host == "" || e.Dashed && e.Pod != "" {
		t.Errorf("names of %+v", e)
	}
	if !e.Addr.IsValid() || e.Addr.Is4In6() || e.Addr.Zone() != "" {
		t.Errorf("address of %+v", e)
	}
}

// FuzzService feeds anything to FromService: it never panics, and a Service has the addresses of its type and no other.
func FuzzService(f *testing.F) {
	f.Add("default", "web", "ClusterIP", "None", "None", "", "", "1")
	f.Add("Default", "WEB", "", "10.96.0.1", "10.96.0.1", "fd00::1", "", "18446744073709551616")
	f.Add("a", "b", "ExternalName", "", "", "", "db.example.org", "")
	f.Add("", "a.b", "NodePort", "none", "fe80::1%eth0", "::ffff:10.0.0.1", "\x00", "-1")
	f.Fuzz(func(t *testing.T, ns, name, typ, ip, ip1, ip2, external, version string) {
		s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, ResourceVersion: version}}
		s.Spec = corev1.ServiceSpec{Type: corev1.ServiceType(typ), ClusterIP: ip, ExternalName: external}
		for _, ip := range []string{ip1, ip2} {
			if ip != "" {
				s.Spec.ClusterIPs = append(s.Spec.ClusterIPs, ip)
			}
		}
		got, err := FromService(s)
		if got == nil {
			if err == nil {
				t.Error("left out without a reason")
			}
			return
		}
		checkLabel(t, "namespace", got.Key().Namespace)
		checkLabel(t, "name", got.Key().Name)
		if got.Type != ClusterIP && got.ClusterIPs != nil || got.Type != ExternalName && got.ExternalName != "" {
			t.Errorf("mixed types: %+v", got)
		}
		for _, a := range got.ClusterIPs {
			if !a.IsValid() || a.Is4In6() || a.Zone() != "" {
				t.Errorf("address %v", a)
			}
		}
	})
}
