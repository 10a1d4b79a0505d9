package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// dump is what `kubectl get services,endpointslices -A -o FORMAT` prints of headless Services of 100 endpoints each, web-0 and so on.
func dump(format string, endpoints int) string {
	parts := yamlDump
	if format == "json" {
		parts = jsonDump
	}
	var items []string
	for first := 0; first < endpoints; first += 100 {
		service := fmt.Sprintf("web-%d", first/100)
		items = append(items, fmt.Sprintf(parts.service, service, first/100))
	}
	for first := 0; first < endpoints; first += 100 {
		var list []string
		for i := first; i < min(first+100, endpoints); i++ {
			list = append(list, fmt.Sprintf(parts.endpoint, fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), i%5000, i, fmt.Sprintf("web-%d-%d", first/100, i%100)))
		}
		items = append(items, fmt.Sprintf(parts.slice, strings.Join(list, parts.comma), fmt.Sprintf("web-%d", first/100), first/100))
	}
	return parts.head + strings.Join(items, parts.comma) + parts.tail
}

type dumpParts struct{ head, service, slice, endpoint, comma, tail string }

var yamlDump = dumpParts{
	head: "apiVersion: v1\nitems:\n",
	service: `- apiVersion: v1
  kind: Service
  metadata:
    annotations:
      kubectl.kubernetes.io/last-applied-configuration: |
        {"apiVersion":"v1","kind":"Service","metadata":{"annotations":{},"name":"%[1]s","namespace":"default"},"spec":{"clusterIP":"None"}}
    creationTimestamp: "2026-11-21T12:30:02Z"
    name: %[1]s
    namespace: default
    resourceVersion: "257"
    uid: b7dad0e6-e7ec-4d3f-828e-%012[2]x
  spec:
    clusterIP: None
    clusterIPs:
    - None
    internalTrafficPolicy: Cluster
    ipFamilies:
    - IPv4
    ipFamilyPolicy: SingleStack
    ports:
    - name: web
      port: 80
      protocol: TCP
      targetPort: 80
    selector:
      app: %[1]s
    sessionAffinity: None
    type: ClusterIP
  status:
    loadBalancer: {}
`,
	slice: `- addressType: IPv4
  apiVersion: discovery.k8s.io/v1
  endpoints:
%[1]s  kind: EndpointSlice
  metadata:
    creationTimestamp: "2026-11-21T12:30:02Z"
    generateName: %[2]s-
    generation: 3
    labels:
      endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io
      kubernetes.io/service-name: %[2]s
      service.kubernetes.io/headless: ""
    name: %[2]s-x7k2p
    namespace: default
    ownerReferences:
    - apiVersion: v1
      blockOwnerDeletion: true
      controller: true
      kind: Service
      name: %[2]s
      uid: b7dad0e6-e7ec-4d3f-828e-%012[3]x
    resourceVersion: "612"
    uid: 0e9f135a-358b-4b61-95e2-%012[3]x
  ports:
  - name: web
    port: 80
    protocol: TCP
`,
	endpoint: `  - addresses:
    - %[1]s
    conditions:
      ready: true
      serving: true
      terminating: false
    hostname: %[4]s
    nodeName: node-%[2]d
    targetRef:
      kind: Pod
      name: %[4]s
      namespace: default
      uid: 5b6f51f8-9141-4108-830f-%012[3]x
`,
	tail: "kind: List\nmetadata:\n  resourceVersion: \"\"\n",
}

var jsonDump = dumpParts{
	head: "{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n",
	service: `        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "annotations": {
                    "kubectl.kubernetes.io/last-applied-configuration": "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"annotations\":{},\"name\":\"%[1]s\",\"namespace\":\"default\"},\"spec\":{\"clusterIP\":\"None\"}}\n"
                },
                "creationTimestamp": "2026-11-21T12:30:02Z",
                "name": "%[1]s",
                "namespace": "default",
                "resourceVersion": "257",
                "uid": "b7dad0e6-e7ec-4d3f-828e-%012[2]x"
            },
            "spec": {
                "clusterIP": "None",
                "clusterIPs": [
                    "None"
                ],
                "internalTrafficPolicy": "Cluster",
                "ipFamilies": [
                    "IPv4"
                ],
                "ipFamilyPolicy": "SingleStack",
                "ports": [
                    {
                        "name": "web",
                        "port": 80,
                        "protocol": "TCP",
                        "targetPort": 80
                    }
                ],
                "selector": {
                    "app": "%[1]s"
                },
                "sessionAffinity": "None",
                "type": "ClusterIP"
            },
            "status": {
                "loadBalancer": {}
            }
        }`,
	slice: `        {
            "addressType": "IPv4",
            "apiVersion": "discovery.k8s.io/v1",
            "endpoints": [
%[1]s
            ],
            "kind": "EndpointSlice",
            "metadata": {
                "creationTimestamp": "2026-11-21T12:30:02Z",
                "generateName": "%[2]s-",
                "generation": 3,
                "labels": {
                    "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                    "kubernetes.io/service-name": "%[2]s",
                    "service.kubernetes.io/headless": ""
                },
                "name": "%[2]s-x7k2p",
                "namespace": "default",
                "ownerReferences": [
                    {
                        "apiVersion": "v1",
                        "blockOwnerDeletion": true,
                        "controller": true,
                        "kind": "Service",
                        "name": "%[2]s",
                        "uid": "b7dad0e6-e7ec-4d3f-828e-%012[3]x"
                    }
                ],
                "resourceVersion": "612",
                "uid": "0e9f135a-358b-4b61-95e2-%012[3]x"
            },
            "ports": [
                {
                    "name": "web",
                    "port": 80,
                    "protocol": "TCP"
                }
            ]
        }`,
	endpoint: `                {
                    "addresses": [
                        "%[1]s"
                    ],
                    "conditions": {
                        "ready": true,
                        "serving": true,
                        "terminating": false
                    },
                    "hostname": "%[4]s",
                    "nodeName": "node-%[2]d",
                    "targetRef": {
                        "kind": "Pod",
                        "name": "%[4]s",
                        "namespace": "default",
                        "uid": "5b6f51f8-9141-4108-830f-%012[3]x"
                    }
                }`,
	comma: ",\n",
	tail:  "\n    ],\n    \"kind\": \"List\",\n    \"metadata\": {\n        \"resourceVersion\": \"\"\n    }\n}\n",
}

// BenchmarkManifests reads dumps of 150,000 endpoints: what it allocates, how much of the heap is in use at most while it does, and how much stays.
func BenchmarkManifests(b *testing.B) {
	for _, format := range []string{"yaml", "json"} {
		b.Run(format, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "dump."+format)
			text := dump(format, 150_000)
			size := len(text)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				b.Fatal(err)
			}
			text = "" //nolint:ineffassign,wastedassign // the heap must not hold it
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
				w, err := Manifests("test", []string{path}, nil)
				if err != nil {
					b.Fatal(err)
				}
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

func heap(collected bool) uint64 {
	if collected {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
