package test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/documents"
	"github.com/coredns-headless/headless/test/parts"
	"github.com/coredns-headless/headless/test/server"
)

// reference is the document that has all names and options, and a Corefile for each of them.
const reference = "docs/reference.md"

// documentText is that of a file of the project.
func documentText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(parts.Root(), path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// referenceBlock is the first block of a language below a heading of the reference.
func referenceBlock(t *testing.T, heading, language string) string {
	t.Helper()
	for _, b := range blocks(t, reference, language) {
		if b.Heading == heading {
			return b.Text
		}
	}
	t.Fatalf("%s has no block of %s below %q", reference, language, heading)
	return ""
}

// blocks are a document's of a language.
func blocks(t *testing.T, path, language string) []documents.Block {
	t.Helper()
	list, err := documents.Blocks(path)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(list, func(b documents.Block) bool { return b.Language != language })
}

// Every Corefile of the reference starts and answers, with ports, addresses and credentials of this test.
func TestReferenceCorefiles(t *testing.T) {
	t.Parallel()
	server.Need(t, "dig", "bind9-dnsutils")
	web := addresses(t, "default", "nginx")
	asked := []struct {
		name  string
		addrs []string
	}{
		{"web-1.pods.example.org", []string{web["web-1"]}}, // with transfers
		{"web-1.pods.example.org", []string{web["web-1"]}},
		{"web-1.company.test", []string{web["web-1"]}},
		{"rabbit-0.brokers.example.org", nil},              // no such Service in this cluster: NXDOMAIN
		{"web-1.pods.example.org", []string{"10.244.0.6"}}, // of the dump that make run has
		{"web-1.pods.example.org", []string{web["web-1"]}},
	}
	corefiles := blocks(t, reference, "corefile")
	if len(corefiles) != len(asked) {
		t.Fatalf("%d Corefiles in %s, the test knows %d", len(corefiles), reference, len(asked))
	}
	for i, b := range corefiles {
		s := server.New(t)
		text := strings.NewReplacer("/var/lib/coredns/dump.yaml", filepath.Join(parts.Root(), "examples", "cluster.yaml"), "/var/lib/coredns", s.Dir(),
			"explain\n", "explain 127.0.0.1:"+server.Free(t)+"\n").Replace(b.Text)
		if !strings.Contains(text, "manifests") {
			text = ours(t, text, cluster.Kubeconfig)
		} else {
			text = strings.Replace(text, ":53 {", ":PORT {\n    bind 127.0.0.1\n    ready READY", 1)
		}
		s.Start(t, text)
		s.WaitReady(t)
		if a := asked[i]; a.addrs != nil {
			want(t, s, a.name, a.addrs...)
		} else {
			wantStatus(t, s, "NXDOMAIN", a.name)
		}
	}
}

// The Corefile of the page for CoreDNS's site starts and answers.
func TestSiteCorefile(t *testing.T) {
	t.Parallel()
	for _, part := range sections(t, "docs/coredns.io/headless.md") {
		for _, text := range part.corefiles {
			want(t, part.start(t, text), "web-1.pods.example.org", addresses(t, "default", "nginx")["web-1"])
		}
	}
}
