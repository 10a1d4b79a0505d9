package config

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/dnsname"
)

var whereItIs = regexp.MustCompile(`^Testfile:[1-9][0-9]* - Error during parsing: .`)

// FuzzStanza gives Parse any input. It must not panic, an error must have a position, and a valid stanza must have its
// documented properties.
func FuzzStanza(f *testing.F) {
	for _, seed := range []string{
		"headless", "headless cluster.local", "headless . {\n}", "headless 10.0.0.0/12", "headless {", "headless }",
		inBlock("suffix mgmt.pix.yun.com default.svc.cluster.local", "fallthrough", "not_ready"),
		inBlock("suffix a.test svc.cluster.local", "suffix b.test a.b.svc.cluster.local", "fallthrough b.test"),
		inBlock("namespaces a b", "ttl 30", "kubeconfig x y", "startup_timeout 3s"),
		inBlock("manifests a b", "kubeconfig x"), inBlock("ttl -1"), inBlock("suffix \"\" \"\""),
		inBlock("suffix \"a\n\" \\000.svc.cluster.local"),
		"headless a {\n}\nheadless a", "headless a:53", "headless dns://a", "headless \"\"", "headless a.b..c",
		"headless \\.svc.a",
		"headless a 10.96.0.0/12 fd00::/63 244.10.in-addr.arpa 0.0.d.f.ip6.arpa", "headless a 10.0.0.1/8",
		"headless a 1.2.3.4.5.in-addr.arpa",
		"headless a.local 10.0.0.0/8\nheadless b.local 10.1.0.0/16",
		inBlock("suffix a.test svc.cluster.local", "nameserver ns.a.test 192.0.2.1 ::1"),
		inBlock("nameserver ns.b.test", "suffix a.test svc.cluster.local", "nameserver 192.0.2.1"),
		inBlock("suffix a.test svc.cluster.local", "nameserver b.test ::"),
		inBlock("suffix {\n}"), inBlock("suffix a.test .svc.cluster.local"), inBlock("fallthrough \"\""),
		"headless é.test",
	} {
		f.Add(seed, "dns://.:53")
		f.Add(seed, "cluster.local.")
	}
	f.Fuzz(func(t *testing.T, input, key string) {
		list, err := parse(input, key)
		if err != nil {
			if !whereItIs.MatchString(err.Error()) {
				t.Errorf("error names no place: %q", err)
			}
			return
		}
		for _, s := range list {
			if len(s.Zones) == 0 || s.TTL > 3600 || s.StartupTimeout < 0 {
				t.Errorf("accepted %+v", s)
			}
			names := append([]string(nil), s.Zones...)
			for _, n := range s.Nameservers {
				names = append(names, n.Name)
				checkNameserver(t, &s, n)
			}
			checkNetworks(t, s.Networks)
			for _, x := range s.Suffixes {
				names = append(names, x.Name)
				if x.Target.Service != "" && x.Target.Namespace == "" {
					t.Errorf("accepted a target without a namespace: %+v", x)
				}
			}
			for _, n := range names {
				if _, ok := dns.IsDomainName(n); !ok || !dns.IsFqdn(n) || n == "." || n != strings.ToLower(n) {
					t.Errorf("accepted name %q", n)
				}
			}
		}
	})
}

// checkNameserver checks that n has addresses if it is inside a suffix, and none if it is not.
func checkNameserver(t *testing.T, s *Stanza, n Nameserver) {
	t.Helper()
	inside := slices.ContainsFunc(s.Suffixes,
		func(s Suffix) bool { return !s.Shared && dns.IsSubDomain(s.Name, n.Name) })
	if inside != (len(n.Addrs) > 0) || n.At.Line == 0 {
		t.Errorf("accepted nameserver %+v of %+v", n, s.Suffixes)
	}
	for i, a := range n.Addrs {
		if !a.IsValid() || a.Is4In6() || a.Zone() != "" || slices.Contains(n.Addrs[:i], a) {
			t.Errorf("accepted nameserver %+v", n)
		}
	}
}

// checkNetworks checks that the networks are different, and that their names are in their reverse zones.
func checkNetworks(t *testing.T, list []netip.Prefix) {
	t.Helper()
	for i, n := range list {
		if !n.IsValid() || n.Bits() == 0 || n != n.Masked() || n.Addr().Is4In6() || slices.Contains(list[:i], n) {
			t.Errorf("accepted network %v of %v", n, list)
		}
		name, err := dns.ReverseAddr(n.Addr().String())
		if zone := dnsname.Reverse(n); err != nil || !dns.IsSubDomain(zone, name) {
			t.Errorf("%s is no zone of %v", zone, n)
		}
	}
}
