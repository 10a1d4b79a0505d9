package soak

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/coredns-headless/headless/test/fault"
)

// harm is a fault that may happen, for a while.
type harm struct {
	name string
	// all says that the API server is harmed for everybody, so that nobody can change anything.
	all bool
	do  func(t *testing.T, s *stage, long time.Duration)
}

// A stage is what stands between *headless* and the API server: a proxy, which leads to the API server itself or to a gate before it.
type stage struct {
	rig   *fault.Rig
	proxy *fault.Proxy
	gate  *fault.Gate
}

// token is that of the user that *headless* is, with the rights of this binding alone.
const (
	token   = "token-of-headless"
	binding = "headless"
)

func newStage(t *testing.T, lines ...string) (*stage, fault.Options) {
	t.Helper()
	s := &stage{proxy: fault.NewProxy(t, cluster.Address), gate: fault.NewGate(t, cluster)}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	must(t, cluster.WriteKubeconfig(path, s.proxy.Address(), token))
	config, err := clientcmd.LoadFromFile(path)
	must(t, err)
	ca, err := os.ReadFile(cluster.CA())
	must(t, err)
	for _, c := range config.Clusters { // either may answer
		c.CertificateAuthority, c.CertificateAuthorityData = "", bytes.Join([][]byte{ca, s.gate.CA}, []byte("\n"))
	}
	must(t, clientcmd.WriteToFile(*config, path))
	return s, fault.Options{Kubeconfig: path, Lines: lines}
}

// bind gives *headless* the rights that it asks for.
func bind(ctx context.Context) error {
	_, err := cluster.Client.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: binding},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: binding},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: binding}},
	}, metav1.CreateOptions{})
	return err
}

// toxic is harm to the connections between *headless* and the API server.
func toxic(kind string, attributes map[string]int) func(*testing.T, *stage, time.Duration) {
	return func(t *testing.T, s *stage, long time.Duration) {
		mend := s.proxy.Harm(t, kind, attributes)
		s.proxy.Cut(t)
		time.Sleep(long)
		mend()
		s.proxy.Cut(t)
	}
}

// through has the gate answer requests, and ends the watches that begin all the same every second.
func through(h fault.Harm) func(*testing.T, *stage, time.Duration) {
	return func(t *testing.T, s *stage, long time.Duration) {
		s.gate.Harm(h)
		s.proxy.Lead(t, s.gate.Address)
		for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(time.Second) {
			s.gate.Cut()
		}
		s.gate.Harm(nil)
		s.proxy.Lead(t, cluster.Address)
	}
}

var harms = []harm{
	{name: "API server killed", all: true, do: func(t *testing.T, _ *stage, long time.Duration) {
		cluster.StopAPIServer()
		time.Sleep(long)
		must(t, cluster.StartAPIServer())
	}},
	{name: "API server stopped and continued", all: true, do: func(t *testing.T, _ *stage, long time.Duration) {
		must(t, cluster.SignalAPIServer(syscall.SIGSTOP))
		time.Sleep(long)
		must(t, cluster.SignalAPIServer(syscall.SIGCONT))
	}},
	{name: "etcd killed, connections cut", all: true, do: func(t *testing.T, s *stage, long time.Duration) {
		cluster.StopEtcd()
		s.proxy.Cut(t)
		time.Sleep(long)
		must(t, cluster.StartEtcd())
	}},
	{name: "connections cut", do: func(t *testing.T, s *stage, long time.Duration) {
		for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
			s.proxy.Cut(t)
		}
	}},
	{name: "connections reset", do: toxic("reset_peer", map[string]int{"timeout": 0})},
	{name: "responses slow", do: toxic("bandwidth", map[string]int{"rate": 20})},
	{name: "responses late", do: toxic("latency", map[string]int{"latency": 2000, "jitter": 1000})},
	{name: "responses cut", do: toxic("limit_data", map[string]int{"bytes": 5000})},
	{name: "responses garbage", do: toxic("garbage", nil)},
	{name: "connections silent", do: toxic("timeout", map[string]int{"timeout": 0})},
	{name: "429 to everything", do: through(fault.Refuse(http.StatusTooManyRequests, "TooManyRequests", nil))},
	{name: "429 to everything, Retry-After 1 s", do: through(fault.Refuse(http.StatusTooManyRequests, "TooManyRequests", http.Header{"Retry-After": {"1"}}))},
	{name: "500 to everything", do: through(fault.Refuse(http.StatusInternalServerError, "InternalError", nil))},
	{name: "410 to watches", do: through(fault.Refuse(http.StatusGone, "Expired", nil, fault.VerbWatch))},
	{name: "rights (RBAC) taken away and given back", do: func(t *testing.T, s *stage, long time.Duration) {
		must(t, cluster.Client.RbacV1().ClusterRoleBindings().Delete(t.Context(), binding, metav1.DeleteOptions{}))
		for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(time.Second) {
			s.proxy.Cut(t) // a watch that runs, or begins before the API server knows, goes on
		}
		must(t, bind(t.Context()))
	}},
	{name: "Corefile reloaded", do: func(t *testing.T, s *stage, _ time.Duration) { s.rig.Reload(t) }},
	{name: "CoreDNS stopped for a second", do: func(t *testing.T, s *stage, _ time.Duration) {
		s.rig.Halt(t, func() { time.Sleep(time.Second) })
	}},
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
