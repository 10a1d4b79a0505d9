// Package reload reloads the Corefile of a real CoreDNS again and again while it is asked all the time.
package reload

import (
	"context"
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/test/controlplane"
)

// cluster is the control plane of all tests here.
var cluster *controlplane.ControlPlane

// crowd is large enough for a second tree of it, left behind by a reload, to show in the heap.
var crowd = controlplane.Crowd{
	Namespace: "reload-crowd", Service: "web", Pods: 5000, First: netip.MustParseAddr("10.251.0.1"),
}

// An account is whose requests the API server logs under a user of their own.
type account struct{ name, kubeconfig, user string }

// The watch that stays is the watcher's; each that comes and goes is the other's.
var watcher, other = account{name: "reload-watcher"}, account{name: "reload-other"}

func TestMain(m *testing.M) {
	controlplane.Main(m, controlplane.Options{Bare: true}, func(ctx context.Context, c *controlplane.ControlPlane) error {
		cluster = c
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: crowd.Namespace}}
		if _, err := c.Client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
			return err
		}
		return crowd.Create(ctx, c)
	})
}
