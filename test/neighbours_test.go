package test

import (
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/server"
)

// A cluster zone and the suffix mgmt.example.com, with other plugins, whose lines stand for PLUGINS.
const neighbourly = `.:PORT {
    bind 127.0.0.1
    ready READY
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

// runWith runs CoreDNS with other plugins, beside a Service queue that has the rabbits, in a namespace of its own.
func runWith(t *testing.T, plugins string) (s *server.Server, namespace string) {
	t.Helper()
	namespace = makeNamespace(t, "with")
	makeService(t, namespace, "queue", rabbits...)
	makeAlias(t, namespace, "alias", "queue."+namespace+".svc.cluster.local")
	makeAlias(t, namespace, "outside", "www.example.org")
	return runCorefile(t, neighbourly, "PLUGINS", strings.ReplaceAll(plugins, "NAMESPACE", namespace), "NAMESPACE", namespace, "STUB", server.Stub(t)), namespace
}

// A rule onto a suffix is answered under the name that was asked for. Rules of today, for names that *kubernetes* has, go on
// working, and those for pods' names begin to.
func TestRewrite(t *testing.T) {
	s, ns := runWith(t, `
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
    rewrite name exact alias.example.net rabbit-1.mgmt.example.com`)
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

// *template* and *hosts* stand before: what they have, they answer, and what they pass on is answered here.
func TestTemplateAndHosts(t *testing.T) {
	s, _ := runWith(t, `
    template IN A mgmt.example.com {
       match ^rabbit-1[.]mgmt[.]example[.]com[.]$
       answer "{{ .Name }} 60 IN A 192.0.2.7"
       fallthrough
    }
    hosts {
       192.0.2.8 rabbit-5cc96-xyz.mgmt.example.com
       fallthrough
    }`)
	want(t, s, "rabbit-1.mgmt.example.com", "192.0.2.7")
	want(t, s, "rabbit-5cc96-xyz.mgmt.example.com", "192.0.2.8")
	want(t, s, "rabbit-0.mgmt.example.com", "10.77.0.1")
	want(t, s, "rabbit-1.queue.mgmt.example.com", "10.77.0.2")
	wantStatus(t, s, "NXDOMAIN", "rabbit-9.mgmt.example.com")
	wantStatus(t, s, "NOERROR", "rabbit-1.mgmt.example.com", "AAAA")
}

// *loadbalance* has a Service's addresses in turn, and never other ones, nor does it shuffle what everybody shares.
func TestLoadbalance(t *testing.T) {
	s, _ := runWith(t, "    loadbalance round_robin")
	plain, _ := runWith(t, "")
	for _, name := range []string{"queue.mgmt.example.com.", "broker.example.com."} {
		orders, plainly := make(map[string]bool), make(map[string]bool)
		for range 30 { // 6 orders: all of them alike by chance once in 10^23
			list := ask(t, s, name, dns.TypeA).addrs()
			orders[strings.Join(list, " ")] = true
			slices.Sort(list)
			if !slices.Equal(list, []string{"10.77.0.1", "10.77.0.2", "10.77.0.3"}) {
				t.Fatalf("%s: %q", name, list)
			}
			plainly[strings.Join(ask(t, plain, name, dns.TypeA).addrs(), " ")] = true
		}
		if len(orders) < 2 {
			t.Errorf("%s is not shuffled: %v", name, orders)
		}
		if len(plainly) != 1 {
			t.Errorf("%s has no stable order without loadbalance: %v", name, plainly)
		}
	}
}

// *minimal* leaves answers bare, and denials their SOA, by which resolvers know how long to keep them.
func TestMinimal(t *testing.T) {
	s, ns := runWith(t, "    minimal")
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

// *acl* keeps a source from a suffix, and from nothing else.
func TestACL(t *testing.T) {
	s, ns := runWith(t, `
    acl mgmt.example.com {
       block net 127.0.0.66/32
    }`)
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

// *dns64* makes IPv6 addresses of a peer's IPv4 ones, since it has none of its own and exists; and does not where it has, or
// where nobody is.
func TestDNS64(t *testing.T) {
	s, ns := runWith(t, `
    dns64 {
       allow_ipv4
    }`)
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
