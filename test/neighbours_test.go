package test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/server"
)

// A neighbourhood is the Service queue in a namespace of its own, and a server block, at ports, which has a cluster
// zone and the suffix mgmt.example.com beside other plugins. All blocks are one CoreDNS's.
type neighbourhood struct {
	*server.Server
	namespace string
}

// neighbours are the other plugins, by the name of what is tested with them.
var neighbours = map[string]struct {
	plugins string
	test    func(*testing.T, neighbourhood)
}{
	"rewrite": {rewrites, testRewrite},
	"template and hosts": {`
    template IN A mgmt.example.com {
       match ^rabbit-1[.]mgmt[.]example[.]com[.]$
       answer "{{ .Name }} 60 IN A 192.0.2.7"
       fallthrough
    }
    hosts {
       192.0.2.8 rabbit-5cc96-xyz.mgmt.example.com
       fallthrough
    }`, testTemplateAndHosts},
	"nothing":     {"", testNothing},
	"loadbalance": {"    loadbalance round_robin", testLoadbalance},
	"minimal":     {"    minimal", testMinimal},
	"acl":         {"    acl mgmt.example.com {\n       block net 127.0.0.66/32\n    }", testACL},
	"dns64":       {"    dns64 {\n       allow_ipv4\n    }", testDNS64},
	"metadata": {`
    metadata
    log . "who {name} [{/headless/namespace}] [{/headless/service}] [{/headless/pod}]"`, testMetadata},
}

const neighbourly = `.:PORT {
    bind 127.0.0.1
PLUGINS
    headless cluster.local {
       kubeconfig KUBECONFIG
       suffix mgmt.example.com NAMESPACE.svc.cluster.local
       suffix broker.example.com queue.NAMESPACE.svc.cluster.local
    }
    kubernetes cluster.local {
       kubeconfig KUBECONFIG
    }
    forward . STUB
}
`

var rabbits = []endpoint{
	{hostname: "rabbit-0", pod: "rabbit-0", addr: "10.77.0.1"},
	{hostname: "rabbit-1", pod: "rabbit-1", addr: "10.77.0.2"},
	{pod: "rabbit-5cc96-xyz", addr: "10.77.0.3"},
}

// With other plugins the plugin does what an administrator of these expects.
func TestNeighbours(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	ports := make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(neighbours)) {
		ports[name] = server.Free(t)
		plugins := neighbours[name].plugins
		if b.Len() == 0 {
			plugins += "\n    ready READY" // speaks for all
		}
		b.WriteString(strings.NewReplacer("PORT", ports[name], "PLUGINS", plugins).Replace(neighbourly))
	}
	all := withNeighbours(t, b.String())
	for name, c := range neighbours {
		t.Run(name, func(t *testing.T) {
			block := *all.Server
			block.Port = ports[name]
			c.test(t, neighbourhood{&block, all.namespace})
		})
	}
}

// withNeighbours runs CoreDNS beside a Service queue that has the rabbits, in a namespace of its own.
func withNeighbours(t *testing.T, corefile string) neighbourhood {
	t.Helper()
	ns := makeNamespace(t, "with")
	makeService(t, ns, "queue", rabbits...)
	makeAlias(t, ns, "alias", "queue."+ns+".svc.cluster.local")
	makeAlias(t, ns, "outside", "www.example.org")
	return neighbourhood{runCorefile(t, corefile, "NAMESPACE", ns, "STUB", server.Stub(t)), ns}
}

const rewrites = `
    rewrite stop {
       name suffix .old.example.net .mgmt.example.com answer auto
    }
    rewrite stop {
       name regex (.*)\.queue\.example\.net {1}.queue.NAMESPACE.svc.cluster.local
       answer name (.*)\.queue\.NAMESPACE\.svc\.cluster\.local {1}.queue.example.net
    }
    rewrite stop {
       name regex (.*)\.pods\.example\.net {1}.NAMESPACE.svc.cluster.local
       answer name (.*)\.NAMESPACE\.svc\.cluster\.local {1}.pods.example.net
    }
    rewrite name exact alias.example.net rabbit-1.mgmt.example.com`

// A rule onto a suffix is answered under the name that was asked for. Rules of today, for names that *kubernetes* has,
// go on working, and those for pods' names begin to.
func testRewrite(t *testing.T, n neighbourhood) {
	s, ns := n.Server, n.namespace
	for range 2 { // the second time shows whether the rewriting went into what is shared
		for name, addr := range map[string]string{
			"rabbit-0.old.example.net":              "10.77.0.1",
			"rabbit-5cc96-xyz.old.example.net":      "10.77.0.3",
			"rabbit-0.queue.old.example.net":        "10.77.0.1",
			"rabbit-1.queue.example.net":            "10.77.0.2",
			"rabbit-1.pods.example.net":             "10.77.0.2",
			"rabbit-5cc96-xyz.pods.example.net":     "10.77.0.3",
			"alias.example.net":                     "10.77.0.2",
			"rabbit-1.mgmt.example.com":             "10.77.0.2",
			"rabbit-1." + ns + ".svc.cluster.local": "10.77.0.2",
		} {
			want(t, s, name, addr)
			if r := s.Dig(t, name); len(r.Answer) != 1 || !strings.HasPrefix(r.Answer[0], name+". ") {
				t.Errorf("%s is answered under another name:\n%s", name, r.Text)
			}
		}
	}
	for _, question := range [][]string{{"_amqp._tcp.queue.old.example.net", "SRV"}, {"alias.old.example.net", "A"}, {"rabbit-0.queue.old.example.net", "A"}} {
		r := s.Dig(t, question...)
		for _, section := range [][]string{r.Answer, r.Additional} {
			for _, rr := range section {
				if strings.Contains(rr, "mgmt.example.com") {
					t.Errorf("%v: %s was not rewritten", question, rr)
				}
			}
		}
		if len(r.Answer) == 0 {
			t.Errorf("%v:\n%s", question, r.Text)
		}
	}
	wantStatus(t, s, "NOERROR", "rabbit-0.old.example.net", "AAAA")
	wantStatus(t, s, "NXDOMAIN", "rabbit-9.old.example.net")
	wantStatus(t, s, "NXDOMAIN", "rabbit-9.pods.example.net")
}

func testTemplateAndHosts(t *testing.T, n neighbourhood) {
	want(t, n.Server, "rabbit-1.mgmt.example.com", "192.0.2.7")
	want(t, n.Server, "rabbit-5cc96-xyz.mgmt.example.com", "192.0.2.8")
	want(t, n.Server, "rabbit-0.mgmt.example.com", "10.77.0.1")
	want(t, n.Server, "rabbit-1.queue.mgmt.example.com", "10.77.0.2")
	wantStatus(t, n.Server, "NXDOMAIN", "rabbit-9.mgmt.example.com")
	wantStatus(t, n.Server, "NOERROR", "rabbit-1.mgmt.example.com", "AAAA")
}

func testLoadbalance(t *testing.T, n neighbourhood) {
	for name, orders := range n.orders(t) {
		if len(orders) < 2 {
			t.Errorf("%s is not shuffled: %v", name, orders)
		}
	}
}

// Without it the order stays, whatever *loadbalance* in another server block does to what both share.
func testNothing(t *testing.T, n neighbourhood) {
	for name, orders := range n.orders(t) {
		if len(orders) != 1 {
			t.Errorf("%s has no stable order without loadbalance: %v", name, orders)
		}
	}
}

// orders are those that a Service's addresses come in, by name. Of 30 replies with 6 orders all are alike by chance
// once in 10^23.
func (n neighbourhood) orders(t *testing.T) map[string]map[string]bool {
	t.Helper()
	all := make(map[string]map[string]bool)
	for _, name := range []string{"queue.mgmt.example.com.", "broker.example.com."} {
		all[name] = make(map[string]bool)
		for range 30 {
			list := exchange(t, n.Server, "udp", new(dns.Msg).SetQuestion(name, dns.TypeA)).addrs()
			all[name][strings.Join(list, " ")] = true
			slices.Sort(list)
			if !slices.Equal(list, []string{"10.77.0.1", "10.77.0.2", "10.77.0.3"}) {
				t.Fatalf("%s: %q", name, list)
			}
		}
	}
	return all
}

func testMinimal(t *testing.T, n neighbourhood) {
	s, ns := n.Server, n.namespace
	for _, name := range []string{"rabbit-0.mgmt.example.com", "rabbit-0." + ns + ".svc.cluster.local"} {
		want(t, s, name, "10.77.0.1")
		wantStatus(t, s, "NOERROR", name, "TXT")
	}
	wantStatus(t, s, "NXDOMAIN", "rabbit-9.mgmt.example.com")
	wantStatus(t, s, "NOERROR", "mgmt.example.com")
	for answers, question := range map[int][]string{3: {"_amqp._tcp.queue.mgmt.example.com", "SRV"}, 1: {"mgmt.example.com", "NS"}, 4: {"alias.mgmt.example.com", "A"}} {
		if r := s.Dig(t, question...); len(r.Answer) != answers || len(r.Authority)+len(r.Additional) > 0 {
			t.Errorf("not minimal:\n%s", r.Text)
		}
	}
}

func testACL(t *testing.T, n neighbourhood) {
	s, ns := n.Server, n.namespace
	want(t, s, "rabbit-0.mgmt.example.com", "10.77.0.1")
	for _, name := range []string{"rabbit-0.mgmt.example.com", "rabbit-9.mgmt.example.com", "mgmt.example.com"} {
		if r := s.Dig(t, "-b", "127.0.0.66", name); r.Status != "REFUSED" || len(r.Answer) > 0 {
			t.Errorf("%s is not kept from that source:\n%s", name, r.Text)
		}
	}
	for _, name := range []string{"rabbit-0.broker.example.com", "rabbit-0." + ns + ".svc.cluster.local"} {
		if r := s.Dig(t, "-b", "127.0.0.66", name); !slices.Equal(r.Addresses(), []string{"10.77.0.1"}) {
			t.Errorf("%s is kept from that source:\n%s", name, r.Text)
		}
	}
}

// where nobody is.
func testDNS64(t *testing.T, n neighbourhood) {
	s, ns := n.Server, n.namespace
	for _, name := range []string{
		"rabbit-0.mgmt.example.com", "rabbit-0.queue.mgmt.example.com", "rabbit-0." + ns + ".svc.cluster.local",
	} {
		if r := s.Dig(t, name, "AAAA"); r.Status != "NOERROR" || !slices.Equal(r.Addresses(), []string{"64:ff9b::a4d:1"}) {
			t.Errorf("%s AAAA:\n%s", name, r.Text)
		}
		want(t, s, name, "10.77.0.1")
	}
	for name, addrs := range map[string][]string{
		"alias.mgmt.example.com": {"64:ff9b::a4d:1", "64:ff9b::a4d:2", "64:ff9b::a4d:3"}, "outside.mgmt.example.com": {"2001:db8::1"},
	} {
		if r := s.Dig(t, name, "AAAA"); !slices.Equal(r.Addresses(), addrs) || len(targets(r)) != 1 {
			t.Errorf("%s AAAA:\n%s", name, r.Text)
		}
	}
	if r := s.Dig(t, "dual-0.default.svc.cluster.local", "AAAA"); !slices.Equal(r.Addresses(), []string{"2001:db8::58"}) {
		t.Errorf("a peer with an address of its own:\n%s", r.Text)
	}
	wantStatus(t, s, "NXDOMAIN", "rabbit-9.mgmt.example.com", "AAAA")
	wantStatus(t, s, "NXDOMAIN", "rabbit-9."+ns+".svc.cluster.local", "AAAA")
}

func testMetadata(t *testing.T, n neighbourhood) {
	s, ns := n.Server, n.namespace
	var wanted []string
	for _, c := range []struct{ name, namespace, service, pod string }{
		{"rabbit-0.mgmt.example.com.", ns, "queue", "rabbit-0"},
		{"rabbit-5cc96-xyz.queue.mgmt.example.com.", ns, "queue", "rabbit-5cc96-xyz"},
		{"queue.mgmt.example.com.", ns, "queue", ""},
		{"broker.example.com.", ns, "queue", ""},
		{"rabbit-1.broker.example.com.", ns, "queue", "rabbit-1"},
		{"_amqp._tcp.queue.mgmt.example.com.", ns, "queue", ""},
		{"rabbit-1." + ns + ".svc.cluster.local.", ns, "queue", "rabbit-1"},
		{"rabbit-9.mgmt.example.com.", "", "", ""},
		{"www.example.org.", "-", "-", "-"}, // no origin of ours
	} {
		s.Dig(t, c.name)
		wanted = append(wanted, fmt.Sprintf("%s [%s] [%s] [%s]", c.name, c.namespace, c.service, c.pod))
	}
	logged(t, s, "who", wanted...)
}
