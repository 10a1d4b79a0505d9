package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/parts"
)

// CoreDNS refuses a wrong Corefile with one line that says where the mistake is and what is valid. The tests of
// plugin/config have all mistakes. Of these, one is in the stanza, and one each in the server block, a file and the
// environment.
func TestWrongCorefiles(t *testing.T) {
	bin, err := parts.CoreDNS.Path()
	if err != nil {
		t.Fatal(err)
	}
	t.Parallel()
	dir := t.TempDir()
	broken := []byte("apiVersion: v1\nkind: Service\nmetadata: [\n")
	if err := os.WriteFile(filepath.Join(dir, "broken.yaml"), broken, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		server, option string
		line           string // the position
		says           string
	}{
		"unknown option": {option: "endpoint_pod_names", line: "Corefile:3", says: "unknown property 'endpoint_pod_names'"},
		"out of the server block": {
			server: "cluster.local", option: "suffix mgmt.com default.svc.cluster.local",
			line: "Corefile:3", says: "suffix 'mgmt.com.' is not in the server block's zones (cluster.local.)",
		},
		"broken manifests": {option: "manifests broken.yaml", line: "Corefile:3", says: "document 1, line 4: "},
		"no cluster": {
			option: "not_ready", line: "Corefile:2", says: "give kubeconfig KUBECONFIG or manifests PATH",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if c.server == "" {
				c.server = "."
			}
			text := c.server + ":0 {\nheadless cluster.local {\n" + c.option + "\n}\n}\n"
			path := filepath.Join(t.TempDir(), "Corefile")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), bin, "-conf", path)
			cmd.Dir = dir
			cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // as no pod has it
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatalf("CoreDNS took\n%s", text)
			}
			lines := regexp.MustCompile(`(?m)^.*(headless|Error).*$`).FindAllString(string(out), -1)
			if len(lines) != 1 || !strings.Contains(lines[0], c.line) || !strings.Contains(lines[0], c.says) {
				t.Errorf("want one line with %q and %q, got\n%s\nfor\n%s", c.line, c.says, out, text)
			}
		})
	}
}
