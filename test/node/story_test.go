package node

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/documents"
	"github.com/coredns-headless/headless/test/parts"
)

// story reads a file of a story.
func story(t *testing.T, name, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(parts.Root(), "examples", name, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// without is a Corefile less its headless stanza.
func without(t *testing.T, corefile string) string {
	t.Helper()
	plain := regexp.MustCompile(`(?s)    headless cluster.local \{.*?\n    \}\n`).ReplaceAllString(corefile, "")
	if plain == corefile {
		t.Fatalf("no headless stanza in\n%s", corefile)
	}
	return plain
}

// apply applies a story's manifests as they stand, but for the images, and deletes them at the end.
func apply(t *testing.T, name string) {
	t.Helper()
	applyText(t, story(t, name, "manifests.yaml"))
}

func applyText(t *testing.T, text string) {
	t.Helper()
	text = regexp.MustCompile(`(?m)^( *)image: .*$`).ReplaceAllString(text, "${1}image: "+Image+"\n${1}imagePullPolicy: Never")
	path := filepath.Join(t.TempDir(), "manifests.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cluster.Do(t, "apply", "-f", path)
	t.Cleanup(func() {
		if t.Failed() {
			out, err := cluster.Kubectl("get", "pods,endpointslices", "-A", "-o", "wide")
			t.Log(out, err)
			for pod := range strings.FieldsSeq(cluster.Do(t, "get", "pods", "-o", "name")) {
				log, err := cluster.Kubectl("logs", pod, "--tail=20")
				t.Log(pod, log, err)
			}
		}
		cluster.Do(t, "delete", "-f", path, "--wait=true", "--timeout="+patience.String())
		wait(t, func() error {
			out, err := cluster.Kubectl("get", "pods", "-o", "name")
			if err == nil && strings.Contains(out, "pod/") {
				err = fmt.Errorf("pods are left: %s", out)
			}
			return err
		})
	})
}

// asTold runs what a story tells its readers to run, after apply, until it works.
func asTold(t *testing.T, name string) {
	t.Helper()
	blocks, err := documents.Blocks("examples/" + name + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, b := range blocks {
		if b.Language == "sh" {
			commands = append(commands, strings.Split(strings.TrimSpace(b.Text), "\n")...)
		}
	}
	if len(commands) < 2 || commands[0] != "kubectl apply -f manifests.yaml" {
		t.Fatalf("%s begins with other commands: %q", name, commands)
	}
	for _, command := range commands[1:] {
		command, _, _ = strings.Cut(command, " #")
		if strings.Contains(command, "<pod>") {
			pod := cluster.Do(t, "get", "pods", "-l", "app="+name, "-o", "jsonpath={.items[0].metadata.name}")
			command = strings.ReplaceAll(command, "<pod>", pod)
		}
		wait(t, func() error { // a StatefulSet of thirty, too
			out, err := cluster.Kubectl(strings.Fields(command)[1:]...)
			if strings.Contains(command, " nslookup ") && strings.Contains(out, "\nName:") { // it fails of other names of the list, see found
				return nil
			}
			return err
		})
	}
}

// serve makes CoreDNS answer by a Corefile, in a pod of its own that is new.
func serve(t *testing.T, corefile string) {
	t.Helper()
	configure(t, corefile)
	cluster.Do(t, "apply", "-f", "testdata/coredns.yaml")
	cluster.Do(t, "-n", "kube-system", "delete", "pods", "-l", "k8s-app=kube-dns", "--ignore-not-found", "--wait=true")
	cluster.Do(t, "-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout="+patience.String())
	t.Cleanup(func() {
		log, err := cluster.Kubectl("-n", "kube-system", "logs", "deployment/coredns")
		if t.Failed() {
			t.Log("log of CoreDNS:", log, err)
		}
		if strings.Contains(log, "panic") {
			t.Errorf("CoreDNS panicked:\n%s", log)
		}
	})
}

// configure writes the ConfigMap that has the Corefile.
func configure(t *testing.T, corefile string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "Corefile")
	if err := os.WriteFile(path, []byte(corefile), 0o600); err != nil {
		t.Fatal(err)
	}
	object := cluster.Do(t, "-n", "kube-system", "create", "configmap", "coredns", "--from-file=Corefile="+path, "--dry-run=client", "-o", "yaml")
	if err := os.WriteFile(path+".yaml", []byte(object), 0o600); err != nil {
		t.Fatal(err)
	}
	cluster.Do(t, "apply", "-f", path+".yaml")
}

// ready waits until a StatefulSet or Deployment has all its pods.
func ready(t *testing.T, workload string) {
	t.Helper()
	cluster.Do(t, "rollout", "status", workload, "--timeout="+patience.String())
}

// addressOf is a pod's address.
func addressOf(t *testing.T, pod string) string {
	t.Helper()
	return cluster.Do(t, "get", "pod", pod, "-o", "jsonpath={.status.podIP}")
}

// in runs a command in a pod.
func in(pod string, command ...string) (string, error) {
	return cluster.Kubectl(append([]string{"exec", pod, "--"}, command...)...)
}

// found says whether a command in a pod prints an address, and succeeds. busybox's nslookup fails even then: it asks
// under the whole search list, and takes one name that does not exist for a failure of all.
func found(pod, address string, command ...string) error {
	out, err := in(pod, command...)
	if !strings.Contains(out, address) {
		return fmt.Errorf("%v in %s: no %s in %s", command, pod, address, out)
	}
	if command[0] == "nslookup" {
		return nil
	}
	return err
}

// finds waits until a command in a pod prints an address.
func finds(t *testing.T, pod, address string, command ...string) {
	t.Helper()
	wait(t, func() error { return found(pod, address, command...) })
}

// lookups are the ways in which programs look a name up.
func lookups(name string) [][]string {
	return [][]string{
		{"nslookup", name}, {"ping", "-c1", "-W2", name}, {"getent", "hosts", name}, {"lookup-go", name}, {"lookup-musl", name},
	}
}

// wait tries until it works.
func wait(t *testing.T, try func() error) {
	t.Helper()
	if err := controlplane.Poll(patience, nil, try); err != nil {
		t.Fatal(err)
	}
}
