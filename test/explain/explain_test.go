package explain

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/server"
)

// outcomes are names, what the page must say of each, and the picture of it that the documents have.
var outcomes = []struct {
	test, name, picture string
	dark                bool
	says                []string
}{
	{
		test: "a peer", name: "web-1.explain.svc.cluster.local", picture: "peer",
		says: []string{"cluster zone cluster.local.", `"web-1" is the name of a pod of Service "nginx": ready`, "answered by headless: NOERROR", "IN A 10.250.0.12"},
	},
	{
		test: "no such peer", name: "web-9.mgmt.pix.yun.com",
		says: []string{"suffix mgmt.pix.yun.com., whose target is explain.svc", "has the name or host name", "answered by headless: NXDOMAIN", "IN SOA"},
	},
	{
		test: "not ready", name: "web-2.explain.svc.cluster.local", picture: "not-ready", dark: true,
		says: []string{`"web-2" is the name of a pod of Service "nginx": not ready, and answered only with the option not_ready`, "passed to the next plugin, kubernetes: NXDOMAIN"},
	},
	{
		test: "a Service wins", name: "api.explain.svc.cluster.local",
		says: []string{`"api" is a ClusterIP Service with the addresses [10.96.0.80]`, "a Service wins over a peer of that name", "passed to the next plugin, kubernetes: NOERROR", "IN A 10.96.0.80"},
	},
	{
		test: "an ambiguous hostname", name: "broker.explain.svc.cluster.local", picture: "ambiguous",
		says: []string{`host name "broker" is ambiguous`, "passed to the next plugin, kubernetes: NXDOMAIN"},
	},
	{
		test: "a namespace left out", name: "rabbit-0.explain-other.svc.cluster.local",
		says: []string{`namespace "explain-other" is not watched: the option namespaces does not list it`, "passed to the next plugin, kubernetes: NXDOMAIN"},
	},
	{
		test: "a hostname below its Service", name: "web-1.nginx.explain.svc.cluster.local",
		says: []string{"the name is left to the kubernetes plugin", "passed to the next plugin, kubernetes: NOERROR", "IN A 10.250.0.12"},
	},
	{
		test: "an ExternalName of kubernetes'", name: "files.explain.svc.cluster.local",
		says: []string{"a Service wins over a peer of that name", "passed to the next plugin, kubernetes: NOERROR", "IN CNAME www.example.org.", "IN A 192.0.2.1"},
	},
	{
		test: "an ExternalName below a suffix", name: "files.mgmt.pix.yun.com",
		says: []string{"headless follows it to www.example.org.", "answered by headless: NOERROR", "IN CNAME www.example.org.", "IN A 192.0.2.1"},
	},
	{
		test: "a plugin before headless", name: "hosted.explain.svc.cluster.local",
		says: []string{"headless is not asked", "answered before headless, by one of the plugins errors, hosts: NOERROR", "IN A 192.0.2.99"},
	},
	{
		test: "somebody else's name", name: "www.company.test",
		says: []string{"the name is in no cluster zone and in no suffix", "passed to the next plugin, kubernetes: "},
	},
}

func TestPageSaysWhyANameResolvesOrDoesNot(t *testing.T) {
	needBrowser(t)
	s, url := start(t, cluster.Kubeconfig, "1m")
	s.WaitReady(t)
	ask(t, s)
	b := openBrowser(t)
	for _, tt := range outcomes {
		t.Run(tt.test, func(t *testing.T) {
			text := b.typed(url, "input[name=name]", tt.name)
			wantAll(t, text, append(tt.says, tt.name, "in the server block dns://.:"+s.Port)...)
			if tt.picture != "" {
				b.looks(tt.picture, tt.dark)
			}
		})
	}
	t.Run("a wrong name", func(t *testing.T) {
		response, err := chromedp.Run(b.ctx, chromedp.NavigateResponse(url+"?name=a..b"))
		if err != nil || response.Status != 400 {
			t.Errorf("%v %+v", err, response)
		}
		wantAll(t, b.says(), `"a..b" is not a domain name`)
	})
	b.looksOnlyHere(url)
}

// ask asks CoreDNS something: it asks itself on behalf of the page only after somebody else did.
func ask(t *testing.T, s *server.Server) {
	t.Helper()
	c := dns.Client{Timeout: patience}
	if _, _, err := c.Exchange(new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA), "127.0.0.1:"+s.Port); err != nil {
		t.Fatal(err)
	}
}

// looksOnlyHere checks that no page asked for anything elsewhere, or had anything to complain about.
func (b *browser) looksOnlyHere(url string) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.requested {
		if !strings.HasPrefix(r, url) {
			b.Errorf("the page asks for %s", r)
		}
	}
	own := slices.DeleteFunc(b.complaint, func(text string) bool {
		return strings.Contains(text, "status of 400") || strings.Contains(text, "status of 404") // a wrong name, and /favicon.ico
	})
	if len(b.requested) == 0 || len(own) > 0 {
		b.Errorf("%d requests, and the console says %q", len(b.requested), own)
	}
}

func TestBrowsingThousandsOfPeers(t *testing.T) {
	needBrowser(t)
	s, url := start(t, cluster.Kubeconfig, "1m")
	s.WaitReady(t)
	b := openBrowser(t)
	b.do(chromedp.Navigate(url))
	wantAll(t, clicked(b, chromedp.CSS(`a[href="/browse"]`)), "cluster zone", "mgmt.pix.yun.com.", "pod network", "10.250.0.0/16", "namespace", "nginx.explain", "headless", "web-2.nginx.explain", "not ready")
	b.looks("browse", false)
	wantAll(t, b.typed(url+"browse", "input[name=q]", "peer explain-spark many-1 "), "1111 in all; this page has rows 1 to 200")
	for range 4 {
		clicked(b, chromedp.CSS("a[rel=next]"))
	}
	wantAll(t, clicked(b, chromedp.CSS("a[rel=next]")), "1111 in all; this page has rows 1001 to 1111", "many-1999")
	wantAll(t, clicked(b, chromedp.Search(`//a[text()="many-1999.many.explain-spark"]`)), "many-1999.explain-spark.svc.cluster.local.", "answered by headless: NOERROR")
	b.looksOnlyHere(url)
}

// What curl prints is what the page says, and as JSON it is what programs can read.
func TestCurlGetsTheSame(t *testing.T) {
	server.Need(t, "curl", "curl")
	s, url := start(t, cluster.Kubeconfig, "1m")
	s.WaitReady(t)
	ask(t, s)
	curl := func(query string) string {
		out, err := exec.Command("curl", "-sS", url+query).CombinedOutput() // #nosec G204 -- of this test
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	for _, tt := range outcomes {
		wantAll(t, curl("?name="+tt.name), append(tt.says, tt.name)...)
		var answer struct {
			Reports []struct {
				Name, Outcome, Server string
				Steps                 []string
			}
		}
		if err := json.Unmarshal([]byte(curl("?name="+tt.name+"&format=json")), &answer); err != nil || len(answer.Reports) != 1 ||
			answer.Reports[0].Name != tt.name+"." || !slices.ContainsFunc(tt.says, func(want string) bool { return strings.HasPrefix(answer.Reports[0].Outcome, want) }) {
			t.Errorf("%s: %v %+v", tt.name, err, answer)
		}
	}
	wantAll(t, curl("browse?q=peer+web-2"), "peer  web-2.nginx.explain  10.250.0.13, not ready\n1 in all\n")
	wantAll(t, curl(""), "/?name=NAME&type=TYPE")
}
