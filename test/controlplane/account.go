package controlplane

import (
	"context"
	"time"

	authnv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// Account makes a service account that may do everything, and writes a kubeconfig for it. The audit log calls its
// requests the returned user's, which tells them from those of whoever else shares the control plane.
func (c *ControlPlane) Account(ctx context.Context, namespace, name, kubeconfig string) (user string, err error) {
	user = "system:serviceaccount:" + namespace + ":" + name
	meta := metav1.ObjectMeta{Name: name}
	accounts := c.Client.CoreV1().ServiceAccounts(namespace)
	if _, err := accounts.Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{}); err != nil {
		return "", err
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}},
	}
	if _, err := c.Client.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		return "", err
	}
	token, err := accounts.CreateToken(ctx, name, &authnv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	if err := c.WriteKubeconfig(kubeconfig, c.Address, token.Status.Token); err != nil {
		return "", err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return "", err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return "", err
	}
	return user, Poll(time.Minute, nil, func() error { // the API server learns of the binding by a watch
		_, err := client.CoreV1().Services("").List(ctx, metav1.ListOptions{Limit: 1})
		return err
	})
}
