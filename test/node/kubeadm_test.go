package node

import (
	"fmt"
	"os/exec"
	"testing"

	"github.com/coredns-headless/headless/test/parts"
)

// stock makes the CoreDNS that kubeadm installs the cluster's, until the end of the test.
func stock(t *testing.T) {
	t.Helper()
	remove := func() {
		cluster.Do(t, "-n", "kube-system", "delete", "deployment/coredns", "service/kube-dns", "configmap/coredns", "configmap/coredns-headless", "--ignore-not-found")
		cluster.Do(t, "-n", "kube-system", "wait", "--for=delete", "pods", "-l", "k8s-app=kube-dns", "--timeout="+patience.String())
	}
	remove()
	t.Cleanup(func() {
		if t.Failed() {
			out, err := cluster.Kubectl("get", "pods,deployments,configmaps", "-A", "-o", "wide")
			t.Log(out, err)
			log, err := cluster.Kubectl("-n", "kube-system", "logs", "-l", "k8s-app=kube-dns", "--prefix")
			t.Log(log, err)
		}
		remove()
	})
	if out, err := kubeadm(); err != nil {
		t.Fatal(err, out)
	}
	rolledOut(t)
}

// kubeadm does to CoreDNS what `kubeadm init` and `kubeadm upgrade` do.
func kubeadm() (string, error) {
	bin, err := parts.Kubeadm.Path()
	if err != nil {
		return "", err
	}
	out, err := exec.Command(bin, "init", "phase", "addon", "coredns", "--kubeconfig="+cluster.Kubeconfig, "--image-repository=localhost",
		"--kubernetes-version=v1.36.3", "--service-cidr=10.96.0.0/12").CombinedOutput()
	return string(out), err
}

func rolledOut(t *testing.T) {
	t.Helper()
	wait(t, func() error { // a deadline that was exceeded before shows until the controller has looked again
		_, err := cluster.Kubectl("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout="+patience.String())
		return err
	})
}

// knowsNot waits until no way to look a name up finds it.
func knowsNot(t *testing.T, address, name string) {
	t.Helper()
	wait(t, func() error {
		for _, command := range lookups(name) {
			if found("web-0", address, command...) == nil {
				return fmt.Errorf("%v finds it", command)
			}
		}
		return nil
	})
}
