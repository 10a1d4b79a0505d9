package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/coredns-headless/headless/test/parts"
	"github.com/coredns-headless/headless/test/server"
)

func deployFile(t *testing.T, name string) string {
	t.Helper()
	return readFile(t, deployed(name))
}

// deployed is a file or folder of deploy/.
func deployed(name string) string { return filepath.Join(parts.Root(), "deploy", name) }

// apply has the API server take it, without a warning: of Pod Security, of what is deprecated, of unknown fields.
func apply(t *testing.T, text string, args ...string) string {
	t.Helper()
	out := kubectl(t, text, append([]string{"apply", "--validate=strict"}, args...)...)
	if strings.Contains(strings.ToLower(out), "warning") {
		t.Errorf("kubectl apply %v\n%s", args, out)
	}
	return out
}

// The API server takes everything that there is to apply.
func TestDeployIsTaken(t *testing.T) {
	t.Parallel()
	apply(t, "", "-f", deployed("suffix/namespace.yaml")) // what is in it can only be tried when it is there
	t.Cleanup(func() {
		kubectl(t, "", "delete", "-k", deployed("suffix"), "--ignore-not-found")
	})
	for folder, objects := range map[string]int{"suffix": 9, "suffix-external": 10} {
		if out := apply(t, "", "--dry-run=server", "-k", deployed(folder)); strings.Count(out, "(server dry run)") != objects {
			t.Errorf("%s: want %d objects\n%s", folder, objects, out)
		}
	}
	for _, file := range []string{"stub/coredns-custom.yaml", "stub/kube-dns.yaml"} {
		apply(t, "", "--dry-run=server", "-f", deployed(file))
	}
	apply(t, "", "-k", deployed("suffix"))
}

// A Kustomization of kube-system's CoreDNS takes the component, and gives what the commands of docs/deploy.md give.
func TestKustomizeComponentChangesCoreDNS(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	for name, text := range map[string]string{
		"coredns.yaml":       readFile(t, "testdata/kubeadm.yaml"),
		"kustomization.yaml": "resources: [coredns.yaml]\ncomponents: [kube-system]\n",
	} {
		if err := os.WriteFile(filepath.Join(base, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(base, "kube-system"), os.DirFS(deployed("kube-system"))); err != nil {
		t.Fatal(err)
	}
	text := kubectl(t, "", "kustomize", base)
	apply(t, text, "--dry-run=server", "-f", "-")
	name := regexp.MustCompile(`name: (coredns-headless-\w+)`).FindStringSubmatch(text)
	if name == nil || strings.Count(text, name[1]) != 2 || !strings.Contains(text, "image: localhost/coredns-headless:0.1.0") {
		t.Errorf("it has not both image and Corefile:\n%s", text)
	}
	// The command of the document, on the Corefile that kubeadm installs.
	var cm corev1.ConfigMap
	if err := yaml.Unmarshal([]byte(strings.Split(readFile(t, "testdata/kubeadm.yaml"), "\n---\n")[0]), &cm); err != nil {
		t.Fatal(err)
	}
	awk := regexp.MustCompile(`(?s)\| *\n *(awk '.*?') >Corefile.headless`).FindStringSubmatch(readFile(t, "../docs/deploy.md"))
	if awk == nil {
		t.Fatal("docs/deploy.md has no such command")
	}
	cmd := exec.Command("sh", "-c", awk[1])
	cmd.Dir, cmd.Stdin = parts.Root(), strings.NewReader(cm.Data["Corefile"])
	out, err := cmd.CombinedOutput()
	if want := deployFile(t, "kube-system/Corefile"); err != nil || string(out) != want {
		t.Errorf("%s: %v\n%s\nwant\n%s", awk[1], err, out, want)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// startSuffix starts what deploy/suffix deploys, with the nameserver that stands behind a #.
func startSuffix(t *testing.T, text string) *server.Server {
	t.Helper()
	s := server.New(t)
	text = strings.NewReplacer("snapshot /snapshot/headless", "snapshot "+filepath.Join(t.TempDir(), "snapshot"), "explain\n", "explain 127.0.0.1:"+server.Free(t)+"\n",
		"# nameserver", "nameserver").Replace(text)
	s.Start(t, ours(t, text, cluster.Kubeconfig))
	s.WaitReady(t)
	return s
}

// The Corefiles of deploy/ start, and answer what they are for.
func TestDeployCorefiles(t *testing.T) {
	t.Parallel()
	server.Need(t, "dig", "bind9-dnsutils")
	web := addresses(t, "default", "nginx")["web-1"]
	suffix := startSuffix(t, deployFile(t, "suffix/Corefile"))
	want(t, suffix, "web-1.pods.example.org", web)
	want(t, suffix, "ns.dns.pods.example.org", "10.96.0.53")
	for name, text := range map[string]string{"kube-system": deployFile(t, "kube-system/Corefile"), "Helm": helmCorefile(t)} {
		t.Run(name, func(t *testing.T) {
			s := server.New(t)
			pages := "127.0.0.1:" + server.Free(t)
			text = strings.NewReplacer("# explain\n", "explain "+pages+"\n", "forward . /etc/resolv.conf {", "forward . "+server.Stub(t)+" {", "0.0.0.0:9153", ":9153", ". {\n", ".:53 {\n").Replace(text)
			s.Start(t, ours(t, text, cluster.Kubeconfig))
			s.WaitReady(t)
			want(t, s, "web-1.default.svc.cluster.local", web)
			want(t, s, "web-1.pods.example.org", web)
			want(t, s, "web-1.nginx.default.svc.cluster.local", web)
			showsAtOnce(t, s)
			if text := page(t, pages, "web-1.pods.example.org"); !strings.Contains(text, "answered by headless") {
				t.Errorf("explain says\n%s", text)
			}
		})
	}
	wantForwarded(t, suffix, web)
}

// wantForwarded checks that the Corefiles of stub/ forward a suffix to the address of what deploy/suffix deploys.
func wantForwarded(t *testing.T, to *server.Server, web string) {
	t.Helper()
	for name, text := range stubCorefiles(t, deployed("stub")) {
		t.Run(name, func(t *testing.T) {
			s := server.New(t)
			text = regexp.MustCompile(`(?m)^    bind .*\n`).ReplaceAllString(text, "")
			s.Start(t, strings.NewReplacer(":53 {", ":PORT {\n    bind 127.0.0.1\n    ready READY", "prometheus :9253", "prometheus METRICS",
				" 10.96.0.53", " 127.0.0.1:"+to.Port).Replace(text))
			s.WaitReady(t)
			want(t, s, "web-1.pods.example.org", web)
			wantStatus(t, s, "NXDOMAIN", "web-7.pods.example.org")
		})
	}
}

// page is what explain says of a name.
func page(t *testing.T, at, name string) string {
	t.Helper()
	resp, err := http.Get("http://" + at + "/?type=A&name=" + url.QueryEscape(name))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() // read only
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// showsAtOnce checks that a short name that was denied before its pod was ready is not kept as denied: *kubernetes*
// lets caches do so for 30 s.
func showsAtOnce(t *testing.T, s *server.Server) {
	t.Helper()
	ns := makeNamespace(t, "denied")
	name := "rabbit-0." + ns + ".svc.cluster.local"
	wantStatus(t, s, "NXDOMAIN", name)
	makeService(t, ns, "queue", endpoint{hostname: "rabbit-0", addr: "10.77.0.1"})
	s.Shows(t, time.Minute, name, "10.77.0.1")
}

// helmCorefile is what the official chart makes of the value servers: a server block each, of its zones and port, and
// of each plugin the name, the parameters and the block.
func helmCorefile(t *testing.T) string {
	t.Helper()
	var values struct {
		Image   struct{ Repository, Tag string }
		Servers []struct {
			Zones []struct {
				Zone   string
				UseTCP bool `json:"use_tcp"`
			}
			Port    int
			Plugins []struct {
				Name, ConfigBlock string
				Parameters        any
			}
		}
	}
	if err := yaml.UnmarshalStrict([]byte(deployFile(t, "helm/values.yaml")), &values); err != nil {
		t.Fatal(err)
	}
	if values.Image.Repository+":"+values.Image.Tag != "localhost/coredns-headless:0.1.0" {
		t.Errorf("image %v", values.Image)
	}
	var b strings.Builder
	for _, s := range values.Servers {
		for _, z := range s.Zones {
			fmt.Fprintf(&b, "%s:%d ", z.Zone, s.Port)
			if !z.UseTCP { // as the chart's own block: its Service has the ports that this says
				t.Errorf("zone %s has no use_tcp", z.Zone)
			}
		}
		b.WriteString("{\n")
		for _, p := range s.Plugins {
			line := "    " + p.Name
			if p.Parameters != nil {
				line += fmt.Sprint(" ", p.Parameters)
			}
			if p.ConfigBlock != "" {
				line += " {\n       " + strings.ReplaceAll(p.ConfigBlock, "\n", "\n       ") + "\n    }"
			}
			b.WriteString(line + "\n")
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// stubCorefiles are those that forward the suffix.
func stubCorefiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	file := func(name string) string { return readFile(t, filepath.Join(dir, name)) }
	var custom corev1.ConfigMap
	if err := yaml.UnmarshalStrict([]byte(file("coredns-custom.yaml")), &custom); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"CoreDNS": file("Corefile"), "NodeLocal DNSCache": file("nodelocaldns.corefile"), "k3s and AKS": custom.Data["headless.server"],
	}
}

// Resolvers that the files of deploy/stub are included in answer below the suffix, also where they discard private
// addresses.
func TestDeployStubs(t *testing.T) {
	t.Parallel()
	server.Need(t, "dig", "bind9-dnsutils")
	web := addresses(t, "default", "nginx")["web-1"]
	suffix := startSuffix(t, deployFile(t, "suffix/Corefile"))
	for name, start := range map[string]func(*testing.T, string, string) *server.Server{"unbound.conf": includedInUnbound, "named.conf": includedInNamed, "dnsmasq.conf": includedInDnsmasq} {
		t.Run(name, func(t *testing.T) {
			s := start(t, deployFile(t, "stub/"+name), suffix.Port)
			want(t, s, "web-1.pods.example.org", web)
			wantStatus(t, s, "NXDOMAIN", "web-7.pods.example.org")
		})
	}
	var dns corev1.ConfigMap
	var domains map[string][]string
	if err := yaml.UnmarshalStrict([]byte(deployFile(t, "stub/kube-dns.yaml")), &dns); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(dns.Data["stubDomains"]), &domains); err != nil || !slices.Equal(domains["pods.example.org"], []string{"10.96.0.53"}) {
		t.Errorf("stubDomains: %v %v", err, domains)
	}
}

func write(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func includedInUnbound(t *testing.T, text, upstream string) *server.Server {
	t.Helper()
	server.Need(t, "unbound", "unbound")
	port := server.Free(t)
	text = "include: " + write(t, strings.Replace(text, "10.96.0.53", "127.0.0.1@"+upstream, 1)) + `
server:
  interface: 127.0.0.1
  port: ` + port + `
  chroot: ""
  username: ""
  directory: ""
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  module-config: "validator iterator"
  private-address: 10.0.0.0/8
remote-control:
  control-enable: no
`
	return server.StartResolver(t, port, "unbound", "-d", "-p", "-c", write(t, text))
}

func includedInNamed(t *testing.T, text, upstream string) *server.Server {
	t.Helper()
	server.All(t)
	server.Need(t, "named", "bind9")
	port, dir := server.Free(t), t.TempDir()
	text = `options {
    directory "` + dir + `";
    pid-file none;
    session-keyfile none;
    managed-keys-directory "` + dir + `";
    listen-on port ` + port + ` { 127.0.0.1; };
    listen-on-v6 { none; };
    recursion yes;
    validate-except { "pods.example.org"; };
    deny-answer-addresses { 10.0.0.0/8; } except-from { "pods.example.org"; };
};
controls { };
` + strings.Replace(text, "10.96.0.53", "127.0.0.1 port "+upstream, 1)
	for _, option := range []string{`validate-except { "pods.example.org"; };`, `deny-answer-addresses { 10.0.0.0/8; } except-from { "pods.example.org"; };`} {
		if !strings.Contains(deployFile(t, "stub/named.conf"), "//     "+option) {
			t.Errorf("named.conf does not say what belongs into its options: %s", option)
		}
	}
	return server.StartResolver(t, port, "named", "-g", "-n", "1", "-c", write(t, text))
}

func includedInDnsmasq(t *testing.T, text, upstream string) *server.Server {
	t.Helper()
	server.Need(t, "dnsmasq", "dnsmasq-base")
	port := server.Free(t)
	return server.StartResolver(t, port, "dnsmasq", "--no-daemon", "--conf-file="+write(t, strings.Replace(text, "10.96.0.53", "127.0.0.1#"+upstream, 1)), "--no-resolv",
		"--stop-dns-rebind", "--no-hosts", "--port="+port, "--listen-address=127.0.0.1", "--bind-interfaces", "--pid-file=", "--user=", "--group=")
}

// No file of deploy/ is left to itself.
func TestEveryFileOfDeployIsTested(t *testing.T) {
	var found []string
	err := filepath.WalkDir(deployed("."), func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !strings.Contains(path, "/deploy/observe/") { // those have tests of their own in test/observe
			rel, _ := filepath.Rel(deployed("."), path) // it lies below
			found = append(found, rel)
		}
		return err
	})
	known := []string{
		"helm/values.yaml",
		"kube-system/Corefile", "kube-system/deployment.yaml", "kube-system/kustomization.yaml", "kube-system/stanza",
		"rbac/clusterrole.yaml", "rbac/namespaces.yaml",
		"stub/Corefile", "stub/coredns-custom.yaml", "stub/dnsmasq.conf", "stub/kube-dns.yaml", "stub/named.conf", "stub/nodelocaldns.corefile", "stub/unbound.conf",
		"suffix/Corefile", "suffix/deployment.yaml", "suffix/disruption.yaml", "suffix/kustomization.yaml", "suffix/namespace.yaml", "suffix/network.yaml", "suffix/rbac.yaml", "suffix/service.yaml",
		"suffix-external/kustomization.yaml", "suffix-external/service.yaml",
	}
	slices.Sort(known)
	slices.Sort(found)
	if err != nil || !slices.Equal(found, known) {
		t.Errorf("%v\nfound %q\nknown %q", err, found, known)
	}
}
