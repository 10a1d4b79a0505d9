// Package explain looks at the pages of the option explain in a browser, and at their text with curl, of a CoreDNS
// that watches a real API server.
package explain

import (
	"context"
	"flag"
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/server"
)

var screenshots = flag.String("screenshots", "", "keep screenshots in this folder")

var cluster *controlplane.ControlPlane

// crowd makes the cluster large enough for pages of rows.
var crowd = controlplane.Crowd{
	Namespace: "explain-spark", Service: "many", Pods: 3000, First: netip.MustParseAddr("10.250.16.1"),
}

func TestMain(m *testing.M) {
	controlplane.Main(m, controlplane.Options{Bare: true}, func(ctx context.Context, c *controlplane.ControlPlane) error {
		cluster = c
		for _, name := range []string{"explain", "explain-other", crowd.Namespace} {
			ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
			if _, err := c.Client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
				return err
			}
		}
		if err := c.Create(ctx, "testdata/cluster.yaml"); err != nil {
			return err
		}
		return crowd.Create(ctx, c)
	})
}

// start starts CoreDNS and returns where its pages are. Before *kubernetes* stands what kubeadm has, so that names
// are handed on as in a cluster.
func start(t *testing.T, kubeconfig, timeout string) (*server.Server, string) {
	t.Helper()
	s := server.New(t)
	page := "127.0.0.1:" + server.Free(t)
	s.Start(t, `.:PORT {
    bind 127.0.0.1
    errors
    ready READY
    hosts {
        192.0.2.99 hosted.explain.svc.cluster.local
        fallthrough
    }
    headless cluster.local 10.250.0.0/16 {
        kubeconfig `+kubeconfig+`
        namespaces explain `+crowd.Namespace+`
        suffix mgmt.pix.yun.com explain.svc.cluster.local
        startup_timeout `+timeout+`
        explain `+page+`
    }
    kubernetes cluster.local {
        kubeconfig `+cluster.Kubeconfig+`
    }
    forward . `+server.Stub(t)+`
}`)
	return s, "http://" + page + "/"
}
