package image

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/coredns-headless/headless/test/node"
	"github.com/coredns-headless/headless/test/parts"
	"github.com/coredns-headless/headless/test/server"
)

// A machine is namespaces of network, mounts and processes, with one process that they end with, and storage of its
// own for images. Nothing of it is left afterwards, and none of this machine's images and containers are seen in it.
type machine struct {
	pid, cgroup string
	env         []string
}

func start(t *testing.T) *machine {
	t.Helper()
	if os.Geteuid() != 0 {
		server.Missing(t, "not root")
	}
	for program, pkg := range map[string]string{
		"buildah": "buildah", "podman": "podman", "runc": "runc", "dig": "bind9-dnsutils", "make": "make", "git": "git", "ip": "iproute2", "nsenter": "util-linux",
	} {
		server.Need(t, program, pkg)
	}
	dir := t.TempDir()
	m := &machine{cgroup: fmt.Sprintf("headless-image-%d", os.Getpid())}
	for name, text := range map[string]string{
		"CONTAINERS_STORAGE_CONF": fmt.Sprintf("[storage]\ndriver = \"vfs\"\ngraphroot = \"%s/images\"\nrunroot = \"/run/images\"\n", dir),
		"CONTAINERS_CONF": fmt.Sprintf("[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\nruntime = \"runc\"\n"+
			"[network]\nnetwork_backend = \"cni\"\nnetwork_config_dir = \"%s/net\"\n", dir),
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		m.env = append(m.env, name+"="+file)
	}
	cmd := exec.Command("sh", "-ec", "mount --make-rprivate /; mount -t proc none /proc; mount -t tmpfs none /run; mount -t tmpfs none /dev/shm; "+
		"ip link set lo up; echo ready; exec sleep infinity")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL,
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()                                     // the first process of the namespace, and with it all others
		_ = cmd.Wait()                                             // it was killed
		if err := node.RemoveCgroups("/" + m.cgroup); err != nil { // what podman leaves behind of its containers'
			t.Error(err)
		}
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("make namespaces: %q: %v", line, err)
	}
	m.pid = strconv.Itoa(cmd.Process.Pid)
	return m
}

// run runs a command there, in this machine's network if not offline, and returns what it prints.
func (m *machine) run(args ...string) (string, error) {
	return m.enter([]string{"--net", "--mount", "--pid"}, args)
}

// make runs make in the project's root, in the network of this machine: modules may have to be fetched.
func (m *machine) make(t *testing.T, args ...string) {
	t.Helper()
	if out, err := m.enter([]string{"--mount", "--pid"}, append([]string{"make", "-C", parts.Root()}, args...)); err != nil {
		t.Fatalf("make %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (m *machine) enter(namespaces, args []string) (string, error) {
	cmd := exec.Command("nsenter", slices.Concat([]string{"--target", m.pid}, namespaces, []string{"--"}, args)...)
	cmd.Env = append(os.Environ(), m.env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
