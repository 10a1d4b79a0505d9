// Package controlplane starts a real etcd, kube-apiserver, kube-controller-manager and kwok on loopback ports, and
// ends them.
package controlplane

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/coredns-headless/headless/test/parts"
)

// ControlPlane is a cluster without nodes but those that kwok plays.
type ControlPlane struct {
	// Client is the administrator's.
	Client kubernetes.Interface
	// Kubeconfig is a file that makes whoever uses it an administrator.
	Kubeconfig string
	// Address is the API server's host:port.
	Address string

	options         Options
	dir             string
	lock            *os.File   // says that dir is in use
	processes       []*Process // in the order of their start
	etcd, apiServer restartable
}

// restartable is a process that is killed and started again.
type restartable struct {
	part parts.Part
	args []string
	at   int // in processes
}

// kubeconfigFile in the folder is the administrator's.
const kubeconfigFile = "admin.kubeconfig"

const adminToken = "admin-of-a-cluster-that-lives-for-minutes"

// Options say how a control plane differs from the usual one, which kwok plays the nodes of.
type Options struct {
	// IP is the API server's address; default 127.0.0.1.
	IP string
	// Real says that real nodes come: there is a scheduler, and no kwok.
	Real bool
	// Bare says that there is only an API server and its etcd: all EndpointSlices are made by hand.
	Bare bool
	// ServiceRange is what cluster IPs are from; default 10.96.0.0/12 and fd00:10:96::/112.
	ServiceRange string
	// Tokens are lines of a token file: token, user, uid, groups.
	Tokens []string
	// ClientCA are certificates, in PEM, of those who may sign clients' certificates.
	ClientCA []byte
	// Own says that the tests harm the control plane, or measure what else would share it.
	Own bool
}

// shareable reports whether the shared control plane serves as well.
func (o Options) shareable() bool {
	return !o.Own && !o.Real && o.IP == "" && o.ServiceRange == "" && len(o.Tokens) == 0 && len(o.ClientCA) == 0
}

// Start builds what is needed, and starts it in a new folder. Only a test that harms a control plane, or needs
// options that the shared one lacks, starts its own.
func Start(o Options) (_ *ControlPlane, err error) {
	dir, lock, err := newFolder(os.TempDir())
	if err != nil {
		return nil, err
	}
	if o.IP == "" {
		o.IP = "127.0.0.1"
	}
	if o.ServiceRange == "" {
		o.ServiceRange = "10.96.0.0/12,fd00:10:96::/112"
	}
	c := &ControlPlane{dir: dir, lock: lock, options: o}
	defer func() {
		if err != nil {
			c.Stop()
		}
	}()
	etcd, err := c.startEtcd()
	if err != nil {
		return nil, err
	}
	if err := c.startAPIServer(etcd); err != nil || o.Bare {
		return c, err
	}
	return c, c.startControllers()
}

// Stop ends what Start started, and removes its folder.
func (c *ControlPlane) Stop() {
	if c.lock == nil { // it was attached to
		return
	}
	for i := len(c.processes) - 1; i >= 0; i-- {
		c.processes[i].Stop()
	}
	_ = os.RemoveAll(c.dir) // in the system's folder for such things
	_ = c.lock.Close()      // nobody needs it
}

// last is the process that was started last, whose end ends all waiting; nil if another process of the system started
// it.
func (c *ControlPlane) last() *Process {
	if len(c.processes) == 0 {
		return nil
	}
	return c.processes[len(c.processes)-1]
}

func (c *ControlPlane) start(p parts.Part, args ...string) (*Process, error) {
	bin, err := p.Path()
	if err != nil {
		return nil, err
	}
	proc, err := StartProcess(c.dir, bin, args...)
	if err == nil {
		c.processes = append(c.processes, proc)
	}
	return proc, err
}

func (c *ControlPlane) startEtcd() (url string, err error) {
	client, err := FreePort()
	if err != nil {
		return "", err
	}
	peer, err := FreePort()
	if err != nil {
		return "", err
	}
	url, peerURL := "http://127.0.0.1:"+client, "http://127.0.0.1:"+peer
	c.etcd = restartable{part: parts.Etcd, at: len(c.processes), args: []string{
		"--data-dir=" + filepath.Join(c.dir, "etcd"), "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls=" + url, "--advertise-client-urls=" + url,
		"--listen-peer-urls=" + peerURL, "--initial-advertise-peer-urls=" + peerURL, "--initial-cluster=default=" + peerURL,
	}}
	_, err = c.restart(c.etcd)
	return url, err
}

// restart starts a process, again in its old place.
func (c *ControlPlane) restart(r restartable) (*Process, error) {
	p, err := c.start(r.part, r.args...)
	if err != nil {
		return nil, err
	}
	if last := len(c.processes) - 1; last != r.at {
		c.processes[r.at] = p
		c.processes = c.processes[:last]
	}
	return p, nil
}

// StopEtcd kills etcd. Its data stay.
func (c *ControlPlane) StopEtcd() { c.processes[c.etcd.at].Stop() }

// StartEtcd starts etcd again, and returns when the API server is ready with it.
func (c *ControlPlane) StartEtcd() error {
	if _, err := c.restart(c.etcd); err != nil {
		return err
	}
	return c.ready()
}

// startAPIServer takes a port, writes what kube-apiserver reads, and starts it.
func (c *ControlPlane) startAPIServer(etcd string) error {
	port, err := FreePort()
	if err != nil {
		return err
	}
	c.Address = c.options.IP + ":" + port
	key, certs := filepath.Join(c.dir, "service-account.key"), filepath.Join(c.dir, "certs")
	if err := writeKey(key); err != nil {
		return err
	}
	tokens := filepath.Join(c.dir, "tokens.csv")
	lines := append([]string{adminToken + ",admin,admin,system:masters"}, c.options.Tokens...)
	if err := os.WriteFile(tokens, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return err
	}
	policy := filepath.Join(c.dir, "audit-policy.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return err
	}
	c.Kubeconfig = filepath.Join(c.dir, kubeconfigFile)
	if err := c.WriteAdminKubeconfig(c.Kubeconfig, c.Address); err != nil {
		return err
	}
	clientCA := filepath.Join(c.dir, "client-ca.crt")
	if err := os.WriteFile(clientCA, c.options.ClientCA, 0o600); err != nil {
		return err
	}
	c.apiServer = restartable{part: parts.APIServer, at: len(c.processes), args: []string{
		"--audit-policy-file=" + policy, "--audit-log-path=" + c.auditLog(), "--etcd-servers=" + etcd, "--bind-address=" + c.options.IP, "--secure-port=" + port, "--cert-dir=" + certs,
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-signing-key-file=" + key,
		"--service-account-key-file=" + key, "--token-auth-file=" + tokens, "--authorization-mode=Node,RBAC", "--kubelet-preferred-address-types=InternalIP",
		"--service-cluster-ip-range=" + c.options.ServiceRange, "--allow-privileged=true",
	}}
	if len(c.options.ClientCA) > 0 {
		c.apiServer.args = append(c.apiServer.args, "--client-ca-file="+clientCA)
	}
	return c.StartAPIServer()
}

// StopAPIServer ends kube-apiserver as a crash does: connections break, etcd stays.
func (c *ControlPlane) StopAPIServer() { c.processes[c.apiServer.at].Stop() }

// SignalAPIServer sends kube-apiserver a signal.
func (c *ControlPlane) SignalAPIServer(sig os.Signal) error {
	return c.processes[c.apiServer.at].Signal(sig)
}

// StartAPIServer starts kube-apiserver, again after StopAPIServer: on the same port, with the same certificate and
// etcd. It returns when that is ready.
func (c *ControlPlane) StartAPIServer() error {
	p, err := c.restart(c.apiServer)
	if err != nil {
		return err
	}
	err = Poll(2*time.Minute, p, func() error {
		text, err := os.ReadFile(c.CA())
		if err == nil && !x509.NewCertPool().AppendCertsFromPEM(text) { // it is being written
			err = fmt.Errorf("no certificate in %s", c.CA())
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("kube-apiserver: %w", err)
	}
	if c.Client == nil {
		if c.Client, err = c.client(); err != nil {
			return err
		}
	}
	return c.ready()
}

// ready waits until the API server is.
func (c *ControlPlane) ready() error {
	return Poll(2*time.Minute, c.processes[c.apiServer.at], func() error {
		// Ready, and the bootstrap roles and namespaces are there, of which the default one is made last.
		if _, err := c.Client.CoreV1().RESTClient().Get().AbsPath("/readyz").DoRaw(context.Background()); err != nil {
			return err
		}
		if _, err := c.Client.CoreV1().Namespaces().Get(context.Background(), metav1.NamespaceDefault, metav1.GetOptions{}); err != nil {
			return err
		}
		// Of each kind it has a connection to etcd, which may come back seconds after another's.
		if _, err := c.Client.CoreV1().Services("").List(context.Background(), metav1.ListOptions{Limit: 1}); err != nil {
			return err
		}
		_, err := c.Client.DiscoveryV1().EndpointSlices("").List(context.Background(), metav1.ListOptions{Limit: 1})
		return err
	})
}

// client is the administrator's. The CA is there.
func (c *ControlPlane) client() (kubernetes.Interface, error) {
	config, err := c.RESTConfig()
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	config.WarningHandler = rest.NoWarnings{} // that Endpoints are deprecated is known
	return kubernetes.NewForConfig(config)
}

func (c *ControlPlane) startControllers() error {
	manager := []string{
		"--kubeconfig=" + c.Kubeconfig, "--leader-elect=false", "--secure-port=0",
		"--service-account-private-key-file=" + filepath.Join(c.dir, "service-account.key"), "--root-ca-file=" + c.CA(),
	}
	if !c.options.Real { // kwok's nodes are well, however late a busy machine lets it say so
		manager = append(manager, "--node-monitor-grace-period=1h")
	}
	_, err := c.start(parts.ControllerManager, manager...)
	if err != nil {
		return err
	}
	if c.options.Real {
		_, err := c.start(parts.Scheduler, "--kubeconfig="+c.Kubeconfig, "--leader-elect=false", "--secure-port=0")
		return err
	}
	module, err := parts.Kwok.ModuleDir("sigs.k8s.io/kwok")
	if err != nil {
		return err
	}
	args := []string{"--kubeconfig=" + c.Kubeconfig, "--manage-all-nodes=true", "--cidr=10.244.0.0/16"}
	for _, stage := range []string{"pod/fast/pod-ready", "pod/fast/pod-delete", "node/fast/node-initialize", "node/heartbeat/node-heartbeat"} {
		args = append(args, "--config="+filepath.Join(module, "kustomize", "stage", stage+".yaml"))
	}
	_, err = c.start(parts.Kwok, args...)
	return err
}

// CA is the API server's certificate, which it signed itself.
func (c *ControlPlane) CA() string { return filepath.Join(c.dir, "certs", "apiserver.crt") }

// RESTConfig is the administrator's.
func (c *ControlPlane) RESTConfig() (*rest.Config, error) {
	return clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
}

// WriteAdminKubeconfig writes a kubeconfig for the administrator, for the API server as it is reached at address.
func (c *ControlPlane) WriteAdminKubeconfig(path, address string) error {
	return c.WriteKubeconfig(path, address, adminToken)
}

// WriteKubeconfig writes a kubeconfig for the bearer of token, for the API server as it is reached at address.
func (c *ControlPlane) WriteKubeconfig(path, address, token string) error {
	return clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{"test": {
			Server: "https://" + address, CertificateAuthority: c.CA(),
		}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"test": {Token: token}},
		Contexts:       map[string]*clientcmdapi.Context{"test": {Cluster: "test", AuthInfo: "test"}},
		CurrentContext: "test",
	}, path)
}

func writeKey(path string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	return os.WriteFile(path, pem.EncodeToMemory(block), 0o600)
}
