package fault

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A CoreDNS that is killed and started again while the API server is gone answers all peers that the one before it
// knew, marked as stale, until the API server is back.
func TestRestartWithoutAPIServerAnswersFromTheSnapshot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "snapshot")
	o := Options{Kubeconfig: cluster.Kubeconfig, Lines: []string{"snapshot " + path}}
	before := Start(t, cluster, o)
	before.Server.Poll(t, hang, func() error {
		_, err := os.Stat(path)
		return err
	})
	before.Server.Signal(t, syscall.SIGKILL)

	mended(t)
	cluster.StopAPIServer()
	after := before.Orphan(t, o)
	after.Answers(t, after.peers())
	after.Stale(t, true)
	if log := after.Server.Log(t); !strings.Contains(log, "serving snapshot") {
		t.Errorf("the log does not say that a snapshot is served:\n%s", log)
	}
	after.fault(t, "CoreDNS restarted with a snapshot, no API server", after.peers(), func() {
		after.Answers(t, after.peers())
		linger(5 * time.Second)
		start(t)
	})
}
