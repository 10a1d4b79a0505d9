// Package differential compares CoreDNS with the plugin and without it, on one API server, by very many queries about
// very odd clusters: what is not the plugin's is answered the same, what is its own as a slow and obvious model says.
//
// The model and the generator know Kubernetes' objects, docs/reference.md and the wire, and nothing of the plugin's
// code.
package differential

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/controlplane"
)

var (
	seed    = flag.Uint64("seed", 0, "repeat the clusters and queries of this seed; 0 takes a new one")
	queries = flag.Int("queries", 0, "how many queries to compare in all (default 18,000, and 108,000 in make test-all)")
	rounds  = flag.Int("rounds", 0, "how often a cluster is changed, for each variation of the Corefile (default 2, and 6 in make test-all)")
)

// cluster is the control plane of all tests here. No controller touches what the generator wrote, and nobody else its
// namespaces.
var cluster *controlplane.ControlPlane

func TestMain(m *testing.M) {
	controlplane.Main(m, controlplane.Options{}, func(_ context.Context, c *controlplane.ControlPlane) error {
		cluster = c
		for *seed == 0 {
			*seed = rand.Uint64()
		}
		few, many := []int{18_000, 2}, []int{108_000, 6}
		if os.Getenv("HEADLESS_ALL") != "" {
			few = many
		}
		*queries, *rounds = cmp.Or(*queries, few[0]), cmp.Or(*rounds, few[1])
		fmt.Fprintf(os.Stderr, "differential: repeat with -args -seed %d -queries %d -rounds %d\n", *seed, *queries, *rounds)
		return nil
	})
}

// variation is one way to configure both CoreDNS.
type variation struct {
	name     string
	podNames bool // endpoint_pod_names of kubernetes
	notReady bool // not_ready of headless
	cache    bool // the cache lines that kubeadm installs
}

var variations = []variation{
	{name: "kubeadm", cache: true},
	{name: "not_ready", notReady: true},
	{name: "endpoint_pod_names", podNames: true},
}

// TTLs, in seconds. They differ, so that it shows who answered.
const (
	kubernetesTTL = 30
	headlessTTL   = 7
	apexTTL       = 3600 // where nothing is configured
)

const zone = "cluster.local."

// suffixes are what the plugin is the authority of, and the node of the tree that each is grafted onto, from the root
// down.
var suffixes = []struct {
	name  string
	graft []string
}{
	{"k8s.test.", nil},
	{"mgmt.pix.yun.com.", []string{home}},
	{"storm.test.", []string{home, "web"}},
}

// corefile is what kubeadm installs, on loopback ports, but for the cache where the variation has none.
func (v variation) corefile(stub string, headless bool) string {
	stanza, podNames, cache := "", "", ""
	if headless {
		stanza = v.stanza()
	}
	if v.podNames {
		podNames = "endpoint_pod_names"
	}
	if v.cache {
		cache = "cache 30 {\n disable success cluster.local\n disable denial cluster.local\n }"
	}
	return fmt.Sprintf(`.:PORT {
    bind 127.0.0.1
    errors
    health HEALTH
    ready READY
    %s
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       kubeconfig %s
       pods insecure
       %s
       fallthrough in-addr.arpa ip6.arpa
       ttl %d
    }
    prometheus METRICS
    forward . %s {
       max_concurrent 1000
    }
    %s
    loop
    loadbalance
}
`, stanza, cluster.Kubeconfig, podNames, kubernetesTTL, stub, cache)
}

func (v variation) stanza() string {
	lines := []string{"headless cluster.local {", "kubeconfig " + cluster.Kubeconfig, fmt.Sprintf("ttl %d", headlessTTL)}
	for _, s := range suffixes {
		target := "svc." + zone
		for _, label := range s.graft {
			target = label + "." + target
		}
		lines = append(lines, "suffix "+s.name+" "+target)
	}
	if v.notReady {
		lines = append(lines, "not_ready")
	}
	return strings.Join(append(lines, "}"), "\n")
}
