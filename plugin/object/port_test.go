package object

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// Services and EndpointSlices have the same ports in fields of different types, and convert them in the same way.
func TestPortsOfBothKinds(t *testing.T) {
	long := strings.Repeat("p", 63)
	tests := []struct {
		name     string
		port     string
		protocol corev1.Protocol
		number   int32
		want     []Port // nil where it is left out
	}{
		{
			name: "TCP", port: "web", protocol: corev1.ProtocolTCP, number: 80,
			want: []Port{{Name: "web", Protocol: "tcp", Port: 80}},
		},
		{
			name: "UDP", port: "dns", protocol: corev1.ProtocolUDP, number: 53,
			want: []Port{{Name: "dns", Protocol: "udp", Port: 53}},
		},
		{
			name: "SCTP", port: "sig", protocol: corev1.ProtocolSCTP, number: 2905,
			want: []Port{{Name: "sig", Protocol: "sctp", Port: 2905}},
		},
		{
			name: "no protocol is TCP, as the API defaults it", port: "web", number: 80,
			want: []Port{{Name: "web", Protocol: "tcp", Port: 80}},
		},
		{
			name: "a protocol that is not invented yet", port: "web", protocol: "QUIC", number: 443,
			want: []Port{{Name: "web", Protocol: "quic", Port: 443}},
		},
		{
			name: "protocol in lower case", port: "web", protocol: "udp", number: 80,
			want: []Port{{Name: "web", Protocol: "udp", Port: 80}},
		},
		{name: "no name", protocol: "TCP", number: 80, want: []Port{{Protocol: "tcp", Port: 80}}},
		{
			name: "name in upper case", port: "Web-UI", number: 80,
			want: []Port{{Name: "web-ui", Protocol: "tcp", Port: 80}},
		},
		{name: "name with dots", port: "web.ui", number: 80, want: []Port{{Protocol: "tcp", Port: 80}}},
		{
			name: "name of 62 octets, a label with its underscore", port: long[1:], number: 80,
			want: []Port{{Name: long[1:], Protocol: "tcp", Port: 80}},
		},
		{name: "name of 63 octets", port: long, number: 80, want: []Port{{Protocol: "tcp", Port: 80}}},
		{
			name: "protocol with dots, from a manifest", port: "web", protocol: "T.C", number: 80,
			want: []Port{{Protocol: "t.c", Port: 80}},
		},
		{
			name: "protocol of 63 octets", port: "web", protocol: corev1.Protocol(long), number: 80,
			want: []Port{{Protocol: long, Port: 80}},
		},
		{name: "least number", port: "web", number: 1, want: []Port{{Name: "web", Protocol: "tcp", Port: 1}}},
		{
			name: "greatest number", port: "web", number: 65535,
			want: []Port{{Name: "web", Protocol: "tcp", Port: 65535}},
		},
		{name: "number 0", port: "web"},
		{name: "negative number", port: "web", number: -80},
		{name: "number beyond 16 bits", port: "web", number: 65536},
		{name: "number that 16 bits would take for 80", port: "web", number: 65536 + 80},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, clusterIP := range []string{"None", "10.96.0.1", ""} {
				svc := &corev1.Service{ObjectMeta: metadata("default", "web")}
				svc.Spec.ClusterIP = clusterIP
				svc.Spec.Ports = []corev1.ServicePort{{
					Name: tt.port, Protocol: tt.protocol, Port: tt.number,
					NodePort: 30080,
				}}
				got, err := FromService(svc)
				checkError(t, err, "")
				if d := cmp.Diff(tt.want, got.Ports); d != "" {
					t.Errorf("Service of clusterIP %q: %s", clusterIP, d)
				}
			}
			sl := slice()
			sl.Ports = []discoveryv1.EndpointPort{{Name: &tt.port, Protocol: &tt.protocol, Port: &tt.number}}
			got, err := FromEndpointSlice(sl)
			checkError(t, err, "")
			if d := cmp.Diff(tt.want, got.Ports); d != "" {
				t.Errorf("EndpointSlice: %s", d)
			}
		})
	}
}

// The fields of an EndpointPort are pointers, and each may be nil. Without a number it means all ports.
func TestAbsentFieldsOfSlicePorts(t *testing.T) {
	web, sctp, number, zero := "web", corev1.ProtocolSCTP, int32(80), int32(0)
	sl := slice()
	sl.Ports = []discoveryv1.EndpointPort{
		{},
		{Name: &web, Protocol: &sctp},
		{Port: &number},
		{Name: &web, Port: &number},
		{Name: &web, Port: &zero},
		{Protocol: &sctp, Port: &number},
	}
	got, err := FromEndpointSlice(sl)
	checkError(t, err, "")
	want := []Port{{Protocol: "tcp", Port: 80}, {Name: "web", Protocol: "tcp", Port: 80}, {Protocol: "sctp", Port: 80}}
	if d := cmp.Diff(want, got.Ports); d != "" {
		t.Error(d)
	}
}

// A port that is left out does not change the others, or their order.
func TestGoodPortsStayBesideBadOnes(t *testing.T) {
	svc := &corev1.Service{ObjectMeta: metadata("default", "web")}
	svc.Spec.ClusterIPs = []string{"10.96.0.1"}
	svc.Spec.Ports = []corev1.ServicePort{
		{Name: "b", Port: 2},
		{Name: "bad", Port: 70000},
		{Name: "a", Port: 1},
		{Name: "bad", Port: -1},
	}
	got, err := FromService(svc)
	checkError(t, err, "")
	want := []Port{{Name: "b", Protocol: "tcp", Port: 2}, {Name: "a", Protocol: "tcp", Port: 1}}
	if d := cmp.Diff(want, got.Ports); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(addrs("10.96.0.1"), got.ClusterIPs, sameAddr); d != "" {
		t.Error(d)
	}
}

// An ExternalName Service has no ports, because a CNAME has none (Kubernetes DNS specification, section 2.5).
func TestExternalNameHasNoPorts(t *testing.T) {
	svc := &corev1.Service{ObjectMeta: metadata("default", "db")}
	svc.Spec = corev1.ServiceSpec{
		Type: "ExternalName", ExternalName: "db.example.org",
		Ports: []corev1.ServicePort{{Name: "web", Port: 80}},
	}
	got, err := FromService(svc)
	checkError(t, err, "")
	if got.Ports != nil {
		t.Errorf("got %v", got.Ports)
	}
}

func TestPortsOutliveTheirOriginal(t *testing.T) {
	name, protocol, number := "web", corev1.ProtocolTCP, int32(80)
	sl := slice()
	sl.Ports = []discoveryv1.EndpointPort{{Name: &name, Protocol: &protocol, Port: &number}}
	svc := &corev1.Service{ObjectMeta: metadata("default", "web")}
	svc.Spec.Ports = []corev1.ServicePort{{Name: "web", Port: 80}}
	slimSlice, _ := FromEndpointSlice(sl)
	slimService, _ := FromService(svc)
	name, protocol, number, svc.Spec.Ports[0].Name = "other", "UDP", 81, "other"
	want := []Port{{Name: "web", Protocol: "tcp", Port: 80}}
	if d := cmp.Diff(want, slimSlice.Ports); d != "" {
		t.Errorf("EndpointSlice: %s", d)
	}
	if d := cmp.Diff(want, slimService.Ports); d != "" {
		t.Errorf("Service: %s", d)
	}
}
