package node

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

// The command of docs/explain.md leads to the pages of a CoreDNS that runs in a pod.
func TestPortForwardLeadsToExplain(t *testing.T) {
	serve(t, strings.Replace(story(t, "storm", "Corefile"), "    headless cluster.local {\n", "    headless cluster.local {\n       explain\n", 1))
	command := strings.Fields(section(t, "docs/explain.md", "In a cluster").list[0].Text)
	cmd := exec.Command(cluster.kubectl, append([]string{"--kubeconfig", cluster.Kubeconfig}, command[1:]...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
	})
	wait(t, func() error {
		resp, err := http.Get("http://127.0.0.1:8053/?name=kubernetes.default.svc.cluster.local")
		if err != nil {
			return err
		}
		defer resp.Body.Close() // read only
		text, err := io.ReadAll(resp.Body)
		if err == nil && !strings.Contains(string(text), "passed to the next plugin, kubernetes: NOERROR") {
			err = fmt.Errorf("explain says %s", text)
		}
		return err
	})
}
