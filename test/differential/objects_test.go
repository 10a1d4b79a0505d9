package differential

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// objects are what a cluster's names are made of, as the API server has them.
type objects struct {
	services []corev1.Service
	slices   []discoveryv1.EndpointSlice
}

// list is what the generator wrote, as the API server has it.
func list(ctx context.Context) (objects, error) {
	o := metav1.ListOptions{LabelSelector: madeBy}
	services, err := cluster.Client.CoreV1().Services("").List(ctx, o)
	if err != nil {
		return objects{}, err
	}
	slices, err := cluster.Client.DiscoveryV1().EndpointSlices("").List(ctx, o)
	if err != nil {
		return objects{}, err
	}
	return objects{services.Items, slices.Items}, nil
}

// madeBy is a label of all that the generator wrote.
const madeBy = "headless.test/generated"

// service finds a Service; nil where there is none. A Service's name is what a slice's label says to the letter.
func (o objects) service(namespace, name string) *corev1.Service {
	for i := range o.services {
		if s := &o.services[i]; s.Namespace == namespace && s.Name == name {
			return s
		}
	}
	return nil
}

// String is the objects in the form that kubectl apply takes, without what only the API server writes.
func (o objects) String() string {
	var docs []string
	add := func(kind, version string, m *metav1.ObjectMeta, spec map[string]any) {
		spec["kind"], spec["apiVersion"] = kind, version
		spec["metadata"] = map[string]any{"namespace": m.Namespace, "name": m.Name, "labels": m.Labels}
		text, err := yaml.Marshal(spec)
		if err != nil {
			text = []byte(err.Error())
		}
		docs = append(docs, string(text))
	}
	for _, s := range o.services {
		add("Service", "v1", &s.ObjectMeta, map[string]any{"spec": s.Spec})
	}
	for _, s := range o.slices {
		add("EndpointSlice", "discovery.k8s.io/v1", &s.ObjectMeta, map[string]any{
			"addressType": s.AddressType, "endpoints": s.Endpoints, "ports": s.Ports,
		})
	}
	return strings.Join(docs, "---\n")
}

func applyService(ctx context.Context, s *corev1.Service) error {
	s = s.DeepCopy()
	s.ResourceVersion, s.UID = "", ""
	client := cluster.Client.CoreV1().Services(s.Namespace)
	_, err := client.Create(ctx, s, metav1.CreateOptions{})
	if err != nil && strings.Contains(err.Error(), "already allocated") { // to another package's Service
		s.Spec.ClusterIP, s.Spec.ClusterIPs = "", nil
		_, err = client.Create(ctx, s, metav1.CreateOptions{})
	}
	if err != nil {
		return fmt.Errorf("create Service %s/%s: %w", s.Namespace, s.Name, err)
	}
	return nil
}

func applySlice(ctx context.Context, s *discoveryv1.EndpointSlice) error {
	s = s.DeepCopy()
	s.ResourceVersion, s.UID = "", ""
	_, err := cluster.Client.DiscoveryV1().EndpointSlices(s.Namespace).Create(ctx, s, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("create EndpointSlice %s/%s: %w", s.Namespace, s.Name, err)
	}
	return nil
}

func updateSlice(ctx context.Context, s *discoveryv1.EndpointSlice) error {
	s = s.DeepCopy()
	s.ResourceVersion, s.UID = "", "" // it may have been created anew
	_, err := cluster.Client.DiscoveryV1().EndpointSlices(s.Namespace).Update(ctx, s, metav1.UpdateOptions{})
	if err != nil {
		return fmt.Errorf("update EndpointSlice %s/%s: %w", s.Namespace, s.Name, err)
	}
	return nil
}

func deleteService(ctx context.Context, s *corev1.Service) error {
	return cluster.Client.CoreV1().Services(s.Namespace).Delete(ctx, s.Name, metav1.DeleteOptions{})
}

func deleteSlice(ctx context.Context, s *discoveryv1.EndpointSlice) error {
	return cluster.Client.DiscoveryV1().EndpointSlices(s.Namespace).Delete(ctx, s.Name, metav1.DeleteOptions{})
}
