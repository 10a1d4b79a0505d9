package tree

import (
	"testing"

	"github.com/coredns-headless/headless/plugin/object"
)

func TestPrecedenceBelowANamespace(t *testing.T) {
	tests := []struct {
		name    string
		objects []object.Object
		want    wants
	}{
		{
			name: "Service wins over peer",
			objects: []object.Object{
				headless("default/nginx", 1),
				sliceOf("default/nginx-1", "nginx", 1, stateful("api", "10.0.0.1"), stateful("db", "10.0.0.2"), stateful("nginx", "10.0.0.3"),
					deployed("idle", "10.0.0.4")),
				clusterIP("default/api", 1, "10.96.0.1"), external("default/db", 1), headless("default/idle", 1),
			},
			want: wants{
				"api.default": "Service 10.96.0.1", "db.default": "Alias", "idle.default": "Service",
				"nginx.default": "Service 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4", "nginx.nginx.default": "Peer 10.0.0.3",
				"api.nginx.default": "Peer 10.0.0.1", "db.nginx.default": "Peer 10.0.0.2",
			},
		},
		{
			name: "Service of another namespace wins nothing",
			objects: []object.Object{
				headless("default/nginx", 1), sliceOf("default/nginx-1", "nginx", 1, stateful("api", "10.0.0.1")),
				clusterIP("other/api", 1, "10.96.0.1"),
			},
			want: wants{"api.default": "Peer 10.0.0.1", "api.other": "Service 10.96.0.1"},
		},
		{
			name: "pod wins over hostname, and hostname over pod below the Service, as with kubernetes",
			objects: []object.Object{
				headless("default/nginx", 1),
				sliceOf("default/nginx-1", "nginx", 1, named("web-0", "db", "10.0.0.1"), deployed("db", "10.0.0.2")),
			},
			want: wants{"db.default": "Peer 10.0.0.2", "db.nginx.default": "Peer 10.0.0.1", "web-0.default": "Peer 10.0.0.1"},
		},
		{
			name: "pod of another Service wins over hostname",
			objects: []object.Object{
				headless("default/nginx", 1), sliceOf("default/nginx-1", "nginx", 1, named("web-0", "db", "10.0.0.1")),
				headless("default/store", 1), sliceOf("default/store-1", "store", 1, deployed("db", "10.0.0.2")),
			},
			want: wants{"db.default": "Peer 10.0.0.2", "db.nginx.default": "Peer 10.0.0.1", "db.store.default": "Peer 10.0.0.2"},
		},
		{
			name: "pod that is not ready keeps its name from hostnames",
			objects: []object.Object{
				headless("default/nginx", 1),
				sliceOf("default/nginx-1", "nginx", 1, named("web-0", "db", "10.0.0.1"), notReady(deployed("db", "10.0.0.2"))),
			},
			want: wants{"db.default": "None"},
		},
		{
			name: "hostname of several pods in one Service is their union",
			objects: []object.Object{
				headless("default/nginx", 1),
				sliceOf("default/nginx-1", "nginx", 1, named("web-1", "db", "10.0.0.2"), named("", "db", "10.0.0.3")),
				sliceOf("default/nginx-2", "nginx", 1, named("web-0", "db", "10.0.0.1")),
			},
			want: wants{
				"db.default": "Peer 10.0.0.1 10.0.0.2 10.0.0.3", "db.nginx.default": "Peer 10.0.0.1 10.0.0.2 10.0.0.3",
				"web-0.default": "Peer 10.0.0.1", "web-1.nginx.default": "Peer 10.0.0.2",
			},
		},
		{
			name: "hostname of different pods of different Services is ambiguous",
			objects: []object.Object{
				headless("default/nginx", 1), sliceOf("default/nginx-1", "nginx", 1, named("web-0", "db", "10.0.0.1")),
				headless("default/store", 1), sliceOf("default/store-1", "store", 1, named("store-0", "db", "10.0.0.2")),
			},
			want: wants{
				"db.default": "None", "db.nginx.default": "Peer 10.0.0.1", "db.store.default": "Peer 10.0.0.2",
				"web-0.default": "Peer 10.0.0.1", "store-0.default": "Peer 10.0.0.2",
			},
		},
		{
			name: "hostname stays ambiguous where one of the pods is not ready",
			objects: []object.Object{
				headless("default/nginx", 1), sliceOf("default/nginx-1", "nginx", 1, named("web-0", "db", "10.0.0.1")),
				headless("default/store", 1), sliceOf("default/store-1", "store", 1, notReady(named("store-0", "db", "10.0.0.2"))),
			},
			want: wants{"db.default": "None", "db.nginx.default": "Peer 10.0.0.1", "db.store.default": "None"},
		},
		{
			name: "hostname is not ambiguous across namespaces",
			objects: []object.Object{
				headless("default/nginx", 1), sliceOf("default/nginx-1", "nginx", 1, named("web-0", "db", "10.0.0.1")),
				headless("other/store", 1), sliceOf("other/store-1", "store", 1, named("store-0", "db", "10.0.0.2")),
			},
			want: wants{"db.default": "Peer 10.0.0.1", "db.other": "Peer 10.0.0.2"},
		},
		{
			name: "only headless Services make a hostname ambiguous",
			objects: []object.Object{
				headless("default/nginx", 1), sliceOf("default/nginx-1", "nginx", 1, named("web-0", "db", "10.0.0.1")),
				clusterIP("default/store", 1), sliceOf("default/store-1", "store", 1, named("store-0", "db", "10.0.0.2")),
				sliceOf("default/gone-1", "gone", 1, named("gone-0", "db", "10.0.0.3")),
			},
			want: wants{"db.default": "Peer 10.0.0.1", "store-0.default": "None", "gone-0.default": "None"},
		},
		{
			name: "pod behind several Services is one peer",
			objects: []object.Object{
				headless("default/nginx", 1), sliceOf("default/nginx-1", "nginx", 1, named("web-0", "db", "10.0.0.1")),
				headless("default/nginx-all", 1), sliceOf("default/nginx-all-1", "nginx-all", 1, named("web-0", "db", "10.0.0.1")),
				sliceOf("default/nginx-all-2", "nginx-all", 1, named("web-0", "", "fd00::1")),
			},
			want: wants{"db.default": "Peer 10.0.0.1", "web-0.default": "Peer 10.0.0.1 fd00::1"},
		},
		{
			name: "address without a pod behind several Services is one peer",
			objects: []object.Object{
				headless("default/nginx", 1), sliceOf("default/nginx-1", "nginx", 1, named("", "db", "10.0.0.1"), nameless("10.0.0.2")),
				sliceOf("default/nginx-2", "nginx", 1, named("", "db", "fd00::1")),
				headless("default/nginx-all", 1), sliceOf("default/nginx-all-1", "nginx-all", 1, named("", "db", "10.0.0.1"), nameless("10.0.0.2")),
				sliceOf("default/nginx-all-2", "nginx-all", 1, named("", "db", "fd00::1")),
			},
			want: wants{"db.default": "Peer 10.0.0.1 fd00::1", "10-0-0-2.default": "Peer 10.0.0.2"},
		},
		{
			name: "hostname of different addresses of different Services is ambiguous",
			objects: []object.Object{
				headless("default/nginx", 1), sliceOf("default/nginx-1", "nginx", 1, named("", "db", "10.0.0.1")),
				headless("default/store", 1), sliceOf("default/store-1", "store", 1, named("", "db", "10.0.0.2")),
			},
			want: wants{"db.default": "None", "db.nginx.default": "Peer 10.0.0.1"},
		},
		{
			name: "a pod and an address without one are two peers",
			objects: []object.Object{
				headless("default/nginx", 1), sliceOf("default/nginx-1", "nginx", 1, named("web-0", "db", "10.0.0.1")),
				headless("default/store", 1), sliceOf("default/store-1", "store", 1, named("", "db", "10.0.0.1")),
			},
			want: wants{"db.default": "None"},
		},
		{
			name: "dashed address is the name of an endpoint without another, and of no other",
			objects: []object.Object{
				headless("default/nginx", 1),
				sliceOf("default/nginx-1", "nginx", 1, nameless("10.0.0.1"), nameless("fd00::1"), deployed("web-0", "10.0.0.2"), named("", "db", "10.0.0.3")),
			},
			want: wants{
				"10-0-0-1.default": "Peer 10.0.0.1", "10-0-0-1.nginx.default": "Peer 10.0.0.1", "fd00--1.default": "Peer fd00::1",
				"10-0-0-2.default": "None", "10-0-0-2.nginx.default": "None", "10-0-0-3.nginx.default": "None",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.want.check(t, plant(tt.objects...)) })
	}
}

// The answer must be that of a rebuild, so it cannot hang on which of the slices came first.
func TestAmbiguityDoesNotDependOnOrder(t *testing.T) {
	tests := []struct {
		name   string
		slices []object.Object
	}{
		{
			name: "one pod in both Services, another in the second only",
			slices: []object.Object{
				sliceOf("default/a-1", "a", 1, named("p", "x", "10.0.0.1")),
				sliceOf("default/b-1", "b", 1, named("p", "x", "10.0.0.1")),
				sliceOf("default/b-2", "b", 1, named("q", "x", "10.0.0.2")),
			},
		},
		{
			name: "addresses without pods, one family in each of three Services",
			slices: []object.Object{
				sliceOf("default/a-1", "a", 1, named("", "x", "fd00::1")),
				sliceOf("default/b-1", "b", 1, named("", "x", "10.0.0.1")),
				sliceOf("default/c-1", "c", 1, named("", "x", "10.0.0.2")),
			},
		},
		{
			name: "dual stack without pods, one address in common",
			slices: []object.Object{
				sliceOf("default/a-1", "a", 1, named("", "x", "10.0.0.1")),
				sliceOf("default/a-2", "a", 1, named("", "x", "fd00::1")),
				sliceOf("default/b-1", "b", 1, named("", "x", "10.0.0.1"), named("", "x", "fd00::2")),
			},
		},
	}
	orders := [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			first := ""
			for _, o := range orders {
				tr := plant(headless("default/a", 1), headless("default/b", 1), headless("default/c", 1))
				s := tr.Source("")
				for _, i := range o {
					s.Set(tt.slices[i])
				}
				got := said(t, tr.Find, "x.default", false)
				if first == "" {
					first = got
				}
				if got != first {
					t.Errorf("order %v: %s, order %v: %s", orders[0], first, o, got)
				}
			}
		})
	}
}
