package test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	authnv1 "k8s.io/api/authentication/v1"
	authzv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/test/parts"
)

// A grantee is a service account with the rights that a file of deploy/rbac gives it.
type grantee struct {
	name, user, kubeconfig string
	// namespaces are those of the file's Roles; none for a ClusterRole.
	namespaces []string
}

// grant applies a file of deploy/rbac, in which all is called headless, to an account of that name, and waits until
// it has its rights.
func grant(t *testing.T, file, name string, namespaces ...string) grantee {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(parts.Root(), "deploy", "rbac", file))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), file)
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "name: headless", "name: "+name)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Create(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	token, err := cluster.Client.CoreV1().ServiceAccounts(metav1.NamespaceSystem).CreateToken(t.Context(), name, &authnv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	g := grantee{name: name, user: "system:serviceaccount:kube-system:" + name, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig"), namespaces: namespaces}
	if err := cluster.WriteKubeconfig(g.kubeconfig, cluster.Address, token.Status.Token); err != nil {
		t.Fatal(err)
	}
	for _, ns := range g.scopes() {
		for _, resource := range []string{"services", "endpointslices"} {
			g.wait(t, right{"list", resource, ns}, true)
			g.wait(t, right{"watch", resource, ns}, true)
		}
	}
	return g
}

// scopes are the namespaces of the Roles, or "" for the ClusterRole.
func (g grantee) scopes() []string {
	if len(g.namespaces) == 0 {
		return []string{""}
	}
	return g.namespaces
}

type right struct{ verb, resource, namespace string }

func (r right) group() string {
	if r.resource == "endpointslices" {
		return "discovery.k8s.io"
	}
	return ""
}

// wait waits until the API server, which learns of changed Roles by a watch, allows r, or does not.
func (g grantee) wait(t *testing.T, r right, allowed bool) {
	t.Helper()
	review := &authzv1.SubjectAccessReview{Spec: authzv1.SubjectAccessReviewSpec{
		User: g.user, Groups: []string{"system:serviceaccounts", "system:authenticated"},
		ResourceAttributes: &authzv1.ResourceAttributes{Namespace: r.namespace, Verb: r.verb, Group: r.group(), Resource: r.resource},
	}}
	wait(t, func() error {
		answer, err := cluster.Client.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), review, metav1.CreateOptions{})
		if err == nil && answer.Status.Allowed != allowed {
			err = fmt.Errorf("%s: %+v is not %t: %+v", g.user, r, allowed, answer.Status)
		}
		return err
	})
}

// withdraw takes a right away. What it returns gives it back.
func (g grantee) withdraw(t *testing.T, r right) (giveBack func()) {
	t.Helper()
	var was []rbacv1.PolicyRule
	g.change(t, r.namespace, func(rules []rbacv1.PolicyRule) []rbacv1.PolicyRule {
		was = rules
		rules = slices.Clone(rules)
		for i, rule := range rules {
			if slices.Contains(rule.Resources, r.resource) {
				rules[i].Verbs = slices.DeleteFunc(slices.Clone(rule.Verbs), func(v string) bool { return v == r.verb })
			}
		}
		return rules
	})
	g.wait(t, r, false)
	return func() {
		t.Helper()
		g.change(t, r.namespace, func([]rbacv1.PolicyRule) []rbacv1.PolicyRule { return was })
	}
}

// change changes the rules of the Role in a namespace, or of the ClusterRole.
func (g grantee) change(t *testing.T, namespace string, edit func([]rbacv1.PolicyRule) []rbacv1.PolicyRule) {
	t.Helper()
	ctx, client := t.Context(), cluster.Client.RbacV1()
	var err error
	if namespace == "" {
		var role *rbacv1.ClusterRole
		if role, err = client.ClusterRoles().Get(ctx, g.name, metav1.GetOptions{}); err == nil {
			role.Rules = edit(role.Rules)
			_, err = client.ClusterRoles().Update(ctx, role, metav1.UpdateOptions{})
		}
	} else {
		var role *rbacv1.Role
		if role, err = client.Roles(namespace).Get(ctx, g.name, metav1.GetOptions{}); err == nil {
			role.Rules = edit(role.Rules)
			_, err = client.Roles(namespace).Update(ctx, role, metav1.UpdateOptions{})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// requests counts those of the account, and those of them that were forbidden.
func (g grantee) requests(t *testing.T) (made, refused int) {
	t.Helper()
	list, err := cluster.Requests("headless/")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		if r.User.Username == g.user {
			made++
			if r.ResponseStatus.Code == http.StatusForbidden {
				refused++
			}
		}
	}
	return made, refused
}
