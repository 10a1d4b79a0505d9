package node

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A Deployment's pods find themselves by their own host names under the suffix before they are ready, listen there,
// and reach each other by what they wrote into a registry.
func TestWS(t *testing.T) {
	serve(t, story(t, "ws", "Corefile"))
	apply(t, "ws")
	ready(t, "deployment/ws")
	pods := strings.Fields(cluster.Do(t, "get", "pods", "-l", "app=ws", "-o", "jsonpath={.items[*].metadata.name}"))
	members := strings.Fields(get(t, pods[0], "registry", "2181", "/members"))
	slices.Sort(members)
	members = slices.Compact(members) // whose registration was answered late has registered again
	var want []string
	for _, pod := range pods {
		want = append(want, pod+".mgmt.pix.yun.com:9999")
	}
	slices.Sort(want)
	if len(pods) != 3 || !slices.Equal(members, want) {
		t.Fatalf("in the registry: %q, want %q", members, want)
	}
	for _, from := range pods {
		for _, member := range members {
			host, port, _ := strings.Cut(member, ":")
			to, _, _ := strings.Cut(host, ".")
			finds(t, from, addressOf(t, to), "lookup-musl", host)
			finds(t, from, addressOf(t, to), "getent", "hosts", to)
			if answer := strings.TrimSpace(get(t, from, host, port, "/")); answer != to {
				t.Errorf("%s answers %q", member, answer)
			}
		}
	}
	asTold(t, "ws")
}

// get asks a web server, from a pod, and returns the body.
func get(t *testing.T, pod, host, port, path string) (body string) {
	t.Helper()
	wait(t, func() error {
		out, err := in(pod, "sh", "-c", `printf 'GET `+path+` HTTP/1.0\r\n\r\n' | nc -w5 `+host+" "+port)
		head, rest, ok := strings.Cut(out, "\r\n\r\n")
		if err == nil && (!ok || !strings.Contains(head, " 200 ")) {
			err = fmt.Errorf("%s:%s answers %q", host, port, out)
		}
		body = rest
		return err
	})
	return body
}
