// Package node starts a whole Kubernetes node, with kubelet, containerd, runc and CNI, in namespaces of its own that
// end with one process, and takes it away again.
package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/coredns-headless/headless/test/controlplane"
)

// prefix is that of a node's folder, and of its cgroup.
const prefix = "headless-node-"

// inside is set in the environment of the process that runs in the node's namespaces: the folder of the node.
const inside = "HEADLESS_TEST_NODE"

// needs are the programs that a node needs beside those that are built, and the Debian packages that bring them.
var needs = map[string]string{
	"/usr/bin/containerd": "containerd", "/usr/sbin/runc": "runc", "/usr/lib/cni/bridge": "containernetworking-plugins",
	"/bin/busybox": "busybox-static", "/usr/bin/unshare": "util-linux", "/sbin/ip": "iproute2",
	"/usr/sbin/nft": "nftables", "/usr/bin/getent": "libc-bin", "/usr/bin/musl-gcc": "musl-tools",
}

// Missing says what of a node's needs this machine lacks, in one line; empty if nothing.
func Missing() string {
	var lacks []string
	if os.Geteuid() != 0 {
		lacks = append(lacks, "the rights of root")
	}
	if list, err := hierarchies(false); err != nil || len(list) == 0 {
		lacks = append(lacks, "cgroup version 1")
	}
	for path, pkg := range needs {
		if _, err := os.Stat(path); err != nil {
			lacks = append(lacks, fmt.Sprintf("%s (Debian package %s)", path, pkg))
		}
	}
	return strings.Join(lacks, ", ")
}

// Enter runs this program again in new namespaces, which end with it: network, mounts and processes. It returns the
// exit code in the outer process, and an error if anything of the node is left. In the inner one it returns that
// there is a node to be started.
func Enter() (isInside bool, code int, err error) {
	if os.Getenv(inside) != "" {
		return true, 0, nil
	}
	before, err := look()
	if err != nil {
		return false, 1, err
	}
	dir, err := os.MkdirTemp("", prefix)
	if err != nil {
		return false, 1, err
	}
	cgroup := "/" + filepath.Base(dir)
	remove := func() error { return errors.Join(RemoveCgroups(cgroup), os.RemoveAll(dir)) }
	if err := makeCgroups(cgroup); err != nil {
		return false, 1, errors.Join(err, remove())
	}
	self, err := os.Executable()
	if err != nil {
		return false, 1, errors.Join(err, remove())
	}
	args := append([]string{
		"--net", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc", self,
	}, os.Args[1:]...)
	// Ctrl-C ends the node and not this process, which has something to take away then.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cmd := exec.CommandContext(ctx, "unshare", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), inside+"="+dir, "TMPDIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = cmd.Run()
	if exit := new(exec.ExitError); errors.As(err, &exit) && ctx.Err() == nil {
		code, err = exit.ExitCode(), nil
	}
	return false, code, errors.Join(err, remove(), leftovers(before, dir))
}

// hierarchies are the mounted cgroup hierarchies: those of version 1, which the kubelet is told to use, and with
// unified that of version 2 beside them, which runc uses as well.
func hierarchies(unified bool) ([]string, error) {
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 2 && (f[2] == "cgroup" || unified && f[2] == "cgroup2") {
			list = append(list, f[1])
		}
	}
	return list, nil
}

// makeCgroups makes the cgroup that all pods' cgroups are below.
func makeCgroups(name string) error {
	list, err := hierarchies(false)
	if err != nil {
		return err
	}
	for _, h := range list {
		dir := filepath.Join(h, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return fmt.Errorf("make a cgroup: %w", err)
		}
		if filepath.Base(h) != "cpuset" {
			continue
		}
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} { // empty in a new cgroup, and then nothing can run in it
			text, err := os.ReadFile(filepath.Join(h, file))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// RemoveCgroups removes the cgroup and all below it; their processes have ended.
func RemoveCgroups(name string) error {
	list, err := hierarchies(true)
	if err != nil {
		return err
	}
	for _, h := range list {
		remove := func() error { return removeCgroup(filepath.Join(h, name)) }
		err = errors.Join(err, controlplane.Poll(time.Minute, nil, remove))
	}
	return err
}

func removeCgroup(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeCgroup(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return os.Remove(dir)
}
