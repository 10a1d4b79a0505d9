package tree

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredns-headless/headless/plugin/object"
)

func TestAddressesAreTheUnion(t *testing.T) {
	tests := []struct {
		name    string
		objects []object.Object
		want    wants
	}{
		{
			name: "over slices, without duplicates, sorted",
			objects: []object.Object{
				headless("default/nginx", 1),
				sliceOf("default/nginx-b", "nginx", 1, stateful("web-1", "10.0.0.9"), stateful("web-0", "10.0.0.10")),
				sliceOf("default/nginx-a", "nginx", 1, stateful("web-0", "10.0.0.10"), stateful("web-0", "9.0.0.1")), // an endpoint moves
			},
			want: wants{
				"nginx.default": "Service 9.0.0.1 10.0.0.9 10.0.0.10", "web-0.default": "Peer 9.0.0.1 10.0.0.10",
				"web-0.nginx.default": "Peer 9.0.0.1 10.0.0.10", "web-1.default": "Peer 10.0.0.9",
			},
		},
		{
			name: "over families",
			objects: []object.Object{
				headless("default/nginx", 1),
				sliceOf("default/nginx-4", "nginx", 1, stateful("web-0", "10.0.0.1"), stateful("web-1", "10.0.0.2")),
				sliceOf("default/nginx-6", "nginx", 1, stateful("web-1", "fd00::2"), stateful("web-0", "fd00::1"), stateful("web-2", "fd00::3")),
			},
			want: wants{
				"nginx.default": "Service 10.0.0.1 10.0.0.2 fd00::1 fd00::2 fd00::3", "web-0.default": "Peer 10.0.0.1 fd00::1",
				"web-1.nginx.default": "Peer 10.0.0.2 fd00::2", "web-2.default": "Peer fd00::3", "web-2.nginx.default": "Peer fd00::3",
			},
		},
		{
			name: "over the Services of a pod below the namespace, not below a Service",
			objects: []object.Object{
				headless("default/a", 1), sliceOf("default/a-1", "a", 1, stateful("web-0", "10.0.0.1")),
				headless("default/b", 1), sliceOf("default/b-1", "b", 1, deployed("web-0", "10.0.0.1"), deployed("web-0", "10.0.0.2")),
			},
			want: wants{
				"web-0.default": "Peer 10.0.0.1 10.0.0.2", "web-0.a.default": "Peer 10.0.0.1", "web-0.b.default": "Peer 10.0.0.1 10.0.0.2",
			},
		},
		{
			name: "of one slice that says a thing twice",
			objects: []object.Object{
				headless("default/nginx", 1),
				sliceOf("default/nginx-1", "nginx", 1, stateful("web-0", "10.0.0.1"), stateful("web-0", "10.0.0.1"),
					named("web-1", "db", "10.0.0.2"), named("web-1", "db", "10.0.0.2")),
			},
			want: wants{
				"nginx.default": "Service 10.0.0.1 10.0.0.2", "web-0.default": "Peer 10.0.0.1", "db.default": "Peer 10.0.0.2",
				"web-1.nginx.default": "Peer 10.0.0.2",
			},
		},
		{
			name:    "cluster IPs in the order of the Service",
			objects: []object.Object{clusterIP("default/api", 1, "fd00:96::1", "10.96.0.1")},
			want:    wants{"api.default": "Service 10.96.0.1 fd00:96::1"},
		},
		{
			name: "never of slices below a ClusterIP or an ExternalName",
			objects: []object.Object{
				clusterIP("default/api", 1, "10.96.0.1"), sliceOf("default/api-1", "api", 1, stateful("api-0", "10.0.0.1")),
				external("default/db", 1), sliceOf("default/db-1", "db", 1, stateful("db-0", "10.0.0.2")),
			},
			want: wants{
				"api.default": "Service 10.96.0.1", "db.default": "Alias", "api-0.default": "None", "api-0.api.default": "None",
				"db-0.default": "None",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.want.check(t, plant(tt.objects...)) })
	}
}

// The caller's buffer is where addresses go, and only its room beyond what is in it decides whether that works.
func TestBufTooSmallIsLeftBehind(t *testing.T) {
	tr := plant(
		headless("default/nginx", 1),
		sliceOf("default/nginx-1", "nginx", 1, named("web-0", "db", "10.0.0.3"), named("web-1", "db", "10.0.0.1"), named("web-2", "db", "10.0.0.2")),
	)
	want := []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")}
	for size := range 5 {
		for _, name := range []string{"db.default", "db.nginx.default", "nginx.default"} {
			got := tr.Find(pathOf(name), Query{Family: IPv4, Buf: make([]netip.Addr, 0, size)})
			if d := cmp.Diff(want, got.Addrs, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
				t.Errorf("%s, buffer of %d: %s", name, size, d)
			}
		}
	}
}
