package headless

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	_ "github.com/coredns/coredns/plugin/hosts"   // stands before
	_ "github.com/coredns/coredns/plugin/rewrite" // and so does this
	"github.com/miekg/dns"
)

// The page tells what a client gets, also where a plugin before *headless* has a hand in it, or where CoreDNS asks
// itself.
func TestExplainTellsWhatAllOfCoreDNSAnswers(t *testing.T) {
	at := freeAddress(t)
	i := run(t, block(".", `hosts {
    192.0.2.99 web-0.default.svc.cluster.local www.example.com
    fallthrough
}
rewrite name old.test web-1.a.test
headless cluster.local {
    manifests `+manifest(t, cluster)+`
    suffix a.test default.svc.cluster.local
    explain `+at+`
}
kubernetes`))
	defer stop(t, i)
	get := func(name, qtype string) string {
		t.Helper()
		resp, err := http.Get("http://" + at + "/?" + url.Values{"name": {name}, "type": {qtype}}.Encode())
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, tt := range []struct{ name, qtype, want string }{
		{"web-1.default.svc.cluster.local", "A", "answered by headless: NOERROR\n  web-1.default.svc.cluster.local. 5 IN A 10.244.0.11\n"},
		{"web-0.default.svc.cluster.local", "A", "headless is not asked\nanswered before headless, by one of the plugins rewrite, hosts: NOERROR\n  web-0.default.svc.cluster.local. 3600 IN A 192.0.2.99\n"},
		{"old.test", "A", "1. before headless it becomes web-1.a.test. A, by one of the plugins rewrite, hosts\n"},
		{"old.test", "A", "answered by headless: NOERROR\n  old.test. 5 IN A 10.244.0.11\n"},
		{"external.a.test", "A", "headless follows it to www.example.com.\nanswered by headless: NOERROR\n  external.a.test. 5 IN CNAME www.example.com.\n"},
		{"external.a.test", "A", "www.example.com. 3600 IN A 192.0.2.99"},
		{"web-7.default.svc.cluster.local", "A", "passed to the next plugin, kubernetes: NXDOMAIN\n"},
		{"a.test", "AXFR", "answered by headless: REFUSED, to clients that transfer allows no transfer of the zone\n"},
	} {
		if text := get(tt.name, tt.qtype); !strings.Contains(text, tt.want) {
			t.Errorf("%s %s: it does not say %q:\n%s", tt.name, tt.qtype, tt.want, text)
		}
	}
	for _, s := range i.Servers() { // what the page says is what a client gets
		m, _, err := patient.Exchange(query("external.a.test.", dns.TypeA), s.LocalAddr().String())
		if err != nil || len(m.Answer) != 2 {
			t.Errorf("%v\n%v", err, m)
		}
	}
}
