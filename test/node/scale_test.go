package node

import (
	"bufio"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// While a StatefulSet is scaled from 2 to 30 and back, a client in a pod finds one that stays each time, and one that
// comes and goes from some moment to another one.
//
//doc:runs examples/scale/README.md 1
func TestScale(t *testing.T) {
	serve(t, story(t, "scale", "Corefile"))
	apply(t, "scale")
	ready(t, "statefulset/web")
	finds(t, "web-0", addressOf(t, "web-1"), "lookup-go", "web-1")

	found := followed(t, "web-1", "web-29")
	last := func(want string) {
		t.Helper()
		wait(t, func() error {
			if list := found("web-29"); len(list) == 0 || list[len(list)-1] != want {
				return fmt.Errorf("web-29 was %q, want %q in the end", list, want)
			}
			return nil
		})
	}
	last("")
	stays := addressOf(t, "web-1")
	cluster.Do(t, "scale", "statefulset/web", "--replicas=30")
	cluster.Do(t, "rollout", "status", "statefulset/web", "--timeout="+patience.String())
	comes := addressOf(t, "web-29")
	last(comes)
	cluster.Do(t, "scale", "statefulset/web", "--replicas=2")
	last("")
	if list := found("web-29"); !slices.Equal(list, []string{"", comes, ""}) {
		t.Errorf("web-29 was %q", list)
	}
	if list := found("web-1"); !slices.Equal(list, []string{stays}) {
		t.Errorf("web-1 was %q, want %s all the time", list, stays)
	}
	asTold(t, "scale")
}

// followed has a client in a pod look names up all the time, and returns what tells the different answers for one of
// them so far. Those that a busy machine lost are left out.
func followed(t *testing.T, names ...string) (found func(name string) []string) {
	t.Helper()
	args := append([]string{"--kubeconfig", cluster.Kubeconfig, "exec", "web-0", "--", "lookup-go"}, names...)
	cmd := exec.CommandContext(t.Context(), cluster.kubectl, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // killed as the test's context ends
	var mu sync.Mutex
	answers := make(map[string][]string)
	go func() { // ends with the client
		for s := bufio.NewScanner(out); s.Scan(); {
			name, addrs, _ := strings.Cut(s.Text(), " ")
			mu.Lock()
			if list := answers[name]; addrs != "lost" && (len(list) == 0 || list[len(list)-1] != addrs) {
				answers[name] = append(list, addrs)
			}
			mu.Unlock()
		}
	}()
	return func(name string) []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(answers[name])
	}
}
