package node

import (
	"fmt"
	"strings"
	"testing"
)

// Members that become ready only once they found each other never do without not_ready, and do with it.
func TestBootstrap(t *testing.T) {
	corefile := story(t, "bootstrap", "Corefile")
	serve(t, strings.Replace(corefile, "       not_ready\n", "", 1))
	apply(t, "bootstrap")
	wait(t, func() error { // until each has tried some times
		for i := range 3 {
			out, err := cluster.Kubectl("logs", fmt.Sprintf("member-%d", i))
			if err != nil {
				return err
			}
			if n := strings.Count(out, "not all members yet"); n < 5 {
				return fmt.Errorf("member-%d has tried %d times", i, n)
			}
		}
		return nil
	})
	if n := cluster.Do(t, "get", "statefulset", "member", "-o", "jsonpath={.status.readyReplicas}"); n != "" && n != "0" {
		t.Errorf("%s members are ready without not_ready", n)
	}
	serve(t, corefile)
	ready(t, "statefulset/member")
	asTold(t, "bootstrap")
}
