package fault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
func kubeconfig(t *testing.T, address string, change func(*clientcmdapi.Cluster, *clientcmdapi.AuthInfo)) string {
	t.Helper()
	path := Kubeconfig(t, cluster, address)
	rewrite(t, path, change)
	return path
}

func rewrite(t *testing.T, path string, change func(*clientcmdapi.Cluster, *clientcmdapi.AuthInfo)) {
	t.Helper()
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	current := config.Contexts[config.CurrentContext]
	change(config.Clusters[current.Cluster], config.AuthInfos[current.AuthInfo])
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

// refused waits until the log says why nothing can be asked of the API server, and the metrics that what is known may be out of date.
func (r *Rig) refused(t *testing.T, kubeconfig, reason string) {
	t.Helper()
	stale := fmt.Sprintf("coredns_headless_stale{source=%q} 1\n", "kubeconfig "+kubeconfig)
	r.Server.Poll(t, time.Minute, func() error {
		if count(r.Server.Log(t), reason) == 0 {
			return fmt.Errorf("the log does not say %q", reason)
		}
		if !strings.Contains(r.Server.Metrics(t), stale) {
			return fmt.Errorf("metrics lack %s", stale)
		}
		return nil
	})
}

// runs checks that the watch of old goes on.
func (r *Rig) runs(t *testing.T) {
	t.Helper()
	r.Move(t)
	r.Fresh(t, 30*time.Second)
}

// soon fails the test if the end of a fault was noticed late: tries are 10 s apart at most.
func soon(t *testing.T, row Row) {
	t.Helper()
	if row.Fresh > 20*time.Second {
		t.Errorf("%s: fresh after %s", row.Fault, row.Fresh)
	}
}

// saidSeldom fails the test if the log repeats a reason: three reflectors say it of lists and of watches, once a minute.
func (r *Rig) saidSeldom(t *testing.T, reason string) {
	t.Helper()
	if n, most := count(r.Server.Log(t), reason), 3*2*(1+int(lasts(3*time.Second)/time.Minute)); n > most {
		t.Errorf("the log says %q %d times, want %d at most", reason, n, most)
	}
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

// bind gives the service account the rights that the README asks for, until the test ends or unbind is called.
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

// refuses waits until the API server itself answers the bearer of a token with an error: what it knows of rights and accounts lags behind.
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
	r.Server.Poll(t, time.Minute, func() error {
		if _, err := client.CoreV1().Services(still).List(t.Context(), metav1.ListOptions{}); !is(err) {
			return errors.Join(errors.New("the API server says something else"), err)
		}
		return nil
	})
}

// A watch goes on without rights. A new one does not begin, and is tried until there are rights again.
func TestRightsTakenAway(t *testing.T) {
	x := NewProxy(t, cluster.Address)
	token := account(t)
	defer deleteAccount(t)
	unbind := bind(t)
	path := kubeconfig(t, x.Address(), func(_ *clientcmdapi.Cluster, a *clientcmdapi.AuthInfo) { a.Token = token })
	r := Start(t, cluster, Options{Kubeconfig: path})
	const reason = "is forbidden"
	row := r.Fault(t, "rights (RBAC) taken away and given back", func() {
		unbind()
		refuses(t, r, token, apierrors.IsForbidden)
		r.runs(t)
		x.Cut(t)
		r.Move(t)
		r.refused(t, path, reason)
		time.Sleep(lasts(3 * time.Second)) // the fault's length
		unbind = bind(t)
	})
	unbind()
	soon(t, row)
	r.saidSeldom(t, reason)
}

// A token that is refused is read again from its file.
func TestTokenReplaced(t *testing.T) {
	x := NewProxy(t, cluster.Address)
	token := account(t)
	defer deleteAccount(t)
	defer bind(t)()
	file := filepath.Join(t.TempDir(), "token")
	replace(t, file, []byte(token))
	path := kubeconfig(t, x.Address(), func(_ *clientcmdapi.Cluster, a *clientcmdapi.AuthInfo) { a.Token, a.TokenFile = "", file })
	r := Start(t, cluster, Options{Kubeconfig: path})
	const reason = "Unauthorized"
	row := r.Fault(t, "token invalid, its file replaced", func() {
		deleteAccount(t)
		old := token
		token = account(t)
		refuses(t, r, old, apierrors.IsUnauthorized)
		r.runs(t)
		x.Cut(t)
		r.Move(t)
		r.refused(t, path, reason)
		time.Sleep(lasts(3 * time.Second)) // the fault's length
		replace(t, file, []byte(token))
	})
	soon(t, row)
	r.saidSeldom(t, reason)
}
