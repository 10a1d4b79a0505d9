package fault

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// kubeconfig writes a kubeconfig like the administrator's, but for what change changes.
func kubeconfig(t *testing.T, address string, change func(*clientcmdapi.AuthInfo)) string {
	t.Helper()
	path := Kubeconfig(t, cluster, address)
	rewrite(t, path, change)
	return path
}

func rewrite(t *testing.T, path string, change func(*clientcmdapi.AuthInfo)) {
	t.Helper()
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	change(config.AuthInfos[config.Contexts[config.CurrentContext].AuthInfo])
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
}

// replace puts a file in the place of another at once, as kubelet does.
func replace(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// refused waits until the log says why nothing can be asked of the API server, and the metrics that what is known may
// be out of date.
func (r *Rig) refused(t *testing.T, reason string) {
	t.Helper()
	r.says(t, reason)
	r.Stale(t, true)
}

// runs checks that the watch of old goes on.
func (r *Rig) runs(t *testing.T) {
	t.Helper()
	r.Move(t)
	r.Fresh(t)
}

// account makes a service account that may do nothing yet, and returns its token.
func account(t *testing.T) (token string) {
	t.Helper()
	accounts := cluster.Client.CoreV1().ServiceAccounts(still)
	if _, err := accounts.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "headless"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	request, err := accounts.CreateToken(t.Context(), "headless", &authv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return request.Status.Token
}

func deleteAccount(t *testing.T) {
	t.Helper()
	if err := cluster.Client.CoreV1().ServiceAccounts(still).Delete(t.Context(), "headless", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// bind gives the service account the rights that docs/reference.md asks for, until the test ends or unbind is called.
func bind(t *testing.T) (unbind func()) {
	t.Helper()
	rbac := cluster.Client.RbacV1()
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "headless"},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"list", "watch"}},
			{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"list", "watch"}},
		},
	}
	if _, err := rbac.ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "headless-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "headless", Namespace: still}},
	}
	binding, err := rbac.ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := rbac.ClusterRoleBindings().Delete(t.Context(), binding.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	}
}

// refuses waits until the API server itself answers the bearer of a token with an error: what it knows of rights and
// accounts lags behind.
func refuses(t *testing.T, r *Rig, token string, is func(error) bool) {
	t.Helper()
	config, err := cluster.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	config = rest.AnonymousClientConfig(config)
	config.BearerToken = token
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	r.Server.Poll(t, hang, func() error {
		if _, err := client.CoreV1().Services(still).List(t.Context(), metav1.ListOptions{}); !is(err) {
			return errors.Join(errors.New("the API server says something else"), err)
		}
		return nil
	})
}

// A watch goes on without rights. A new one does not begin, and is tried until there are rights again.
func TestRightsTakenAway(t *testing.T) {
	line := NewLine(t, cluster.Address)
	token := account(t)
	defer deleteAccount(t)
	unbind := bind(t)
	r := Start(t, cluster, Options{Kubeconfig: kubeconfig(t, line.Address, func(a *clientcmdapi.AuthInfo) { a.Token = token })})
	r.Fault(t, "rights (RBAC) taken away and given back", func() {
		unbind()
		refuses(t, r, token, apierrors.IsForbidden)
		r.runs(t)
		line.Cut()
		r.Move(t)
		r.refused(t, "is forbidden")
		linger(30 * time.Second)
		unbind = bind(t)
	})
	unbind()
}

// A token that is refused is read again from its file.
func TestTokenReplaced(t *testing.T) {
	line := NewLine(t, cluster.Address)
	token := account(t)
	defer deleteAccount(t)
	defer bind(t)()
	file := filepath.Join(t.TempDir(), "token")
	replace(t, file, []byte(token))
	r := Start(t, cluster, Options{Kubeconfig: kubeconfig(t, line.Address, func(a *clientcmdapi.AuthInfo) { a.Token, a.TokenFile = "", file })})
	r.Fault(t, "token invalid, its file replaced", func() {
		deleteAccount(t)
		old := token
		token = account(t)
		refuses(t, r, old, apierrors.IsUnauthorized)
		r.runs(t)
		line.Cut()
		r.Move(t)
		r.refused(t, "Unauthorized")
		linger(30 * time.Second)
		replace(t, file, []byte(token))
	})
}
