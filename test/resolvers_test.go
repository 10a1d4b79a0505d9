package test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coredns-headless/headless/test/server"
)

// The suffixes that resolvers are pointed at: on a namespace, on a Service, on the root, which has another deep below
// it.
var stubs = []string{"mgmt.pix.yun.com", "broker.example.org", "k8s.example.org"}

const resolvable = `.:PORT {
    bind 127.0.0.1
    ready READY
    headless cluster.local {
       kubeconfig KUBECONFIG
       suffix mgmt.pix.yun.com NAMESPACE.svc.cluster.local
       suffix broker.example.org queue.NAMESPACE.svc.cluster.local
       suffix k8s.example.org svc.cluster.local
       suffix deep.down.below.k8s.example.org NAMESPACE.svc.cluster.local
       ttl 2
    }
}
`

// unbound asks no more than it must of each server (RFC 9156), and takes NXDOMAIN for all that lies below (RFC 8020).
func unbound(t *testing.T, upstream string) *server.Server {
	t.Helper()
	server.Need(t, "unbound", "unbound")
	port := server.Free(t)
	text := `server:
  interface: 127.0.0.1
  port: ` + port + `
  chroot: ""
  username: ""
  directory: ""
  pidfile: ""
  use-syslog: no
  log-queries: no
  verbosity: 1
  num-threads: 1
  do-ip6: no
  do-not-query-localhost: no
  module-config: "iterator"
  qname-minimisation: yes
  qname-minimisation-strict: yes
  harden-below-nxdomain: yes
  harden-referral-path: yes
  use-caps-for-id: yes
remote-control:
  control-enable: no
`
	var b strings.Builder
	b.WriteString(text)
	for _, zone := range stubs {
		fmt.Fprintf(&b, "stub-zone:\n  name: %s\n  stub-addr: 127.0.0.1@%s\n", zone, upstream)
	}
	conf := filepath.Join(t.TempDir(), "unbound.conf")
	if err := os.WriteFile(conf, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return server.StartResolver(t, port, "unbound", "-d", "-p", "-c", conf)
}

func dnsmasq(t *testing.T, upstream string) *server.Server {
	t.Helper()
	server.Need(t, "dnsmasq", "dnsmasq-base")
	port := server.Free(t)
	args := []string{
		"--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--port=" + port, "--listen-address=127.0.0.1",
		"--bind-interfaces", "--pid-file=", "--user=", "--group=",
	}
	for _, zone := range stubs {
		args = append(args, "--server=/"+zone+"/127.0.0.1#"+upstream)
	}
	return server.StartResolver(t, port, "dnsmasq", args...)
}

// People point their resolvers at a suffix. Whatever these make of one answer, it must not hide another name.
func TestResolvers(t *testing.T) {
	t.Parallel()
	ns := makeNamespace(t, "resolvers")
	makeService(t, ns, "queue", rabbits...)
	makeAlias(t, ns, "alias", "queue."+ns+".svc.cluster.local")
	s := runCorefile(t, resolvable, "NAMESPACE", ns)
	resolvers := map[string]*server.Server{"unbound": unbound(t, s.Port), "dnsmasq": dnsmasq(t, s.Port)}
	for name, r := range resolvers {
		t.Run(name, func(t *testing.T) { resolves(t, r, ns) })
	}
	// Replaced and new pods show after the TTL, also where there was nobody.
	setEndpoints(t, ns, "queue", append(slices.Clone(rabbits[1:]), endpoint{hostname: "rabbit-0", addr: "10.77.0.9"}, endpoint{hostname: "rabbit-9", addr: "10.77.0.10"})...)
	for name, r := range resolvers {
		for pod, addr := range map[string]string{
			"rabbit-0.mgmt.pix.yun.com": "10.77.0.9", "rabbit-0.queue." + ns + ".k8s.example.org": "10.77.0.9", "rabbit-9.mgmt.pix.yun.com": "10.77.0.10",
			"rabbit-9.queue." + ns + ".k8s.example.org": "10.77.0.10",
		} {
			s.Poll(t, time.Minute, func() error {
				m, err := r.TryDig(pod)
				if err == nil && !slices.Equal(m.Addresses(), []string{addr}) {
					err = fmt.Errorf("%s: want %s of %s\n%s", name, addr, pod, m.Text)
				}
				return err
			})
		}
	}
}

// resolves asks a resolver first for what lies above other names, and what is nowhere, then for everything below.
func resolves(t *testing.T, r *server.Server, ns string) {
	t.Helper()
	const none, nxdomain = "", "NXDOMAIN"
	all := "10.77.0.1 10.77.0.2 10.77.0.3"
	for _, c := range []struct{ name, qtype, want string }{
		{"k8s.example.org", "A", none},
		{ns + ".k8s.example.org", "A", none},
		{ns + ".k8s.example.org", "AAAA", none},
		{"below.k8s.example.org", "A", none},
		{"down.below.k8s.example.org", "AAAA", none},
		{"deep.down.below.k8s.example.org", "A", none},
		{"_tcp.queue." + ns + ".k8s.example.org", "A", none},
		{"_tcp.queue.mgmt.pix.yun.com", "A", none},
		{"_tcp.broker.example.org", "A", none},
		{"mgmt.pix.yun.com", "A", none},
		{"dns.mgmt.pix.yun.com", "A", none},
		{"alias.mgmt.pix.yun.com", "AAAA", "queue.mgmt.pix.yun.com"},
		{"rabbit-9.mgmt.pix.yun.com", "A", nxdomain},
		{"rabbit-9.queue." + ns + ".k8s.example.org", "A", nxdomain},
		{"a.b.c." + ns + ".k8s.example.org", "A", nxdomain},
		{"nowhere.k8s.example.org", "A", nxdomain},
		{"rabbit-0.nowhere.k8s.example.org", "A", nxdomain},
		{"rabbit-0.mgmt.pix.yun.com", "AAAA", none},
		{"rabbit-0.queue." + ns + ".k8s.example.org", "AAAA", none},
		{"queue.mgmt.pix.yun.com", "AAAA", none},

		{"rabbit-0.mgmt.pix.yun.com", "A", "10.77.0.1"},
		{"rabbit-0.queue.mgmt.pix.yun.com", "A", "10.77.0.1"},
		{"rabbit-5cc96-xyz.mgmt.pix.yun.com", "A", "10.77.0.3"},
		{"queue.mgmt.pix.yun.com", "A", all},
		{"alias.mgmt.pix.yun.com", "A", "queue.mgmt.pix.yun.com " + all},
		{"alias." + ns + ".k8s.example.org", "A", "queue." + ns + ".k8s.example.org " + all},
		{"ns.dns.mgmt.pix.yun.com", "A", "127.0.0.1"},
		{"mgmt.pix.yun.com", "NS", "ns.dns.mgmt.pix.yun.com"},
		{"_amqp._tcp.queue.mgmt.pix.yun.com", "SRV", "rabbit-0.queue.mgmt.pix.yun.com rabbit-1.queue.mgmt.pix.yun.com rabbit-5cc96-xyz.queue.mgmt.pix.yun.com"},
		{"rabbit-0." + ns + ".k8s.example.org", "A", "10.77.0.1"},
		{"rabbit-1.queue." + ns + ".k8s.example.org", "A", "10.77.0.2"},
		{"queue." + ns + ".k8s.example.org", "A", all},
		{"_amqp._tcp.queue." + ns + ".k8s.example.org", "SRV", fmt.Sprintf("rabbit-0.queue.%[1]s.k8s.example.org rabbit-1.queue.%[1]s.k8s.example.org rabbit-5cc96-xyz.queue.%[1]s.k8s.example.org", ns)},
		{"rabbit-0.deep.down.below.k8s.example.org", "A", "10.77.0.1"},
		{"rabbit-1.queue.deep.down.below.k8s.example.org", "A", "10.77.0.2"},
		{"broker.example.org", "A", all},
		{"rabbit-5cc96-xyz.broker.example.org", "A", "10.77.0.3"},
		{"_amqp._tcp.broker.example.org", "SRV", "rabbit-0.broker.example.org rabbit-1.broker.example.org rabbit-5cc96-xyz.broker.example.org"},
	} {
		m := r.Dig(t, c.name, c.qtype)
		got, status := strings.Join(append(targets(m), m.Addresses()...), " "), "NOERROR"
		if c.want == nxdomain {
			c.want, status = none, nxdomain
		}
		if m.Status != status || got != c.want || c.want == none && len(m.Answer) > 0 {
			t.Errorf("%s %s: want %s %q\n%s", c.name, c.qtype, status, c.want, m.Text)
		}
	}
}

// targets are the names that the answer's records point to, sorted.
func targets(r server.Reply) []string {
	var list []string
	for _, rr := range r.Answer {
		if f := strings.Fields(rr); f[3] == "SRV" || f[3] == "CNAME" || f[3] == "NS" {
			list = append(list, strings.ToLower(strings.TrimSuffix(f[len(f)-1], "."))) // unbound varies the case of what it asks
		}
	}
	slices.Sort(list)
	return list
}
