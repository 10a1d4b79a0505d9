package test

import (
	"flag"
	"os"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

var dumpTo = flag.String("dump", "", "write the cluster's Services and EndpointSlices to this file (make examples/cluster.yaml)")

// TestDump writes examples/cluster.yaml anew, as `kubectl get services,endpointslices -A -o yaml` prints it where this
// package is alone.
func TestDump(t *testing.T) {
	if *dumpTo == "" {
		t.Skip("no -dump FILE given: this is how examples/cluster.yaml is made, not a test")
	}
	items := []any{}
	add := func(kind, version string, o runtime.Object, m metav1.Object) {
		m.SetManagedFields(nil) // kubectl does not show them
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			t.Fatal(err)
		}
		fields["kind"], fields["apiVersion"] = kind, version
		items = append(items, fields)
	}
	namespaces := []string{"default", "other"}
	for _, ns := range namespaces {
		services, err := cluster.Client.CoreV1().Services(ns).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range services.Items {
			add("Service", "v1", &services.Items[i], &services.Items[i])
		}
	}
	for _, ns := range namespaces {
		slices, err := cluster.Client.DiscoveryV1().EndpointSlices(ns).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range slices.Items {
			add("EndpointSlice", "discovery.k8s.io/v1", &slices.Items[i], &slices.Items[i])
		}
	}
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "List", "items": items, "metadata": map[string]any{"resourceVersion": ""},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(*dumpTo, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
