package node

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A Deployment's pods find themselves by their own host names under the suffix before they are ready, listen there, and find
// each other by what they print.
func TestWS(t *testing.T) {
	serve(t, story(t, "ws", "Corefile"))
	apply(t, "ws")
	ready(t, "deployment/ws")
	pods := strings.Fields(cluster.Do(t, "get", "pods", "-l", "app=ws", "-o", "jsonpath={.items[*].metadata.name}"))
	if len(pods) != 3 {
		t.Fatalf("pods: %q", pods)
	}
	for _, from := range pods {
		for _, to := range pods {
			name := to + ".mgmt.pix.yun.com"
			if log := cluster.Do(t, "logs", to); strings.TrimSpace(log) != name+":9999" {
				t.Errorf("%s is found at %q by its own words", to, log)
			}
			finds(t, from, addressOf(t, to), "lookup-musl", name)
			finds(t, from, addressOf(t, to), "getent", "hosts", to)
			wait(t, 20*time.Second, func() error {
				out, err := in(from, "sh", "-c", `printf 'GET / HTTP/1.0\r\n\r\n' | nc -w5 `+name+" 9999")
				if err == nil && !strings.HasSuffix(strings.TrimSpace(out), to) {
					err = fmt.Errorf("%s answers %q", name, out)
				}
				return err
			})
		}
	}
}
