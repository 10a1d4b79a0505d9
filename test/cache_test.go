package test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coredns-headless/headless/test/server"
)

// Everything is cached, cluster zone included, as nobody should but many do. What the tree has now shows in a server block
// without a cache: both stanzas have one watch.
const cachingCorefile = `.:PORT {
    bind 127.0.0.1
    ready READY
    headless cluster.local {
       kubeconfig KUBECONFIG
       suffix own.example.com NAMESPACE.svc.cluster.local
       suffix shared.example.com NAMESPACE.svc.cluster.local
       fallthrough shared.example.com
    }
    kubernetes cluster.local {
       kubeconfig KUBECONFIG
    }
    forward . STUB
    cache 30
}
uncached.example.net:PORT {
    bind 127.0.0.1
    headless cluster.local {
       kubeconfig KUBECONFIG
       suffix uncached.example.net NAMESPACE.svc.cluster.local
    }
}
`

// A suffix bypasses *cache*: what has changed shows at once. A shared suffix and the cluster zone are cached, for as long as
// their TTL allows and no longer, denials by *kubernetes* of what is a peer by now included.
func TestCache(t *testing.T) {
	ns := makeNamespace(t, "cache")
	makeService(t, ns, "queue", endpoint{hostname: "rabbit-0", addr: "10.77.0.1"})
	s := runCorefile(t, cachingCorefile, "NAMESPACE", ns, "STUB", server.Stub(t))
	const own, shared, uncached = ".own.example.com", ".shared.example.com", ".uncached.example.net"
	zone := "." + ns + ".svc.cluster.local"

	begun := time.Now()
	for _, domain := range []string{own, shared, zone} {
		wantStatus(t, s, "NOERROR", "rabbit-0"+domain, "AAAA") // first, as it must not hide the address
		want(t, s, "rabbit-0"+domain, "10.77.0.1")
		wantStatus(t, s, "NXDOMAIN", "rabbit-1"+domain)
	}
	setEndpoints(t, ns, "queue", endpoint{hostname: "rabbit-0", addr: "10.77.0.2"}, endpoint{hostname: "rabbit-1", addr: "10.77.0.3"})
	s.Shows(t, 10*time.Second, "rabbit-1"+uncached, "10.77.0.3")

	want(t, s, "rabbit-0"+own, "10.77.0.2")
	want(t, s, "rabbit-1"+own, "10.77.0.3")
	want(t, s, "queue"+own, "10.77.0.2", "10.77.0.3")
	cached := []server.Reply{s.Dig(t, "rabbit-0"+shared), s.Dig(t, "rabbit-0"+zone)}
	if time.Since(begun) < 4*time.Second { // a machine that is slower than the TTL of 5 s has nothing to show here
		for _, r := range cached {
			if !slices.Equal(r.Addresses(), []string{"10.77.0.1"}) {
				t.Errorf("not from the cache:\n%s", r.Text)
			}
		}
	}
	const ttl = 5 * time.Second
	s.Shows(t, 2*ttl, "rabbit-0"+zone, "10.77.0.2")
	s.Shows(t, ttl, "rabbit-0"+shared, "10.77.0.2")
	s.Shows(t, ttl, "rabbit-1"+zone, "10.77.0.3")
	wantStatus(t, s, "NOERROR", "rabbit-0"+zone, "AAAA")
}

// NODATA of a peer in a cluster zone is kept as long as *kubernetes*' own, and counts down.
func TestCacheKeepsNoDataAsKubernetesWould(t *testing.T) {
	ns := makeNamespace(t, "nodata")
	makeService(t, ns, "queue", endpoint{hostname: "rabbit-0", addr: "10.77.0.1"})
	s := runCorefile(t, strings.ReplaceAll(cachingCorefile, "kubernetes cluster.local {", "kubernetes cluster.local {\n ttl 23"),
		"NAMESPACE", ns, "STUB", server.Stub(t))
	seconds := func(name string) (n int) {
		t.Helper()
		wantStatus(t, s, "NOERROR", name, "AAAA")
		r := s.Dig(t, name, "AAAA")
		if _, err := fmt.Sscanf(strings.Fields(strings.Join(r.Authority, ""))[1], "%d", &n); err != nil {
			t.Fatalf("%v\n%s", err, r.Text)
		}
		return n
	}
	const ours, theirs = "rabbit-0", "queue"
	zone := "." + ns + ".svc.cluster.local"
	for _, name := range []string{ours, theirs} {
		begun := time.Now()
		n := seconds(name + zone)
		if least := 22 - int(time.Since(begun).Seconds()); n < least || n > 23 {
			t.Errorf("TTL of NODATA of %s: %d, want 23 less what has passed, which is %d at least", name, n, least)
		}
	}
	s.Poll(t, 10*time.Second, func() error {
		if n := seconds(ours + zone); n == 23 {
			return fmt.Errorf("%d seconds: not from the cache", n)
		}
		return nil
	})
}
