package test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coredns-headless/headless/test/parts"
	"github.com/coredns-headless/headless/test/server"
)

// `make run` answers the dig lines that it prints, and the README's second command, and ends with Ctrl-C.
func TestReadmeFirstCommands(t *testing.T) {
	server.Need(t, "dig", "bind9-dnsutils")
	t.Parallel()
	digs, _ := makeRun(t)
	for _, line := range digs {
		command, promised, ok := strings.Cut(line, "#")
		if !ok {
			t.Errorf("%q promises nothing", line)
		}
		wantLines(t, command, strings.Fields(promised))
	}
	commands := blocks(t, "README.md", "sh")
	if len(commands) < 2 || strings.TrimSpace(commands[0].Text) != "make run" {
		t.Fatalf("README begins with other commands: %v", commands)
	}
	port := regexp.MustCompile(`-p (\d+)`).FindStringSubmatch(digs[0])[1]
	wantLines(t, strings.Replace(commands[1].Text, "-p 1053", "-p "+port, 1), []string{"10.244.0.6"})
}

// `make run KUBECONFIG=...` serves that cluster.
func TestMakeRunWithACluster(t *testing.T) {
	server.Need(t, "dig", "bind9-dnsutils")
	t.Parallel()
	fill := strings.NewReplacer("POD", "web-1", "SERVICE", "nginx", "NAMESPACE", "default")
	web := addresses(t, "default", "nginx")
	digs, _ := makeRun(t, "KUBECONFIG="+cluster.Kubeconfig)
	for _, line := range digs {
		command, all, _ := strings.Cut(line, "#")
		promised := []string{web["web-1"]}
		if strings.Contains(all, "all of the Service's pods") {
			promised = sorted(web)
		}
		wantLines(t, fill.Replace(command), promised)
	}
}

// wantLines runs a command and checks what it prints, in any order.
func wantLines(t *testing.T, command string, lines []string) {
	t.Helper()
	out, err := exec.Command("sh", "-c", command).CombinedOutput()
	got := strings.Fields(string(out))
	slices.Sort(got)
	if err != nil || !slices.Equal(got, lines) {
		t.Errorf("%s: want %q, got %q %v", command, lines, out, err)
	}
}

// makeRun runs `make run` until the end of the test, and returns the dig lines that it prints, once they can be
// asked, and where names are explained.
func makeRun(t *testing.T, args ...string) (digs []string, page string) {
	t.Helper()
	port, explain := server.Free(t), server.Free(t)
	cmd := exec.Command("make", append([]string{"--no-print-directory", "run", "PORT=" + port, "EXPLAIN=" + explain}, args...)...)
	cmd.Dir = parts.Root()
	cmd.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "MAKE") || strings.HasPrefix(s, "MFLAGS") })
	cmd.Env = append(cmd.Env, "KUBECONFIG=/nonexistent") // in the environment of many, and not what was asked for
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	listens := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			line := lines.Text()
			t.Log(line)
			if strings.HasPrefix(line, "dig ") {
				digs = append(digs, line)
			}
			if strings.HasPrefix(line, ".:"+port) {
				listens <- true
			}
		}
		ended <- cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) // Ctrl-C goes to the whole group
		select {
		case err := <-ended:
			t.Logf("make run ended: %v", err)
		case <-time.After(time.Minute):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			t.Error("Ctrl-C did not end make run")
		}
	})
	select {
	case <-listens:
	case err := <-ended:
		ended <- err
		t.Fatalf("make run ended: %v", err)
	case <-time.After(15 * time.Minute): // the build, from an empty cache
		t.Fatal("make run does not listen")
	}
	if len(digs) < 3 {
		t.Fatalf("make run printed %q", digs)
	}
	return digs, "http://127.0.0.1:" + explain + "/"
}

// The commands of the reference and of docs/explain.md, asked of `make run`, print what the documents say.
func TestExplainCommands(t *testing.T) {
	server.Need(t, "curl", "curl")
	t.Parallel()
	_, page := makeRun(t)
	curl := func(command string) string {
		out, err := exec.Command("sh", "-c", strings.Replace(command, "curl ", "curl -sS ", 1)).CombinedOutput()
		if err != nil || !strings.HasPrefix(command, "curl ") {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
		return string(out)
	}
	here := strings.NewReplacer("http://127.0.0.1:8053/", page)
	commands := strings.Split(strings.TrimSpace(referenceBlock(t, "Explain", "sh")), "\n")
	if out := curl(here.Replace(commands[0])); !strings.Contains(out, "answered by headless: NOERROR") {
		t.Errorf("%s\n%s", commands[0], out)
	}
	if out := curl(here.Replace(commands[1])); !strings.Contains(out, `"kind":"peer","name":"web-0.nginx.default"`) {
		t.Errorf("%s\n%s", commands[1], out)
	}
	text, err := os.ReadFile(filepath.Join(parts.Root(), "docs", "explain.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```console[^\n]*\n\\$ ([^\n]*)\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 2 {
		t.Errorf("%d commands in docs/explain.md", len(blocks))
	}
	server1053 := regexp.MustCompile(`dns://\.:\d+`) // its port is the test's
	for _, b := range blocks {
		if got := server1053.ReplaceAllString(curl(here.Replace(b[1])), "dns://.:1053"); got != b[2] {
			t.Errorf("%s\n%swant\n%s", b[1], got, b[2])
		}
	}
}

// The binary lists the plugin, and both versions.
func TestBinary(t *testing.T) {
	bin, err := parts.CoreDNS.Path()
	if err != nil {
		t.Fatal(err)
	}
	for flag, want := range map[string]string{"-plugins": "\nheadless\n", "-version": "CoreDNS-1.15.0 with headless-0."} {
		out, err := exec.Command(bin, flag).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: want %q, got %v\n%s", flag, want, err, out)
		}
	}
}

// The reference's steps work in a CoreDNS source tree: the module's own files, as no other can be had here.
func TestBuildInACoreDNSSourceTree(t *testing.T) {
	server.All(t) // which compile CoreDNS anew
	t.Parallel()
	steps := referenceBlock(t, "Building", "sh")
	dir := filepath.Join(t.TempDir(), "coredns")
	source, err := parts.CoreDNS.ModuleDir("github.com/coredns/coredns")
	if err != nil {
		t.Fatal(err)
	}
	// The plugin is not where go get could find it yet: it comes from here.
	get := "go get github.com/coredns-headless/headless\n"
	if !strings.Contains(steps, get) {
		t.Fatalf("the steps of %s lack %q:\n%s", reference, get, steps)
	}
	steps = strings.Replace(steps, get, "go mod edit -replace github.com/coredns-headless/headless="+parts.Root()+"\n"+strings.TrimSuffix(get, "\n")+"@v0.0.0\n", 1)
	script := "set -ex; cp -r " + source + " " + dir + "; chmod -R u+w " + dir + "; cd " + dir + "\n" + steps
	cmd := exec.Command("sh", "-c", script)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod -buildvcs=false") // CGO_ENABLED as in CoreDNS's Makefile
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(filepath.Join(dir, "coredns"), "-plugins").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "\nheadless\n") {
		t.Errorf("-plugins: %v\n%s", err, out)
	}
	directives, err := os.ReadFile(filepath.Join(dir, "core", "dnsserver", "zdirectives.go"))
	if err != nil || !strings.Contains(string(directives), "\"headless\",\n\t\"k8s_external\",\n") {
		t.Errorf("headless does not stand before k8s_external: %v\n%s", err, directives)
	}
}
