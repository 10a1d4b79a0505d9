package tree

import (
	"testing"

	"github.com/coredns-headless/headless/plugin/object"
)

func TestReadiness(t *testing.T) {
	tests := []struct {
		name      string
		endpoints []object.Endpoint // of nginx
		more      []object.Endpoint // of nginx too, in another slice
		asked     string
		want      string
		notReady  string // what it is with not_ready
	}{
		{
			name: "ready", endpoints: []object.Endpoint{stateful("web-0", "10.0.0.1")}, asked: "web-0.default",
			want: "Peer 10.0.0.1", notReady: "Peer 10.0.0.1",
		},
		{
			name: "not ready", endpoints: []object.Endpoint{notReady(stateful("web-0", "10.0.0.1"))}, asked: "web-0.default",
			want: "None", notReady: "Peer 10.0.0.1",
		},
		{
			name: "not ready, below the Service", endpoints: []object.Endpoint{notReady(stateful("web-0", "10.0.0.1"))},
			asked: "web-0.nginx.default", want: "None", notReady: "Peer 10.0.0.1",
		},
		{
			name: "not ready, without a hostname", endpoints: []object.Endpoint{notReady(deployed("ws-x", "10.0.0.1"))},
			asked: "ws-x.nginx.default", want: "None", notReady: "Peer 10.0.0.1",
		},
		{
			name: "not ready, dashed", endpoints: []object.Endpoint{notReady(nameless("10.0.0.1"))},
			asked: "10-0-0-1.default", want: "None", notReady: "Peer 10.0.0.1",
		},
		{
			name:      "the ready one counts alone, whichever comes first",
			endpoints: []object.Endpoint{notReady(stateful("web-0", "10.0.0.1")), stateful("web-0", "10.0.0.2"), notReady(stateful("web-0", "10.0.0.3"))},
			asked:     "web-0.default", want: "Peer 10.0.0.2", notReady: "Peer 10.0.0.2",
		},
		{
			name:      "the ready one counts alone over slices and families",
			endpoints: []object.Endpoint{notReady(stateful("web-0", "10.0.0.1"))}, more: []object.Endpoint{stateful("web-0", "fd00::1")},
			asked: "web-0.default", want: "Peer fd00::1", notReady: "Peer fd00::1",
		},
		{
			name:      "the ready ones of a hostname count alone",
			endpoints: []object.Endpoint{named("web-0", "db", "10.0.0.1"), notReady(named("web-1", "db", "10.0.0.2"))},
			more:      []object.Endpoint{notReady(named("web-2", "db", "10.0.0.3")), named("web-3", "db", "10.0.0.4")},
			asked:     "db.default", want: "Peer 10.0.0.1 10.0.0.4", notReady: "Peer 10.0.0.1 10.0.0.4",
		},
		{
			name:      "all those not ready where there is no other",
			endpoints: []object.Endpoint{notReady(named("web-0", "db", "10.0.0.1")), notReady(named("web-1", "db", "10.0.0.2"))},
			more:      []object.Endpoint{notReady(named("web-2", "db", "10.0.0.3"))},
			asked:     "db.nginx.default", want: "None", notReady: "Peer 10.0.0.1 10.0.0.2 10.0.0.3",
		},
		{
			name:      "another's name is none of its",
			endpoints: []object.Endpoint{stateful("web-0", "10.0.0.1"), notReady(stateful("web-1", "10.0.0.2"))},
			asked:     "web-1.default", want: "None", notReady: "Peer 10.0.0.2",
		},
		{
			name:      "below the Service a ready pod counts before a hostname that is not ready",
			endpoints: []object.Endpoint{notReady(named("web-0", "db", "10.0.0.1")), deployed("db", "10.0.0.2")},
			asked:     "db.nginx.default", want: "Peer 10.0.0.2", notReady: "Peer 10.0.0.2",
		},
		{
			name:      "the Service's own list is of the ready only",
			endpoints: []object.Endpoint{stateful("web-0", "10.0.0.1"), notReady(stateful("web-1", "10.0.0.2"))},
			more:      []object.Endpoint{notReady(stateful("web-0", "fd00::1"))},
			asked:     "nginx.default", want: "Service 10.0.0.1", notReady: "Service 10.0.0.1",
		},
		{
			name: "the Service's own list may be empty", endpoints: []object.Endpoint{notReady(stateful("web-0", "10.0.0.1"))},
			asked: "nginx.default", want: "Service", notReady: "Service",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := plant(
				headless("default/nginx", 1), sliceOf("default/nginx-1", "nginx", 1, tt.endpoints...), sliceOf("default/nginx-2", "nginx", 1, tt.more...),
			)
			if got := said(t, tr.Find, tt.asked, false); got != tt.want {
				t.Errorf("%s: got %s, want %s", tt.asked, got, tt.want)
			}
			if got := said(t, tr.Find, tt.asked, true); got != tt.notReady {
				t.Errorf("%s with not_ready: got %s, want %s", tt.asked, got, tt.notReady)
			}
		})
	}
}

// A rolling restart turns endpoints ready and back; nothing but that may change about their names.
func TestReadinessChangesInPlace(t *testing.T) {
	tr := plant(headless("default/nginx", 1))
	s := tr.Source("")
	s.Set(sliceOf("default/nginx-1", "nginx", 1, notReady(stateful("web-0", "10.0.0.1")), stateful("web-1", "10.0.0.2")))
	wants{"web-0.default": "None", "web-1.default": "Peer 10.0.0.2", "nginx.default": "Service 10.0.0.2"}.check(t, tr)
	s.Set(sliceOf("default/nginx-1", "nginx", 2, stateful("web-0", "10.0.0.1"), notReady(stateful("web-1", "10.0.0.2"))))
	wants{"web-0.default": "Peer 10.0.0.1", "web-1.default": "None", "nginx.default": "Service 10.0.0.1"}.check(t, tr)
}
