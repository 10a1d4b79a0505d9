package object

import (
	"net/netip"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// slice returns an EndpointSlice of the Service web in the namespace default.
func slice(eps ...discoveryv1.Endpoint) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{
		ObjectMeta:  metadata("default", "web-abc"),
		AddressType: discoveryv1.AddressTypeIPv4, Endpoints: eps,
	}
	s.Labels = map[string]string{discoveryv1.LabelServiceName: "web"}
	return s
}

func podRef(namespace, name string) *corev1.ObjectReference {
	return &corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: name}
}

func TestEndpointNames(t *testing.T) {
	long := strings.Repeat("a", 64)
	tests := []struct {
		name     string
		hostname string // "" is absent
		ref      *corev1.ObjectReference
		address  string // 10.0.0.1 where absent
		want     Endpoint
	}{
		{
			name: "StatefulSet", hostname: "web-0", ref: podRef("default", "web-0"),
			want: Endpoint{Pod: "web-0", Host: "web-0"},
		},
		{
			name: "Deployment", ref: podRef("default", "ws-777779bd59-ftn4j"),
			want: Endpoint{Pod: "ws-777779bd59-ftn4j"},
		},
		{
			name: "hostname apart from the pod's name", hostname: "db", ref: podRef("default", "web-0"),
			want: Endpoint{Pod: "web-0", Host: "db"},
		},
		{name: "hostname alone", hostname: "db", want: Endpoint{Host: "db"}},
		{
			name: "upper case", hostname: "DB", ref: podRef("default", "Web-0"),
			want: Endpoint{Pod: "web-0", Host: "db"},
		},
		{name: "pod without a namespace", ref: podRef("", "web-0"), want: Endpoint{Pod: "web-0"}},
		{
			name: "pod of another namespace", ref: podRef("kube-system", "web-0"),
			want: Endpoint{Host: "10-0-0-1", Dashed: true},
		},
		{
			name: "reference of another kind",
			ref:  &corev1.ObjectReference{Kind: "Node", Namespace: "default", Name: "web-0"},
			want: Endpoint{Host: "10-0-0-1", Dashed: true},
		},
		{
			name: "reference without a kind", ref: &corev1.ObjectReference{Name: "web-0"},
			want: Endpoint{Host: "10-0-0-1", Dashed: true},
		},
		{
			name: "pod's name with dots", ref: podRef("default", "web.0"),
			want: Endpoint{Host: "10-0-0-1", Dashed: true},
		},
		{
			name: "pod's name with dots, hostname", hostname: "web-0", ref: podRef("default", "web.0"),
			want: Endpoint{Host: "web-0"},
		},
		{
			name: "pod's name of 64 octets", ref: podRef("default", long),
			want: Endpoint{Host: "10-0-0-1", Dashed: true},
		},
		{name: "pod's name of 63 octets", ref: podRef("default", long[1:]), want: Endpoint{Pod: long[1:]}},
		{
			name: "pod's name that is a wildcard", ref: podRef("default", "*"),
			want: Endpoint{Host: "10-0-0-1", Dashed: true},
		},
		{
			name: "pod's name that is a protocol", ref: podRef("default", "_tcp"),
			want: Endpoint{Host: "10-0-0-1", Dashed: true},
		},
		{
			name: "pod's name with a line break", ref: podRef("default", "web\n0"), hostname: "web-0",
			want: Endpoint{Host: "web-0"},
		},
		{
			name: "pod's name with NUL", ref: podRef("default", "web-0\x00"),
			want: Endpoint{Host: "10-0-0-1", Dashed: true},
		},
		{
			name: "pod's name with a backslash", ref: podRef("default", `web\0`),
			want: Endpoint{Host: "10-0-0-1", Dashed: true},
		},
		{
			name: "pod's name with a space", ref: podRef("default", "web 0"),
			want: Endpoint{Host: "10-0-0-1", Dashed: true},
		},
		{
			name: "pod's name beyond ASCII", ref: podRef("default", "wéb-0"),
			want: Endpoint{Host: "10-0-0-1", Dashed: true},
		},
		{
			name: "pod's name that is no UTF-8", ref: podRef("default", "web-\xff"),
			want: Endpoint{Host: "10-0-0-1", Dashed: true},
		},
		{
			name: "pod's name with a leading dash", ref: podRef("default", "-web"),
			want: Endpoint{Host: "10-0-0-1", Dashed: true},
		},
		{
			name: "pod's name with a dash at its end", ref: podRef("default", "web-"),
			want: Endpoint{Host: "10-0-0-1", Dashed: true},
		},
		{name: "no pod's name", ref: podRef("default", ""), want: Endpoint{Host: "10-0-0-1", Dashed: true}},
		{name: "hostname with dots", hostname: "web.0", ref: podRef("default", "web-0"), want: Endpoint{Pod: "web-0"}},
		{name: "hostname of 64 octets", hostname: long, want: Endpoint{Host: "10-0-0-1", Dashed: true}},
		{name: "neither, IPv4", want: Endpoint{Host: "10-0-0-1", Dashed: true}},
		{name: "neither, IPv6", address: "fd00::1:2", want: Endpoint{Host: "fd00--1-2", Dashed: true}},
		{
			name: "neither, IPv6 with zeros at the end", address: "fd00::",
			want: Endpoint{Host: "fd00--0", Dashed: true},
		},
		{name: "neither, IPv6 in upper case", address: "FD00::A", want: Endpoint{Host: "fd00--a", Dashed: true}},
		{
			name: "neither, IPv6 in full", address: "fd00:0000:0000:0000:0000:0000:0000:0001",
			want: Endpoint{Host: "fd00-0000-0000-0000-0000-0000-0000-0001", Dashed: true},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := discoveryv1.Endpoint{TargetRef: tt.ref, Addresses: []string{"10.0.0.1"}}
			if tt.address != "" {
				e.Addresses[0] = tt.address
			}
			if tt.hostname != "" {
				e.Hostname = &tt.hostname
			}
			tt.want.Addr, tt.want.Ready = netip.MustParseAddr(e.Addresses[0]), true
			got, err := FromEndpointSlice(slice(e))
			checkError(t, err, "")
			if d := cmp.Diff([]Endpoint{tt.want}, got.Endpoints, sameAddr); d != "" {
				t.Error(d)
			}
		})
	}
}

// The API's messages have the name and the hostname as two strings. To keep both would double the memory for the names
// of a StatefulSet.
func TestHostnameAndPodShareOneString(t *testing.T) {
	host, pod := strings.Clone("web-0"), strings.Clone("web-0")
	got, err := FromEndpointSlice(slice(discoveryv1.Endpoint{
		Addresses: []string{"10.0.0.1"}, Hostname: &host, TargetRef: podRef("default", pod),
	}))
	checkError(t, err, "")
	if e := got.Endpoints[0]; e.Host != "web-0" || unsafe.StringData(e.Host) != unsafe.StringData(e.Pod) {
		t.Errorf("%+v holds two strings", e)
	}
}

func TestReadyIsTrueUnlessFalse(t *testing.T) {
	yes, no := true, false
	tests := []struct {
		name       string
		conditions discoveryv1.EndpointConditions
		want       bool
	}{
		{name: "absent", want: true},
		{name: "true", conditions: discoveryv1.EndpointConditions{Ready: &yes}, want: true},
		{name: "false", conditions: discoveryv1.EndpointConditions{Ready: &no}},
		{
			name:       "false though serving",
			conditions: discoveryv1.EndpointConditions{Ready: &no, Serving: &yes, Terminating: &yes},
		},
		{
			name:       "true though terminating, as with publishNotReadyAddresses",
			conditions: discoveryv1.EndpointConditions{Ready: &yes, Terminating: &yes}, want: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := FromEndpointSlice(slice(discoveryv1.Endpoint{
				Addresses:  []string{"10.0.0.1"},
				Conditions: tt.conditions,
			}))
			checkError(t, err, "")
			if got.Endpoints[0].Ready != tt.want {
				t.Errorf("got %v, want %v", got.Endpoints[0].Ready, tt.want)
			}
		})
	}
}

func TestEveryGoodAddressIsAnEndpoint(t *testing.T) {
	at := func(a string, e Endpoint) Endpoint {
		e.Addr, e.Ready = netip.MustParseAddr(a), true
		return e
	}
	tests := []struct {
		name string
		in   []discoveryv1.Endpoint
		want []Endpoint
		err  string
	}{
		{name: "no endpoints", want: []Endpoint{}},
		{
			name: "no addresses", in: []discoveryv1.Endpoint{{TargetRef: podRef("default", "web-0")}},
			want: []Endpoint{},
		},
		{
			name: "several of one pod",
			in: []discoveryv1.Endpoint{{
				TargetRef: podRef("default", "web-0"),
				Addresses: []string{"10.0.0.1", "10.0.0.2"},
			}},
			want: []Endpoint{at("10.0.0.1", Endpoint{Pod: "web-0"}), at("10.0.0.2", Endpoint{Pod: "web-0"})},
		},
		{
			name: "several without a name have a dashed address each",
			in:   []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1", "fd00::"}}},
			want: []Endpoint{
				at("10.0.0.1", Endpoint{Host: "10-0-0-1", Dashed: true}),
				at("fd00::", Endpoint{Host: "fd00--0", Dashed: true}),
			},
		},
		{
			name: "IPv4 mapped into IPv6",
			in: []discoveryv1.Endpoint{{
				TargetRef: podRef("default", "web-0"),
				Addresses: []string{"::ffff:10.0.0.1"},
			}},
			want: []Endpoint{at("10.0.0.1", Endpoint{Pod: "web-0"})},
		},
		{
			name: "bad ones left out, the first of them named",
			in: []discoveryv1.Endpoint{
				{TargetRef: podRef("default", "web-0"), Addresses: []string{"10.0.0.1"}},
				{TargetRef: podRef("default", "web-1"), Addresses: []string{"fe80::1%eth0", "10.0.0.2"}},
				{TargetRef: podRef("default", "web-2"), Addresses: []string{"web-2.example.org"}},
				{TargetRef: podRef("default", "web-3"), Addresses: []string{"10.0.0.3"}},
			},
			want: []Endpoint{
				at("10.0.0.1", Endpoint{Pod: "web-0"}), at("10.0.0.2", Endpoint{Pod: "web-1"}),
				at("10.0.0.3", Endpoint{Pod: "web-3"}),
			},
			err: `endpoints[1]: "fe80::1%eth0" has a zone`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := FromEndpointSlice(slice(tt.in...))
			checkError(t, err, tt.err)
			if got == nil {
				t.Fatal("got nil")
			}
			if d := cmp.Diff(tt.want, got.Endpoints, sameAddr); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestSliceBelongsToItsLabel(t *testing.T) {
	tests := []struct {
		name      string
		namespace string
		label     string // "" is absent
		want      string
		err       string
	}{
		{name: "label", namespace: "default", label: "web", want: "web"},
		{name: "upper case", namespace: "Default", label: "Web", want: "web"},
		{name: "no label", namespace: "default", err: `no label kubernetes.io/service-name`},
		{name: "label with a dot", namespace: "default", label: "a.b", err: `"a.b" is not the name of a Service`},
		{name: "no namespace", label: "web", err: "no namespace"},
		{name: "namespace with a dot", namespace: "a.b", label: "web", err: `namespace "a.b" is not a DNS label`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := slice()
			s.Namespace, s.Name = tt.namespace, "Web."+strings.Repeat("A", 100) // no label, and need not be
			s.Labels[discoveryv1.LabelServiceName] = tt.label
			if tt.label == "" {
				s.Labels = nil
			}
			got, err := FromEndpointSlice(s)
			checkError(t, err, tt.err)
			if IsExpected(err) != (tt.label == "") { // such a slice is nobody's mistake
				t.Errorf("IsExpected(%v) is %v", err, IsExpected(err))
			}
			switch {
			case tt.err != "" && got != nil:
				t.Errorf("got %+v, want nil", got)
			case tt.err != "":
			case got == nil:
				t.Error("got nil")
			case got.Service != tt.want ||
				got.Key() != Key{KindEndpointSlice, "default", "web." + strings.Repeat("a", 100)}:
				t.Errorf("got %v of Service %q, want %q", got.Key(), got.Service, tt.want)
			}
		})
	}
}

// A log has no warning about a valid object.
func TestFQDNSliceIsExpected(t *testing.T) {
	s := slice(discoveryv1.Endpoint{Addresses: []string{"web.example.org"}})
	s.AddressType = discoveryv1.AddressTypeFQDN
	got, err := FromEndpointSlice(s)
	if got != nil || !IsExpected(err) {
		t.Errorf("got %+v, error %v, want nil and an expected one", got, err)
	}
	if IsExpected(nil) {
		t.Error("no error is expected")
	}
}
