package node

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The commands of the documentation give kubeadm's CoreDNS the plugin, and take it away again. Names that the stock
// one has are answered all the time.
func TestChangeTheCoreDNSOfKubeSystem(t *testing.T) {
	stock(t)
	apply(t, "storm")
	ready(t, "statefulset/web")
	address := addressOf(t, "web-1")
	c := startClient(t, address)
	knowsNot(t, address, "web-1")
	commands := section(t, "docs/deploy.md", "Change the CoreDNS of kube-system")

	c.during("a restart of the stock one", func() { // what to compare with
		cluster.Do(t, "-n", "kube-system", "rollout", "restart", "deployment/coredns")
		rolledOut(t)
	})
	c.during("a wrong change, and the way back", func() { wrong(t, commands) })
	c.during("the change", func() { commands.do(t, 0) })
	commands.print(t, 1, address)
	for _, name := range []string{"web-1", "web-1.pods.example.org"} {
		for _, command := range lookups(name) {
			finds(t, "web-0", address, command...)
		}
	}
	if out, err := kubeadm(); err == nil || !strings.Contains(out, "start version '0.1.0' not supported") { // it takes the image's tag for CoreDNS's
		t.Errorf("kubeadm does not refuse to upgrade the changed one: %v\n%s", err, out)
	}
	c.during("the way back", func() {
		commands.do(t, 2)
		rolledOut(t)
	})
	knowsNot(t, address, "web-1")
	knowsNot(t, address, "web-1.pods.example.org")
	if out, err := kubeadm(); err != nil {
		t.Error(err, out)
	}
}

// wrong makes the change with a stanza that CoreDNS refuses. The Deployment stops at its first pods, and there is the
// same way back.
func wrong(t *testing.T, commands blocks) {
	t.Helper()
	stanza := filepath.Join(commands.dir, "deploy", "kube-system", "stanza")
	good, err := os.ReadFile(stanza)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text []byte) {
		if err := os.WriteFile(stanza, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write([]byte("    headless cluster.local {\n       sufix pods.example.org\n    }\n"))
	deadline := func(seconds string) { // how long kubectl waits before it says that the Deployment has stopped
		cluster.Do(t, "-n", "kube-system", "patch", "deployment", "coredns", "-p", `{"spec": {"progressDeadlineSeconds": `+seconds+`}}`)
	}
	deadline("10")
	if out, err := commands.run(t, 0); err == nil || !strings.Contains(out, "exceeded its progress deadline") {
		t.Errorf("a wrong stanza: %v\n%s", err, out)
	}
	deadline("600")
	commands.do(t, 2)
	rolledOut(t)
	cluster.Do(t, "-n", "kube-system", "delete", "configmap", "coredns-headless") // as the documentation says
	write(good)
}

// A CoreDNS of its own answers a suffix that kubeadm's forwards to it, and leaves nothing behind.
func TestCoreDNSBesideTheClusters(t *testing.T) {
	const name = "web-1.pods.example.org"
	stock(t)
	apply(t, "storm")
	ready(t, "statefulset/web")
	address := addressOf(t, "web-1")
	c := startClient(t, address)
	knowsNot(t, address, name)
	before := objects(t)
	// But for the first block, which chooses another address and suffix: test runs it.
	commands := section(t, "docs/deploy.md", "A CoreDNS beside it")

	c.during("adding it", func() {
		commands.do(t, 1)
		confined(t)
		commands.do(t, 2)
		commands.print(t, 3, address)
	})
	for _, command := range lookups(name) {
		finds(t, "web-0", address, command...)
	}
	knowsNot(t, address, "web-1")
	c.during("the way back", func() {
		commands.do(t, 4)
		knowsNot(t, address, name)
		commands.do(t, 5)
	})
	knowsNot(t, address, name)
	if now := objects(t); !slices.Equal(now, before) {
		t.Errorf("there was\n%s\nand now there is\n%s", strings.Join(before, "\n"), strings.Join(now, "\n"))
	}
}

// objects are those that a way back could leave behind, and the Corefile of the cluster's CoreDNS.
func objects(t *testing.T) []string {
	t.Helper()
	text := cluster.Do(t, "get", "-A", "namespaces,deployments,services,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings,networkpolicies,"+
		"poddisruptionbudgets,configmaps", "-o", "custom-columns=KIND:kind,NAMESPACE:metadata.namespace,NAME:metadata.name", "--no-headers")
	return append(strings.Split(text, "\n"), cluster.Do(t, "-n", "kube-system", "get", "configmap", "coredns", "-o", "jsonpath={.data}"))
}

// confined checks that both replicas are Ready, and what the kernel lets their processes do.
func confined(t *testing.T) {
	t.Helper()
	pods := cluster.Do(t, "-n", "headless-dns", "get", "pods", "-o", `jsonpath={range .items[?(@.status.containerStatuses[0].ready==true)]}{.metadata.uid}{"\n"}{end}`)
	uids := strings.Fields(pods)
	if len(uids) != 2 {
		t.Errorf("%d replicas are ready", len(uids))
	}
	for _, uid := range uids {
		dir := process(t, "pod"+uid, "/coredns")
		wait(t, func() error { // the one place that it can write to
			_, err := os.Stat(filepath.Join(dir, "root", "snapshot", "headless"))
			return err
		})
		for file, want := range map[string][]string{
			"status": {
				"\nUid:\t65532\t65532\t65532\t65532\n", "\nGid:\t65532\t65532\t65532\t65532\n", "\nNoNewPrivs:\t1\n", "\nSeccomp:\t2\n",
				"\nCapPrm:\t0000000000000400\n", "\nCapEff:\t0000000000000400\n", "\nCapBnd:\t0000000000000400\n", // CAP_NET_BIND_SERVICE is bit 10
			},
			"mountinfo": {" / / ro,"},
		} {
			text, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range want {
				if !strings.Contains(string(text), w) {
					t.Errorf("%s: no %q in\n%s", file, w, text)
				}
			}
		}
	}
}

// process is the folder in /proc of the program that runs in a cgroup of this name. The node's processes are all in
// this namespace.
func process(t *testing.T, cgroup, program string) string {
	t.Helper()
	list, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range list {
		groups, _ := os.ReadFile(filepath.Join(dir, "cgroup")) // it may have ended
		exe, _ := os.Readlink(filepath.Join(dir, "exe"))
		if exe == program && strings.Contains(string(groups), cgroup) {
			return dir
		}
	}
	t.Fatalf("no %s runs in the cgroup %s", program, cgroup)
	return ""
}
