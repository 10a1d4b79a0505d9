package node

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/parts"
	"github.com/coredns-headless/headless/test/server"
)

// Address is the node's own, on the bridge that pods hang on.
const Address = "10.88.0.1"

// patience is after how long it is certain that something hangs: *reload* looks every 30 seconds, and the kubelet may
// wait for minutes before it tries again.
const patience = 5 * time.Minute

// Node is a cluster with one node, in the namespaces of this process.
type Node struct {
	*controlplane.ControlPlane
	dir     string
	kubectl string
}

const nodeToken = "node-of-a-cluster-that-lives-for-minutes"

// Start starts the node. It ends with this process.
func Start() (*Node, error) {
	n := &Node{dir: os.Getenv(inside)}
	if err := n.prepare(); err != nil {
		return nil, fmt.Errorf("prepare the namespaces: %w", err)
	}
	// The node's own resolver, which knows nothing of the cluster.
	_, _, err := server.StubAt(Address + ":53")
	if err != nil {
		return nil, err
	}
	if err := n.startContainerd(); err != nil {
		return nil, err
	}
	n.ControlPlane, err = controlplane.Start(controlplane.Options{
		IP: Address, Real: true, Tokens: []string{nodeToken + `,system:node:node-0,node-0,"system:nodes"`},
	})
	if err != nil {
		return nil, err
	}
	if n.kubectl, err = parts.Kubectl.Path(); err != nil {
		return nil, err
	}
	if err := n.startKubelet(); err != nil {
		return nil, err
	}
	proxy, err := parts.Proxy.Path()
	if err != nil {
		return nil, err
	}
	err = controlplane.Run(n.dir, proxy, "--kubeconfig="+n.Kubeconfig, "--proxy-mode=nftables", "--hostname-override=node-0",
		"--conntrack-max-per-core=0", "--conntrack-min=0", "--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s")
	if err != nil {
		return nil, err
	}
	err = controlplane.Poll(patience, nil, func() error {
		_, err := n.Kubectl("wait", "--for=condition=Ready", "node/node-0", "--timeout=5s") // fails at once while there is no node
		return err
	})
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, n.Logs())
	}
	return n, err
}

// Logs are the ends of what the node's programs have printed.
func (n *Node) Logs() string {
	var b strings.Builder
	for _, name := range []string{"containerd", "kubelet", "kube-proxy"} {
		text, _ := os.ReadFile(filepath.Join(n.dir, name+".log")) // none says enough
		fmt.Fprintf(&b, "%s:\n%s\n", name, text[max(0, len(text)-4000):])
	}
	return b.String()
}

// prepare makes the network, the mounts and the kernel's settings that a kubelet insists on, all in the namespaces
// alone.
func (n *Node) prepare() error {
	settings := filepath.Join(n.dir, "settings")
	script := `set -e
ip link set lo up
ip link add cni0 type bridge
ip addr add ` + Address + `/16 dev cni0
ip link set cni0 up
ip route add default dev cni0
echo 1 > /proc/sys/net/ipv4/ip_forward
for dir in etc opt var; do # what is written there goes into the node's folder
	mkdir -p ` + n.dir + `/over/$dir/upper
	mkdir -p ` + n.dir + `/over/$dir/work
	mount -t overlay none -o lowerdir=/$dir,upperdir=` + n.dir + `/over/$dir/upper,workdir=` + n.dir + `/over/$dir/work /$dir
done
mount -t tmpfs none /run
for dir in /var/lib/cni /var/lib/kubelet /var/log/containers; do
	mkdir -p $dir
	mount -t tmpfs none $dir
done
mkdir -p ` + settings + `
for s in vm/overcommit_memory=1 kernel/panic=10 kernel/panic_on_oops=1; do
	file=` + settings + `/$(basename ${s%=*})
	echo ${s#*=} > $file
	mount --bind $file /proc/sys/${s%=*}
done
mount --make-rshared /run
mount --make-rshared /var/lib/kubelet
`
	if out, err := exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return n.write("resolv.conf", "nameserver "+Address+"\n")
}

func (n *Node) write(name, text string) error {
	return os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o600)
}

func (n *Node) startContainerd() error {
	for name, text := range map[string]string{
		"containerd.toml": `version = 2
root = "` + n.dir + `/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "` + pauseImage + `"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "` + n.dir + `"
`,
		"10-pods.conflist": `{"cniVersion": "0.4.0", "name": "pods", "plugins": [{
  "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.88.0.0/16", "rangeStart": "10.88.1.1"}]], "routes": [{"dst": "0.0.0.0/0"}]}
}]}
`,
	} {
		if err := n.write(name, text); err != nil {
			return err
		}
	}
	if err := controlplane.Run(n.dir, "/usr/bin/containerd", "--config", filepath.Join(n.dir, "containerd.toml")); err != nil {
		return err
	}
	images, err := n.images()
	if err != nil {
		return err
	}
	for i, img := range images {
		path := filepath.Join(n.dir, fmt.Sprintf("image-%d.tar", i))
		if err := img.write(path); err != nil {
			return err
		}
		err := controlplane.Poll(patience, nil, func() error {
			out, err := exec.Command("ctr", "--address", "/run/containerd/containerd.sock", "-n", "k8s.io", "images", "import", path).CombinedOutput()
			if err != nil {
				err = fmt.Errorf("import %s: %w: %s", img.name, err, out)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) startKubelet() error {
	config := `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: /` + filepath.Base(n.dir) + `
failSwapOn: false
oomScoreAdj: 0
makeIPTablesUtilChains: false
clusterDNS: [10.96.0.10]
syncFrequency: 1s
clusterDomain: cluster.local
resolvConf: ` + n.dir + `/resolv.conf
podLogsDir: ` + n.dir + `/logs
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 0%, nodefs.available: 0%, nodefs.inodesFree: 0%, imagefs.available: 0%, imagefs.inodesFree: 0%}
`
	if err := n.write("kubelet.yaml", config); err != nil {
		return err
	}
	kubeconfig := filepath.Join(n.dir, "kubelet.kubeconfig")
	if err := n.WriteKubeconfig(kubeconfig, n.Address, nodeToken); err != nil {
		return err
	}
	bin, err := parts.Kubelet.Path()
	if err != nil {
		return err
	}
	return controlplane.Run(n.dir, bin, "--config="+filepath.Join(n.dir, "kubelet.yaml"), "--kubeconfig="+kubeconfig,
		"--node-ip="+Address, "--hostname-override=node-0")
}

// Kubectl runs kubectl as an administrator and returns what it prints.
func (n *Node) Kubectl(args ...string) (string, error) {
	cmd := exec.Command(n.kubectl, append([]string{"--kubeconfig", n.Kubeconfig}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// Do is Kubectl for what must work.
func (n *Node) Do(tb testing.TB, args ...string) string {
	tb.Helper()
	out, err := n.Kubectl(args...)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}
