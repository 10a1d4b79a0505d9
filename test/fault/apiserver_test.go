package fault

import (
	"testing"
	"time"
)

// While the API server is gone everything is answered as before; when it is back, what changed shows.
func TestAPIServerKilled(t *testing.T) {
	r := Start(t, cluster, Options{Kubeconfig: cluster.Kubeconfig})
	r.Fault(t, "API server killed, back after 3 s", func() {
		cluster.StopAPIServer()
		time.Sleep(3 * time.Second) // the fault's length
		if err := cluster.StartAPIServer(); err != nil {
			t.Fatal(err)
		}
	})
}
