package object

import (
	"net/netip"
	"strings"
	"testing"
	"unicode"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// checkPod checks that a pod can have the name.
func checkPod(t *testing.T, name string) {
	t.Helper()
	if len(validation.IsDNS1123Label(name)) > 0 {
		t.Errorf("no pod can be called %q", name)
	}
}

// checkOneLine checks that an error is one line of a log, whatever the object has.
func checkOneLine(t *testing.T, err error) {
	t.Helper()
	if err != nil && strings.ContainsFunc(err.Error(), unicode.IsControl) {
		t.Errorf("the error breaks lines: %q", err)
	}
}

// Every address is answered, as in the plugin kubernetes. The API server rejects loopback and unspecified addresses,
// but a manifest may have them.
func TestAddressesOfEveryKind(t *testing.T) {
	tests := []struct {
		in, want string // left out where want is empty
	}{
		{"127.0.0.1", "127.0.0.1"},
		{"::1", "::1"},
		{"0.0.0.0", "0.0.0.0"},
		{"::", "::"},
		{"169.254.169.254", "169.254.169.254"},
		{"fe80::1", "fe80::1"},
		{"224.0.0.251", "224.0.0.251"},
		{"ff02::fb", "ff02::fb"},
		{"255.255.255.255", "255.255.255.255"},
		{"::ffff:10.0.0.1", "10.0.0.1"},
		{"::FFFF:A00:1", "10.0.0.1"},
		{"64:ff9b::10.0.0.1", "64:ff9b::a00:1"},
		{in: "fe80::1%eth0"},
		{in: "fd00::1%"},
		{in: "::ffff:10.0.0.1%1"},
		{in: ""},
		{in: "web-0"},
		{in: "10.0.0"},
		{in: "10.0.0.256"},
		{in: "010.0.0.1"},
		{in: "0x0a000001"},
		{in: "167772161"},
		{in: "10.0.0.1:80"},
		{in: "[fd00::1]"},
		{in: "10.0.0.1/32"},
		{in: " 10.0.0.1"},
		{in: "10.0.0.1\n"},
		{in: "10.0.0.1\x00"},
		{in: "１０.0.0.1"},
		{in: strings.Repeat("f", 1<<20)},
	}
	for _, tt := range tests {
		t.Run(tt.in[:min(len(tt.in), 20)], func(t *testing.T) {
			got, err := FromEndpointSlice(slice(discoveryv1.Endpoint{
				Addresses: []string{tt.in},
				TargetRef: podRef("default", "web-0"),
			}))
			checkOneLine(t, err)
			if tt.want == "" {
				if err == nil || len(got.Endpoints) > 0 {
					t.Errorf("got %v, %v", got.Endpoints, err)
				}
				return
			}
			if err != nil || len(got.Endpoints) != 1 || got.Endpoints[0].Addr != netip.MustParseAddr(tt.want) {
				t.Errorf("got %v, %v, want %s", got.Endpoints, err, tt.want)
			}
		})
	}
}
