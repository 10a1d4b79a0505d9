package object

import (
	"net/netip"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var sameAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func metadata(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, ResourceVersion: "7"}
}

func addrs(list ...string) []netip.Addr {
	var as []netip.Addr
	for _, a := range list {
		as = append(as, netip.MustParseAddr(a))
	}
	return as
}

// checkError checks that the text of err contains want. No error is "".
func checkError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("error %q, want none", err)
	case want != "" && err == nil:
		t.Errorf("no error, want %q", want)
	case want != "" && !strings.Contains(err.Error(), want):
		t.Errorf("error %q, want %q in it", err, want)
	}
}

// A cluster may have 150,000 of them: whoever adds a field must know what it costs.
func TestEndpointIs64Bytes(t *testing.T) {
	if size := unsafe.Sizeof(Endpoint{}); size != 64 {
		t.Errorf("an Endpoint has %d bytes, want 64", size)
	}
}

// A nil pointer in an interface would not be nil for a caller.
func TestFromLeftOutIsNil(t *testing.T) {
	fqdn := slice()
	fqdn.AddressType = discoveryv1.AddressTypeFQDN
	tests := []struct {
		name string
		in   any
		err  string
	}{
		{name: "Service without namespace", in: &corev1.Service{ObjectMeta: metadata("", "web")}, err: "no namespace"},
		{
			name: "slice without label", in: &discoveryv1.EndpointSlice{ObjectMeta: metadata("default", "web-abc")},
			err: "service-name",
		},
		{name: "FQDN slice", in: fqdn, err: "FQDN"},
		{name: "another kind", in: &corev1.Pod{}, err: "*v1.Pod is neither a Service nor an EndpointSlice"},
		{name: "nothing", in: nil, err: "neither a Service nor an EndpointSlice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := From(tt.in)
			if got != nil {
				t.Errorf("got %#v, want nil", got)
			}
			checkError(t, err, tt.err)
		})
	}
}

func TestFromKeepsWhatIsGood(t *testing.T) {
	svc := &corev1.Service{ObjectMeta: metadata("Default", "WEB")}
	svc.Spec.ClusterIPs = []string{"none", "10.96.0.1"}
	bad := slice(discoveryv1.Endpoint{Addresses: []string{"nowhere"}})
	tests := []struct {
		name string
		in   any
		kind Kind
		key  Key
		err  string
	}{
		{
			name: "Service", in: svc, kind: KindService, key: Key{KindService, "default", "web"},
			err: `"none" is not an IP address`,
		},
		{
			name: "slice", in: bad, kind: KindEndpointSlice, key: Key{KindEndpointSlice, "default", "web-abc"},
			err: `"nowhere"`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := From(tt.in)
			checkError(t, err, tt.err)
			if got == nil {
				t.Fatal("got nil")
			}
			if got.Key() != tt.key || got.Version() != 7 {
				t.Errorf("got key %v, version %d, want %v, 7", got.Key(), got.Version(), tt.key)
			}
			if k := KindOf(tt.in); k != tt.kind {
				t.Errorf("KindOf: %v, want %v", k, tt.kind)
			}
		})
	}
}

func TestSlimObjectOutlivesItsOriginal(t *testing.T) {
	svc := &corev1.Service{ObjectMeta: metadata("default", "web")}
	svc.Spec.ClusterIPs = []string{"10.96.0.1"}
	slimService, _ := FromService(svc)
	host := "web-0"
	sl := slice(discoveryv1.Endpoint{Addresses: []string{"10.0.0.1"}, Hostname: &host})
	slimSlice, _ := FromEndpointSlice(sl)

	svc.Name, svc.Spec.ClusterIPs[0] = "other", "10.96.0.2"
	host, sl.Endpoints[0].Addresses[0] = "other", "10.0.0.2"
	sl.Labels[discoveryv1.LabelServiceName] = "other"

	if d := cmp.Diff(addrs("10.96.0.1"), slimService.ClusterIPs, sameAddr); d != "" ||
		slimService.Key().Name != "web" {
		t.Errorf("Service %v: %s", slimService.Key(), d)
	}
	want := []Endpoint{{Host: "web-0", Addr: netip.MustParseAddr("10.0.0.1"), Ready: true}}
	if d := cmp.Diff(want, slimSlice.Endpoints, sameAddr); d != "" || slimSlice.Service != "web" {
		t.Errorf("slice of %q: %s", slimSlice.Service, d)
	}
}

func TestKinds(t *testing.T) {
	if s := KindService.String() + " " + KindEndpointSlice.String(); s != "Service EndpointSlice" {
		t.Errorf("got %q", s)
	}
	if KindOf(&discoveryv1.EndpointSlice{}) != KindEndpointSlice {
		t.Error("an EndpointSlice is a Service")
	}
}

func TestParseVersion(t *testing.T) {
	tests := []struct {
		name, in string
		want     uint64
	}{
		{name: "number", in: "42", want: 42},
		{name: "beyond 32 bits", in: "4294967297", want: 1<<32 + 1},
		{name: "largest", in: "18446744073709551615", want: 1<<64 - 1},
		{name: "absent, as in manifests", in: "", want: 0},
		{name: "beyond 64 bits", in: "18446744073709551616", want: 0},
		{name: "negative", in: "-1", want: 0},
		{name: "signed", in: "+1", want: 0},
		{name: "opaque", in: "abc", want: 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ParseVersion(tt.in); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestIsLabel(t *testing.T) {
	tests := []struct {
		name, in string
		want     bool
	}{
		{name: "one octet", in: "a", want: true},
		{name: "63 octets", in: strings.Repeat("a", 63), want: true},
		{name: "underscore", in: "_http", want: true},
		{name: "empty", in: ""},
		{name: "64 octets", in: strings.Repeat("a", 64)},
		{name: "dot inside", in: "web.0"},
		{name: "dot alone", in: "."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := IsLabel(tt.in); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// The API server has names in lower case only, but manifests and slices made by hand may not. strings.ToLower works on
// runes, not on octets: it makes some longer, and all that are not UTF-8, and it turns the Kelvin sign into a k.
func TestLoweringKeepsLabels(t *testing.T) {
	tests := []struct {
		name, in string
	}{
		{name: "runes whose lower case is longer", in: strings.Repeat("Ⱥ", 31)},
		{name: "octets that are no UTF-8", in: strings.Repeat("\xff", 63)},
		{name: "a rune whose lower case is a letter", in: "web-\u212a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := slice(discoveryv1.Endpoint{
				Addresses: []string{"10.0.0.1"}, Hostname: &tt.in, TargetRef: podRef("default", tt.in),
			})
			s.Namespace, s.Labels[discoveryv1.LabelServiceName] = tt.in, tt.in
			s.Endpoints[0].TargetRef.Namespace = ""
			got, _ := FromEndpointSlice(s)
			if got == nil {
				return
			}
			for _, l := range []string{got.Key().Namespace, got.Service, got.Endpoints[0].Pod, got.Endpoints[0].Host} {
				if l != "" && (!IsLabel(l) || l != asciiLower(tt.in)) {
					t.Errorf("%q (%d octets) became %q (%d octets)", tt.in, len(tt.in), l, len(l))
				}
			}
		})
	}
}

// asciiLower returns s in the lower case of DNS (RFC 4343): only the octets A to Z change.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
