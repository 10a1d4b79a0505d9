package node

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/parts"
)

// A StatefulSet's pods find each other by host name. Without the plugin none of the ways works; with it, added to the
// ConfigMap while CoreDNS runs, each does.
func TestStorm(t *testing.T) {
	corefile := story(t, "storm", "Corefile")
	serve(t, without(t, corefile))
	apply(t, "storm")
	ready(t, "statefulset/web")
	address := addressOf(t, "web-1")
	finds(t, "web-0", address, "nslookup", "web-1.nginx.default.svc.cluster.local") // *kubernetes* works
	for _, command := range lookups("web-1") {
		if found("web-0", address, command...) == nil {
			t.Errorf("%v works without the plugin", command)
		}
	}

	configure(t, corefile)
	wait(t, func() error { // *reload* looks every 30 seconds
		return found("web-0", address, "nslookup", "web-1")
	})
	for _, command := range lookups("web-1") {
		finds(t, "web-0", address, command...)
	}
	for _, command := range lookups("web-1.pods.example.org") {
		finds(t, "web-0", address, command...)
	}
	finds(t, "web-0", address, "nslookup", "web-1.nginx.default.svc.cluster.local") // as before

	sawAsInReadme(t)
	asTold(t, "storm")

	// Talk to it by that name. A file is there to be read when the client has sent all, which is nothing, and nc ends
	// for that.
	listening := make(chan string, 1)
	go func() {
		out, err := in("web-1", "sh", "-c", "echo hello from $(hostname) >/tmp/hello; nc -l -p 6700 </tmp/hello")
		if err != nil {
			out = err.Error()
		}
		listening <- out
	}()
	wait(t, func() error {
		out, err := in("web-0", "sh", "-c", "nc web-1 6700 </dev/null")
		if err == nil && !strings.Contains(out, "hello from web-1") {
			t.Errorf("web-1 said %q", out)
		}
		return err
	})
	<-listening
}

// sawAsInReadme runs the terminal session at the head of the README. Addresses differ from cluster to cluster.
func sawAsInReadme(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(parts.Root(), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	session := regexp.MustCompile("(?s)```console[^\n]*\n(.*?)```").FindStringSubmatch(string(text))
	if session == nil {
		t.Fatal("the README has no terminal session")
	}
	address := regexp.MustCompile(`\d+\.\d+\.\d+\.\d+ +`)
	commands := strings.Split(session[1], "$ kubectl ")[1:]
	for _, c := range commands {
		command, printed, _ := strings.Cut(c, "\n")
		out := cluster.Do(t, strings.Fields(command)...)
		if address.ReplaceAllString(out, "ADDRESS ") != address.ReplaceAllString(printed, "ADDRESS ") {
			t.Errorf("kubectl %s: the README says\n%s\nbut it is\n%s", command, printed, out)
		}
	}
	if len(commands) < 2 {
		t.Errorf("a session of %d commands", len(commands))
	}
}
