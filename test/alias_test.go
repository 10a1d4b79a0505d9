package test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/coredns-headless/headless/test/server"
)

var requests = regexp.MustCompile(`(?m)^coredns_dns_requests_total\{[^}]*type="A"[^}]*\} (\d+)$`)

// Two clusters whose ExternalName Services lead to each other, and whose servers forward to each other, make a few
// queries of one, and answer SERVFAIL. In version 0.1 one query made 602 at each server.
func TestLoopBetweenTwoClustersMakesAFewQueries(t *testing.T) {
	t.Parallel()
	one, two := server.New(t), server.New(t)
	looping(t, one, "one.test", "two.test", two.Port)
	looping(t, two, "two.test", "one.test", one.Port)
	one.WaitReady(t)
	two.WaitReady(t)
	if r := one.Dig(t, "loop.one.test"); r.Status != "SERVFAIL" {
		t.Errorf("got %s", r.Text)
	}
	for name, s := range map[string]*server.Server{"the first": one, "the second": two} {
		n := 0
		for _, m := range requests.FindAllStringSubmatch(s.Metrics(t), -1) {
			count, _ := strconv.Atoi(m[1])
			n += count
		}
		if n == 0 || n > 40 {
			t.Errorf("%s had %d queries, want a few", name, n)
		}
	}
}

// looping starts a CoreDNS with an ExternalName Service under suffix that leads to one under another, which a server
// at port has.
func looping(t *testing.T, s *server.Server, suffix, other, port string) {
	t.Helper()
	objects := filepath.Join(t.TempDir(), "objects.yaml")
	text := fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: loop, namespace: default}\n"+
		"spec: {type: ExternalName, externalName: loop.%s}\n", other)
	if err := os.WriteFile(objects, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Start(t, fmt.Sprintf(`.:PORT {
    bind 127.0.0.1
    errors
    ready READY
    prometheus METRICS
    headless cluster.local {
        manifests %s
        suffix %s default.svc.cluster.local
    }
    forward %s 127.0.0.1:%s
}
`, objects, suffix, other, port))
}
