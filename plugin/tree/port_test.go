package tree

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredns-headless/headless/plugin/object"
)

// port returns a port from a text such as web/tcp/80.
func port(name, protocol string, number uint16) object.Port {
	return object.Port{Name: name, Protocol: protocol, Port: number}
}

// texts returns targets as texts such as "web-0:80 10.0.0.1".
func texts(list []Target) (got []string) {
	for _, t := range list {
		text := []string{fmt.Sprintf("%s:%d", t.Peer, t.Port)}
		for _, a := range t.Addrs {
			text = append(text, a.String())
		}
		got = append(got, strings.Join(text, " "))
	}
	return got
}

func TestTargetsOfPorts(t *testing.T) {
	web, ui := port("web", "tcp", 80), port("ui", "tcp", 8080)
	tests := []struct {
		name  string
		asked string
		tree  []object.Object
		find  string // what _port._protocol is
		proto string // what _protocol is
		want  []string
	}{
		{
			name: "ClusterIP", asked: "_web._tcp.api.default",
			tree: []object.Object{withPorts(clusterIP("default/api", 1, "10.96.0.1", "fd00:96::1"), web, ui)},
			find: "Port", proto: "EmptyNonTerminal", want: []string{":80 10.96.0.1 fd00:96::1"},
		},
		{
			name: "ClusterIP without an address yet", asked: "_web._tcp.api.default",
			tree: []object.Object{withPorts(clusterIP("default/api", 1), web)}, find: "Port",
			proto: "EmptyNonTerminal",
		},
		{
			name: "ExternalName", asked: "_web._tcp.db.default",
			tree: []object.Object{
				withPorts(external("default/db", 1), web),
				withPorts(sliceOf("default/db-1", "db", 1, stateful("db-0", "10.0.0.1")), web),
			},
			find: "None", proto: "None",
		},
		{
			name:  "headless: hostname, pod's name, dashed address, in order, both families",
			asked: "_web._tcp.nginx.default",
			tree: []object.Object{
				headless("default/nginx", 1),
				withPorts(sliceOf("default/nginx-1", "nginx", 1, stateful("web-0", "10.0.0.2"),
					deployed("ws-x", "10.0.0.3"), nameless("10.0.0.4"), named("web-1", "db", "10.0.0.1")), web),
				withPorts(sliceOf("default/nginx-2", "nginx", 1, stateful("web-0", "fd00::2")), web),
			},
			find: "Port", proto: "EmptyNonTerminal",
			want: []string{"10-0-0-4:80 10.0.0.4", "db:80 10.0.0.1", "web-0:80 10.0.0.2 fd00::2", "ws-x:80 10.0.0.3"},
		},
		{
			name: "headless: none ready, no such port in the spec", asked: "_web._tcp.nginx.default",
			tree: []object.Object{
				headless("default/nginx", 1),
				withPorts(sliceOf("default/nginx-1", "nginx", 1, notReady(stateful("web-1", "10.0.0.2"))), web),
			},
			find: "None", proto: "None",
		},
		{
			name: "headless: none ready, the port in the spec", asked: "_web._tcp.nginx.default",
			tree: []object.Object{
				withPorts(headless("default/nginx", 1), web),
				withPorts(sliceOf("default/nginx-1", "nginx", 1, notReady(stateful("web-1", "10.0.0.2"))), web),
			},
			find: "Port", proto: "EmptyNonTerminal",
		},
		{
			name:  "headless: a pod whose name is another's hostname has no name of its own",
			asked: "_web._tcp.nginx.default",
			tree: []object.Object{
				headless("default/nginx", 1),
				withPorts(sliceOf("default/nginx-1", "nginx", 1, deployed("db", "10.0.0.1"),
					named("web-0", "db", "10.0.0.2")), web),
			},
			find: "Port", proto: "EmptyNonTerminal", want: []string{"db:80 10.0.0.2"},
		},
		{
			name:  "another slice has the pod whose name is another's hostname, and the port",
			asked: "_ui._tcp.nginx.default",
			tree: []object.Object{
				headless("default/nginx", 1),
				withPorts(sliceOf("default/nginx-1", "nginx", 1, deployed("db", "10.0.0.1")), ui),
				withPorts(sliceOf("default/nginx-2", "nginx", 1, named("web-0", "db", "10.0.0.2")), web),
			},
			find: "Port", proto: "EmptyNonTerminal",
		},
		{
			name: "a port without a name", asked: "_._tcp.api.default",
			tree: []object.Object{withPorts(clusterIP("default/api", 1, "10.96.0.1"), port("", "tcp", 80))},
			find: "None", proto: "None",
		},
		{
			name: "labels without underscores", asked: "web.tcp.api.default",
			tree: []object.Object{withPorts(clusterIP("default/api", 1, "10.96.0.1"), web)}, find: "None",
			proto: "None",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := plant(tt.tree...)
			_, protocol, _ := strings.Cut(tt.asked, ".")
			wants{tt.asked: tt.find, protocol: tt.proto}.check(t, tr)
			if diff := cmp.Diff(tt.want, texts(tr.Targets(pathOf(tt.asked)))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, name := range []string{"", "default", "nginx.default", protocol} {
				if got := tr.Targets(pathOf(name)); got != nil {
					t.Errorf("%q has targets %v", name, got)
				}
			}
		})
	}
}

// The plugin kubernetes does the same for hostnames: one record for each port, with or without a name.
func TestGuestTargetsAreThePodItself(t *testing.T) {
	web, unnamed := port("web", "tcp", 80), port("", "tcp", 9)
	tr := plant(
		headless("default/nginx", 1), headless("default/other", 1),
		withPorts(sliceOf("default/nginx-1", "nginx", 1, deployed("ws-x", "10.0.0.1"),
			notReady(deployed("ws-y", "10.0.0.2"))), web, unnamed, port("web", "udp", 80)),
		withPorts(sliceOf("default/nginx-2", "nginx", 1, deployed("ws-x", "fd00::1")), port("web", "tcp", 81)),
		withPorts(sliceOf("default/nginx-3", "nginx", 1, notReady(deployed("ws-x", "10.0.0.3"))),
			port("web", "tcp", 82)),
		withPorts(sliceOf("default/other-1", "other", 1, deployed("ws-x", "10.0.0.1")), port("web", "tcp", 83)),
		sliceOf("default/nginx-4", "nginx", 1, deployed("ws-z", "10.0.0.4")),
	)
	tests := []struct {
		name, asked string
		notReady    bool
		want        []string
	}{
		{
			name: "ready", asked: "ws-x.nginx.default",
			want: []string{"ws-x:9 10.0.0.1 fd00::1", "ws-x:80 10.0.0.1 fd00::1", "ws-x:81 10.0.0.1 fd00::1"},
		},
		{
			name: "ready, with not_ready", asked: "ws-x.nginx.default", notReady: true,
			want: []string{"ws-x:9 10.0.0.1 fd00::1", "ws-x:80 10.0.0.1 fd00::1", "ws-x:81 10.0.0.1 fd00::1"},
		},
		{name: "not ready", asked: "ws-y.nginx.default"},
		{
			name: "not ready, with not_ready", asked: "ws-y.nginx.default", notReady: true,
			want: []string{"ws-y:9 10.0.0.2", "ws-y:80 10.0.0.2"},
		},
		{name: "of another Service", asked: "ws-x.other.default", want: []string{"ws-x:83 10.0.0.1"}},
		{name: "without ports", asked: "ws-z.nginx.default"},
		{name: "one label shorter", asked: "ws-x.default"},
		{name: "unknown", asked: "unknown.nginx.default"},
		{name: "of an unknown Service", asked: "ws-x.unknown.default"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, texts(tr.GuestTargets(pathOf(tt.asked), tt.notReady))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnswersNameTheirObjects(t *testing.T) {
	tr := plant(
		headless("default/nginx", 1), withPorts(clusterIP("default/api", 1, "10.96.0.1"), port("web", "tcp", 80)),
		external("default/db", 1),
		sliceOf("default/nginx-1", "nginx", 1, stateful("web-0", "10.0.0.1"), named("web-1", "mq", "10.0.0.2"),
			nameless("10.0.0.3"), deployed("ws-x", "10.0.0.4")),
	)
	tests := []struct {
		asked string
		want  [3]string // namespace, Service, pod
		guest [3]string
	}{
		{asked: ""},
		{asked: "default"},
		{asked: "nginx.default", want: [3]string{"default", "nginx"}},
		{asked: "api.default", want: [3]string{"default", "api"}},
		{asked: "db.default", want: [3]string{"default", "db"}},
		{asked: "_web._tcp.api.default", want: [3]string{"default", "api"}},
		{asked: "_tcp.api.default"},
		{
			asked: "web-0.default", want: [3]string{"default", "nginx", "web-0"},
			guest: [3]string{"default", "nginx", "web-0"},
		},
		{asked: "web-0.nginx.default", want: [3]string{"default", "nginx", "web-0"}},
		{
			asked: "mq.default", want: [3]string{"default", "nginx", "web-1"},
			guest: [3]string{"default", "nginx", "web-1"},
		},
		{asked: "mq.nginx.default", want: [3]string{"default", "nginx", "web-1"}},
		{
			asked: "ws-x.nginx.default", want: [3]string{"default", "nginx", "ws-x"},
			guest: [3]string{"default", "nginx", "ws-x"},
		},
		{asked: "10-0-0-3.default", want: [3]string{"default", "nginx", ""}, guest: [3]string{"default", "nginx", ""}},
		{asked: "unknown.default"},
		{asked: "unknown.nginx.default"},
	}
	for _, tt := range tests {
		t.Run(tt.asked, func(t *testing.T) {
			for _, f := range []Family{NoFamily, IPv4, IPv6} { // of whatever type the query is
				find, guest := tr.Find(pathOf(tt.asked), Query{Family: f}),
					tr.FindGuest(pathOf(tt.asked), Query{Family: f})
				var got, asGuest [3]string
				got[0], got[1], got[2] = find.Object()
				asGuest[0], asGuest[1], asGuest[2] = guest.Object()
				if got != tt.want || asGuest != tt.guest {
					t.Errorf("got %q, as a guest %q, want %q and %q", got, asGuest, tt.want, tt.guest)
				}
			}
		})
	}
}
