package test

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/coredns-headless/headless/test/server"
)

// Everything is cached, cluster zone included, as nobody should but many do. What the tree has now shows in a server
// block without a cache: both stanzas have one watch.
const cachingCorefile = `.:PORT {
    bind 127.0.0.1
    ready READY
    prometheus METRICS
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

// A suffix bypasses *cache*: what has changed shows at once. A shared suffix and the cluster zone are cached, for as
// long as their TTL allows and no longer, denials by *kubernetes* of what is a peer by now included.
func TestCache(t *testing.T) {
	t.Parallel()
	ns := makeNamespace(t, "cache")
	makeService(t, ns, "queue", endpoint{hostname: "rabbit-0", addr: "10.77.0.1"})
	s := runCorefile(t, cachingCorefile, "NAMESPACE", ns, "STUB", server.Stub(t))
	const own, shared, uncached = ".own.example.com", ".shared.example.com", ".uncached.example.net"
	zone := "." + ns + ".svc.cluster.local"

	for _, domain := range []string{own, shared, zone} {
		wantStatus(t, s, "NOERROR", "rabbit-0"+domain, "AAAA") // first, as it must not hide the address
		want(t, s, "rabbit-0"+domain, "10.77.0.1")
		wantStatus(t, s, "NXDOMAIN", "rabbit-1"+domain)
	}
	for _, domain := range []string{shared, zone} {
		had := hits(t, s)
		s.Poll(t, time.Minute, func() error { // a busy machine may take longer than the TTL from one query to the next
			if want(t, s, "rabbit-0"+domain, "10.77.0.1"); hits(t, s) == had {
				return fmt.Errorf("rabbit-0%s is not from the cache", domain)
			}
			return nil
		})
	}
	setEndpoints(t, ns, "queue", endpoint{hostname: "rabbit-0", addr: "10.77.0.2"}, endpoint{hostname: "rabbit-1", addr: "10.77.0.3"})
	s.Shows(t, time.Minute, "rabbit-1"+uncached, "10.77.0.3")

	want(t, s, "rabbit-0"+own, "10.77.0.2")
	want(t, s, "rabbit-1"+own, "10.77.0.3")
	want(t, s, "queue"+own, "10.77.0.2", "10.77.0.3")
	s.Shows(t, time.Minute, "rabbit-0"+zone, "10.77.0.2")
	s.Shows(t, time.Minute, "rabbit-0"+shared, "10.77.0.2")
	s.Shows(t, time.Minute, "rabbit-1"+zone, "10.77.0.3")
	wantStatus(t, s, "NOERROR", "rabbit-0"+zone, "AAAA")
}

// hits is how many answers came from the cache.
func hits(t *testing.T, s *server.Server) (sum float64) {
	t.Helper()
	lines := regexp.MustCompile(`(?m)^coredns_cache_hits_total\{.*\} (\S+)$`)
	for _, m := range lines.FindAllStringSubmatch(s.Metrics(t), -1) {
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
