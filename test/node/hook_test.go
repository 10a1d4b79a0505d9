package node

import (
	"slices"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/documents"
)

// The hook of docs/migration.md does today what the page says, and goes on doing it beside the plugin; what it cannot
// give, the plugin gives.
func TestPostStartHookOfTheMigrationPage(t *testing.T) {
	blocks, err := documents.Blocks("docs/migration.md")
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(blocks, func(b documents.Block) bool { return strings.Contains(b.Text, "postStart:") })
	if at < 0 {
		t.Fatal("docs/migration.md has no hook")
	}
	service, _, _ := strings.Cut(story(t, "storm", "manifests.yaml"), "---\n")
	corefile := story(t, "storm", "Corefile")
	serve(t, without(t, corefile))
	applyText(t, service+"---\n"+blocks[at].Text)
	ready(t, "statefulset/web")
	address := addressOf(t, "web-1")
	for _, command := range lookups("web-1") {
		finds(t, "web-0", address, command...)
	}
	if found("web-0", address, "getent", "hosts", "web-1.pods.example.org") == nil {
		t.Error("the suffix works without the plugin")
	}
	serve(t, corefile)
	for _, name := range []string{"web-1", "web-1.pods.example.org"} {
		wait(t, func() error { return found("web-0", address, "getent", "hosts", name) })
	}
}
