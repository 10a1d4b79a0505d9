package object

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestServiceAddressesComeFromItsType(t *testing.T) {
	tests := []struct {
		name     string
		spec     corev1.ServiceSpec
		wantType ServiceType
		wantIPs  []netip.Addr
		wantName string
		wantErr  string
	}{
		{
			name:     "headless",
			spec:     corev1.ServiceSpec{Type: "ClusterIP", ClusterIP: "None", ClusterIPs: []string{"None"}},
			wantType: Headless,
		},
		{
			name:     "headless in a manifest, without clusterIPs",
			spec:     corev1.ServiceSpec{ClusterIP: "None"},
			wantType: Headless,
		},
		{
			name: "ClusterIP dual stack",
			spec: corev1.ServiceSpec{
				Type: "ClusterIP", ClusterIP: "10.96.0.1", ClusterIPs: []string{"10.96.0.1", "fd00:96::1"},
			},
			wantIPs: addrs("10.96.0.1", "fd00:96::1"),
		},
		{
			name:    "clusterIPs absent",
			spec:    corev1.ServiceSpec{Type: "ClusterIP", ClusterIP: "10.96.0.1"},
			wantIPs: addrs("10.96.0.1"),
		},
		{
			name: "no address yet",
			spec: corev1.ServiceSpec{Type: "ClusterIP"},
		},
		{
			name:    "NodePort",
			spec:    corev1.ServiceSpec{Type: "NodePort", ClusterIP: "10.96.0.1", ClusterIPs: []string{"10.96.0.1"}},
			wantIPs: addrs("10.96.0.1"),
		},
		{
			name: "LoadBalancer without its outer addresses",
			spec: corev1.ServiceSpec{
				Type: "LoadBalancer", ClusterIP: "10.96.0.1", ClusterIPs: []string{"10.96.0.1"},
				ExternalIPs: []string{"192.0.2.1"}, LoadBalancerIP: "192.0.2.2",
			},
			wantIPs: addrs("10.96.0.1"),
		},
		{
			name:     "ExternalName",
			spec:     corev1.ServiceSpec{Type: "ExternalName", ExternalName: "db.example.org"},
			wantType: ExternalName, wantName: "db.example.org.",
		},
		{
			name: "ExternalName keeps no address of the type it had",
			spec: corev1.ServiceSpec{
				Type: "ExternalName", ExternalName: "db.example.org", ClusterIP: "None",
				ClusterIPs: []string{"10.96.0.1"},
			},
			wantType: ExternalName, wantName: "db.example.org.",
		},
		{
			name:    "ClusterIP keeps no external name",
			spec:    corev1.ServiceSpec{Type: "ClusterIP", ClusterIP: "10.96.0.1", ExternalName: "db.example.org"},
			wantIPs: addrs("10.96.0.1"),
		},
		{
			name:    "bad address left out",
			spec:    corev1.ServiceSpec{Type: "ClusterIP", ClusterIPs: []string{"10.96.0.256", "fd00:96::1"}},
			wantIPs: addrs("fd00:96::1"), wantErr: `spec.clusterIPs: "10.96.0.256" is not an IP address`,
		},
		{
			name:    "address with a zone left out",
			spec:    corev1.ServiceSpec{Type: "ClusterIP", ClusterIPs: []string{"fe80::1%eth0", "10.96.0.1"}},
			wantIPs: addrs("10.96.0.1"), wantErr: `"fe80::1%eth0" has a zone`,
		},
		{
			name:    "IPv4 mapped into IPv6",
			spec:    corev1.ServiceSpec{Type: "ClusterIP", ClusterIPs: []string{"::ffff:10.96.0.1"}},
			wantIPs: addrs("10.96.0.1"),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := FromService(&corev1.Service{ObjectMeta: metadata("default", "web"), Spec: tt.spec})
			checkError(t, err, tt.wantErr)
			if got == nil {
				t.Fatal("got nil")
			}
			if got.Type != tt.wantType || got.ExternalName != tt.wantName {
				t.Errorf("got type %d, external name %q, want %d, %q", got.Type, got.ExternalName, tt.wantType,
					tt.wantName)
			}
			if d := cmp.Diff(tt.wantIPs, got.ClusterIPs, sameAddr); d != "" {
				t.Error(d)
			}
		})
	}
}

// The API server sets clusterIP from clusterIPs, but a manifest may have only clusterIPs. The plugin kubernetes reads
// clusterIPs.
func TestHeadlessByClusterIPsAlone(t *testing.T) {
	got, err := FromService(&corev1.Service{
		ObjectMeta: metadata("default", "web"),
		Spec:       corev1.ServiceSpec{ClusterIPs: []string{"None"}},
	})
	checkError(t, err, "")
	if got == nil || got.Type != Headless {
		t.Errorf("got %+v, want a headless Service", got)
	}
}

func TestServiceMustHaveNames(t *testing.T) {
	long := strings.Repeat("a", 64)
	tests := []struct {
		name           string
		namespace, svc string
		wantKey        Key
		wantErr        string
	}{
		{name: "lower case", namespace: "default", svc: "web", wantKey: Key{KindService, "default", "web"}},
		{name: "upper case", namespace: "Default", svc: "WEB", wantKey: Key{KindService, "default", "web"}},
		{name: "namespace absent", svc: "web", wantErr: "no namespace"},
		{name: "namespace with a dot", namespace: "a.b", svc: "web", wantErr: `namespace "a.b" is not a DNS label`},
		{name: "namespace of 64 octets", namespace: long, svc: "web", wantErr: "is not a DNS label"},
		{name: "name absent", namespace: "default", wantErr: `name "" is not a DNS label`},
		{name: "name with a dot", namespace: "default", svc: "a.b", wantErr: `name "a.b" is not a DNS label`},
		{name: "name of 64 octets", namespace: "default", svc: long, wantErr: "is not a DNS label"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := FromService(&corev1.Service{ObjectMeta: metadata(tt.namespace, tt.svc)})
			checkError(t, err, tt.wantErr)
			switch {
			case tt.wantErr != "" && got != nil:
				t.Errorf("got %+v, want nil", got)
			case tt.wantErr == "" && (got == nil || got.Key() != tt.wantKey):
				t.Errorf("got %+v, want key %v", got, tt.wantKey)
			}
		})
	}
}
