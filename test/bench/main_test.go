// Package bench measures ServeDNS of headless beside that of CoreDNS's own plugins, in one process, on what one API
// server gave.
package bench

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/hosts"        // measured, as are those below
	_ "github.com/coredns/coredns/plugin/k8s_external" // by their names in Corefiles
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/whoami"
	"github.com/miekg/dns"

	_ "github.com/coredns-headless/headless" // measured
	"github.com/coredns-headless/headless/test/controlplane"
)

// crowds are the Services, by their number of endpoints.
var crowds = map[int]controlplane.Crowd{}

// handlers are what is measured, by the names of server blocks.
var handlers = map[string]plugin.Handler{}

func TestMain(m *testing.M) {
	controlplane.Main(m, controlplane.Options{Bare: true}, func(ctx context.Context, c *controlplane.ControlPlane) error {
		for i, n := range []int{1, 3, 100, 1000, 5000} {
			crowds[n] = controlplane.Crowd{Namespace: "default", Service: fmt.Sprintf("crowd%d", n), Pods: n, First: netip.AddrFrom4([4]byte{10, byte(i), 0, 1})}
			if err := crowds[n].Create(ctx, c); err != nil {
				return err
			}
		}
		hosts := filepath.Join(filepath.Dir(c.Kubeconfig), "hosts") // goes with the control plane
		if err := os.WriteFile(hosts, hostsFile(), 0o600); err != nil {
			return err
		}
		return serve(c.Kubeconfig, hosts)
	})
}

func hostsFile() []byte {
	var b strings.Builder
	for _, w := range crowds {
		for n := range w.Pods {
			fmt.Fprintf(&b, "%s %s.hosts.test\n", w.Addr(n), w.Pod(n))
		}
	}
	return []byte(b.String())
}

const capture = "capture"

// end stands behind all: what is handed on ends there.
type end struct{}

func (end) Name() string { return capture }
func (end) ServeDNS(context.Context, dns.ResponseWriter, *dns.Msg) (int, error) {
	return dns.RcodeSuccess, nil
}

// serve starts a CoreDNS with a server block for each handler, and waits until what it needs has come.
func serve(kubeconfig, hosts string) error {
	caddy.Quiet, dnsserver.Quiet = true, true
	dnsserver.Directives = append(slices.Insert(dnsserver.Directives, slices.Index(dnsserver.Directives, "k8s_external"), "headless"), capture)
	plugin.Register(capture, func(c *caddy.Controller) error {
		c.Next()
		names := c.RemainingArgs() // of the block, and of its handler
		c.OnStartup(func() error {
			handlers[names[0]] = dnsserver.GetConfig(c).Handler(names[1])
			return nil
		})
		dnsserver.GetConfig(c).AddPlugin(func(plugin.Handler) plugin.Handler { return end{} })
		return nil
	})
	kubernetes := "    kubernetes cluster.local {\n        kubeconfig " + kubeconfig + "\n    }\n"
	var b strings.Builder
	for _, block := range []struct{ name, handler, plugins string }{
		{"headless", "headless", "    headless cluster.local {\n        kubeconfig " + kubeconfig + "\n        suffix mgmt.test default.svc.cluster.local\n    }\n"},
		{"kubernetes", "kubernetes", kubernetes},
		{"k8s_external", "k8s_external", "    k8s_external ext.test {\n        headless\n    }\n" + kubernetes},
		{"hosts", "hosts", "    hosts " + hosts + " hosts.test {\n        fallthrough\n    }\n"},
		{"whoami", "whoami", "    whoami\n"},
	} {
		port, err := controlplane.FreePort()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, ".:%s {\n    bind 127.0.0.1\n%s    %s %s %s\n}\n", port, block.plugins, capture, block.name, block.handler)
	}
	_, err := caddy.Start(caddy.CaddyfileInput{Contents: []byte(b.String()), Filepath: "Corefile", ServerTypeName: "dns"})
	if err != nil {
		return err
	}
	// It ends with the process.
	for _, a := range append(asked(1), asked(5000)...) {
		if err := controlplane.Poll(time.Minute, nil, a.ask); err != nil {
			return err
		}
	}
	return nil
}
