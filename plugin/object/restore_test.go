package object

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// compare compares what is kept: no version, and no Trigger.
var compare = cmp.Options{
	cmp.AllowUnexported(EndpointSlice{}, Service{}, meta{}),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmpopts.IgnoreFields(meta{}, "version"), cmpopts.IgnoreFields(EndpointSlice{}, "Trigger"), cmpopts.EquateEmpty(),
}

// back is what comes of o written and read again.
func back(t *testing.T, o Object) Object {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var again interface {
		Object
		Restore(namespace, name string) error
	} = new(Service)
	if o.Key().Kind == KindEndpointSlice {
		again = new(EndpointSlice)
	}
	if err := json.Unmarshal(text, again); err != nil {
		t.Fatal(err)
	}
	if err := again.Restore(o.Key().Namespace, o.Key().Name); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return again
}

func TestKeptObjectsAreRestored(t *testing.T) {
	h := func(k Kind, name string) meta { return meta{key: NewKey(k, "default", name)} }
	svc := h(KindService, "web")
	ports := []Port{{Name: "web", Protocol: "tcp", Port: 80}, {Name: "dns", Protocol: "udp", Port: 53}, {Protocol: "sctp", Port: 7}}
	slice := func(texts ...string) *EndpointSlice { // without names: dashed as they are written
		s := &EndpointSlice{meta: h(KindEndpointSlice, "web-x"), Service: "web"}
		for _, text := range texts {
			s.Endpoints = append(s.Endpoints, Endpoint{Host: dashed(text), Dashed: true, Addr: netip.MustParseAddr(text).Unmap()})
		}
		return s
	}
	addr := netip.MustParseAddr
	tests := map[string]Object{
		"headless":             &Service{meta: svc, Type: Headless, Ports: ports},
		"cluster IPs":          &Service{meta: svc, ClusterIPs: []netip.Addr{addr("10.96.0.1"), addr("fd00::1")}, Ports: ports},
		"no cluster IP":        &Service{meta: svc},
		"no real protocol":     &Service{meta: svc, Ports: []Port{{Name: "web", Protocol: "\u0131p", Port: 80}}},
		"ExternalName":         &Service{meta: svc, Type: ExternalName, ExternalName: "example.org."},
		"ExternalName of none": &Service{meta: svc, Type: ExternalName},
		"endpoints": &EndpointSlice{meta: h(KindEndpointSlice, "web-x"), Service: "web", Ports: ports, Endpoints: []Endpoint{
			{Pod: "web-0", Host: "web-0", Addr: addr("10.0.0.1"), Ready: true},
			{Pod: "web-1", Addr: addr("10.0.0.2")},
			{Host: "h\"\\\n", Addr: addr("10.0.0.3"), Ready: true},
			{Pod: "web-2", Host: "other", Addr: addr("fd00::2"), Ready: true},
		}},
		"no endpoints": &EndpointSlice{meta: h(KindEndpointSlice, "web-x"), Service: "web", Endpoints: []Endpoint{}},
		"dashed": slice("10.0.0.1", "fd00::1", "fd00::", "::1", "FD00:0:0::0001", "::ffff:10.0.0.9", "::ffff:a00:9", "1:2:3:4:5:6:7:8",
			"64:ff9b::192.0.2.1"),
	}
	for name, o := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(o, back(t, o), compare); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Somebody may have changed the file that an object was kept in: it must be one that From could make.
func TestChangedObjectsAreNotRestored(t *testing.T) {
	for text, o := range map[string]interface {
		Restore(namespace, name string) error
	}{
		`{"type":3}`: new(Service),
		`{"type":2,"externalName":"example.org"}`:                                                        new(Service),
		`{"type":2,"externalName":"a..b."}`:                                                              new(Service),
		`{"type":2,"externalName":"10.0.0.1."}`:                                                          new(Service),
		`{"clusterIPs":["::ffff:10.0.0.1"]}`:                                                             new(Service),
		`{"clusterIPs":["fe80::1%eth0"]}`:                                                                new(Service),
		`{"clusterIPs":[""]}`:                                                                            new(Service),
		`{"ports":[{"name":"web","protocol":"tcp","port":0}]}`:                                           new(Service),
		`{"ports":[{"name":"Web","protocol":"tcp","port":80}]}`:                                          new(Service),
		`{"ports":[{"name":"a.b","protocol":"tcp","port":80}]}`:                                          new(Service),
		`{"ports":[{"name":"web","protocol":"a.b","port":80}]}`:                                          new(Service),
		`{"ports":[{"name":"web","protocol":"TCP","port":80}]}`:                                          new(Service),
		`{"ports":[{"name":"web","port":80}]}`:                                                           new(Service),
		`{}`:                                                                                             new(EndpointSlice), // of no Service
		`{"service":"a.b"}`:                                                                              new(EndpointSlice),
		`{"service":"Web"}`:                                                                              new(EndpointSlice),
		`{"service":"web","ports":[{"protocol":"tcp"}]}`:                                                 new(EndpointSlice),
		`{"service":"web","endpoints":[{"addr":"10.0.0.1"}]}`:                                            new(EndpointSlice),
		`{"service":"web","endpoints":[{"pod":"web-0"}]}`:                                                new(EndpointSlice),
		`{"service":"web","endpoints":[{"pod":"web-0","addr":"fe80::1%eth0"}]}`:                          new(EndpointSlice),
		`{"service":"web","endpoints":[{"pod":"Web-0","addr":"10.0.0.1"}]}`:                              new(EndpointSlice),
		`{"service":"web","endpoints":[{"pod":"*","addr":"10.0.0.1"}]}`:                                  new(EndpointSlice),
		`{"service":"web","endpoints":[{"host":"a.b","addr":"10.0.0.1"}]}`:                               new(EndpointSlice),
		`{"service":"web","endpoints":[{"host":"A","addr":"10.0.0.1"}]}`:                                 new(EndpointSlice),
		`{"service":"web","endpoints":[{"pod":"web-0","host":"web-0","dashed":true,"addr":"10.0.0.1"}]}`: new(EndpointSlice),
	} {
		if err := json.Unmarshal([]byte(text), o); err != nil {
			t.Fatal(err)
		}
		if err := o.Restore("default", "web"); err == nil {
			t.Errorf("%s is restored: %+v", text, o)
		}
	}
	for _, key := range [][2]string{{"", "web"}, {"a.b", "web"}, {"Default", "web"}, {"default", ""}, {"default", "a.b"}, {"default", "Web"}} {
		if err := new(Service).Restore(key[0], key[1]); err == nil {
			t.Errorf("%q is a Service's key", key)
		}
	}
	if err := (&EndpointSlice{Service: "web"}).Restore("a.b", "web-x"); err == nil {
		t.Error("a.b is a namespace")
	}
	if err := (&EndpointSlice{Service: "web"}).Restore("default", "web.x"); err != nil { // a slice's name is no label
		t.Error(err)
	}
}
