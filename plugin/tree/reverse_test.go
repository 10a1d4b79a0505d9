package tree

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/coredns-headless/headless/plugin/object"
)

// holders returns holders as texts such as "default/nginx/web-0", in the tree's order.
func holders(tr *Tree, addr string) (got []string) {
	for _, h := range tr.Holders(netip.MustParseAddr(addr)) {
		got = append(got, h.Namespace+"/"+h.Service+"/"+h.Label)
	}
	return got
}

func checkHolders(t *testing.T, tr *Tree, addr string, want ...string) {
	t.Helper()
	if got := holders(tr, addr); !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", addr, got, want)
	}
}

// The model test has holders of all kinds.
func TestHoldersOfAnAddress(t *testing.T) {
	tr := plant(append(
		behind("nginx", named("web-0", "db", "10.0.0.1"), notReady(stateful("web-5", "10.0.0.5")),
			nameless("10.0.0.4")),
		headless("default/all", 1), sliceOf("default/all-1", "all", 1, deployed("web-0", "10.0.0.1"),
			deployed("web-6", "10.0.0.5")),
		headless("apps/nginx", 1), sliceOf("apps/nginx-1", "nginx", 1, notReady(deployed("node-a", "10.0.0.1"))),
		clusterIP("default/api", 1, "10.0.0.1"), sliceOf("default/api-1", "api", 1, stateful("api-0", "10.0.0.6")),
		sliceOf("default/gone-1", "gone", 1, stateful("gone-0", "10.0.0.6")),
	)...)
	checkHolders(t, tr, "10.0.0.1") // nobody has asked for an index
	tr.IndexAddresses()
	tr.IndexAddresses() // the second stanza's network
	checkHolders(t, tr, "10.0.0.1", "default/all/web-0", "default/nginx/db", "default/nginx/web-0",
		"apps/nginx/node-a")
	checkHolders(t, tr, "10.0.0.4", "default/nginx/10-0-0-4")
	checkHolders(t, tr, "10.0.0.5", "default/all/web-6", "default/nginx/web-5")
	checkHolders(t, tr, "10.0.0.6")        // of no headless Service
	checkHolders(t, tr, "::ffff:10.0.0.4") // the tree has none such
}

// Holders leaves out a namespace that has not synced.
func TestHoldersAreOfSyncedNamespaces(t *testing.T) {
	tr := New("a", "b")
	tr.IndexAddresses()
	a, b := tr.Writer("a"), tr.Writer("b")
	a.Set(headless("a/nginx", 1))
	a.Set(sliceOf("a/nginx-1", "nginx", 1, stateful("web-0", "10.0.0.1")))
	checkHolders(t, tr, "10.0.0.1")
	b.Replace([]object.Object{headless("b/nginx", 1), sliceOf("b/nginx-1", "nginx", 1, stateful("web-0", "10.0.0.1"))},
		1)
	checkHolders(t, tr, "10.0.0.1", "b/nginx/web-0")
	a.Replace([]object.Object{headless("a/nginx", 1), sliceOf("a/nginx-1", "nginx", 1, stateful("web-0", "10.0.0.1"))},
		1)
	checkHolders(t, tr, "10.0.0.1", "a/nginx/web-0", "b/nginx/web-0")
}
