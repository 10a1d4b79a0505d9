package test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/miekg/dns"

	asker "github.com/coredns-headless/headless/test/ask"
	"github.com/coredns-headless/headless/test/parts"
	"github.com/coredns-headless/headless/test/server"
)

const balanced = "    loadbalance\n"

// Clients connect to the first address of an answer, and *headless* answers in the same order each time: the
// Corefiles that people apply have *loadbalance*, so that the first address varies. What forwards to another server
// does not rely on that one's.
func TestFirstAddressVaries(t *testing.T) {
	suffix, ordered := server.New(t), server.New(t)
	text := strings.NewReplacer(":53 {", ":PORT {\n    bind 127.0.0.1", "    ready\n", "    ready READY\n",
		"    health {", "    health HEALTH {", "prometheus :9153", "prometheus METRICS", "        explain\n", "",
		"snapshot /snapshot/headless", "manifests "+filepath.Join(parts.Root(), "examples", "cluster.yaml"),
	).Replace(deployFile(t, "suffix/Corefile"))
	suffix.Start(t, text)
	ordered.Start(t, strings.Replace(text, balanced, "", 1))
	servers := map[string]*server.Server{"deploy/suffix": suffix}
	for name, text := range stubCorefiles(t, deployed("stub")) {
		s := server.New(t)
		text = regexp.MustCompile(`(?m)^    bind .*\n`).ReplaceAllString(text, "")
		s.Start(t, strings.NewReplacer(":53 {", ":PORT {\n    bind 127.0.0.1\n    ready READY",
			"prometheus :9253", "prometheus METRICS", "10.96.0.53", "127.0.0.1:"+ordered.Port).Replace(text))
		servers[name] = s
	}
	ordered.WaitReady(t)
	if n := len(firstAddresses(t, ordered)); n != 1 {
		t.Errorf("without loadbalance the first of the answers are %d addresses: what it does is not seen here", n)
	}
	for name, s := range servers {
		s.WaitReady(t)
		if first := firstAddresses(t, s); len(first) < 2 {
			t.Errorf("%s: the first of all answers is one of %v", name, first)
		}
	}
}

// firstAddresses are those that stood first in 50 answers, or until there were two: by chance the same one does so
// once in 2^49 times.
func firstAddresses(t *testing.T, s *server.Server) map[string]bool {
	t.Helper()
	first := make(map[string]bool)
	for n := 0; n < 50 && len(first) < 2; n++ {
		m, err := asker.Once("127.0.0.1:"+s.Port, asker.Question{Name: "nginx.pods.example.org"})
		if err != nil || len(m.Answer) < 2 {
			t.Fatalf("%v\n%v", err, m)
		}
		a, ok := m.Answer[0].(*dns.A)
		if !ok {
			t.Fatalf("%v is no address", m.Answer[0])
		}
		first[a.A.String()] = true
	}
	return first
}

// Every Corefile that the reference shows has it, too.
func TestReferenceCorefilesHaveLoadbalance(t *testing.T) {
	for _, b := range blocks(t, reference, "corefile") {
		if !strings.Contains(b.Text, balanced) {
			t.Errorf("%s:%d has no loadbalance", reference, b.Line)
		}
	}
}
