// Package tenant lets somebody who may write in one namespace only try what he can make CoreDNS say about others.
package tenant

import (
	"context"
	"net/netip"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/coredns-headless/headless/test/controlplane"
)

const (
	own, others = "tenant", "victim" // namespaces
	token       = "token-of-the-tenant"
)

var cluster *controlplane.ControlPlane

// web are the pods that the tenant has nothing to do with, mine are his own. Both Services have them under the same
// labels.
var (
	web  = controlplane.Crowd{Namespace: others, Service: "web", Pods: 10, First: netip.MustParseAddr("10.1.0.1")}
	mine = controlplane.Crowd{Namespace: own, Service: "mine", Pods: 3, First: netip.MustParseAddr("10.2.0.1")}
)

func TestMain(m *testing.M) {
	controlplane.Main(m, controlplane.Options{Bare: true, Tokens: []string{token + ",tenant,tenant"}}, func(ctx context.Context, c *controlplane.ControlPlane) error {
		cluster = c
		for _, w := range []controlplane.Crowd{web, mine} {
			ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace}}
			if _, err := c.Client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
				return err
			}
			if err := w.Create(ctx, c); err != nil {
				return err
			}
		}
		api := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "api"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 80}}}}
		if _, err := c.Client.CoreV1().Services(others).Create(ctx, api, metav1.CreateOptions{}); err != nil {
			return err
		}
		return rights(ctx, c)
	})
}

// rights lets the tenant write what makes names, in his own namespace.
func rights(ctx context.Context, c *controlplane.ControlPlane) error {
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "tenant"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"services", "pods"}, Verbs: []string{"*"}},
		{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"*"}},
	}}
	if _, err := c.Client.RbacV1().Roles(own).Create(ctx, role, metav1.CreateOptions{}); err != nil {
		return err
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "tenant"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "tenant"},
		Subjects: []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: "tenant"}},
	}
	_, err := c.Client.RbacV1().RoleBindings(own).Create(ctx, binding, metav1.CreateOptions{})
	return err
}

// client is the tenant's.
func client(t *testing.T) kubernetes.Interface {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := cluster.WriteKubeconfig(path, cluster.Address, token); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.WarningHandler = -1, rest.NoWarnings{}
	c, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
