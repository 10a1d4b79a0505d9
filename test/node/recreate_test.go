package node

import (
	"fmt"
	"testing"
)

// A deleted StatefulSet pod comes back under its name with another address, and is found there.
func TestRecreate(t *testing.T) {
	serve(t, story(t, "recreate", "Corefile"))
	apply(t, "recreate")
	ready(t, "statefulset/web")
	was := addressOf(t, "web-1")
	finds(t, "web-0", was, "lookup-go", "web-1")
	cluster.Do(t, "delete", "pod", "web-1", "--wait=true")
	now := ""
	wait(t, func() error {
		var err error
		now, err = cluster.Kubectl("get", "pod", "web-1", "-o", "jsonpath={.status.podIP}")
		if err == nil && (now == "" || now == was) {
			err = fmt.Errorf("web-1 has the address %q", now)
		}
		return err
	})
	ready(t, "statefulset/web")
	for _, command := range lookups("web-1") {
		finds(t, "web-0", now, command...)
	}
	for _, command := range lookups("web-1.pods.example.org") {
		finds(t, "web-0", now, command...)
	}
	asTold(t, "recreate")
}
