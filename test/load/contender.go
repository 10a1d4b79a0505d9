package load

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/coredns-headless/headless/test/controlplane"
)

const (
	suffix   = "pods.example.org" // grafted onto, or rewritten to, all of the cluster
	external = "ext.example.org"  // of *k8s_external*
)

// A contender is a server block that is asked for the pods of a Service.
type contender struct {
	name string
	// block is what stands in the server block.
	block string
	// qname is what it is asked for.
	qname func(w controlplane.Crowd, n int) string
	// blank says that it answers no address.
	blank bool
	// once says that its names have nothing to do with the cluster: one size is as good as another.
	once bool
}

// All records have the same TTL, and *cache* keeps them for longer than a run takes.
const (
	kubernetesBlock = `    kubernetes cluster.local {
        kubeconfig KUBECONFIG
        ttl 3600
    }
`
	guestBlock = `    headless cluster.local {
        kubeconfig KUBECONFIG
        ttl 3600
    }
`
	suffixBlock = `    headless cluster.local {
        kubeconfig KUBECONFIG
        ttl 3600
        suffix ` + suffix + ` svc.cluster.local
    }
`
	rewriteBlock = `    rewrite stop {
        name regex (.*)\.pods\.example\.org {1}.svc.cluster.local
        answer name (.*)\.svc\.cluster\.local {1}.pods.example.org
    }
`
	externalBlock = `    k8s_external ` + external + ` {
        headless
        ttl 3600
    }
`
	hostsBlock = `    hosts HOSTS {
        ttl 3600
        no_reverse
    }
`
	whoamiBlock = "    whoami\n"
	cacheBlock  = "    cache 3600 {\n        success 200000\n    }\n"
)

// Names of contenders that others are compared with.
const (
	headless  = "headless"
	bySuffix  = "headless-suffix"
	kube      = "kubernetes"
	kubeNext  = "kubernetes-behind"
	whoami    = "whoami"
	elsewhere = "whoami-elsewhere"
	whoNext   = "whoami-behind"
)

// contenders stand in the order in which they are measured: neighbours are compared with each other.
var contenders = []contender{
	{name: "k8s_external", block: externalBlock + kubernetesBlock, qname: under("web", external)},
	{name: "rewrite", block: rewriteBlock + kubernetesBlock, qname: under("web", suffix)},
	{name: kubeNext, block: guestBlock + kubernetesBlock, qname: under("web", "svc.cluster.local")},
	{name: kube, block: kubernetesBlock, qname: under("web", "svc.cluster.local")},
	{name: headless, block: guestBlock + kubernetesBlock, qname: under("", "svc.cluster.local")},
	{name: whoami, block: whoamiBlock, qname: under("", "svc.cluster.local"), blank: true},
	{name: bySuffix, block: suffixBlock + kubernetesBlock, qname: under("", suffix)},
	{name: "hosts", block: hostsBlock, qname: under("", "svc.cluster.local")},
	{name: elsewhere, block: whoamiBlock, qname: www, blank: true, once: true},
	{name: whoNext, block: suffixBlock + whoamiBlock, qname: www, blank: true, once: true},
}

// explained says what a contender is.
var explained = map[string]string{
	headless:       "*headless* before *kubernetes*, `<pod>.<ns>.svc.cluster.local`",
	bySuffix:       "*headless* before *kubernetes*, `<pod>.<ns>." + suffix + "`, which bypasses *cache*",
	kube:           "*kubernetes*, `<pod>.<svc>.<ns>.svc.cluster.local`",
	kubeNext:       "as `" + kube + "`, with *headless* before it, which looks and hands on",
	"rewrite":      "*rewrite* by regex before *kubernetes*, `<pod>.<svc>.<ns>." + suffix + "`",
	"k8s_external": "*k8s_external headless*, `<pod>.<svc>.<ns>." + external + "`",
	"hosts":        "*hosts*, `<pod>.<ns>.svc.cluster.local`, all Services in one file",
	whoami:         "*whoami*, `<pod>.<ns>.svc.cluster.local`: no look-up at all",
	elsewhere:      "*whoami*, `www-<n>.example.net`, which is nobody's",
	whoNext:        "as `" + elsewhere + "`, with *headless* with a suffix before it",
}

// Contenders are the names of all, in the order in which they are measured.
func Contenders() []string {
	list := make([]string, len(contenders))
	for i, c := range contenders {
		list[i] = c.name
	}
	return list
}

// under makes names of pods, with or without the Service's label.
func under(service, zone string) func(controlplane.Crowd, int) string {
	if service != "" {
		service += "."
	}
	return func(w controlplane.Crowd, n int) string {
		return w.Pod(n) + "." + service + w.Namespace + "." + zone + "."
	}
}

func www(_ controlplane.Crowd, n int) string { return fmt.Sprintf("www-%d.example.net.", n) }

// pods are the numbers of the pods that a contender is asked for, each once, in an order that is the same every time.
func (c contender) pods(w controlplane.Crowd) []int {
	n := w.Pods
	if c.once {
		n = maxName
	}
	list := rand.New(rand.NewPCG(1, uint64(n))).Perm(n) // #nosec G115 -- positive
	return list[:min(n, maxName)]
}

func (m *measuring) queries(c contender, size int) string {
	return filepath.Join(m.dir, fmt.Sprintf("%s-%d.queries", c.name, size))
}

func (m *measuring) hosts() string { return filepath.Join(m.dir, "hosts") }

// writeFiles writes what dnsperf asks for, and the file of *hosts*.
func (m *measuring) writeFiles() error {
	var hosts strings.Builder
	for _, n := range m.Sizes {
		w := m.crowds[n]
		for i := range w.Pods {
			fmt.Fprintln(&hosts, w.Addr(i), under("", "svc.cluster.local")(w, i))
		}
		for _, c := range m.contenders() {
			var b strings.Builder
			for _, i := range c.pods(w) {
				fmt.Fprintln(&b, c.qname(w, i), "A")
			}
			if err := os.WriteFile(m.queries(c, n), []byte(b.String()), 0o600); err != nil {
				return err
			}
		}
	}
	return os.WriteFile(m.hosts(), []byte(hosts.String()), 0o600)
}
