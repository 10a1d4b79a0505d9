package headless

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"go.uber.org/goleak"
)

// kubeconfigFor is a kubeconfig of the context it names, for an API server.
func kubeconfigFor(t *testing.T, context, server string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: %q}}]
contexts: [{name: %s, context: {cluster: c, user: u}}]
users: [{name: u, user: {token: t}}]
current-context: %[2]s
`, server, context)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSourceThatIsNoGoodNamesTheLineOfTheCorefile(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	dir := t.TempDir()
	kubeconfig := kubeconfigFor(t, "here", "http://127.0.0.1:1")
	broken := manifest(t, "kind: Service\n---\nkind: a: b\n")
	dangling := filepath.Join(dir, "dangling")
	if err := os.WriteFile(dangling, []byte("apiVersion: v1\nkind: Config\nclusters: []\ncurrent-context: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const place = "plugin/headless: Testfile:%d - Error during parsing: "
	tests := []struct {
		name  string
		input string
		line  int
		want  string
	}{
		{
			name: "snapshot of two clusters", line: 6,
			input: "headless cluster.local {\nkubeconfig " + kubeconfig + "\nsnapshot s\n}\nheadless b.local {\nsnapshot ./s\nkubeconfig " + kubeconfig + "\nnamespaces a\n}",
			want:  `snapshot "s" is used by another stanza: give each kubeconfig and set of namespaces its own file`,
		},
		{
			name: "missing kubeconfig", input: "headless cluster.local {\nttl 5\nkubeconfig " + dir + "/none\n}", line: 3,
			want: fmt.Sprintf("kubeconfig %q: open %[1]s: no such file or directory", dir+"/none"),
		},
		{
			name: "kubeconfig is a folder", input: "headless cluster.local {\nkubeconfig " + dir + "\n}", line: 2,
			want: fmt.Sprintf("kubeconfig %q: read %[1]s: is a directory", dir),
		},
		{
			name: "missing context", input: "headless cluster.local {\nkubeconfig " + kubeconfig + " there\nttl 5\n}", line: 2,
			want: fmt.Sprintf("kubeconfig %q: no context %q; it has [\"here\"]", kubeconfig, "there"),
		},
		{
			name: "missing manifests", input: "headless cluster.local {\n\nmanifests " + dir + "/none.yaml\n}", line: 3,
			want: fmt.Sprintf("manifests %q: no such file or directory; give YAML or JSON files, or folders of them", dir+"/none.yaml"),
		},
		{
			name: "manifests that do not parse", input: "headless cluster.local {\nttl 5\nmanifests " + broken + "\n}", line: 3,
			want: fmt.Sprintf("manifests %q: document 1, line 1: version \"\"; want Service (v1), EndpointSlice (discovery.k8s.io/v1) or a list; other kinds are ignored", broken),
		},
		{
			name: "manifests of the second stanza", input: "headless a.local {\nmanifests $CLUSTER\n}\nheadless b.local {\nmanifests " + dir + "/none.yaml\n}", line: 5,
			want: fmt.Sprintf("manifests %q: no such file or directory; give YAML or JSON files, or folders of them", dir+"/none.yaml"),
		},
		{
			name: "no service account", input: "\nheadless cluster.local", line: 2,
			want: "not in a pod with a service account (unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined): give kubeconfig KUBECONFIG or manifests PATH",
		},
		{name: "a mistake in the stanza", input: "headless cluster.local {\nttl 9000\n}", line: 2, want: "ttl must be in range [0, 3600]: 9000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := setup(controller(t, tt.input))
			if err == nil {
				t.Fatal("accepted")
			}
			if want := fmt.Sprintf(place, tt.line) + tt.want; err.Error() != want {
				t.Errorf("got\n\t%s\nwant\n\t%s", err, want)
			}
		})
	}
	for name, path := range map[string]string{"kubeconfig without its cluster": dangling, "kubeconfig that does not parse": broken} {
		t.Run(name, func(t *testing.T) { // with words of client-go's
			err := setup(controller(t, "headless cluster.local {\nkubeconfig "+path+"\n}"))
			if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf(place, 2)+"kubeconfig ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %q", err)
			}
		})
	}
}

// Reading a Corefile starts nothing: it may be thrown away.
func TestSetupStartsNothing(t *testing.T) {
	path := kubeconfigFor(t, "here", "https://127.0.0.1:1")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// client-go reads a client's certificate from time to time.
	files := strings.ReplaceAll(string(text), "token: t", "client-certificate: kubeconfig, client-key: kubeconfig")
	if err := os.WriteFile(path, []byte(files), 0o600); err != nil {
		t.Fatal(err)
	}
	c := controller(t, "headless cluster.local {\nkubeconfig "+path+" here\nstartup_timeout 1m\n}")
	defer runtime.KeepAlive(c) // what is garbage ends its goroutines
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	if err := setup(c); err != nil {
		t.Fatal(err)
	}
	defer generationOf(c).close()
	if n := len(sources.Running()); n != 0 {
		t.Errorf("%d sources before start-up", n)
	}
}

func TestServerBeginsWithoutAnAPIServerThatRefuses(t *testing.T) {
	agents := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case agents <- r.UserAgent():
		default:
		}
		w.WriteHeader(http.StatusForbidden)
	}))
	defer s.Close()
	lines := hear(t)
	h := open(t, "headless cluster.local {\nsuffix a.test svc.cluster.local\nkubeconfig "+kubeconfigFor(t, "here", s.URL)+" here\nstartup_timeout 24h\n}", new(behind))
	if agent := <-agents; agent != "CoreDNS/1.15.0 headless/"+Version {
		t.Errorf("user agent %q", agent)
	}
	if n := lines.with("[WARNING] plugin/headless: kubeconfig ", " here: starting before the first sync: until then queries below cluster.local. go to the next plugin, and suffixes answer SERVFAIL"); n != 1 {
		t.Errorf("%d lines say what is not synced, want 1", n)
	}
	goesOn(t, h, query("web-0.default.svc.cluster.local.", dns.TypeA))
	refuses(t, h, query("web-0.a.test.", dns.TypeA), dns.RcodeServerFailure)
}

func TestManifestsAreRelativeToTheRoot(t *testing.T) {
	path := manifest(t, cluster)
	c := controller(t, "headless cluster.local {\nmanifests "+filepath.Base(path)+"\n}")
	dnsserver.GetConfig(c).Root = filepath.Dir(path)
	if err := setup(c); err != nil {
		t.Error(err)
	}
}

func TestStanzasOfOneSourceShareIt(t *testing.T) {
	one, two := manifest(t, cluster), manifest(t, cluster)
	h := open(t, `headless a.local {
    manifests `+one+`
}
headless b.local {
    manifests `+two+`
}
headless c.local {
    manifests `+one+`
    namespaces default
}
headless d.local {
    manifests `+one+`
    ttl 30
    not_ready
}`, new(behind))
	names := make(map[string]int)
	for _, s := range sources.Running() {
		names[s.Name()]++
	}
	want := map[string]int{"manifests " + one: 1, "manifests " + two: 1, "manifests " + one + ", namespaces default": 1}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	if h.stanzas[0].tree != h.stanzas[3].tree || h.stanzas[0].tree == h.stanzas[1].tree || h.stanzas[0].tree == h.stanzas[2].tree {
		t.Error("trees are shared otherwise than sources")
	}
	goesOn(t, h, query("nimbus-0.worker.svc.c.local.", dns.TypeA))
	goesOn(t, h, query("web-9.default.svc.a.local.", dns.TypeA))
	for _, zone := range []string{"a", "b", "c", "d"} {
		m, _, _ := ask(h, query("web-0.default.svc."+zone+".local.", dns.TypeA))
		if m == nil || len(m.Answer) != 1 {
			t.Errorf("%s.local: %s", zone, m)
		}
	}
}

// Whoever limits *kubernetes* to namespaces most likely means headless, too.
func TestNamespacesThatKubernetesDoesNotHaveAreWarnedOf(t *testing.T) {
	type limited struct {
		behind

		Namespaces map[string]struct{}
	}
	shop := map[string]struct{}{"shop": {}, "db": {}}
	for _, tt := range []struct {
		name, option string
		handler      plugin.Handler
		warns        int
	}{
		{name: "no kubernetes"},
		{name: "another plugin", handler: new(behind)},
		{name: "no limit", handler: &limited{}},
		{name: "all namespaces", handler: &limited{Namespaces: shop}, warns: 1},
		{name: "others, too", option: "namespaces shop test", handler: &limited{Namespaces: shop}, warns: 1},
		{name: "some of them", option: "namespaces shop", handler: &limited{Namespaces: shop}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := hear(t)
			h := open(t, "headless cluster.local {\nmanifests $CLUSTER\n"+tt.option+"\n}", new(behind))
			h.warn(exposed(tt.handler))
			if n := log.with("kubernetes answers only for the namespaces db shop"); n != tt.warns {
				t.Errorf("%d warnings, want %d", n, tt.warns)
			}
		})
	}
}
