package node

import "testing"

// Pods on the host's network resolve the others, and are resolved.
func TestHostNetwork(t *testing.T) {
	serve(t, story(t, "host-network", "Corefile"))
	apply(t, "host-network")
	ready(t, "statefulset/agent")
	ready(t, "statefulset/peer")
	for _, command := range lookups("peer-0") {
		finds(t, "agent-0", addressOf(t, "peer-0"), command...)
	}
	for _, command := range lookups("agent-0") {
		finds(t, "peer-0", Address, command...)
	}
	asTold(t, "host-network")
}
