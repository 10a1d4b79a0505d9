package test

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/server"
)

// crowds are what is asked for, in the namespaces that deploy/rbac/namespaces.yaml names.
var crowds = []controlplane.Crowd{
	{Namespace: "storm", Service: "nimbus", Pods: 2, First: netip.MustParseAddr("10.245.1.1")},
	{Namespace: "kafka", Service: "broker", Pods: 2, First: netip.MustParseAddr("10.245.2.1")},
}

func createCrowds(ctx context.Context) error {
	for _, w := range crowds {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace}}
		if _, err := cluster.Client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
			return err
		}
		if err := w.Create(ctx, cluster); err != nil {
			return err
		}
	}
	return nil
}

// start runs CoreDNS with the account's rights, and with nothing beside *headless*.
func (g grantee) start(t *testing.T, timeout string, env ...string) *server.Server {
	t.Helper()
	options := []string{"startup_timeout " + timeout, "suffix rights.test svc.cluster.local"}
	if len(g.namespaces) > 0 {
		options = append(options, "namespaces "+strings.Join(g.namespaces, " "))
	}
	s := server.New(t)
	s.Env = env
	s.Start(t, ".:PORT {\n bind 127.0.0.1\n ready READY\n prometheus METRICS\n"+stanza(g.kubeconfig, options...)+"}\n")
	s.WaitReady(t)
	return s
}

// wantCrowd waits until peers of a crowd, and its Service, are answered.
func wantCrowd(t *testing.T, s *server.Server, w controlplane.Crowd) {
	t.Helper()
	for name, addrs := range map[string][]string{
		w.Pod(0) + "." + w.Namespace + ".svc.cluster.local":             {w.Addr(0).String()},
		w.Pod(1) + "." + w.Service + "." + w.Namespace + ".rights.test": {w.Addr(1).String()},
		w.Service + "." + w.Namespace + ".rights.test":                  {w.Addr(0).String(), w.Addr(1).String()},
	} {
		s.Shows(t, time.Minute, name, addrs...)
	}
}

// least are all the rules that are needed.
var least = []rbacv1.PolicyRule{
	{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"list", "watch"}},
	{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"list", "watch"}},
}

// The files of deploy/rbac are enough, and what is missing of them is told.
func TestRights(t *testing.T) {
	server.Need(t, "dig", "bind9-dnsutils")
	t.Parallel()
	if err := createCrowds(t.Context()); err != nil {
		t.Fatal(err)
	}
	namespaces := []string{"storm", "kafka"}
	for file, scopes := range map[string][]string{"namespaces.yaml": namespaces, "clusterrole.yaml": nil} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			g := grant(t, file, "rights-of-"+strings.TrimSuffix(file, ".yaml"), scopes...)
			for _, ns := range g.scopes() {
				g.change(t, ns, func(rules []rbacv1.PolicyRule) []rbacv1.PolicyRule {
					if !reflect.DeepEqual(rules, least) {
						t.Errorf("rights %v, want %v", rules, least)
					}
					return rules
				})
			}
			testEnough(t, g)
		})
	}
	t.Run("streamed lists need no list", func(t *testing.T) {
		t.Parallel()
		g := grant(t, "clusterrole.yaml", "rights-streaming")
		g.withdraw(t, right{"list", "services", ""})
		g.withdraw(t, right{"list", "endpointslices", ""})
		testEnough(t, g)
	})
	for _, r := range []right{{"list", "services", ""}, {"list", "endpointslices", "storm"}, {"watch", "services", "storm"}, {"watch", "endpointslices", ""}} {
		t.Run(fmt.Sprint("without ", r), func(t *testing.T) {
			t.Parallel()
			file, scopes := "clusterrole.yaml", []string(nil)
			if r.namespace != "" {
				file, scopes = "namespaces.yaml", namespaces
			}
			testWithout(t, grant(t, file, "rights-no-"+r.verb+"-"+r.resource, scopes...), r)
		})
	}
}

// testEnough checks that all is answered, and that no request fails.
func testEnough(t *testing.T, g grantee) {
	t.Helper()
	before, _ := g.requests(t)
	s := g.start(t, "1m") // a sync that takes longer is warned of
	for _, w := range crowds {
		wantCrowd(t, s, w)
	}
	for line := range strings.Lines(s.Log(t)) { // but for odd objects of other tests
		if strings.Contains(line, "WARNING") && !strings.Contains(line, "left out") {
			t.Errorf("something is wrong: %s", line)
		}
	}
	g.wantMetric(t, s, "stale", 0)
	made, refused := g.requests(t)
	if want := 3 * len(g.scopes()); made-before < want || refused > 0 {
		t.Errorf("%d requests, %d refused, want %d and none", made-before, refused, want)
	}
}

// testWithout checks that log and metrics tell of the right that is missing, that what does not need it is answered,
// and that it is used when it is given back.
func testWithout(t *testing.T, g grantee, r right) {
	giveBack := g.withdraw(t, r)
	var env []string
	if r.verb == "list" {
		env = append(env, "KUBE_FEATURE_WatchListClient=false") // as with an API server that streams no lists
	}
	s := g.start(t, "1s", env...)
	where := "at the cluster scope"
	if r.namespace != "" {
		where = fmt.Sprintf("in the namespace %q", r.namespace)
	}
	lacks := fmt.Sprintf(`%s is forbidden: User %q cannot %s resource %q in API group %q %s`, strings.TrimSuffix(r.resource+"."+r.group(), "."), g.user, r.verb, r.resource, r.group(), where)
	requests := map[string]int{"services": 1, "endpointslices": 2}[r.resource] // by one selector each
	said := func(words string, times int) {
		t.Helper()
		s.Poll(t, time.Minute, func() error {
			if got := strings.Count(s.Log(t), words); got < times {
				return fmt.Errorf("the log has %d times %q, want %d", got, words, times)
			}
			return nil
		})
	}
	said(lacks, requests)
	g.wantMetric(t, s, "stale", 1)
	kind := map[string]string{"services": "Service", "endpointslices": "EndpointSlice"}[r.resource]
	if m := s.Metrics(t); strings.Contains(m, fmt.Sprintf("coredns_headless_requests_failed_total{kind=%q,source=%q} 0\n", kind, g.source())) {
		t.Errorf("the metrics tell of no request for a %s that failed:\n%s", kind, m)
	}
	if _, refused := g.requests(t); refused == 0 {
		t.Error("no request was refused")
	}
	if r.namespace != "" { // kafka lacks nothing
		wantCrowd(t, s, crowds[1])
	}
	if r.verb == "watch" { // lists come again and again
		wantCrowd(t, s, crowds[0])
	} else if m := s.Dig(t, "nimbus.storm.rights.test"); m.Status != "SERVFAIL" {
		t.Errorf("an answer from what may not be listed:\n%s", m.Text)
	}

	giveBack()
	said("works again", requests)
	g.wantMetric(t, s, "stale", 0)
	for _, w := range crowds {
		wantCrowd(t, s, w)
	}
}

// source is what metrics call the account's watch.
func (g grantee) source() string {
	source := "kubeconfig " + g.kubeconfig
	if len(g.namespaces) > 0 {
		source += ", namespaces " + strings.Join(slices.Sorted(slices.Values(g.namespaces)), " ")
	}
	return source
}

// wantMetric waits until a metric of the account's watch has a value.
func (g grantee) wantMetric(t *testing.T, s *server.Server, metric string, value int) {
	t.Helper()
	words := fmt.Sprintf("coredns_headless_%s{source=%q} %d\n", metric, g.source(), value)
	s.Poll(t, time.Minute, func() error {
		if m := s.Metrics(t); !strings.Contains(m, words) {
			return fmt.Errorf("the metrics lack %s:\n%s", words, m)
		}
		return nil
	})
}
