package controlplane

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
)

// Create makes the objects of a file of YAML documents.
func (c *ControlPlane) Create(ctx context.Context, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for i, doc := range strings.Split(string(text), "\n---\n") {
		if err := c.create(ctx, doc); err != nil {
			return fmt.Errorf("%s, document %d: %w", file, i+1, err)
		}
	}
	return nil
}

func (c *ControlPlane) create(ctx context.Context, doc string) error {
	o, _, err := scheme.Codecs.UniversalDeserializer().Decode([]byte(doc), nil, nil)
	if err != nil {
		return err
	}
	create := metav1.CreateOptions{}
	switch o := o.(type) {
	case *corev1.Node:
		_, err = c.Client.CoreV1().Nodes().Create(ctx, o, create)
	case *corev1.Namespace:
		if _, err = c.Client.CoreV1().Namespaces().Create(ctx, o, create); err == nil {
			err = c.hasServiceAccount(ctx, o.Name)
		}
	case *corev1.ServiceAccount:
		_, err = c.Client.CoreV1().ServiceAccounts(o.Namespace).Create(ctx, o, create)
		if apierrors.IsAlreadyExists(err) { // each file that gives it rights has it
			err = nil
		}
	case *corev1.Service:
		_, err = c.Client.CoreV1().Services(o.Namespace).Create(ctx, o, create)
	case *corev1.Endpoints: //nolint:staticcheck // deprecated, and what people have
		_, err = c.Client.CoreV1().Endpoints(o.Namespace).Create(ctx, o, create)
	case *corev1.Pod:
		if err = c.hasServiceAccount(ctx, o.Namespace); err == nil {
			_, err = c.Client.CoreV1().Pods(o.Namespace).Create(ctx, o, create)
		}
	case *appsv1.StatefulSet:
		_, err = c.Client.AppsV1().StatefulSets(o.Namespace).Create(ctx, o, create)
	case *appsv1.Deployment:
		_, err = c.Client.AppsV1().Deployments(o.Namespace).Create(ctx, o, create)
	case *discoveryv1.EndpointSlice:
		_, err = c.Client.DiscoveryV1().EndpointSlices(o.Namespace).Create(ctx, o, create)
	case *rbacv1.Role:
		_, err = c.Client.RbacV1().Roles(o.Namespace).Create(ctx, o, create)
	case *rbacv1.RoleBinding:
		_, err = c.Client.RbacV1().RoleBindings(o.Namespace).Create(ctx, o, create)
	case *rbacv1.ClusterRole:
		_, err = c.Client.RbacV1().ClusterRoles().Create(ctx, o, create)
	case *rbacv1.ClusterRoleBinding:
		_, err = c.Client.RbacV1().ClusterRoleBindings().Create(ctx, o, create)
	default:
		err = fmt.Errorf("cannot create a %T", o)
	}
	return err
}

// hasServiceAccount waits for a namespace's default service account, without which no pod is admitted.
func (c *ControlPlane) hasServiceAccount(ctx context.Context, namespace string) error {
	return Poll(time.Minute, c.last(), func() error {
		_, err := c.Client.CoreV1().ServiceAccounts(namespace).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

// WaitReady waits until slices show want ready endpoints of a Service.
func (c *ControlPlane) WaitReady(ctx context.Context, namespace, service string, want int) error {
	return Poll(time.Minute, c.last(), func() error {
		ready, err := c.ReadyAddresses(ctx, namespace, service)
		if err == nil && len(ready) != want {
			err = fmt.Errorf("service %s/%s has %d ready endpoints of %d", namespace, service, len(ready), want)
		}
		return err
	})
}

// ReadyAddresses are the addresses of a Service's ready endpoints by pod name, else hostname, else address.
func (c *ControlPlane) ReadyAddresses(ctx context.Context, namespace, service string) (map[string]string, error) {
	list, err := c.Client.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service})
	if err != nil {
		return nil, err
	}
	ready := make(map[string]string)
	for _, s := range list.Items {
		if s.AddressType != discoveryv1.AddressTypeIPv4 {
			continue
		}
		for _, e := range s.Endpoints {
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				ready[EndpointName(e)] = e.Addresses[0]
			}
		}
	}
	return ready, nil
}

// EndpointName is what an endpoint is best known by.
func EndpointName(e discoveryv1.Endpoint) string {
	switch {
	case e.TargetRef != nil:
		return e.TargetRef.Name
	case e.Hostname != nil:
		return *e.Hostname
	}
	return e.Addresses[0]
}
