package test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/test/parts"
	"github.com/coredns-headless/headless/test/server"
)

const troubleshooting = "docs/troubleshooting.md"

// A patient is a CoreDNS that explains.
type patient struct {
	*server.Server
	pages string
}

// newPatient runs kubeadm's Corefile with a stanza that has those options, and with explain.
func newPatient(t *testing.T, kubeconfig string, options ...string) patient {
	t.Helper()
	server.Need(t, "dig", "bind9-dnsutils")
	p := patient{server.New(t), "127.0.0.1:" + server.Free(t)}
	p.Start(t, corefile(cluster.Kubeconfig, server.Stub(t), stanza(kubeconfig, append(options, "explain "+p.pages)...)))
	p.WaitReady(t)
	return p
}

// says checks that what explain says of a name has the words, and that the page tells of them.
func (p patient) says(t *testing.T, name, words string) {
	t.Helper()
	tells(t, words)
	if text := page(t, p.pages, name); !strings.Contains(text, words) {
		t.Errorf("%s is not explained with %q:\n%s", name, words, text)
	}
}

// tells checks that the page quotes the words.
func tells(t *testing.T, words string) {
	t.Helper()
	if !strings.Contains(documentText(t, troubleshooting), "`"+words) {
		t.Errorf("%s does not tell of %q", troubleshooting, words)
	}
}

// The page's commands print what it says, in its order.
func TestTroubleshootingCommands(t *testing.T) {
	t.Parallel()
	server.Need(t, "curl", "curl")
	p := newPatient(t, cluster.Kubeconfig, suffix)
	bin, err := parts.Kubectl.Path()
	if err != nil {
		t.Fatal(err)
	}
	commands := blocks(t, troubleshooting, "sh")
	if len(commands) != 3 {
		t.Fatalf("%d commands", len(commands))
	}
	addr := addresses(t, "default", "nginx")["web-1"]
	for i, printed := range []string{"answered by headless: NOERROR", " web-1 true " + addr + "\n", `coredns_headless_synced{source="kubeconfig ` + cluster.Kubeconfig + `"} 1`} {
		command := strings.NewReplacer("127.0.0.1:8053", p.pages, "127.0.0.1:9153", "127.0.0.1:"+p.MetricsPort).Replace(commands[i].Text)
		cmd := exec.Command("sh", "-c", command)
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(bin)+":"+os.Getenv("PATH"), "KUBECONFIG="+cluster.Kubeconfig, "HOME="+t.TempDir())
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), printed) {
			t.Errorf("%s: %v, no %q in\n%s", command, err, printed, out)
		}
	}
}

// What is wrong is explained with the words of which the page says what to do.
func TestTroubleshooting(t *testing.T) {
	t.Parallel()
	ns := makeNamespace(t, "trouble")
	makeService(t, ns, "first", endpoint{hostname: "node-0", pod: "first-0", addr: "10.77.1.1"})
	makeService(t, ns, "second", endpoint{hostname: "node-0", pod: "second-0", addr: "10.77.1.2"}, endpoint{pod: "db", addr: "10.77.1.3"})
	makeService(t, ns, "late", endpoint{pod: "late-0", addr: "10.77.1.4"})
	late, no := slice(ns, "late", []endpoint{{pod: "late-0", addr: "10.77.1.4"}}), false
	late.Endpoints[0].Conditions.Ready = &no
	if _, err := cluster.Client.DiscoveryV1().EndpointSlices(ns).Update(t.Context(), late, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	plain := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "db"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: port}}}}
	db, err := cluster.Client.CoreV1().Services(ns).Create(t.Context(), plain, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p := newPatient(t, cluster.Kubeconfig, "suffix mgmt.example.com "+ns+".svc.cluster.local")
	zone := "." + ns + ".svc.cluster.local"
	p.says(t, "first-0"+zone, "answered by headless: NOERROR")
	p.says(t, "nobody"+zone, "has the name or host name")
	p.says(t, "nobody"+zone, "passed to the next plugin, kubernetes: NXDOMAIN")
	p.says(t, "web-1"+zone, "; one in namespace")
	p.says(t, "node-0"+zone, "is ambiguous: different pods of several Services have it")
	p.says(t, "late-0.mgmt.example.com", "not ready, and answered only with the option not_ready")
	p.says(t, "db"+zone, "a Service wins over a peer of that name")
	p.says(t, "rabbit-0.db"+zone, "and no peers")

	want(t, p.Server, "db"+zone, db.Spec.ClusterIP)
	want(t, p.Server, "db.second"+zone, "10.77.1.3")
	want(t, p.Server, "node-0.second"+zone, "10.77.1.2")
	want(t, p.Server, "first-0"+zone, "10.77.1.1")
	for _, name := range []string{"late-0", "node-0"} {
		wantStatus(t, p.Server, "NXDOMAIN", name+zone)
	}
	want(t, newPatient(t, cluster.Kubeconfig, "not_ready").Server, "late-0"+zone, "10.77.1.4")

	newPatient(t, cluster.Kubeconfig, "namespaces "+ns).says(t, "web-1.default.svc.cluster.local", "is not watched: the option namespaces does not list it")
	lost := newPatient(t, unreachable(t), "startup_timeout 1s")
	lost.says(t, "web-1.default.svc.cluster.local", "is not synced yet")
	tells(t, "connection refused")
	wantLog(t, lost.Server, "connection refused")
}

// A pod's hostname that no slice says is no name, and its pod's name is one.
func hostnameWithoutSubdomain(t *testing.T, s *server.Server) {
	ns := makeNamespace(t, "unpublished")
	wait(t, func() error { // no pod is admitted before
		_, err := cluster.Client.CoreV1().ServiceAccounts(ns).Get(t.Context(), "default", metav1.GetOptions{})
		return err
	})
	kubectl(t, `apiVersion: v1
kind: Service
metadata: {name: queue}
spec: {clusterIP: None, selector: {app: queue}}
---
apiVersion: v1
kind: Pod
metadata: {name: silent, labels: {app: queue}}
spec: {hostname: called, nodeName: node-0, containers: [{name: c, image: c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: told, labels: {app: queue}}
spec: {hostname: named, subdomain: queue, nodeName: node-0, containers: [{name: c, image: c}]}
`, "--namespace", ns, "apply", "-f", "-")
	if err := cluster.WaitReady(t.Context(), ns, "queue", 2); err != nil {
		t.Fatal(err)
	}
	addrs := addresses(t, ns, "queue")
	zone := "." + ns + ".svc.cluster.local"
	for name, pod := range map[string]string{"silent": "silent", "told": "told", "named": "told"} { // a Service without ports gives names, too
		s.Shows(t, time.Minute, name+zone, addrs[pod])
	}
	wantStatus(t, s, "NXDOMAIN", "called"+zone)
}

// A peer is found before a name in the node's own search domain, by pods of its namespace alone, and by nobody who
// ends the name with a dot.
func peerHidesANameOfTheNodesDomain(t *testing.T, s *server.Server) {
	ns := makeNamespace(t, "hides")
	makeService(t, ns, "queue", endpoint{pod: "www", addr: "10.77.1.5"})
	s.Shows(t, time.Minute, "www."+ns+".svc.cluster.local", "10.77.1.5")
	for _, c := range []struct{ namespace, name, addr string }{
		{"default", "www", "192.0.2.2"},
		{ns, "www", "10.77.1.5"},
		{ns, "www.company.test.", "192.0.2.2"},
	} {
		r := searching(t, s, podSearch(c.namespace)+" company.test", c.name)
		if got := strings.Join(r.Addresses(), " "); got != c.addr {
			t.Errorf("%s in %s: %q, want %s\n%s", c.name, c.namespace, got, c.addr, r.Text)
		}
	}
}

// A stock CoreDNS ends at a Corefile with headless in it when it starts, and goes on with the one that it has when it
// runs.
func TestUnknownDirective(t *testing.T) {
	t.Parallel()
	const words = "Unknown directive 'headless'"
	tells(t, words)
	tells(t, server.Refused)
	server.Need(t, "dig", "bind9-dnsutils")
	s := server.New(t)
	s.Part = parts.CoreDNSStock
	stub := server.Stub(t)
	s.Start(t, corefile(cluster.Kubeconfig, stub, ""))
	s.WaitReady(t)
	unknown := corefile(cluster.Kubeconfig, stub, stanza(cluster.Kubeconfig, suffix))
	s.Reload(t, unknown, server.Refused)
	want(t, s, "web-1.nginx.default.svc.cluster.local", addresses(t, "default", "nginx")["web-1"])
	wantEnds(t, parts.CoreDNSStock, server.New(t).Fill(unknown), words)
}

// wantEnds checks that a CoreDNS ends by itself, and says why.
func wantEnds(t *testing.T, part parts.Part, corefile, words string) {
	t.Helper()
	bin, err := part.Path()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "Corefile")
	if err := os.WriteFile(path, []byte(corefile), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, bin, "-conf", path).CombinedOutput(); err == nil || ctx.Err() != nil || !strings.Contains(string(out), words) {
		t.Errorf("%v, no %q in\n%s", err, words, out)
	}
}

// A CoreDNS whose *forward* leads back to it ends, and says so.
func TestLoopEndsCoreDNS(t *testing.T) {
	t.Parallel()
	const words = "detected for zone"
	tells(t, words)
	port := server.Free(t)
	wantEnds(t, parts.CoreDNS, ".:"+port+" {\n bind 127.0.0.1\n forward . 127.0.0.1:"+port+"\n loop\n}\n", words)
}
