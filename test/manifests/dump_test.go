package manifests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/coredns-headless/headless/test/parts"
	"github.com/coredns-headless/headless/test/server"
)

// A dump is what `kubectl get services,endpointslices -A -o FORMAT` prints of headless Services in default. Service
// web-3 has 100 peers, web-3-0 at 10.80.3.1 and so on.
type dump struct {
	format   string
	services int
	first    string // where the very first peer is
}

func (d dump) String() string {
	service := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web-NNN", UID: "b7dad0e6-e7ec-4d3f-828e-d2c79498e2d3", ResourceVersion: "7"},
		Spec:       corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, ClusterIPs: []string{corev1.ClusterIPNone}},
	}
	name, number, protocol, ready, terminating := "web", int32(80), corev1.ProtocolTCP, true, false
	slice := &discoveryv1.EndpointSlice{
		TypeMeta: metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: "web-NNN-x7k2p", UID: "0e9f135a-358b-4b61-95e2-d2c79498e2d3", ResourceVersion: "8",
			Labels: map[string]string{discoveryv1.LabelServiceName: "web-NNN"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &number, Protocol: &protocol}},
	}
	for i := range 100 {
		pod, node := fmt.Sprintf("web-NNN-%d", i), fmt.Sprintf("node-%d", i)
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{fmt.Sprintf("NET.%d", i+1)}, Hostname: &pod, NodeName: &node,
			Conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: &ready, Terminating: &terminating},
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: "default", Name: pod, UID: types.UID(fmt.Sprintf("5b6f51f8-9141-4108-830f-%012x", i))},
		})
	}
	template := d.items(service, slice)
	head, items, tail := cutItems(d.format, template)
	comma := ""
	if d.format == "json" {
		comma = ",\n"
	}
	all := make([]string, 0, d.services)
	for n := range d.services {
		all = append(all, strings.NewReplacer("NNN", strconv.Itoa(n), "NET", fmt.Sprintf("10.%d.%d", 80+n/256, n%256)).Replace(items))
	}
	text := head + strings.Join(all, comma) + tail
	at := strings.Index(text, "10.80.0.1")
	return text[:at] + d.first + text[at+len("10.80.0.1"):]
}

// items prints a list as kubectl does.
func (d dump) items(objects ...runtime.Object) string {
	list := []any{}
	for _, o := range objects {
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			panic(err)
		}
		list = append(list, fields)
	}
	all := map[string]any{"apiVersion": "v1", "kind": "List", "items": list, "metadata": map[string]any{"resourceVersion": ""}}
	if d.format == "yaml" {
		text, err := yaml.Marshal(all)
		if err != nil {
			panic(err)
		}
		return string(text)
	}
	text, err := json.MarshalIndent(all, "", "    ")
	if err != nil {
		panic(err)
	}
	return string(text) + "\n"
}

// cutItems cuts a list before and behind its items.
func cutItems(format, text string) (head, items, tail string) {
	begin, end := "items:\n", "kind: List\n"
	if format == "json" {
		begin, end = "\"items\": [\n", "\n    ],\n    \"kind\": \"List\""
	}
	i := strings.Index(text, begin) + len(begin)
	j := strings.LastIndex(text, end)
	return text[:i], text[i:j], text[j:]
}

// A dump of 40 MB is read at start, and again when one peer in it has moved. Nobody else's answers wait for that, and
// CoreDNS takes some times the file's size in memory, not dozens.
func TestDumpOf40MB(t *testing.T) {
	for _, c := range []dump{{format: "yaml", services: 1400}, {format: "json", services: 600}} {
		t.Run(c.format, func(t *testing.T) {
			c.first = movingAddr
			dir := t.TempDir()
			f := &fault{s: server.New(t), folder: filepath.Join(dir, "folder"), file: filepath.Join(dir, "dump")}
			f.s.Part = parts.CoreDNSStatic // the race detector takes memory of its own
			must(t, os.Mkdir(f.folder, 0o755))
			text := c.String()
			put(t, f.file, text)
			f.start(t, fmt.Sprintf("web-%d-99.default.svc.cluster.local", c.services-1), fmt.Sprintf("10.%d.%d.100", 80+(c.services-1)/256, (c.services-1)%256))
			started := peak(t, f.s.PID())
			for _, addr := range []string{movedAddr, movingAddr, movedAddr} {
				f.moves(t, addr, func() { put(t, f.file, strings.Replace(text, movingAddr, addr, 1)) })
			}
			size, most := float64(len(text))/1e6, peak(t, f.s.PID())
			t.Logf("%.0f MB: resident at most %.0f MB after the start, %.0f MB after three changes", size, started, most)
			if most > 100+8*size {
				t.Errorf("%.0f MB resident, more than 8 times the file's %.0f MB", most, size)
			}
			// What is cut off is found out without the parser of the whole.
			put(t, f.file, text[:len(text)/2])
			f.logs(t, "WARNING", "keeping the last good state", f.file, "document 1, line ")
			if now := peak(t, f.s.PID()); now > 100+8*size {
				t.Errorf("%.0f MB resident when the dump was cut off", now)
			}
		})
	}
}

// peak is the most memory that the process has had resident, in MB.
func peak(t *testing.T, pid int) float64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(t, err)
	var kB float64
	if i := bytes.Index(status, []byte("VmHWM:")); i >= 0 {
		_, err = fmt.Sscanf(string(status[i:]), "VmHWM: %f kB", &kB)
		must(t, err)
	}
	return kB / 1e3
}
