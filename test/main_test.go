// Package test runs CoreDNS with the plugin against a real control plane and asks it with dig.
package test

import (
	"context"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/server"
)

// cluster is the control plane of all tests here.
var cluster *controlplane.ControlPlane

func TestMain(m *testing.M) {
	controlplane.Main(m, controlplane.Options{}, func(ctx context.Context, c *controlplane.ControlPlane) error {
		cluster = c
		if err := c.Create(ctx, "testdata/cluster.yaml"); err != nil {
			return err
		}
		for _, s := range []struct {
			namespace, service string
			ready              int
		}{{"default", "nginx", 2}, {"default", "ws", 2}, {"default", "etcd-k8s", 1}, {"default", "solo", 2}, {"default", "dual", 1}, {"other", "queue", 1}} {
			if err := c.WaitReady(ctx, s.namespace, s.service, s.ready); err != nil {
				return err
			}
		}
		return nil
	})
}

// corefile is what kubeadm installs, on loopback ports, with a stub for the node's resolvers.
func corefile(kubeconfig, stub, headless string) string {
	return `.:PORT {
    bind 127.0.0.1
    errors
    health HEALTH {
       lameduck 5s
    }
    ready READY
` + headless + `    kubernetes cluster.local in-addr.arpa ip6.arpa {
       kubeconfig ` + kubeconfig + `
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus METRICS
    forward . ` + stub + ` {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
`
}

// stanza is a headless stanza for the tests' cluster.
func stanza(kubeconfig string, options ...string) string {
	return "    headless cluster.local {\n       kubeconfig " + kubeconfig + "\n       " + strings.Join(options, "\n       ") + "\n    }\n"
}

const suffix = "suffix mgmt.pix.yun.com default.svc.cluster.local"

// start runs kubeadm's Corefile with a headless stanza that has those options, and waits until it is ready.
func start(t *testing.T, options ...string) *server.Server {
	t.Helper()
	return startCorefile(t, corefile(cluster.Kubeconfig, server.Stub(t), stanza(cluster.Kubeconfig, options...)))
}

// startCorefile runs a Corefile, and waits until it is ready.
func startCorefile(t *testing.T, text string) *server.Server {
	t.Helper()
	server.Need(t, "dig", "bind9-dnsutils")
	s := server.New(t)
	s.Start(t, text)
	s.WaitReady(t)
	return s
}

// addresses are the ready addresses of a Service, by pod, as the API server has them now.
func addresses(t *testing.T, namespace, service string) map[string]string {
	t.Helper()
	list, err := cluster.ReadyAddresses(t.Context(), namespace, service)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// want checks that name has just these addresses.
func want(t *testing.T, s *server.Server, name string, addrs ...string) {
	t.Helper()
	r := s.Dig(t, name)
	if got := strings.Join(r.Addresses(), " "); r.Status != "NOERROR" || got != strings.Join(addrs, " ") {
		t.Errorf("%s: %s, addresses %q, want %q\n%s", name, r.Status, got, addrs, r.Text)
	}
}

// wantStatus checks the rcode of a reply without an answer: NXDOMAIN, or NOERROR for NODATA. It has a SOA.
func wantStatus(t *testing.T, s *server.Server, status string, args ...string) {
	t.Helper()
	r := s.Dig(t, args...)
	if r.Status != status || len(r.Answer) > 0 || len(r.Authority) != 1 || !strings.Contains(r.Authority[0], " SOA ") {
		t.Errorf("%v: want %s without an answer and with a SOA\n%s", args, status, r.Text)
	}
}
