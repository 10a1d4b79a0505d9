package headless

import (
	"context"
	"slices"
	"testing"

	"github.com/coredns/coredns/plugin/metadata"
	"github.com/coredns/coredns/plugin/test"
	"github.com/coredns/coredns/request"
	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/tree"
)

var _ metadata.Provider = new(Headless)

// labelled returns what h tells *metadata* of a query, not looked up yet.
func labelled(h *Headless, r *dns.Msg) map[string]metadata.Func {
	ctx := metadata.ContextWithMetadata(context.Background())
	ctx = h.Metadata(ctx, request.Request{W: new(test.ResponseWriter), Req: r})
	return metadata.ValueFuncs(ctx)
}

// values looks them all up, as namespace/service/pod.
func values(t *testing.T, funcs map[string]metadata.Func) string {
	t.Helper()
	if len(funcs) == 0 {
		return ""
	}
	for label := range funcs {
		if !metadata.IsLabel(label) || !slices.Contains([]string{"headless/namespace", "headless/service", "headless/pod"}, label) {
			t.Errorf("label %q", label)
		}
	}
	return funcs["headless/namespace"]() + "/" + funcs["headless/service"]() + "/" + funcs["headless/pod"]()
}

func TestMetadataNamesTheObjectsBehindAName(t *testing.T) {
	h := openFor(t, "cluster.local 10.244.0.0/16", `suffix m.test default.svc.cluster.local
		suffix n.test nginx.default.svc.cluster.local
		suffix x.test out.default.svc.cluster.local
		suffix k.test svc.cluster.local
		suffix s.test default.svc.cluster.local
		fallthrough s.test`, moved...)
	for _, tt := range []struct {
		name  string
		qname string
		want  string // "" for no labels at all
	}{
		{"guest: a peer", "web-0.default.svc.cluster.local.", "default/nginx/web-0"},
		{"guest: a hostname", "h.default.svc.cluster.local.", "default/nginx/p"},
		{"guest: for a 0x20 client", "WEB-0.default.svc.Cluster.local.", "default/nginx/web-0"},
		{"guest: a Service, which is another's", "nginx.default.svc.cluster.local.", "//"},
		{"guest: a hostname below its Service, which is another's", "h.nginx.default.svc.cluster.local.", "//"},
		{"guest: not ready", "late.default.svc.cluster.local.", "//"},
		{"guest: the zone", "cluster.local.", "//"},
		{"suffix: a peer", "web-0.m.test.", "default/nginx/web-0"},
		{"suffix: a peer below its Service", "h.nginx.m.test.", "default/nginx/p"},
		{"suffix: an ExternalName Service", "out.m.test.", "default/out/"},
		{"suffix: a port", "_web._tcp.nginx.m.test.", "default/nginx/"},
		{"suffix: another namespace", "nimbus-0.worker.k.test.", "worker/nimbus/nimbus-0"},
		{"suffix: a miss", "x.m.test.", "//"},
		{"suffix: a namespace", "default.k.test.", "//"},
		{"suffix: apex", "m.test.", "//"},
		{"suffix: apex of a Service", "n.test.", "default/nginx/"},
		{"suffix: apex of an ExternalName Service", "x.test.", "default/out/"},
		{"suffix: a name server", "ns.dns.m.test.", "//"},
		{"shared: a peer", "web-0.s.test.", "default/nginx/web-0"},
		{"shared: a miss", "x.s.test.", "//"},
		{"outside", "www.example.org.", ""},
		{"a reverse name", "10.0.244.10.in-addr.arpa.", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, qtype := range []uint16{dns.TypeA, dns.TypeTXT} {
				if diff := cmp.Diff(tt.want, values(t, labelled(h, query(tt.qname, qtype)))); diff != "" {
					t.Errorf("%s (-want +got):\n%s", dns.TypeToString[qtype], diff)
				}
			}
		})
	}
	for name, change := range map[string]func(*dns.Msg){
		"class CH": func(r *dns.Msg) { r.Question[0].Qclass = dns.ClassCHAOS },
		"NOTIFY":   func(r *dns.Msg) { r.Opcode = dns.OpcodeNotify },
	} {
		r := query("web-0.m.test.", dns.TypeA)
		change(r)
		if got := labelled(h, r); len(got) != 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
	unsync(h)
	for _, qname := range []string{"web-0.default.svc.cluster.local.", "web-0.m.test."} {
		if got := values(t, labelled(h, query(qname, dns.TypeA))); got != "//" {
			t.Errorf("before the first sync: %s is %s", qname, got)
		}
	}
}

// Most queries' labels nobody asks for: a look-up would be for nothing.
func TestMetadataIsLookedUpWhenAskedForAndOnce(t *testing.T) {
	h := openFor(t, "cluster.local", "suffix m.test default.svc.cluster.local", moved...)
	tr := tree.New()
	source := tr.Writer("")
	h.plant(tr)
	pod := func(name string) []object.Object {
		return objectsOf(t, svc("default/nginx", none), eps("default/nginx", "v4", "", "10.0.0.1 host=h pod="+name))
	}
	source.Replace(nil, 1)
	funcs := labelled(h, query("h.m.test.", dns.TypeA))
	source.Replace(pod("late"), 2)
	if got := values(t, funcs); got != "default/nginx/late" {
		t.Errorf("got %s: looked up too early", got)
	}
	source.Replace(pod("later"), 3)
	if got := values(t, funcs); got != "default/nginx/late" {
		t.Errorf("got %s: looked up twice, and a query's labels must agree", got)
	}
	if got := values(t, labelled(h, query("h.m.test.", dns.TypeA))); got != "default/nginx/later" {
		t.Errorf("got %s for another query", got)
	}
}

// The query's buffer may be another's by the time that a label is read.
func TestMetadataKeepsItsOwnCopyOfTheName(t *testing.T) {
	h := openFor(t, "cluster.local", "suffix m.test default.svc.cluster.local", moved...)
	r := query("web-0.m.test.", dns.TypeA)
	funcs := labelled(h, r)
	r.Question[0].Name = "api.m.test." // as *rewrite* does
	if got := values(t, funcs); got != "default/nginx/web-0" {
		t.Errorf("got %s", got)
	}
}

// The pod is the one that answers: with *log* it tells who is behind an address.
func TestMetadataNamesAReadyPod(t *testing.T) {
	manifests := []string{
		svc("default/s", none), eps("default/s", "a", web, "10.0.0.1 host=h pod=ended unready"), eps("default/s", "b", web, "10.0.0.2 host=h pod=running"),
	}
	objects := objectsOf(t, manifests...)
	h := openFor(t, "cluster.local", "suffix m.test default.svc.cluster.local", manifests...)
	for i := range 3 {
		tr := tree.New()
		tr.Writer("").Replace(append(slices.Clone(objects[i:]), objects[:i]...), 1)
		h.plant(tr)
		for _, qname := range []string{"h.m.test.", "h.s.m.test.", "h.default.svc.cluster.local."} {
			if got := values(t, labelled(h, query(qname, dns.TypeA))); got != "default/s/running" {
				t.Errorf("turned by %d: %s is %s, and answers 10.0.0.2", i, qname, got)
			}
		}
	}
}
