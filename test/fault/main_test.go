package fault

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/coredns-headless/headless/test/controlplane"
)

// cluster is the control plane of all tests here. Whoever breaks it mends it.
var cluster *controlplane.ControlPlane

func TestMain(m *testing.M) {
	ca, err := newAuthority()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	signer = ca
	controlplane.Main(after{m}, controlplane.Options{Bare: true, ClientCA: ca.text}, func(ctx context.Context, c *controlplane.ControlPlane) error {
		cluster = c
		return Fill(ctx, c)
	})
}

// after writes the table of faults after the tests.
type after struct{ *testing.M }

// Run implements controlplane.Tests.
func (a after) Run() int {
	code := a.M.Run()
	if err := WriteTable(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
