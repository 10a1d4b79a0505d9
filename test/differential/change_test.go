package differential

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/test/controlplane"
)

// How many objects a cluster tends to have.
const (
	manyServices = 24
	manySlices   = 44
)

// populate makes a cluster from nothing.
func (g *generator) populate(ctx context.Context) error {
	for _, ns := range namespaces {
		if err := createNamespace(ctx, ns); err != nil {
			return err
		}
	}
	o := objects{}
	for range manyServices {
		s := g.freeService(o)
		if err := applyService(ctx, s); err != nil {
			return err
		}
		o.services = append(o.services, *s)
	}
	for range manySlices {
		s := g.slice(pick(g, namespaces), o)
		if err := applySlice(ctx, s); err != nil {
			return err
		}
		o.slices = append(o.slices, *s)
	}
	return nil
}

// empty removes all that a generator wrote.
func empty(ctx context.Context) error {
	all, err := list(ctx)
	if err != nil {
		return err
	}
	return remove(ctx, all)
}

func remove(ctx context.Context, o objects) error {
	for i := range o.services {
		if err := deleteService(ctx, &o.services[i]); err != nil {
			return err
		}
	}
	for i := range o.slices {
		if err := deleteSlice(ctx, &o.slices[i]); err != nil {
			return err
		}
	}
	return nil
}

// createNamespace makes a namespace unless it is there.
func createNamespace(ctx context.Context, name string) error {
	_, err := cluster.Client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// deleteNamespace deletes a namespace, what is in it first, and waits until the namespace controller is done.
func deleteNamespace(ctx context.Context, name string, o objects) error {
	var inside objects
	for _, s := range o.services {
		if s.Namespace == name {
			inside.services = append(inside.services, s)
		}
	}
	for _, s := range o.slices {
		if s.Namespace == name {
			inside.slices = append(inside.slices, s)
		}
	}
	if err := remove(ctx, inside); err != nil {
		return err
	}
	client := cluster.Client.CoreV1().Namespaces()
	if err := client.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		return err
	}
	return controlplane.Poll(2*time.Minute, nil, func() error {
		ns, err := client.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("namespace %s is still there: %v, %w", name, ns.Status, err)
	})
}

// digits says that the API server takes Services whose names begin with one, as it does since 1.36.
func digits(ctx context.Context) bool {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "0"}, Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone}}
	_, err := cluster.Client.CoreV1().Services(metav1.NamespaceDefault).Create(ctx, s, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err == nil
}

// freeService makes a Service with a name that no other has.
func (g *generator) freeService(o objects) *corev1.Service {
	for {
		ns, name := pick(g, namespaces), pick(g, words)
		if o.service(ns, name) == nil && (g.digits || name[0] > '9') {
			return g.service(ns, name)
		}
	}
}

// change makes some changes to the cluster, so that watches and not lists alone are tested.
func (g *generator) change(ctx context.Context) error {
	for range 12 + g.IntN(24) {
		all, err := list(ctx)
		if err != nil {
			return err
		}
		if err := g.one(ctx, all); err != nil {
			return err
		}
	}
	if !g.percent(30) {
		return nil
	}
	// What suffixes are grafted onto stays.
	name := pick(g, namespaces[1:])
	all, err := list(ctx)
	if err != nil {
		return err
	}
	if err := deleteNamespace(ctx, name, all); err != nil {
		return fmt.Errorf("delete namespace %s: %w", name, err)
	}
	return createNamespace(ctx, name)
}

// one makes one change. What there is much of is rather deleted than made.
func (g *generator) one(ctx context.Context, o objects) error {
	switch n := g.IntN(100); {
	case n < 20 && len(o.services) > 0:
		s := &o.services[g.IntN(len(o.services))]
		if err := deleteService(ctx, s); err != nil {
			return err
		}
		if g.percent(60) { // it becomes one of another kind
			return applyService(ctx, g.service(s.Namespace, s.Name))
		}
		return nil
	case n < 35 && len(o.services) < manyServices+4:
		return applyService(ctx, g.freeService(o))
	case n < 45 && len(o.services) > 0:
		return g.retype(ctx, &o.services[g.IntN(len(o.services))])
	case n < 60 && len(o.slices) > 0:
		return deleteSlice(ctx, &o.slices[g.IntN(len(o.slices))])
	case n < 78 && len(o.slices) < manySlices+8:
		return applySlice(ctx, g.slice(pick(g, namespaces), o))
	case len(o.slices) > 0:
		return g.edit(ctx, &o.slices[g.IntN(len(o.slices))], o)
	}
	return nil
}

// retype changes a Service where it stands, as far as the API server lets one: to ExternalName and back to anything.
func (g *generator) retype(ctx context.Context, s *corev1.Service) error {
	was := s.Spec.Type
	s.Spec = g.service(s.Namespace, s.Name).Spec
	if was != corev1.ServiceTypeExternalName && s.Spec.Type != corev1.ServiceTypeExternalName {
		s.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: pick(g, externals)}
	}
	_, err := cluster.Client.CoreV1().Services(s.Namespace).Update(ctx, s, metav1.UpdateOptions{})
	return err
}

// edit changes a slice where it stands: its labels, so that it goes to another Service or watch, or its endpoints.
func (g *generator) edit(ctx context.Context, s *discoveryv1.EndpointSlice, o objects) error {
	switch n := g.IntN(100); {
	case n < 30:
		g.label(s, o)
	case n < 50:
		g.fill(s, o)
	case n < 65 && len(s.Endpoints) > 0:
		i := g.IntN(len(s.Endpoints))
		s.Endpoints = append(s.Endpoints[:i], s.Endpoints[i+1:]...)
	case n < 80:
		s.Endpoints = append(s.Endpoints, g.endpoint(s))
	default:
		for i := range s.Endpoints {
			if c := &s.Endpoints[i].Conditions; g.percent(50) {
				*c = discoveryv1.EndpointConditions{Ready: new(c.Ready != nil && !*c.Ready)}
			}
		}
	}
	return updateSlice(ctx, s)
}
