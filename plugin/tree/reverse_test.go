package tree

import (
	"net/netip"
	"testing"

	"github.com/coredns-headless/headless/plugin/object"
)

// holders are texts such as "default/nginx/web-0", in the tree's order.
func holders(tr *Tree, addr string) (got []string) {
	for _, h := range tr.Holders(netip.MustParseAddr(addr)) {
		got = append(got, h.Namespace+"/"+h.Service+"/"+h.Label)
	}
	return got
}

func checkHolders(t *testing.T, tr *Tree, addr string, want ...string) {
	t.Helper()
	got := holders(tr, addr)
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] { // #nosec G602 -- checked before
			t.Errorf("%s: got %v, want %v", addr, got, want)
			return
		}
	}
}

func TestHoldersOfAnAddress(t *testing.T) {
	tr := plant(
		headless("default/nginx", 1), headless("default/all", 1), headless("apps/nginx", 1), clusterIP("default/api", 1, "10.0.0.1"),
		sliceOf("default/nginx-1", "nginx", 1,
			named("web-0", "db", "10.0.0.1"), stateful("web-1", "10.0.0.2"), deployed("ws-x", "10.0.0.3"), nameless("10.0.0.4"), notReady(stateful("web-5", "10.0.0.5")), stateful("web-1", "fd00::2")),
		sliceOf("default/all-1", "all", 1, deployed("web-0", "10.0.0.1"), deployed("web-6", "10.0.0.5")),
		sliceOf("apps/nginx-1", "nginx", 1, notReady(deployed("node-a", "10.0.0.1")), deployed("node-b", "10.0.0.3")),
		sliceOf("default/api-1", "api", 1, stateful("api-0", "10.0.0.6")),
		sliceOf("default/gone-1", "gone", 1, stateful("gone-0", "10.0.0.7")),
	)
	checkHolders(t, tr, "10.0.0.1") // nobody has asked for an index
	tr.IndexAddresses()
	tr.IndexAddresses() // the second stanza's network
	checkHolders(t, tr, "10.0.0.1", "default/all/web-0", "default/nginx/db", "default/nginx/web-0", "apps/nginx/node-a")
	checkHolders(t, tr, "10.0.0.2", "default/nginx/web-1")
	checkHolders(t, tr, "fd00::2", "default/nginx/web-1")
	checkHolders(t, tr, "10.0.0.3", "apps/nginx/node-b", "default/nginx/ws-x")
	checkHolders(t, tr, "10.0.0.4", "default/nginx/10-0-0-4")
	checkHolders(t, tr, "10.0.0.5", "default/all/web-6", "default/nginx/web-5")
	checkHolders(t, tr, "10.0.0.6") // of a Service that is not headless
	checkHolders(t, tr, "10.0.0.7") // of one that is not known
	checkHolders(t, tr, "10.0.0.9")
	checkHolders(t, tr, "::ffff:10.0.0.2") // the tree has none such
}

// A guest answers nothing in a namespace that has not synced.
func TestHoldersAreOfSyncedNamespaces(t *testing.T) {
	tr := New("a", "b")
	tr.IndexAddresses()
	a, b := tr.Source("a"), tr.Source("b")
	a.Set(headless("a/nginx", 1))
	a.Set(sliceOf("a/nginx-1", "nginx", 1, stateful("web-0", "10.0.0.1")))
	checkHolders(t, tr, "10.0.0.1")
	b.Replace([]object.Object{headless("b/nginx", 1), sliceOf("b/nginx-1", "nginx", 1, stateful("web-0", "10.0.0.1"))}, 1)
	checkHolders(t, tr, "10.0.0.1", "b/nginx/web-0")
	a.Replace([]object.Object{headless("a/nginx", 1), sliceOf("a/nginx-1", "nginx", 1, stateful("web-0", "10.0.0.1"))}, 1)
	checkHolders(t, tr, "10.0.0.1", "a/nginx/web-0", "b/nginx/web-0")
}

// The address of a pod that is gone soon is another's.
func TestHoldersFollowChanges(t *testing.T) {
	tr := New()
	s := tr.Source("")
	s.Replace([]object.Object{headless("default/nginx", 1), headless("default/other", 1)}, 1)
	s.Set(sliceOf("default/nginx-1", "nginx", 1, stateful("web-0", "10.0.0.1")))
	tr.IndexAddresses()
	s.Set(sliceOf("default/nginx-1", "nginx", 2, stateful("web-0", "10.0.0.2"), stateful("web-1", "10.0.0.2")))
	checkHolders(t, tr, "10.0.0.1")
	checkHolders(t, tr, "10.0.0.2", "default/nginx/web-0", "default/nginx/web-1")
	s.Set(sliceOf("default/nginx-1", "nginx", 3, stateful("web-1", "10.0.0.2")))
	checkHolders(t, tr, "10.0.0.2", "default/nginx/web-1")
	s.Set(sliceOf("default/nginx-1", "other", 4, stateful("web-1", "10.0.0.2")))
	checkHolders(t, tr, "10.0.0.2", "default/other/web-1")
	s.Delete(sliceKey("nginx-1"), 5)
	checkHolders(t, tr, "10.0.0.2")
	if n := count(tr.addrs.Load()); n != 0 {
		t.Errorf("%d addresses left of nothing", n)
	}
}
