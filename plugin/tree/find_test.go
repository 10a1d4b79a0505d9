package tree

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/coredns-headless/headless/plugin/object"
)

// Find returns the same whichever object comes first. The model test has many more objects.
func TestFind(t *testing.T) {
	tests := []struct {
		name     string
		objects  []object.Object
		want     wants
		notReady wants // with not_ready, of those names that it changes
	}{
		{
			name: "every depth",
			objects: slices.Concat(behind("nginx", stateful("web-0", "10.0.0.1")), behind("idle"), []object.Object{
				clusterIP("default/api", 1, "fd00:96::1", "10.96.0.1"), external("default/db", 1),
				clusterIP("kube-system/kube-dns", 1, "10.96.0.10"),
				sliceOf("ghost/nginx-1", "nginx", 1, stateful("web-9", "10.0.0.9")), // its Service is not known
			}),
			want: wants{
				"": "EmptyNonTerminal", "default": "EmptyNonTerminal", "kube-system": "EmptyNonTerminal",
				"ghost": "None", "unknown": "None",
				"nginx.default": "Service 10.0.0.1", "api.default": "Service 10.96.0.1 fd00:96::1",
				"db.default":   "Alias",
				"idle.default": "Service", "nginx.ghost": "None", "web-0.default": "Peer 10.0.0.1",
				"web-1.default":     "None",
				"web-0.kube-system": "None", "web-9.ghost": "None", "web-0.unknown": "None",
				"web-0.nginx.default": "Peer 10.0.0.1", "web-1.nginx.default": "None", "web-0.api.default": "None",
				"web-0.idle.default": "None", "web-0.web-0.default": "None", "web-0.unknown.default": "None",
				"web-9.nginx.ghost": "None", "web-0.nginx.unknown": "None",
			},
		},
		{
			name: "nothing",
			want: wants{
				"": "EmptyNonTerminal", "default": "None", "nginx.default": "None", "web-0.nginx.default": "None",
			},
		},
		{
			name: "Service wins over peer of its namespace",
			objects: slices.Concat(
				behind("nginx", stateful("api", "10.0.0.1"), stateful("db", "10.0.0.2"), deployed("idle", "10.0.0.3"),
					stateful("dns", "10.0.0.4")), behind("idle"),
				[]object.Object{
					clusterIP("default/api", 1, "10.96.0.1"), external("default/db", 1),
					clusterIP("other/dns", 1, "10.96.0.2"),
				},
			),
			want: wants{
				"api.default": "Service 10.96.0.1", "db.default": "Alias", "idle.default": "Service",
				"dns.default":       "Peer 10.0.0.4",
				"api.nginx.default": "Peer 10.0.0.1", "db.nginx.default": "Peer 10.0.0.2",
			},
		},
		{
			name: "pod wins over hostname, and hostname over pod below the Service, as with kubernetes",
			objects: slices.Concat(behind("nginx", named("web-0", "db", "10.0.0.1"), deployed("db", "10.0.0.2")),
				behind("store", deployed("db", "10.0.0.3"))),
			want: wants{
				"db.default": "Peer 10.0.0.2 10.0.0.3", "db.nginx.default": "Peer 10.0.0.1",
				"db.store.default": "Peer 10.0.0.3",
				"web-0.default":    "Peer 10.0.0.1",
			},
		},
		{
			name:     "pod that is not ready keeps its name from hostnames",
			objects:  behind("nginx", named("web-0", "db", "10.0.0.1"), notReady(deployed("db", "10.0.0.2"))),
			want:     wants{"db.default": "None", "db.nginx.default": "Peer 10.0.0.1"},
			notReady: wants{"db.default": "Peer 10.0.0.2"},
		},
		{
			name: "hostname of several pods in one Service is their union, over slices and families",
			objects: append(
				behind("nginx", named("web-1", "db", "10.0.0.2"), named("", "db", "10.0.0.3"),
					named("web-1", "db", "10.0.0.2"),
					named("web-1", "", "fd00::1")),
				sliceOf("default/nginx-2", "nginx", 1, named("web-0", "db", "10.0.0.1"),
					named("web-1", "db", "10.0.0.2"),
					named("web-1", "db", "10.0.0.10")),
			),
			want: wants{
				"db.default":          "Peer 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.10",
				"db.nginx.default":    "Peer 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.10",
				"nginx.default":       "Service 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.10 fd00::1",
				"web-1.nginx.default": "Peer 10.0.0.2 10.0.0.10 fd00::1",
			},
		},
		{
			name: "hostname of different pods of different Services is ambiguous, ready or not",
			objects: slices.Concat(
				behind("nginx", named("web-0", "db", "10.0.0.1"), named("", "mq", "10.0.0.3"),
					named("web-5", "ui", "10.0.0.5")),
				behind("store", notReady(named("store-0", "db", "10.0.0.2")), named("", "mq", "10.0.0.4"),
					named("", "ui", "10.0.0.5")),
			),
			want: wants{
				"db.default": "None", "db.nginx.default": "Peer 10.0.0.1", "db.store.default": "None",
				"mq.default": "None",
				"ui.default": "None",
			},
			notReady: wants{"db.store.default": "Peer 10.0.0.2"},
		},
		{
			name: "only headless Services of one namespace make a hostname ambiguous",
			objects: append(behind("nginx", named("web-0", "db", "10.0.0.1")),
				headless("other/store", 1), sliceOf("other/store-1", "store", 1, named("store-0", "db", "10.0.0.2")),
				clusterIP("default/api", 1), sliceOf("default/api-1", "api", 1, named("api-0", "db", "10.0.0.3")),
				external("default/mq", 1), sliceOf("default/mq-1", "mq", 1, named("mq-0", "db", "10.0.0.4")),
				sliceOf("default/gone-1", "gone", 1, named("gone-0", "db", "10.0.0.5"))),
			want: wants{
				"db.default": "Peer 10.0.0.1", "db.other": "Peer 10.0.0.2", "api.default": "Service",
				"api-0.default":  "None",
				"mq-0.default":   "None",
				"gone-0.default": "None",
			},
		},
		{
			name: "pod, or address without one, behind several Services is one peer",
			objects: append(
				slices.Concat(behind("a", named("web-0", "db", "10.0.0.1"), named("", "mq", "10.0.0.2")),
					behind("b", named("web-0", "db", "10.0.0.1"), named("", "mq", "10.0.0.2"))),
				sliceOf("default/a-2", "a", 1, named("", "mq", "fd00::2")),
				sliceOf("default/b-2", "b", 1, named("web-0", "", "fd00::1"), named("", "mq", "fd00::2")),
			),
			want: wants{
				"db.default": "Peer 10.0.0.1", "web-0.default": "Peer 10.0.0.1 fd00::1",
				"mq.default":      "Peer 10.0.0.2 fd00::2",
				"web-0.a.default": "Peer 10.0.0.1",
			},
		},
		{
			name: "one pod in both Services, another in the second only",
			objects: append(slices.Concat(behind("a", named("p", "x", "10.0.0.1")),
				behind("b", named("p", "x", "10.0.0.1"))),
				sliceOf("default/b-2", "b", 1, named("q", "x", "10.0.0.2"))),
			want: wants{"x.default": "None"},
		},
		{
			name: "addresses without pods, one family in each of three Services",
			objects: slices.Concat(behind("a", named("", "x", "fd00::1")), behind("b", named("", "x", "10.0.0.1")),
				behind("c", named("", "x", "10.0.0.2"))),
			want: wants{"x.default": "None"},
		},
		{
			name: "dual stack without pods, one address in common",
			objects: slices.Concat(behind("a", named("", "x", "10.0.0.1"), named("", "x", "fd00::1")),
				behind("b", named("", "x", "10.0.0.1"), named("", "x", "fd00::2"))),
			want: wants{"x.default": "None"},
		},
		{
			name: "dashed address is the name of an endpoint without another, and of no other",
			objects: behind("nginx", nameless("10.0.0.1"), notReady(nameless("fd00::1")),
				deployed("web-0", "10.0.0.2"),
				named("", "db", "10.0.0.3")),
			want: wants{
				"10-0-0-1.default": "Peer 10.0.0.1", "10-0-0-1.nginx.default": "Peer 10.0.0.1",
				"fd00--1.default":  "None",
				"10-0-0-2.default": "None", "10-0-0-2.nginx.default": "None", "10-0-0-3.nginx.default": "None",
			},
			notReady: wants{"fd00--1.default": "Peer fd00::1"},
		},
		{
			name: "ready ones count alone, over slices and families, and the Service's own list has no other",
			objects: append(
				behind("nginx", notReady(stateful("web-0", "10.0.0.1")), stateful("web-0", "10.0.0.2"),
					notReady(stateful("web-0", "10.0.0.3")), named("web-1", "db", "10.0.0.4"),
					notReady(deployed("ws-x", "10.0.0.6"))),
				sliceOf("default/nginx-2", "nginx", 1, notReady(stateful("web-0", "fd00::1")),
					notReady(named("web-2", "db", "10.0.0.5")), stateful("ws-x", "fd00::2")),
			),
			want: wants{
				"web-0.default": "Peer 10.0.0.2", "web-0.nginx.default": "Peer 10.0.0.2",
				"db.default":    "Peer 10.0.0.4",
				"ws-x.default":  "Peer fd00::2",
				"nginx.default": "Service 10.0.0.2 10.0.0.4 fd00::2", "web-2.default": "None",
			},
			notReady: wants{"web-2.default": "Peer 10.0.0.5"},
		},
		{
			name: "all those not ready where there is no other",
			objects: append(behind("nginx", notReady(named("web-0", "db", "10.0.0.1")),
				notReady(named("web-1", "db", "10.0.0.2"))),
				sliceOf("default/nginx-2", "nginx", 1, notReady(named("web-2", "db", "10.0.0.3")))),
			want: wants{
				"nginx.default": "Service", "db.default": "None", "db.nginx.default": "None",
				"web-0.nginx.default": "None",
			},
			notReady: wants{
				"db.default": "Peer 10.0.0.1 10.0.0.2 10.0.0.3", "db.nginx.default": "Peer 10.0.0.1 10.0.0.2 10.0.0.3",
				"web-0.nginx.default": "Peer 10.0.0.1",
			},
		},
		{
			name:    "below the Service a ready pod counts before a hostname that is not ready",
			objects: behind("nginx", notReady(named("web-0", "db", "10.0.0.1")), deployed("db", "10.0.0.2")),
			want:    wants{"db.nginx.default": "Peer 10.0.0.2"},
		},
		{
			name: "pod with and without its hostname is found as both",
			objects: behind("nginx", deployed("web-0", "10.0.0.1"), stateful("web-0", "10.0.0.2"),
				notReady(deployed("web-0", "10.0.0.3"))),
			want: wants{"web-0.default": "Peer 10.0.0.1 10.0.0.2", "web-0.nginx.default": "Peer 10.0.0.2"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 {
				tr := plant(tt.objects...)
				for name, want := range tt.want {
					notReady, ok := tt.notReady[name]
					if !ok {
						notReady = want
					}
					if got, asked := said(t, tr.Find, name, false), said(t, tr.Find, name, true); got != want ||
						asked != notReady {
						t.Errorf("%q: got %s, with not_ready %s, want %s and %s", name, got, asked, want, notReady)
					}
				}
				slices.Reverse(tt.objects)
			}
		})
	}
}

// Find uses the memory of the caller's buffer behind its length, if that is enough.
func TestBufTooSmallIsLeftBehind(t *testing.T) {
	tr := plant(behind("nginx", named("web-0", "db", "10.0.0.3"), named("web-1", "db", "10.0.0.1"),
		named("web-2", "db", "10.0.0.2"))...)
	const want = "[10.0.0.1 10.0.0.2 10.0.0.3]"
	for size := range 5 {
		for _, name := range []string{"db.default", "db.nginx.default", "nginx.default"} {
			got := tr.Find(pathOf(name), Query{Family: IPv4, Buf: make([]netip.Addr, 0, size)})
			if fmt.Sprint(got.Addrs) != want {
				t.Errorf("%s, buffer of %d: %v", name, size, got.Addrs)
			}
		}
	}
}
