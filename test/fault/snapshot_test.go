package fault

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coredns-headless/headless/test/ask"
	"github.com/coredns-headless/headless/test/server"
)

// A CoreDNS that is killed and started again while the API server is gone answers all peers that the one before it knew, marked as
// stale, until the API server is back.
func TestRestartWithoutAPIServerAnswersFromTheSnapshot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "snapshot")
	o := Options{Kubeconfig: cluster.Kubeconfig, Lines: []string{"snapshot " + path, "startup_timeout 2s"}}
	before := Start(t, cluster, o)
	before.Server.Poll(t, time.Minute, func() error {
		_, err := os.Stat(path)
		return err
	})
	before.Server.Signal(t, syscall.SIGKILL)

	cluster.StopAPIServer()
	t.Cleanup(func() {
		if t.Failed() {
			_ = cluster.StartAPIServer() // for the tests after this one
		}
	})
	after := &Rig{Server: server.New(t), Cluster: cluster, moved: before.moved}
	// *kubernetes* neither syncs nor is ready without its API server, so nobody waits for the one, or asks *ready*.
	after.Server.Start(t, strings.Replace(Corefile(t, cluster, o), whole, "", 1))
	for _, q := range after.peers() {
		if _, err := ask.Until(after.Address(), time.Minute, q); err != nil {
			t.Fatal(err)
		}
	}
	stale := func(want string) func() error {
		return func() error {
			if m := after.Server.Metrics(t); !strings.Contains(m, fmt.Sprintf("coredns_headless_stale{source=%q} %s\n", "kubeconfig "+o.Kubeconfig, want)) {
				return fmt.Errorf("metrics do not say that stale is %s", want)
			}
			return nil
		}
	}
	after.Server.Poll(t, time.Minute, stale("1"))
	if log := after.Server.Log(t); !strings.Contains(log, "serving snapshot") {
		t.Errorf("the log does not say that a snapshot is served:\n%s", log)
	}
	a, err := ask.Start(after.Address(), Rate, after.peers()...)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second) // of queries while the API server is gone
	if err := cluster.StartAPIServer(); err != nil {
		t.Fatal(err)
	}
	after.Move(t)
	row := Row{Fault: "CoreDNS restarted with a snapshot, no API server", Fresh: after.Fresh(t, time.Minute)}
	after.Server.Poll(t, time.Minute, stale("0"))
	row.Report = a.Stop()
	record(row)
	t.Logf("fresh after %s\n%s", row.Fresh.Round(time.Millisecond), row.Report)
	if err := after.Err(row.Report); err != nil {
		t.Error(err)
	}
}
