package config

import (
	"regexp"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

var whereItIs = regexp.MustCompile(`^Testfile:[1-9][0-9]* - Error during parsing: .`)

// FuzzStanza feeds anything to Parse: it never panics, an error says where it is, and what is accepted keeps its promises.
func FuzzStanza(f *testing.F) {
	for _, seed := range []string{
		"headless", "headless cluster.local", "headless . {\n}", "headless 10.0.0.0/12", "headless {", "headless }",
		inBlock("suffix mgmt.pix.yun.com default.svc.cluster.local", "fallthrough", "not_ready"),
		inBlock("suffix a.test svc.cluster.local", "suffix b.test a.b.svc.cluster.local", "fallthrough b.test"),
		inBlock("namespaces a b", "ttl 30", "kubeconfig x y", "startup_timeout 3s"),
		inBlock("manifests a b", "kubeconfig x"), inBlock("ttl -1"), inBlock("suffix \"\" \"\""), inBlock("suffix \"a\n\" \\000.svc.cluster.local"),
		"headless a {\n}\nheadless a", "headless a:53", "headless dns://a", "headless \"\"", "headless a.b..c", "headless \\.svc.a",
		inBlock("suffix {\n}"), inBlock("suffix a.test .svc.cluster.local"), inBlock("fallthrough \"\""), "headless é.test",
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
