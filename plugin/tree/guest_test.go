package tree

import (
	"testing"

	"github.com/coredns-headless/headless/plugin/object"
)

// A query that FindGuest has no name for goes to the plugin kubernetes.
func TestGuestOwnsOnlyWhatKubernetesLacks(t *testing.T) {
	const handedOn = "None"
	tests := []struct {
		name      string
		endpoints []object.Endpoint // of the headless Service nginx
		objects   []object.Object   // others
		asked     string
		want      string
		notReady  string // what it is with not_ready; as want where ""
	}{
		{name: "root", asked: "", want: handedOn},
		{name: "namespace", asked: "default", want: handedOn},
		{name: "unknown namespace", asked: "web-0.unknown", want: handedOn},
		{
			name: "ClusterIP Service", objects: []object.Object{clusterIP("default/api", 1, "10.96.0.1")},
			asked: "api.default", want: handedOn,
		},
		{
			name: "ExternalName Service", objects: []object.Object{external("default/db", 1)}, asked: "db.default",
			want: handedOn,
		},
		{
			name: "Service wins over peer", endpoints: []object.Endpoint{stateful("api", "10.0.0.1")},
			objects: []object.Object{clusterIP("default/api", 1, "10.96.0.1")}, asked: "api.default", want: handedOn,
		},
		{
			name:      "slices of a Service that does not exist win nothing",
			endpoints: []object.Endpoint{stateful("api", "10.0.0.1")},
			objects:   []object.Object{sliceOf("default/api-1", "api", 1, deployed("api-x", "10.0.0.2"))},
			asked:     "api.default", want: "Peer 10.0.0.1",
		},
		{
			name: "short name of a pod", endpoints: []object.Endpoint{deployed("ws-x", "10.0.0.1")},
			asked: "ws-x.default", want: "Peer 10.0.0.1",
		},
		{
			name: "short name of a hostname", endpoints: []object.Endpoint{named("", "db", "fd00::1")},
			asked: "db.default", want: "Peer fd00::1",
		},
		{
			name: "pod without a hostname", endpoints: []object.Endpoint{deployed("ws-x", "10.0.0.1")},
			asked: "ws-x.nginx.default", want: "Peer 10.0.0.1",
		},
		{
			name:      "pod without a hostname, not ready",
			endpoints: []object.Endpoint{notReady(deployed("ws-x", "10.0.0.1"))},
			asked:     "ws-x.nginx.default", want: handedOn, notReady: "Peer 10.0.0.1",
		},
		{
			name: "hostname of a ready endpoint", endpoints: []object.Endpoint{stateful("web-0", "10.0.0.1")},
			asked: "web-0.nginx.default", want: handedOn,
		},
		{
			name:      "hostname of an endpoint not ready that is the pod's name",
			endpoints: []object.Endpoint{notReady(stateful("web-0", "10.0.0.1"))},
			asked:     "web-0.nginx.default", want: handedOn, notReady: "Peer 10.0.0.1",
		},
		{
			name:      "pod's name that is another's hostname",
			endpoints: []object.Endpoint{deployed("db", "10.0.0.1"), named("web-0", "db", "10.0.0.2")},
			asked:     "db.nginx.default", want: handedOn,
		},
		{
			name: "pod's name that is the hostname of one deep in a chain",
			endpoints: []object.Endpoint{
				named("web-0", "db", "10.0.0.2"), notReady(named("web-1", "db", "10.0.0.3")),
				deployed("db", "10.0.0.1"),
			},
			asked: "db.nginx.default", want: handedOn,
		},
		{
			name:      "pod's name that is the hostname of one not ready",
			endpoints: []object.Endpoint{deployed("db", "10.0.0.1"), notReady(named("web-0", "db", "10.0.0.2"))},
			asked:     "db.nginx.default", want: "Peer 10.0.0.1",
		},
		{
			name: "dashed address", endpoints: []object.Endpoint{nameless("10.0.0.1")},
			asked: "10-0-0-1.nginx.default", want: handedOn,
		},
		{
			name:      "pod's name that is the dashed address of one without a hostname",
			endpoints: []object.Endpoint{deployed("10-0-0-2", "10.0.0.1"), deployed("ws-x", "10.0.0.2")},
			asked:     "10-0-0-2.nginx.default", want: handedOn,
		},
		{
			name:      "pod's name that is the dashed IPv6 address, ending in zeros, of one without a hostname",
			endpoints: []object.Endpoint{deployed("fd00--0", "10.0.0.1"), deployed("ws-x", "fd00::")},
			asked:     "fd00--0.nginx.default", want: handedOn,
		},
		{
			name:      "pod's name that is the dashed address of one not ready",
			endpoints: []object.Endpoint{deployed("10-0-0-2", "10.0.0.1"), notReady(deployed("ws-x", "10.0.0.2"))},
			asked:     "10-0-0-2.nginx.default", want: "Peer 10.0.0.1",
		},
		{
			name:      "pod's name that is the dashed address of one with a hostname",
			endpoints: []object.Endpoint{deployed("10-0-0-2", "10.0.0.1"), stateful("web-0", "10.0.0.2")},
			asked:     "10-0-0-2.nginx.default", want: "Peer 10.0.0.1",
		},
		{
			name:      "pod's name that is a dashed address in another Service",
			endpoints: []object.Endpoint{deployed("10-0-0-2", "10.0.0.1")},
			objects: []object.Object{
				headless("default/b", 1), sliceOf("default/b-1", "b", 1, deployed("ws-x", "10.0.0.2")),
			},
			asked: "10-0-0-2.nginx.default", want: "Peer 10.0.0.1",
		},
		{
			name: "pod of a ClusterIP Service",
			objects: []object.Object{
				clusterIP("default/api", 1),
				sliceOf("default/api-1", "api", 1, deployed("api-x", "10.0.0.1")),
			},
			asked: "api-x.api.default", want: handedOn,
		},
		{
			name:    "pod of a Service that does not exist",
			objects: []object.Object{sliceOf("default/api-1", "api", 1, deployed("api-x", "10.0.0.1"))},
			asked:   "api-x.api.default", want: handedOn,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			objects := append(behind("nginx", tt.endpoints...), tt.objects...)
			tr := plant(objects...)
			if got := said(t, tr.FindGuest, tt.asked, false); got != tt.want {
				t.Errorf("%q: got %s, want %s", tt.asked, got, tt.want)
			}
			want := tt.notReady
			if want == "" {
				want = tt.want
			}
			if got := said(t, tr.FindGuest, tt.asked, true); got != want {
				t.Errorf("%q with not_ready: got %s, want %s", tt.asked, got, want)
			}
		})
	}
}
