// Package resolvers has real resolvers look names up under a suffix that a signed root delegates, under one that is
// shared with a company's zone, and under one that no other zone knows.
package resolvers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/coredns-headless/headless/test/parts"
)

// inside is set in the environment of the process that runs in the namespaces, to the user outside.
const inside = "HEADLESS_TEST_RESOLVERS"

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

// run runs this program again in a network of its own: a delegation leads to port 53, and there it is free on each
// address of 127.0.0.0/8.
func run(m *testing.M) int {
	if os.Getenv(inside) != "" {
		if err := prepare(); err != nil {
			return lacks(err)
		}
		return m.Run()
	}
	self, err := os.Executable()
	if err == nil {
		_, err = parts.CoreDNS.Path() // inside there is no network to build with
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), inside+"="+strconv.Itoa(os.Geteuid()))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
	}
	if uid, gid := os.Geteuid(), os.Getegid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: gid, Size: 1}}
	}
	err = cmd.Run()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		return lacks(err)
	}
	return 0
}

// lacks is the exit code where this machine has no namespaces for the tests.
func lacks(err error) int {
	if os.Getenv("CI") == "true" {
		fmt.Fprintln(os.Stderr, "a network of the test's own:", err)
		return 1
	}
	fmt.Fprintln(os.Stderr, "skipped outside CI: a network of the test's own:", err)
	return 0
}

// prepare makes the network, and an empty /run: systemd-resolved asks nobody before a link but lo has an address. All of
// it ends with the namespaces.
func prepare() error {
	for _, args := range []string{"link set lo up", "link add uplink type veth peer name far", "link set far up", "address add 192.0.2.254/24 dev uplink", "link set uplink up"} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s (Debian package iproute2): %w %s", args, err, out)
		}
	}
	if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		return fmt.Errorf("mounts of the test's own: %w", err)
	}
	return os.NewSyscallError("mount /run", syscall.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"))
}
