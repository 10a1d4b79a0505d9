package test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/server"
)

// second is a cluster with the names of the first, at other addresses.
func second(t *testing.T) *controlplane.ControlPlane {
	t.Helper()
	c, err := controlplane.Start(controlplane.Options{Bare: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	const objects = `apiVersion: v1
kind: Service
metadata: {name: nginx, namespace: default}
spec: {clusterIP: None, ports: [{name: web, port: 8080}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: nginx-1, namespace: default, labels: {kubernetes.io/service-name: nginx}}
addressType: IPv4
ports: [{name: web, port: 8080}]
endpoints:
- {addresses: [10.152.0.1], hostname: web-0, targetRef: {kind: Pod, namespace: default, name: web-0}}
- {addresses: [10.152.0.9], hostname: web-9, targetRef: {kind: Pod, namespace: default, name: web-9}}
`
	file := filepath.Join(t.TempDir(), "objects.yaml")
	if err := os.WriteFile(file, []byte(objects), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Create(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	return c
}

// Two clusters by two kubeconfigs, in one server block and in two: each has its zone, its suffixes and its pod
// network, and nothing of one shows in the other.
func TestTwoClusters(t *testing.T) {
	server.All(t) // which have a second control plane
	t.Parallel()
	two := second(t)
	one := fmt.Sprintf(`headless one.local {
       kubeconfig %s
       suffix example.test svc.one.local
       suffix one.test default.svc.one.local
    }
`, cluster.Kubeconfig)
	other := fmt.Sprintf(`headless two.local 10.152.0.0/24 {
       kubeconfig %s
       suffix two.example.test default.svc.two.local
       nameserver ns.two.example.test 192.0.2.7
    }
`, two.Kubeconfig)
	const head = " {\n    bind 127.0.0.1\n    errors\n    cache 30\n    transfer {\n       to *\n    }\n"
	for name, corefile := range map[string]string{
		"one server block": ".:PORT" + head + "    ready READY\n    prometheus METRICS\n    " + one + "    " + other + "}\n",
		"two server blocks": "one.local:PORT one.test:PORT example.test:PORT" + head + "    ready READY\n    prometheus METRICS\n    " + one + "}\n" +
			"two.local:PORT two.example.test:PORT 10.152.0.0/24:PORT" + head + "    prometheus METRICS\n    " + other + "}\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := startCorefile(t, corefile) // whose readiness speaks for both
			twoClusters(t, s, strings.Count(corefile, "cache 30"))
			move(t.Context(), t, two, s)
		})
	}
}

func twoClusters(t *testing.T, s *server.Server, blocks int) {
	t.Helper()
	web := addresses(t, "default", "nginx")["web-0"]
	for name, addr := range map[string]string{
		"web-0.default.svc.one.local": web, "web-0.one.test": web, "web-0.default.example.test": web, "web-0.nginx.default.example.test": web,
		"web-0.default.svc.two.local": "10.152.0.1", "web-0.two.example.test": "10.152.0.1", "ns.two.example.test": "192.0.2.7",
	} {
		want(t, s, name, addr)
	}
	for _, name := range []string{"web-9.one.test", "web-9.default.example.test", "ws.two.example.test"} {
		wantStatus(t, s, "NXDOMAIN", name)
	}
	if r := s.Dig(t, "-x", "10.152.0.9"); len(r.Answer) != 1 || !strings.HasSuffix(r.Answer[0], " PTR web-9.two.example.test.") {
		t.Errorf("10.152.0.9 points elsewhere:\n%s", r.Text)
	}
	if r := s.Dig(t, "_web._tcp.nginx.two.example.test", "SRV"); len(r.Answer) != 2 || !strings.Contains(r.Answer[0], " 8080 web-0.nginx.two.") {
		t.Errorf("SRV of the second cluster:\n%s", r.Text)
	}
	// The longer suffix is a zone of its own in the transfer of the shorter one, if one server block has both.
	cut := []string{"ns.two.example.test. A", "two.example.test. NS"}
	if blocks == 2 {
		cut = nil
	}
	outer, inner := s.Dig(t, "example.test", "AXFR", "+tcp"), s.Dig(t, "two.example.test", "AXFR", "+tcp")
	if below := lines(outer.Text, "two.example.test."); !slices.Equal(below, cut) || len(lines(outer.Text, "web-0.default.example.test.")) != 1 {
		t.Errorf("example.test has of two.example.test: %q, want %q\n%s", below, cut, outer.Text)
	}
	if n := len(lines(inner.Text, "web-9.two.example.test.")); n != 1 {
		t.Errorf("two.example.test has web-9 %d times\n%s", n, inner.Text)
	}
	metrics := s.Metrics(t)
	if n := strings.Count(metrics, `coredns_headless_synced{source="kubeconfig `); n != 2 {
		t.Errorf("metrics know of %d sources, want two:\n%s", n, metrics)
	}
}

// lines are owner and type of a transfer's records at and below a name.
func lines(text, name string) (list []string) {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 4 && (f[0] == name || strings.HasSuffix(f[0], "."+name)) && !strings.HasPrefix(line, ";") {
			list = append(list, f[0]+" "+f[3])
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// move gives a peer of the second cluster another address, and back: no cache keeps the old one.
func move(ctx context.Context, t *testing.T, two *controlplane.ControlPlane, s *server.Server) {
	t.Helper()
	client := two.Client.DiscoveryV1().EndpointSlices("default")
	const name = "web-0.two.example.test"
	for _, addr := range []string{"10.152.0.2", "10.152.0.1"} {
		s.Dig(t, name) // a cache would have it from here on
		slice, err := client.Get(ctx, "nginx-1", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		slice.Endpoints[0].Addresses = []string{addr}
		if _, err := client.Update(ctx, slice, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		moved := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + `\..*\s` + regexp.QuoteMeta(addr) + `$`)
		s.Poll(t, time.Minute, func() error { // no cache has transfers
			r, err := s.TryDig("two.example.test", "AXFR", "+tcp")
			if err == nil && !moved.MatchString(r.Text) {
				err = fmt.Errorf("want %s\n%s", addr, r.Text)
			}
			return err
		})
		want(t, s, name, addr)
	}
}
