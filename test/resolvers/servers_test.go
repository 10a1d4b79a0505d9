package resolvers

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/server"
)

// The suffixes: the root delegates the first, the second is shared with a zone that it delegates, and of the third
// only the resolvers' configuration knows.
const delegated, shared, own = "deleg.example.", "company.example.", "own.internal."

// The name servers are one CoreDNS. The root is signed, and has no DS for what it delegates.
const corefile = `.:53 {
    bind 127.0.1.1
    errors
    dnssec {
        key file KEY
    }
    file DIR/root.zone
}
.:53 {
    bind 127.0.1.2
    errors
    ready READY
    headless cluster.local {
        manifests OBJECTS
        suffix deleg.example default.svc.cluster.local
        nameserver ns1.deleg.example 127.0.1.2
        ttl 1
    }
    forward . 127.0.1.1
}
company.example:53 {
    bind 127.0.1.3
    errors
    ready READY
    headless cluster.local {
        manifests OBJECTS
        suffix company.example default.svc.cluster.local
        fallthrough
        ttl 1
    }
    file DIR/company.zone
}
own.internal:53 {
    bind 127.0.1.4
    errors
    ready READY
    headless cluster.local {
        manifests OBJECTS
        suffix own.internal default.svc.cluster.local
        nameserver ns1.own.internal 127.0.1.4
        ttl 1
    }
}
`

//nolint:dupword // zone files
var zones = map[string]string{
	"root.zone": `. 3600 IN SOA a.servers. root.servers. 1 7200 1800 86400 300
. 3600 IN NS a.servers.
a.servers. 3600 IN A 127.0.1.1
deleg.example. 3600 IN NS ns1.deleg.example.
ns1.deleg.example. 3600 IN A 127.0.1.2
company.example. 3600 IN NS ns1.company.example.
ns1.company.example. 3600 IN A 127.0.1.3
`,
	"company.zone": `company.example. 3600 IN SOA ns1.company.example. root.company.example. 1 7200 1800 86400 1
company.example. 3600 IN NS ns1.company.example.
company.example. 3600 IN MX 10 api.company.example.
ns1.company.example. 3600 IN A 127.0.1.3
www.company.example. 3600 IN A 192.0.2.2
nginx.company.example. 3600 IN MX 10 www.company.example.
`,
}

// hints tell a resolver where the root is.
//
//nolint:dupword // a zone file
const hints = ". 3600 IN NS a.servers.\na.servers. 3600 IN A 127.0.1.1\n"

// startServers runs the name servers, and returns the root's key.
func startServers(t *testing.T) *dns.DNSKEY {
	t.Helper()
	server.Need(t, "dig", "bind9-dnsutils")
	dir, objects := t.TempDir(), "testdata/objects.yaml"
	for name, text := range zones {
		write(t, filepath.Join(dir, name), text)
	}
	objects, err := filepath.Abs(objects)
	if err != nil {
		t.Fatal(err)
	}
	file, key := server.MakeKey(t, ".")
	s := server.New(t)
	s.Start(t, strings.NewReplacer("KEY", file, "DIR", dir, "OBJECTS", objects).Replace(corefile))
	s.WaitReady(t)
	return key
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// unbound asks no more than it must of each server (RFC 9156), takes NXDOMAIN for all that lies below (RFC 8020), and
// asks for the addresses of name servers itself.
func unbound(t *testing.T, root *dns.DNSKEY) *server.Server {
	t.Helper()
	server.Need(t, "unbound", "unbound")
	port, dir := server.Free(t), t.TempDir()
	write(t, dir+"/hints", hints)
	write(t, dir+"/conf", `server:
  interface: 127.0.0.1
  port: `+port+`
  chroot: ""
  username: ""
  directory: ""
  pidfile: ""
  use-syslog: no
  num-threads: 1
  do-ip6: no
  do-not-query-localhost: no
  module-config: "validator iterator"
  root-hints: `+dir+`/hints
  trust-anchor: "`+anchorLine(root)+`"
  trust-anchor-signaling: no
  domain-insecure: own.internal
  qname-minimisation: yes
  qname-minimisation-strict: yes
  harden-below-nxdomain: yes
  harden-referral-path: yes
  use-caps-for-id: yes
remote-control:
  control-enable: no
stub-zone:
  name: own.internal
  stub-addr: 127.0.1.4
`)
	return server.StartResolver(t, port, "unbound", "-d", "-p", "-c", dir+"/conf")
}

// anchorLine is a key as in a zone file, without TTL: systemd-resolved reads none.
func anchorLine(key *dns.DNSKEY) string {
	return fmt.Sprintf("%s IN DNSKEY %d %d %d %s", key.Hdr.Name, key.Flags, key.Protocol, key.Algorithm, key.PublicKey)
}

func named(t *testing.T, root *dns.DNSKEY) *server.Server {
	t.Helper()
	server.Need(t, "named", "bind9")
	port, dir := server.Free(t), t.TempDir()
	write(t, dir+"/hints", hints)
	write(t, dir+"/conf", `options {
    directory "`+dir+`";
    pid-file none;
    lock-file none;
    session-keyfile none;
    listen-on port `+port+` { 127.0.0.1; };
    listen-on-v6 { none; };
    recursion yes;
    empty-zones-enable no;
    qname-minimization strict;
    dnssec-validation yes;
    validate-except { "own.internal"; };
};
controls { };
`+server.Anchor(root)+`zone "." {
    type hint;
    file "hints";
};
zone "own.internal" {
    type forward;
    forward only;
    forwarders { 127.0.1.4; };
};
`)
	return server.StartResolver(t, port, "named", "-g", "-4", "-n", "1", "-c", dir+"/conf")
}

// dnsmasq asks another resolver.
func dnsmasq(t *testing.T, upstream string) *server.Server {
	t.Helper()
	server.Need(t, "dnsmasq", "dnsmasq-base")
	port := server.Free(t)
	return server.StartResolver(t, port, "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--port="+port,
		"--listen-address=127.0.0.1", "--bind-interfaces", "--pid-file=", "--user=", "--group=", "--server=127.0.0.1#"+upstream)
}

// resolved is that of systemd. It needs no D-Bus. It asks another resolver, and validates what that says. Its configuration is in the namespace's own /run.
func resolved(t *testing.T, root *dns.DNSKEY, upstream string) *server.Server {
	t.Helper()
	const bin = "/lib/systemd/systemd-resolved"
	if _, err := os.Stat(bin); err != nil {
		server.Missing(t, fmt.Sprintf("%s (Debian package systemd-resolved)", err))
	}
	if os.Getenv(inside) != "0" {
		server.Missing(t, "systemd-resolved needs the rights of root, to become another user")
	}
	port := server.Free(t)
	for path, text := range map[string]string{
		"/run/dnssec-trust-anchors.d/root.positive": anchorLine(root) + "\n",
		"/run/systemd/resolved.conf.d/test.conf": `[Resolve]
DNS=127.0.0.1:` + upstream + `
FallbackDNS=
Domains=~.
DNSSEC=yes
LLMNR=no
MulticastDNS=no
Cache=yes
CacheFromLocalhost=yes
ReadEtcHosts=no
DNSStubListener=no
DNSStubListenerExtra=127.0.0.1:` + port + `
`,
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil { // #nosec G306 -- it does not run as root
			t.Fatal(err)
		}
	}
	return server.StartResolver(t, port, bin)
}
