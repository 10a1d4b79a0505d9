package manifests

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

// dump is what `kubectl get services,endpointslices -A -o FORMAT` prints of headless Services web-0, web-1 and so on,
// of 100 endpoints each. The first endpoint of web-1 is web-1-0, at 10.0.1.0. kubectl sorts Services first; here each
// is before its slice.
func dump(t testing.TB, format string, services int) string {
	t.Helper()
	typed, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": dumped(), "metadata": map[string]any{"resourceVersion": ""}})
	must(t, err)
	var list any // kubectl sorts keys
	must(t, json.Unmarshal(typed, &list))
	begin, end, comma := "items:\n", "kind: List\n", ""
	text, err := yaml.Marshal(list)
	if format == "json" {
		begin, end, comma = "\"items\": [\n", "\n    ],\n    \"kind\": \"List\"", ",\n"
		text, err = json.MarshalIndent(list, "", "    ")
	}
	must(t, err)
	head, items, _ := strings.Cut(string(text), begin)
	items, tail, _ := strings.Cut(items, end)
	var b strings.Builder
	b.WriteString(head + begin)
	for n := range services {
		if n > 0 {
			b.WriteString(comma)
		}
		_, err := strings.NewReplacer("NNN", strconv.Itoa(n), "NET", fmt.Sprintf("10.%d.%d", n/256, n%256)).WriteString(&b, items)
		must(t, err)
	}
	return b.String() + end + tail + "\n"
}

// dumped are the Service web-NNN and its slice, with what the API server, the controller and kubectl add.
func dumped() []any {
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{
			Namespace: "default", Name: name, UID: "b7dad0e6-e7ec-4d3f-828e-d2c79498e2d3", ResourceVersion: "257",
			CreationTimestamp: metav1.Date(2026, 11, 21, 12, 30, 2, 0, time.UTC),
		}
	}
	policy, internal := corev1.IPFamilyPolicySingleStack, corev1.ServiceInternalTrafficPolicyCluster
	service := &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: meta("web-NNN"),
		Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone, ClusterIPs: []string{corev1.ClusterIPNone}, Type: corev1.ServiceTypeClusterIP,
			IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol}, IPFamilyPolicy: &policy, InternalTrafficPolicy: &internal,
			Ports: []corev1.ServicePort{{Name: "web", Port: 80, Protocol: corev1.ProtocolTCP}}, Selector: map[string]string{"app": "web-NNN"},
		},
	}
	service.Annotations = map[string]string{
		corev1.LastAppliedConfigAnnotation: `{"apiVersion":"v1","kind":"Service","metadata":{"name":"web-NNN"},"spec":{"clusterIP":"None"}}` + "\n",
	}
	slice := &discoveryv1.EndpointSlice{
		TypeMeta: metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"}, ObjectMeta: meta("web-NNN-x7k2p"),
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: new("web"), Port: new(int32(80)), Protocol: new(corev1.ProtocolTCP)}},
	}
	slice.Labels = map[string]string{
		discoveryv1.LabelServiceName: "web-NNN", discoveryv1.LabelManagedBy: "endpointslice-controller.k8s.io", corev1.IsHeadlessService: "",
	}
	for i := range 100 {
		pod := fmt.Sprintf("web-NNN-%d", i)
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{fmt.Sprintf("NET.%d", i)}, Hostname: &pod, NodeName: new(fmt.Sprintf("node-%d", i)),
			Conditions: discoveryv1.EndpointConditions{Ready: new(true), Serving: new(true), Terminating: new(false)},
			TargetRef: &corev1.ObjectReference{
				Kind: "Pod", Namespace: "default", Name: pod, UID: types.UID(fmt.Sprintf("5b6f51f8-9141-4108-830f-%012x", i)),
			},
		})
	}
	return []any{service, slice}
}

// BenchmarkManifests reads dumps of 150,000 endpoints: what it allocates, how much of the heap is in use at most
// while it does, and how much stays.
func BenchmarkManifests(b *testing.B) {
	for _, format := range []string{"yaml", "json"} {
		b.Run(format, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "dump."+format)
			size := writeDump(b, path, format)
			before := heap(true)
			var peak atomic.Uint64
			done := make(chan struct{})
			go func() {
				t := time.NewTicker(time.Millisecond)
				defer t.Stop()
				for {
					select {
					case <-t.C:
						peak.Store(max(peak.Load(), heap(false)))
					case <-done:
						return
					}
				}
			}()
			b.ReportAllocs()
			b.SetBytes(int64(size))
			var stays uint64
			for b.Loop() {
				w, err := Open("test", []string{path}, nil)
				must(b, err)
				if _, peers := w.Tree().Size(); peers != 150_000 {
					b.Fatalf("%d endpoints", peers)
				}
				b.StopTimer()
				stays = heap(true) - before
				runtime.KeepAlive(w)
				b.StartTimer()
			}
			close(done)
			b.ReportMetric(float64(peak.Load()-before)/1e6, "peak-MB")
			b.ReportMetric(float64(stays)/1e6, "stays-MB")
			b.ReportMetric(float64(size)/1e6, "file-MB")
		})
	}
}

// writeDump keeps nothing of the text on the heap.
func writeDump(b *testing.B, path, format string) int {
	text := dump(b, format, 1500)
	must(b, os.WriteFile(path, []byte(text), 0o600))
	return len(text)
}

func heap(collected bool) uint64 {
	if collected {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
