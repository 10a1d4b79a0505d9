package test

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/server"
)

const startupTimeout = 3 * time.Second

// startBroken runs CoreDNS with a kubeconfig that works for *kubernetes* and one that does not for *headless*, and checks all
// that must hold then: it becomes ready, but not before startup_timeout, cluster names are as without the plugin, suffixes SERVFAIL.
func startBroken(t *testing.T, kubeconfig string) *server.Server {
	t.Helper()
	server.Need(t, "dig", "bind9-dnsutils")
	stub := server.Stub(t)
	plain, s := server.New(t), server.New(t)
	plain.Start(t, corefile(cluster.Kubeconfig, stub, ""))
	begun := time.Now()
	s.Start(t, corefile(cluster.Kubeconfig, stub, stanza(kubeconfig, suffix, "startup_timeout "+startupTimeout.String(),
		"suffix company.test default.svc.cluster.local", "fallthrough company.test")))
	s.WaitReady(t)
	if d := time.Since(begun); d < startupTimeout {
		t.Errorf("ready after %s, before the first sync and before startup_timeout %s", d, startupTimeout)
	}
	plain.WaitReady(t)
	for _, name := range append(bystanders("10.244.0.1"), "web-1.default.svc.cluster.local") {
		sameTypes(t, plain, s, name, "A", "AAAA", "SRV", "TXT")
	}
	sameTypes(t, plain, s, "www.company.test", "A") // it exists, whatever the cluster has
	for _, name := range []string{"web-1.mgmt.pix.yun.com", "mgmt.pix.yun.com", "nowhere.mgmt.pix.yun.com", "web-1.company.test"} {
		if r := s.Dig(t, name); r.Status != "SERVFAIL" {
			t.Errorf("%s before the first sync:\n%s", name, r.Text)
		}
	}
	if m := s.Metrics(t); !strings.Contains(m, `coredns_headless_synced{source="kubeconfig `+kubeconfig+`"} 0`) {
		t.Error("metrics do not say unsynced")
	}
	return s
}

// unreachable is a kubeconfig of an API server that is not there.
func unreachable(t *testing.T) (kubeconfig string) {
	t.Helper()
	port, err := controlplane.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	if err := cluster.WriteKubeconfig(kubeconfig, "127.0.0.1:"+port, "token"); err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

// wantRecovery waits until names answer, without a restart.
func wantRecovery(t *testing.T, s *server.Server) {
	t.Helper()
	addr := addresses(t, "default", "nginx")["web-1"]
	s.Shows(t, time.Minute, "web-1.mgmt.pix.yun.com", addr)
	want(t, s, "web-1.default.svc.cluster.local", addr)
}

// A service account that may list nothing, and gets its rights later.
func TestBrokenWithoutRights(t *testing.T) {
	g := grant(t, "clusterrole.yaml", "broken")
	var rules []rbacv1.PolicyRule
	g.change(t, "", func(r []rbacv1.PolicyRule) []rbacv1.PolicyRule {
		rules = r
		return nil
	})
	for _, verb := range []string{"list", "watch"} {
		g.wait(t, right{verb, "services", ""}, false)
	}
	s := startBroken(t, g.kubeconfig)
	wantLog(t, s, "list services: services is forbidden", "watch services",
		"list endpointslices labelled service.kubernetes.io/headless: endpointslices.discovery.k8s.io is forbidden",
		"watch endpointslices", "starting before the first sync")

	g.change(t, "", func([]rbacv1.PolicyRule) []rbacv1.PolicyRule { return rules })
	wantRecovery(t, s)
	wantLog(t, s, "works again", "synced after")
}

// Nobody listens where the kubeconfig says the API server is; later somebody does.
func TestBrokenUnreachable(t *testing.T) {
	port, err := controlplane.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + port
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	config, err := cluster.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	if err := cluster.WriteKubeconfig(kubeconfig, address, config.BearerToken); err != nil {
		t.Fatal(err)
	}
	s := startBroken(t, kubeconfig)
	wantLog(t, s, "services: ", "connection refused")
	relay(t, address, cluster.Address)
	wantRecovery(t, s)
}

// relay listens at one address and passes connections on to another.
func relay(t *testing.T, from, to string) {
	t.Helper()
	l, err := net.Listen("tcp", from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			a, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			b, err := net.Dial("tcp", to)
			if err != nil {
				a.Close()
				continue
			}
			go pipe(a, b)
			go pipe(b, a)
		}
	}()
}

// pipe copies until either side closes, and closes both.
func pipe(a, b net.Conn) {
	_, _ = io.Copy(a, b) // ends with the connection, however that ends
	a.Close()
	b.Close()
}
