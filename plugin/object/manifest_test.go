package object

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

var compare = cmp.Options{
	cmp.AllowUnexported(EndpointSlice{}, Service{}, meta{}),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
}

// back is what comes of o written and read again, but for its version.
func back(t *testing.T, o Object, labels map[string]string) Object {
	t.Helper()
	text, err := Manifest(o, labels)
	if err != nil {
		t.Fatal(err)
	}
	var again Object
	switch o.(type) {
	case *Service:
		k := new(corev1.Service)
		if err := json.Unmarshal(text, k); err != nil {
			t.Fatal(err)
		}
		again, _ = From(k) // an ExternalName that is none stays none
	case *EndpointSlice:
		k := new(discoveryv1.EndpointSlice)
		if err := json.Unmarshal(text, k); err != nil {
			t.Fatal(err)
		}
		if again, err = From(k); err != nil {
			t.Fatal(err)
		}
		for name, value := range labels {
			if k.Labels[name] != value {
				t.Errorf("label %s: %q", name, k.Labels[name])
			}
		}
	}
	return again
}

func TestManifestReadsBackAsTheSame(t *testing.T) {
	h := func(k Kind, name string) meta { return meta{key: NewKey(k, "default", name)} }
	svc := h(KindService, "web")
	ports := []Port{
		{Name: "web", Protocol: "tcp", Port: 80},
		{Name: "dns", Protocol: "udp", Port: 53},
		{Protocol: "sctp", Port: 7},
	}
	slice := func(texts ...string) *EndpointSlice { // without names: dashed as they are written
		s := &EndpointSlice{meta: h(KindEndpointSlice, "web-x"), Service: "web"}
		for _, text := range texts {
			s.Endpoints = append(s.Endpoints,
				Endpoint{Host: dashed(text), Dashed: true, Addr: netip.MustParseAddr(text).Unmap()})
		}
		return s
	}
	addr := netip.MustParseAddr
	tests := map[string]Object{
		"headless": &Service{meta: svc, Type: Headless, Ports: ports},
		"cluster IPs": &Service{
			meta: svc, ClusterIPs: []netip.Addr{addr("10.96.0.1"), addr("fd00::1")},
			Ports: ports,
		},
		"no cluster IP":        &Service{meta: svc},
		"no real protocol":     &Service{meta: svc, Ports: []Port{{Name: "web", Protocol: "\u0131p", Port: 80}}},
		"ExternalName":         &Service{meta: svc, Type: ExternalName, ExternalName: "example.org."},
		"ExternalName of none": &Service{meta: svc, Type: ExternalName},
		"endpoints": &EndpointSlice{
			meta: h(KindEndpointSlice, "web-x"), Service: "web", Ports: ports,
			Endpoints: []Endpoint{
				{Pod: "web-0", Host: "web-0", Addr: addr("10.0.0.1"), Ready: true},
				{Pod: "web-1", Addr: addr("10.0.0.2")},
				{Host: "h\"\\\n", Addr: addr("10.0.0.3"), Ready: true},
				{Pod: "web-2", Host: "other", Addr: addr("fd00::2"), Ready: true},
			},
		},
		"no endpoints": &EndpointSlice{meta: h(KindEndpointSlice, "web-x"), Service: "web", Endpoints: []Endpoint{}},
		"dashed": slice("10.0.0.1", "fd00::1", "fd00::", "::1", "FD00:0:0::0001", "::ffff:10.0.0.9", "::ffff:a00:9",
			"1:2:3:4:5:6:7:8",
			"64:ff9b::192.0.2.1"),
	}
	for name, o := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(o, back(t, o, map[string]string{corev1.IsHeadlessService: ""}), compare); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
