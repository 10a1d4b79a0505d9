package node

import (
	"fmt"
	"strings"
	"testing"
)

// hbase is the story's Corefile, with the pod network of this node.
func hbase(t *testing.T) string {
	t.Helper()
	return strings.ReplaceAll(story(t, "hbase", "Corefile"), "10.244.0.0/16", "10.88.0.0/16")
}

// The address of a pod leads back to what the pod calls itself, and that to the address, before the pod is ready and
// after.
func TestHBase(t *testing.T) {
	serve(t, hbase(t))
	apply(t, "hbase")
	leadsBack := func() error {
		address, err := cluster.Kubectl("get", "pod", "region-1", "-o", "jsonpath={.status.podIP}")
		if err != nil || address == "" {
			return fmt.Errorf("no address %q yet: %w", address, err)
		}
		name, err := in("region-1", "hostname", "-f")
		if err != nil {
			return err
		}
		name = strings.TrimSpace(name)
		if want := "region-1.region.default.svc.cluster.local"; name != want {
			t.Fatalf("the pod calls itself %q, want %q", name, want)
		}
		for _, query := range []string{address, name} {
			if err := found("region-0", address, "getent", "hosts", query); err != nil {
				return err
			}
			if err := found("region-0", name, "getent", "hosts", query); err != nil {
				return err
			}
		}
		return nil
	}
	wait(t, leadsBack)
	for _, pod := range []string{"region-0", "region-1"} {
		cluster.Do(t, "exec", pod, "--", "touch", "/tmp/ready")
	}
	ready(t, "statefulset/region")
	for range 20 { // kubernetes has two names for it now
		if err := leadsBack(); err != nil {
			t.Fatal(err)
		}
	}
	asTold(t, "hbase")
}

const indexed = `apiVersion: v1
kind: Service
metadata:
  name: train
spec:
  clusterIP: None
  selector:
    app: train
---
apiVersion: batch/v1
kind: Job
metadata:
  name: train
spec:
  completions: 2
  parallelism: 2
  completionMode: Indexed
  template:
    metadata:
      labels:
        app: train
    spec:
      subdomain: train
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers:
      - name: train
        image: train
        readinessProbe:
          periodSeconds: 1
          exec:
            command: ["false"]
`

// The pods of an Indexed Job look for the first of them (MASTER_ADDR) before any is ready.
func TestIndexedJobFindsItsFirstPodBeforeItIsReady(t *testing.T) {
	serve(t, hbase(t))
	applyText(t, indexed)
	pod := func(index string) (name, address string) {
		wait(t, func() error {
			out, err := cluster.Kubectl("get", "pods", "-l", "batch.kubernetes.io/job-completion-index="+index,
				"-o", "jsonpath={.items[0].metadata.name} {.items[0].status.podIP}")
			name, address, _ = strings.Cut(out, " ")
			if err == nil && address == "" {
				err = fmt.Errorf("no address yet: %q", out)
			}
			return err
		})
		return name, address
	}
	_, address := pod("0")
	second, _ := pod("1")
	for _, name := range []string{"train-0.train", "train-0"} {
		finds(t, second, address, "getent", "hosts", name)
	}
}
