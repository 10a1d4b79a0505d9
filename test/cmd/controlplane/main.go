// Command controlplane starts etcd, kube-apiserver, kube-controller-manager and kwok, runs the program that its
// arguments name with them, and ends them. The tests of several packages share a control plane so.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/coredns-headless/headless/test/controlplane"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: controlplane PROGRAM [ARGUMENTS...]")
		os.Exit(2)
	}
	err := controlplane.Share(context.Background(), os.Args[1], os.Args[2:]...)
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		os.Exit(max(exit.ExitCode(), 1)) // the program has said why
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
