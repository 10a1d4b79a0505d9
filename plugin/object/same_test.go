package object

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
)

// If Same ignored a field, a change of it would raise no serial, and no secondary would transfer it.
func TestServicesAreTheSameIfAllFieldsAre(t *testing.T) {
	full := func() *Service {
		return &Service{
			meta: meta{key: NewKey(KindService, "default", "web"), version: 7},
			Type: ClusterIP, ClusterIPs: addrs("10.96.0.1", "fd00:96::1"), ExternalName: "db.example.org.",
			Ports: []Port{{Name: "web", Protocol: "tcp", Port: 80}, {Name: "ui", Protocol: "udp", Port: 8080}},
		}
	}
	tests := []struct {
		name   string
		field  string // of Service
		change func(*Service)
	}{
		{name: "type headless", field: "Type", change: func(s *Service) { s.Type = Headless }},
		{name: "type ExternalName", field: "Type", change: func(s *Service) { s.Type = ExternalName }},
		{
			name: "external name", field: "ExternalName",
			change: func(s *Service) { s.ExternalName = "mq.example.org." },
		},
		{name: "no external name", field: "ExternalName", change: func(s *Service) { s.ExternalName = "" }},
		{
			name: "an address", field: "ClusterIPs",
			change: func(s *Service) { s.ClusterIPs[1] = netip.MustParseAddr("fd00:96::2") },
		},
		{name: "an address less", field: "ClusterIPs", change: func(s *Service) { s.ClusterIPs = s.ClusterIPs[:1] }},
		{name: "no address", field: "ClusterIPs", change: func(s *Service) { s.ClusterIPs = nil }},
		{name: "a port's name", field: "Ports", change: func(s *Service) { s.Ports[1].Name = "console" }},
		{name: "a port's protocol", field: "Ports", change: func(s *Service) { s.Ports[1].Protocol = "tcp" }},
		{name: "a port's number", field: "Ports", change: func(s *Service) { s.Ports[1].Port = 8081 }},
		{
			name: "a port more", field: "Ports",
			change: func(s *Service) { s.Ports = append(s.Ports, Port{Protocol: "tcp", Port: 1}) },
		},
		{name: "no port", field: "Ports", change: func(s *Service) { s.Ports = nil }},
	}
	tested := []string{"meta"} // its key is the same, or nobody compares
	for _, tt := range tests {
		tested = append(tested, tt.field)
		t.Run(tt.name, func(t *testing.T) {
			was, now := full(), full()
			tt.change(now)
			if was.Same(now) || now.Same(was) {
				t.Errorf("%+v passes for %+v", now, was)
			}
		})
	}
	for f := range reflect.TypeFor[Service]().Fields() {
		if !slices.Contains(tested, f.Name) {
			t.Errorf("nobody tests that %s makes a difference", f.Name)
		}
	}
}

func TestServicesAreTheSameWhateverTheirVersion(t *testing.T) {
	tests := []struct {
		name     string
		was, now Service
	}{
		{name: "of no names", was: Service{}, now: Service{}},
		{name: "version", was: Service{meta: meta{version: 7}}, now: Service{meta: meta{version: 8}}},
		{name: "version absent", was: Service{meta: meta{version: 7}}, now: Service{}},
		{
			name: "lists that are empty in different ways",
			was:  Service{ClusterIPs: []netip.Addr{}, Ports: []Port{}}, now: Service{ClusterIPs: nil, Ports: nil},
		},
		{
			name: "equal lists",
			was:  Service{ClusterIPs: addrs("10.96.0.1"), Ports: []Port{{Name: "web", Protocol: "tcp", Port: 80}}},
			now:  Service{ClusterIPs: addrs("10.96.0.1"), Ports: []Port{{Name: "web", Protocol: "tcp", Port: 80}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !tt.was.Same(&tt.now) || !tt.now.Same(&tt.was) {
				t.Errorf("%+v does not pass for %+v", tt.now, tt.was)
			}
		})
	}
}
