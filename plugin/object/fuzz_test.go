package object

import (
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// checkLabel checks that a query can have the label after Name.Parse.
func checkLabel(t *testing.T, what, s string) {
	t.Helper()
	if !IsLabel(s) || s != asciiLower(s) {
		t.Errorf("%s %q (%d octets) is no label in lower case", what, s, len(s))
	}
}

// FuzzEndpointSlice gives FromEndpointSlice any input. It must not panic, and all that it keeps must be valid in a
// domain name.
func FuzzEndpointSlice(f *testing.F) {
	f.Add("default", "web-abc", "web", "web-0", "Pod", "default", "web-0", "10.0.0.1", "10.0.0.2", "web", "TCP",
		int32(80), byte(0))
	f.Add("Default", "WEB", "Web", "", "Pod", "", "Web-0", "FD00::", "fe80::1%eth0", "WEB.ui", "udp", int32(65536),
		byte(3))
	f.Add("", "", "", "", "", "", "", "", "", "", "", int32(0), byte(7))
	f.Add("a", "", "a", "*", "Pod", "a", "a b\x00\\", "::ffff:10.0.0.1", "fd00::10.0.0.1", "\x00", "SCTP", int32(-1),
		byte(1))
	f.Add("a.b", "x", "web", ".", "Pod", "a.b", "..", "::", "::1", ".", "", int32(1), byte(2))
	f.Fuzz(func(t *testing.T, ns, name, svc, host, kind, podNs, pod, a1, a2, port, protocol string, number int32,
		bits byte,
	) {
		ready := bits&1 != 0
		s := &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: ns, Name: name, ResourceVersion: name,
				Labels: map[string]string{discoveryv1.LabelServiceName: svc},
			},
			Endpoints: []discoveryv1.Endpoint{
				{
					Addresses: []string{a1, a2}, Hostname: &host,
					Conditions: discoveryv1.EndpointConditions{Ready: &ready},
				},
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
		p := corev1.Protocol(protocol)
		s.Ports = []discoveryv1.EndpointPort{{Name: &port, Protocol: &p, Port: &number}, {Name: &port, Protocol: &p}}
		got, err := FromEndpointSlice(s)
		checkOneLine(t, err)
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
		checkPorts(t, number, got.Ports)
		checkBack(t, got, ns, name, svc, host, pod, port, protocol)
	})
}

// checkBack wants of an object that it is the same when it was written and read again. JSON has no text that is not
// UTF-8, and the API server has no object with one.
func checkBack(t *testing.T, o Object, texts ...string) {
	t.Helper()
	if !utf8.ValidString(strings.Join(texts, " ")) {
		return
	}
	if diff := cmp.Diff(o, back(t, o), compare); diff != "" {
		t.Errorf("written and read (-want +got):\n%s", diff)
	}
}

func checkEndpoint(t *testing.T, e Endpoint) {
	t.Helper()
	if e.Pod != "" {
		checkLabel(t, "pod", e.Pod)
		checkPod(t, e.Pod)
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

// checkPorts checks that the port is kept if its number is valid, with names that a query can have.
func checkPorts(t *testing.T, number int32, got []Port) {
	t.Helper()
	if number < 1 || number > 65535 {
		if len(got) > 0 {
			t.Errorf("ports %+v of number %d", got, number)
		}
		return
	}
	if len(got) != 1 || int32(got[0].Port) != number {
		t.Fatalf("ports %+v, want one of number %d", got, number)
	}
	if got[0].Name != "" {
		checkLabel(t, "port", "_"+got[0].Name)
		checkLabel(t, "protocol", "_"+got[0].Protocol)
	}
	if p := got[0].Protocol; p == "" || p != asciiLower(p) {
		t.Errorf("protocol %q", p)
	}
}

// FuzzService gives FromService any input. It must not panic, and a Service must have only the addresses of its type.
func FuzzService(f *testing.F) {
	f.Add("default", "web", "ClusterIP", "None", "None", "", "", "1", "web", "TCP", int32(80))
	f.Add("Default", "WEB", "", "10.96.0.1", "10.96.0.1", "fd00::1", "", "18446744073709551616", "Web", "",
		int32(65535))
	f.Add("default", "web", "ClusterIP", "None", "None", "", "", "1", "web", "\u0131p", int32(80))
	f.Add("a", "b", "ExternalName", "", "", "", "DB.example.org.", "", "", "", int32(0))
	f.Add("a", "b", "ExternalName", "", "", "", "fe80::1%eth0", "", "", "", int32(0))
	f.Add("a", "b", "ExternalName", "", "", "", "1.2.3.4.", "", "", "", int32(0))
	f.Add("", "a.b", "NodePort", "none", "fe80::1%eth0", "::ffff:10.0.0.1", "\x00", "-1", ".", "SCTP", int32(-1))
	f.Fuzz(func(t *testing.T, ns, name, typ, ip, ip1, ip2, external, version, port, protocol string, number int32) {
		s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, ResourceVersion: version}}
		s.Spec = corev1.ServiceSpec{Type: corev1.ServiceType(typ), ClusterIP: ip, ExternalName: external}
		s.Spec.Ports = []corev1.ServicePort{{Name: port, Protocol: corev1.Protocol(protocol), Port: number}}
		for _, ip := range []string{ip1, ip2} {
			if ip != "" {
				s.Spec.ClusterIPs = append(s.Spec.ClusterIPs, ip)
			}
		}
		got, err := FromService(s)
		checkOneLine(t, err)
		if got == nil {
			if err == nil {
				t.Error("left out without a reason")
			}
			return
		}
		checkLabel(t, "namespace", got.Key().Namespace)
		checkLabel(t, "name", got.Key().Name)
		checkBack(t, got, ns, name, port, protocol)
		if got.Type == Headless && got.ClusterIPs != nil || got.ExternalName != "" && got.ClusterIPs != nil || got.Type != ExternalName && got.ExternalName != "" {
			t.Errorf("mixed types: %+v", got)
		}
		for _, a := range got.ClusterIPs {
			if !a.IsValid() || a.Is4In6() || a.Zone() != "" {
				t.Errorf("address %v", a)
			}
		}
		if got.Type != ExternalName {
			checkPorts(t, number, got.Ports)
			return
		}
		if got.Ports != nil || (got.ExternalName == "" && got.ClusterIPs == nil) != (err != nil) {
			t.Errorf("%+v, error %v", got, err)
		}
		if got.ExternalName != "" {
			checkName(t, got.ExternalName)
		}
	})
}

// checkName checks that a name is fully qualified and fits a message.
func checkName(t *testing.T, name string) {
	t.Helper()
	relative, qualified := strings.CutSuffix(name, ".")
	if !qualified || len(name) > 254 {
		t.Errorf("external name %q of %d octets", name, len(name))
	}
	for label := range strings.SplitSeq(relative, ".") {
		checkLabel(t, "external name's", label)
	}
	if _, err := netip.ParseAddr(relative); err == nil {
		t.Errorf("external name %q is an address", name)
	}
}
