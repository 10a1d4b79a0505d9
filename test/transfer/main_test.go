// Package transfer has Knot and NSD follow a real cluster as secondaries. What a transfer holds, and who is told of
// what, tests of the root show.
package transfer

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/server"
)

// cluster is the control plane of all tests here.
var cluster *controlplane.ControlPlane

func TestMain(m *testing.M) {
	controlplane.Main(m, controlplane.Options{}, func(ctx context.Context, c *controlplane.ControlPlane) error {
		cluster = c
		if err := c.Create(ctx, "testdata/objects.yaml"); err != nil {
			return err
		}
		for service, ready := range map[string]int{"nginx": 2, "ws": 1} {
			if err := c.WaitReady(ctx, "default", service, ready); err != nil {
				return err
			}
		}
		return nil
	})
}

// The suffixes: grafted on a namespace, on the root, and on a Service.
const (
	mgmt    = "mgmt.pix.yun.com."
	root    = "k8s.example.org."
	service = "storm.example.org."
)

var zones = []string{mgmt, root, service}

// corefile has kubeadm's plugins but *kubernetes*, in which the race detector finds a race with each reload (v1.15.0,
// klog.SetLogger). option is one more of *headless*, more is what comes behind it.
func corefile(to, option, more string) string {
	return `.:PORT {
    bind 127.0.0.1
    errors
    ready READY
    transfer {
        to ` + to + `
    }
    headless cluster.local {
        kubeconfig ` + cluster.Kubeconfig + `
        suffix ` + mgmt + ` default.svc.cluster.local
        suffix ` + root + ` svc.cluster.local
        suffix ` + service + ` nginx.default.svc.cluster.local
        ` + option + `
    }
    ` + more + `
    reload
}
`
}

func address(s *server.Server) string { return "127.0.0.1:" + s.Port }

// patience is after how long it is certain that something hangs.
const patience = time.Minute

// axfr is a zone as lines, sorted, without the SOA records: a serial moves on with what does not show, too.
func axfr(address, apex string) ([]string, error) {
	client := dns.Transfer{DialTimeout: patience, ReadTimeout: patience}
	envelopes, err := client.In(new(dns.Msg).SetAxfr(apex), address)
	if err != nil {
		return nil, err
	}
	var lines []string
	for e := range envelopes {
		if e.Error != nil {
			err = e.Error
		}
		for _, rr := range e.RR {
			if rr.Header().Rrtype != dns.TypeSOA {
				lines = append(lines, strings.Join(strings.Fields(rr.String()), " "))
			}
		}
	}
	slices.Sort(lines)
	return lines, err
}

// In the cluster zone the plugin is a guest: the zone that is transferred is that of *kubernetes*.
func TestTransferOfTheClusterZone(t *testing.T) {
	s := server.New(t)
	s.Start(t, corefile("*", "", "kubernetes cluster.local {\n        kubeconfig "+cluster.Kubeconfig+"\n    }"))
	s.WaitReady(t)
	lines, err := axfr(address(s), "cluster.local.")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(lines, "\n")
	theirs, ours := "web-0.nginx.default.svc.cluster.local. 5 IN A ", "web-0.default.svc.cluster.local. "
	if !strings.Contains(text, theirs) || strings.Contains(text, ours) {
		t.Errorf("not the zone of *kubernetes*:\n%s", text)
	}
}
