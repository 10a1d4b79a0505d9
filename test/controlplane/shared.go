package controlplane

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

// Shared is the environment variable that names the folder of a control plane that runs already. A package whose
// tests do no harm to a control plane attaches to it, and keeps to namespaces and addresses of its own.
const Shared = "HEADLESS_CONTROLPLANE"

// addressFile in the folder holds the API server's host:port.
const addressFile = "address"

// attach returns the control plane in a folder, which another process started.
func attach(dir string) (*ControlPlane, error) {
	address, err := os.ReadFile(filepath.Join(dir, addressFile))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Shared, err)
	}
	c := &ControlPlane{dir: dir, Address: strings.TrimSpace(string(address)), Kubeconfig: filepath.Join(dir, kubeconfigFile)}
	c.Client, err = c.client()
	return c, err
}

// Share starts a control plane, runs a program that finds it in its environment, and ends it after that program, or
// with it when ctx ends. The error of a program that failed is an *exec.ExitError.
func Share(ctx context.Context, program string, args ...string) error {
	c, err := Start(Options{})
	if err != nil {
		return err
	}
	defer c.Stop()
	if err := os.WriteFile(filepath.Join(c.dir, addressFile), []byte(c.Address), 0o600); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Env = append(os.Environ(), Shared+"="+c.dir)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}
