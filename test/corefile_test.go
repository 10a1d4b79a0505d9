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

// A wrong Corefile ends CoreDNS with one line that says where the mistake is and what is allowed.
func TestWrongCorefiles(t *testing.T) {
	bin, err := parts.CoreDNS.Path()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"broken.yaml": "apiVersion: v1\nkind: Service\nmetadata: [\n",
		"wrong.yaml":  "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: b}\n---\napiVersion: v1\nkind: Service\nspec: {ports: 7}\n",
		"noconfig":    "apiVersion: v1\nkind: Config\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		zones, option, server string
		line                  string // the position, and more if need be
		allowed               string
	}{
		"unknown option":           {option: "endpoint_pod_names", line: "Corefile:3", allowed: "allowed are explain, fallthrough, kubeconfig, manifests, "},
		"no port":                  {option: "explain 127.0.0.1", line: "Corefile:3", allowed: "allowed is an IP address with a port"},
		"missing argument":         {option: "suffix mgmt.pix.yun.com", line: "Corefile:3", allowed: "allowed is suffix SUFFIX TARGET"},
		"zone root":                {zones: ".", option: "not_ready", line: "Corefile:2", allowed: "name the cluster zone, such as cluster.local"},
		"zone root by default":     {zones: " ", option: "not_ready", line: "Corefile:2", allowed: "name the cluster zone, such as cluster.local"},
		"bad suffix":               {option: "suffix mgmt..com default.svc.cluster.local", line: "Corefile:3", allowed: "allowed is a domain name"},
		"foreign target":           {option: "suffix mgmt.com default.svc.other.local", line: "Corefile:3", allowed: "allowed are svc.ZONE"},
		"suffix in the zone":       {option: "suffix a.cluster.local default.svc.cluster.local", line: "Corefile:3", allowed: "allowed is a domain outside"},
		"suffix out of the server": {server: "cluster.local", option: "suffix mgmt.com default.svc.cluster.local", line: "Corefile:3", allowed: "allowed is what lies in cluster.local."},
		"suffix twice":             {option: "suffix mgmt.com default.svc.cluster.local\nsuffix MGMT.com svc.cluster.local", line: "Corefile:4", allowed: "allowed is one target"},
		"ttl":                      {option: "ttl 9000", line: "Corefile:3", allowed: "allowed are 0 to 3600 seconds"},
		"no kubeconfig":            {option: "kubeconfig nowhere", line: "Corefile:3", allowed: "allowed is a kubeconfig file that can be read"},
		"kubeconfig without":       {option: "kubeconfig noconfig", line: "Corefile:3", allowed: "kubeconfig \"noconfig\""},
		"broken manifests":         {option: "manifests broken.yaml", line: "Corefile:3", allowed: "document 1, line 4: "},
		"wrong manifests":          {option: "manifests wrong.yaml", line: "Corefile:3", allowed: "document 2, line 5: "},
		"no manifests":             {option: "manifests nowhere.yaml", line: "Corefile:3", allowed: "allowed are YAML and JSON files"},
		"manifests of a device":    {option: "manifests /dev/zero", line: "Corefile:3", allowed: "neither a file nor a folder: allowed are YAML and JSON files"},
		"both":                     {option: "manifests broken.yaml\nkubeconfig noconfig", line: "Corefile:4", allowed: "allowed is one of them"},
		"no cluster":               {option: "not_ready", line: "Corefile:2", allowed: "allowed are kubeconfig KUBECONFIG, and manifests PATH"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.zones == "" {
				c.zones = "cluster.local"
			}
			if c.server == "" {
				c.server = "."
			}
			text := c.server + ":0 {\nheadless " + c.zones + " {\n" + c.option + "\n}\n}\n"
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
			if len(lines) != 1 || !strings.Contains(lines[0], c.line) || !strings.Contains(lines[0], c.allowed) {
				t.Errorf("want one line with %q and %q, got\n%s\nfor\n%s", c.line, c.allowed, out, text)
			}
		})
	}
}
