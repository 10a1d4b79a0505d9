package soak

import (
	"context"
	"syscall"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/test/fault"
)

// harm is a fault that may happen, for a while.
type harm struct {
	name string
	// all says that the API server is harmed for everybody, so that nobody can change anything.
	all bool
	do  func(t *testing.T, s *stage, long time.Duration)
}

// A stage is a CoreDNS and the line between *headless* and the API server.
type stage struct {
	rig  *fault.Rig
	line *fault.Line
}

// token is that of the user that *headless* is, with the rights of this binding alone.
const (
	token   = "token-of-headless"
	binding = "headless"
)

// bind gives *headless* the rights that it asks for.
func bind(ctx context.Context) error {
	_, err := cluster.Client.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: binding},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: binding},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: binding}},
	}, metav1.CreateOptions{})
	return err
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
		s.line.Cut()
		time.Sleep(long)
		must(t, cluster.StartEtcd())
	}},
	{name: "connections cut", do: func(_ *testing.T, s *stage, long time.Duration) { s.cut(long) }},
	{name: "connections refused", do: func(_ *testing.T, s *stage, long time.Duration) {
		s.line.Shut()
		time.Sleep(long)
		s.line.Open()
	}},
	{name: "rights (RBAC) taken away and given back", do: func(t *testing.T, s *stage, long time.Duration) {
		must(t, cluster.Client.RbacV1().ClusterRoleBindings().Delete(t.Context(), binding, metav1.DeleteOptions{}))
		s.cut(long) // a watch that runs, or begins before the API server knows, goes on
		must(t, bind(t.Context()))
	}},
	{name: "Corefile reloaded", do: func(t *testing.T, s *stage, _ time.Duration) { s.rig.Reload(t) }},
	{name: "CoreDNS stopped and continued", do: func(t *testing.T, s *stage, long time.Duration) {
		s.rig.Halt(t, func() { time.Sleep(long) })
	}},
}

// cut breaks connections once a second.
func (s *stage) cut(long time.Duration) {
	for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(time.Second) {
		s.line.Cut()
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
