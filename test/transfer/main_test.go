// Package transfer tests zone transfers: what they hold, that they are whole while the cluster changes, and that Knot and NSD
// follow as secondaries.
package transfer

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

// The suffixes of most tests: grafted on a namespace, on the root, on a Service, and on the namespace that tests change.
const (
	mgmt     = "mgmt.pix.yun.com."
	root     = "k8s.example.org."
	service  = "storm.example.org."
	changing = "changing.example.org."
)

var suffixes = []string{
	"suffix " + mgmt + " default.svc.cluster.local",
	"suffix " + root + " svc.cluster.local",
	"suffix " + service + " nginx.default.svc.cluster.local",
	"suffix " + changing + " changing.svc.cluster.local",
}

// settings are what tests vary of a Corefile that is kubeadm's otherwise.
type settings struct {
	kubeconfig string   // of *headless*; default the cluster's
	options    []string // of *headless*; default the suffixes
	absent     bool     // no *headless* at all
	alone      bool     // no *kubernetes*, in which the race detector finds one with each reload (v1.15.0, klog.SetLogger)
	zones      string   // of *transfer*; default those of the server block
	to         []string // of *transfer*; default anybody
	also       string   // more stanzas
	keys       string   // of the server block, beside the root
}

func (c settings) corefile(stub string) string {
	if c.kubeconfig == "" {
		c.kubeconfig = cluster.Kubeconfig
	}
	if c.options == nil {
		c.options = suffixes
	}
	if c.to == nil {
		c.to = []string{"*"}
	}
	headless := "headless cluster.local {\n        kubeconfig " + c.kubeconfig + "\n        " + strings.Join(c.options, "\n        ") + "\n    }"
	if c.absent {
		headless = ""
	}
	kubernetes := `kubernetes cluster.local in-addr.arpa ip6.arpa {
        kubeconfig ` + cluster.Kubeconfig + `
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }`
	if c.alone {
		kubernetes = ""
	}
	return ".:PORT " + c.keys + ` {
    bind 127.0.0.1
    errors
    health HEALTH
    ready READY
    transfer ` + c.zones + ` {
        to ` + strings.Join(c.to, " ") + `
    }
    ` + c.also + `
    ` + headless + `
    ` + kubernetes + `
    prometheus METRICS
    forward . ` + stub + `
    cache 30
    reload
}
`
}

// start runs CoreDNS, and waits until it is ready.
func start(t *testing.T, c settings) *server.Server {
	t.Helper()
	s := server.New(t)
	s.Start(t, c.corefile(server.Stub(t)))
	s.WaitReady(t)
	return s
}

func address(s *server.Server) string { return "127.0.0.1:" + s.Port }
