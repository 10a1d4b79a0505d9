package headless

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin/pkg/dnstest"
	"github.com/coredns/coredns/plugin/test"
	"github.com/coredns/coredns/request"
	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/tree"
)

var errUpstream = errors.New("no upstream")

// upstreamOf resolves through a table of names, with replies as row has them. Of other names it says what CoreDNS
// does with nobody to serve them.
func upstreamOf(table map[string]string) func(context.Context, request.Request, string, uint16) (*dns.Msg, error) {
	return func(_ context.Context, state request.Request, name string, qtype uint16) (*dns.Msg, error) {
		m := new(dns.Msg).SetReply(state.NewWithQuestion(name, qtype).Req)
		text, ok := table[name]
		switch {
		case !ok:
			text = "REFUSED"
		case text == "error":
			return nil, errUpstream
		case text == "nothing":
			return nil, nil
		}
		compose(m, text, nil)
		m.Answer = slices.DeleteFunc(m.Answer, func(rr dns.RR) bool {
			t := rr.Header().Rrtype
			return t != qtype && t != dns.TypeCNAME
		})
		return m, nil
	}
}

// externals has ExternalName Services that lead everywhere.
func externals() []string {
	list := []string{
		svc("default/nginx", none),
		eps("default/nginx", "v4", web, "10.244.0.10 host=web-0 pod=web-0", "10.244.0.11 host=web-1 pod=web-1", "10.244.0.12 pod=web-2 unready"),
		eps("default/nginx", "v6", web, "fd00::b host=web-1 pod=web-1"),
		svc("default/api", "clusterIP: 10.96.0.10, clusterIPs: [10.96.0.10]"),
		svc("worker/nimbus", none),
		eps("worker/nimbus", "v4", web, "10.244.1.1 host=nimbus-0 pod=nimbus-0"),
		svc("default/ip", "type: ExternalName, externalName: 192.0.2.1"),
	}
	for name, target := range map[string]string{
		"out": "www.example.com", "dotted": "www.example.com.", "shouted": "WWW.Example.com",
		"short": "web-1.default.svc.cluster.local", "long": "web-1.nginx.default.svc.cluster.local", "service": "api.default.svc.cluster.local",
		"nowhere": "web-9.default.svc.cluster.local", "unready": "web-2.default.svc.cluster.local", "below": "a.b.c.default.svc.cluster.local",
		"namespace": "default.svc.cluster.local", "svc": "svc.cluster.local", "zone": "cluster.local",
		"twice": "once.default.svc.cluster.local", "once": "out.default.svc.cluster.local",
		"self": "self.default.svc.cluster.local", "a": "b.default.svc.cluster.local", "b": "a.default.svc.cluster.local",
		"into": "a.default.svc.cluster.local", "addressless": "ip.default.svc.cluster.local",
		"hidden": "nimbus-0.worker.svc.cluster.local", "hidden-nowhere": "x.worker.svc.cluster.local",
		"pod": "10-244-0-10.default.pod.cluster.local", "veiled": "hidden.default.svc.cluster.local", "away": "back.worker.svc.cluster.local",
		"hidden-loop": "loop.worker.svc.cluster.local", "hidden-out": "out.worker.svc.cluster.local",
	} {
		list = append(list, aliasTo("default/"+name, target))
	}
	list = append(list, aliasTo("worker/back", "web-1.default.svc.cluster.local"), aliasTo("worker/loop", "hidden-loop.default.svc.cluster.local"),
		aliasTo("worker/out", "www.example.com"))
	for i := range 12 {
		list = append(list, aliasTo(fmt.Sprintf("default/c%d", i), fmt.Sprintf("c%d.default.svc.cluster.local", i+1)))
	}
	return append(list, aliasTo("default/c12", "web-0.default.svc.cluster.local"))
}

const externalSuffixes = `suffix m.test default.svc.cluster.local
suffix k.test svc.cluster.local
suffix out.test out.default.svc.cluster.local
suffix short.test short.default.svc.cluster.local
suffix loop.test a.default.svc.cluster.local
suffix long.test c4.default.svc.cluster.local
suffix nginx.test nginx.default.svc.cluster.local`

var resolvable = map[string]string{"www.example.com.": "@ 300 IN A 192.0.2.53\n@ 3 IN AAAA 2001:db8::53"}

func TestExternalNameInTheTree(t *testing.T) {
	h := openFor(t, "cluster.local", externalSuffixes, externals()...)
	h.upstream.lookup = upstreamOf(nil)
	chain := func(n int) string {
		lines := []string{"@ $ CNAME c1.m.test."}
		for i := range n - 1 {
			lines = append(lines, fmt.Sprintf("> $ CNAME c%d.m.test.", i+2))
		}
		return strings.Join(lines, "\n")
	}
	checkAll(t, h, []row{
		{"a peer", "short.m.test.", dns.TypeA, "@ $ CNAME web-1.m.test.\n> $ A 10.244.0.11"},
		{"a peer below its Service", "long.m.test.", dns.TypeA, "@ $ CNAME web-1.nginx.m.test.\n> $ A 10.244.0.11"},
		{"a Service", "service.m.test.", dns.TypeA, "@ $ CNAME api.m.test.\n> $ A 10.96.0.10"},
		{"under the root", "short.default.k.test.", dns.TypeA, "@ $ CNAME web-1.default.k.test.\n> $ A 10.244.0.11"},
		{"another namespace under the root", "hidden.default.k.test.", dns.TypeA, "@ $ CNAME nimbus-0.worker.k.test.\n> $ A 10.244.1.1"},
		{"NODATA at the end", "service.m.test.", dns.TypeAAAA, "@ $ CNAME api.m.test.\n" + noData("m.test.")},
		{"NXDOMAIN at the end", "nowhere.m.test.", dns.TypeA, "@ $ CNAME web-9.m.test.\n" + nxDomain("m.test.")},
		{"a peer that is not ready", "unready.m.test.", dns.TypeA, "@ $ CNAME web-2.m.test.\n" + nxDomain("m.test.")},
		{"through an address", "addressless.m.test.", dns.TypeA, "@ $ CNAME ip.m.test.\n> $ A 192.0.2.1"},
		{"an address for a name", "ip.m.test.", dns.TypeA, "@ $ A 192.0.2.1"},
		{"an address for a name, AAAA", "ip.m.test.", dns.TypeAAAA, noData("m.test.")},
		{"an address for a name, CNAME", "ip.m.test.", dns.TypeCNAME, noData("m.test.")},
		{"the grafted node", "namespace.m.test.", dns.TypeA, "@ $ CNAME m.test.\n" + noData("m.test.")},
		{"the grafted root", "svc.default.k.test.", dns.TypeA, "@ $ CNAME k.test.\n" + noData("k.test.")},
		{"CNAME", "short.m.test.", dns.TypeCNAME, "@ $ CNAME web-1.m.test."},
		{"another type", "short.m.test.", dns.TypeTXT, "@ $ CNAME web-1.m.test."},
		{"ANY", "short.m.test.", dns.TypeANY, "@ $ CNAME web-1.m.test."},
		{"only the first of a chain for another type", "twice.m.test.", dns.TypeMX, "@ $ CNAME once.m.test."},
		{"below an ExternalName", "x.short.m.test.", dns.TypeA, nxDomain("m.test.")},
		{"a protocol of an ExternalName", "_tcp.short.m.test.", dns.TypeSRV, nxDomain("m.test.")},

		{"itself", "self.m.test.", dns.TypeA, "SERVFAIL"},
		{"a loop", "a.m.test.", dns.TypeA, "SERVFAIL"},
		{"into a loop", "into.m.test.", dns.TypeA, "SERVFAIL"},
		{"a loop, CNAME", "a.m.test.", dns.TypeCNAME, "@ $ CNAME b.m.test."},
		{"a chain", "c5.m.test.", dns.TypeA, strings.ReplaceAll("@ $ CNAME c6\n> $ CNAME c7\n> $ CNAME c8\n> $ CNAME c9\n> $ CNAME c10\n> $ CNAME c11\n> $ CNAME c12\n", "\n", ".m.test.\n") +
			"> $ CNAME web-0.m.test.\n> $ A 10.244.0.10"},
		{"a chain that is too long", "c0.m.test.", dns.TypeA, chain(8)},

		{"spelled by a 0x20 client", "Short.M.Test.", dns.TypeA, "@ $ CNAME web-1.M.Test.\n> $ A 10.244.0.11"},
		{"NXDOMAIN for a 0x20 client", "NOWHERE.m.tesT.", dns.TypeA, "@ $ CNAME web-9.m.tesT.\n" + nxDomain("m.tesT.")},
	})
}

func TestExternalNameIsFlattenedWhereACNAMECannotStand(t *testing.T) {
	h := openFor(t, "cluster.local", externalSuffixes, externals()...)
	h.upstream.lookup = upstreamOf(resolvable)
	checkAll(t, h, []row{
		{"another namespace's peer", "hidden.m.test.", dns.TypeA, "@ $ A 10.244.1.1"},
		{"CNAME", "hidden.m.test.", dns.TypeCNAME, noData("m.test.")},
		{"ANY", "hidden.m.test.", dns.TypeANY, noData("m.test.")},
		{"behind a CNAME that can be told", "veiled.m.test.", dns.TypeA, "@ $ CNAME hidden.m.test.\n> $ A 10.244.1.1"},
		{"CNAME before it", "veiled.m.test.", dns.TypeCNAME, "@ $ CNAME hidden.m.test."},
		{"and back", "away.m.test.", dns.TypeA, "@ $ A 10.244.0.11"},
		{"and back, under the root", "away.default.k.test.", dns.TypeA, "@ $ CNAME back.worker.k.test.\n> $ CNAME web-1.default.k.test.\n> $ A 10.244.0.11"},
		{"and out", "hidden-out.m.test.", dns.TypeA, "@ $ A 192.0.2.53"},
		{"and out, with a lower TTL", "hidden-out.m.test.", dns.TypeAAAA, "@ 3 IN AAAA 2001:db8::53"},
		{"a loop", "hidden-loop.m.test.", dns.TypeA, "SERVFAIL"},
		{"a loop under the root", "hidden-loop.default.k.test.", dns.TypeA, "SERVFAIL"},
		{"a loop, CNAME", "hidden-loop.m.test.", dns.TypeCNAME, noData("m.test.")},
		{"what only *kubernetes* may have, and nobody asked has", "hidden-nowhere.m.test.", dns.TypeA, "SERVFAIL"},
		{"for a 0x20 client", "Hidden.M.test.", dns.TypeA, "@ $ A 10.244.1.1"},

		{"apex", "out.test.", dns.TypeA, "@ $ A 192.0.2.53"},
		{"apex, with a lower TTL", "out.test.", dns.TypeAAAA, "@ 3 IN AAAA 2001:db8::53"},
		{"apex, in the tree", "short.test.", dns.TypeA, "@ $ A 10.244.0.11"},
		{"apex, CNAME", "short.test.", dns.TypeCNAME, noData("short.test.")},
		{"apex, TXT", "out.test.", dns.TypeTXT, noData("out.test.")},
		{"apex, ANY", "out.test.", dns.TypeANY, "SOA out.test."},
		{"apex, a loop", "loop.test.", dns.TypeA, "SERVFAIL"},
		{"below an apex", "x.out.test.", dns.TypeA, nxDomain("out.test.")},
		{"the target of another graft", "web-0.nginx.test.", dns.TypeA, "@ $ A 10.244.0.10"},
	})
}

func TestExternalNameLeadsOutside(t *testing.T) {
	h := openFor(t, "cluster.local", externalSuffixes, externals()...)
	const soa = "example.com. 60 IN SOA ns.example.com. root.example.com. 1 2 3 4 5"
	const cname = "@ $ CNAME www.example.com."
	for _, tt := range []struct {
		name     string
		upstream string // what CoreDNS says of www.example.com
		want     string // below a namespace
		flat     string // at an apex
	}{
		{"an address", "@ 300 IN A 192.0.2.53", cname + "\n> 300 IN A 192.0.2.53", "@ $ A 192.0.2.53"},
		{"of a short life", "@ 2 IN A 192.0.2.53", cname + "\n> 2 IN A 192.0.2.53", "@ 2 IN A 192.0.2.53"},
		{
			"several", "@ 300 IN A 192.0.2.53\n@ 300 IN A 192.0.2.54", cname + "\n> 300 IN A 192.0.2.53\nwww.example.com. 300 IN A 192.0.2.54",
			"@ $ A 192.0.2.53\n@ $ A 192.0.2.54",
		},
		{
			"a chain", "@ 300 IN CNAME cdn.example.com.\n> 300 IN A 192.0.2.53", cname + "\n> 300 IN CNAME cdn.example.com.\n> 300 IN A 192.0.2.53",
			"@ $ A 192.0.2.53",
		},
		{
			"a chain with a short life in it", "@ 2 IN CNAME cdn.example.com.\n> 300 IN A 192.0.2.53", cname + "\n> 2 IN CNAME cdn.example.com.\n> 300 IN A 192.0.2.53",
			"@ 2 IN A 192.0.2.53",
		},
		{"a chain to NXDOMAIN", "NXDOMAIN\n@ 9 IN CNAME cdn.example.com.\nauthority:\n" + soa, cname + "\n> 9 IN CNAME cdn.example.com.\nNXDOMAIN\nauthority:\n" + soa, noData("out.test.")},
		{"a chain to NODATA", "@ 9 IN CNAME cdn.example.com.\nauthority:\n" + soa, cname + "\n> 9 IN CNAME cdn.example.com.\nauthority:\n" + soa, noData("out.test.")},
		{"truncated", "TC\n@ 300 IN A 192.0.2.53", "TC\n" + cname + "\n> 300 IN A 192.0.2.53", "TC\n@ $ A 192.0.2.53"},
		{"truncated to nothing", "TC", "TC\n" + cname, "TC"},
		{"NXDOMAIN", "NXDOMAIN\nauthority:\n" + soa, cname + "\nNXDOMAIN\nauthority:\n" + soa, noData("out.test.")},
		{"NODATA", "authority:\n" + soa, cname + "\nauthority:\n" + soa, noData("out.test.")},
		{"NODATA without SOA", "NOERROR", cname, noData("out.test.")},
		{"REFUSED", "REFUSED", cname, "SERVFAIL"},
		{"SERVFAIL", "SERVFAIL", "SERVFAIL", "SERVFAIL"},
		{"NOTIMP", "NOTIMP", "SERVFAIL", "SERVFAIL"},
		{"an error", "error", "SERVFAIL", "SERVFAIL"},
		{"no reply", "nothing", "SERVFAIL", "SERVFAIL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h.upstream.lookup = upstreamOf(map[string]string{"www.example.com.": tt.upstream})
			checkAll(t, h, []row{
				{"below a namespace", "out.m.test.", dns.TypeA, tt.want},
				{"at an apex", "out.test.", dns.TypeA, tt.flat},
				{"CNAME asks nobody", "out.m.test.", dns.TypeCNAME, cname},
				{"a dot at the end", "dotted.m.test.", dns.TypeTXT, cname},
				{"capitals", "shouted.m.test.", dns.TypeTXT, cname},
			})
		})
	}
}

// What CoreDNS says may be a cache's: the next plugin in the chain changes the reply, not that.
func TestExternalNameSharesNoRecords(t *testing.T) {
	h := openFor(t, "cluster.local", externalSuffixes, externals()...)
	theirs := make(map[string]*dns.Msg)
	h.upstream.lookup = func(ctx context.Context, state request.Request, name string, qtype uint16) (*dns.Msg, error) {
		m, err := upstreamOf(resolvable)(ctx, state, name, qtype)
		theirs[state.Name()] = m
		return m, err
	}
	for _, qname := range []string{"out.m.test.", "out.test.", "hidden-out.m.test."} {
		m, _, _ := ask(h, query(qname, dns.TypeA))
		if m == nil || theirs[qname] == nil {
			t.Errorf("%s: not asked, or not answered", qname)
			continue
		}
		want := theirs[qname].String()
		for _, rr := range m.Answer {
			rr.Header().Name, rr.Header().Ttl = "changed.", 77
			if a, ok := rr.(*dns.A); ok {
				a.A[len(a.A)-1]++
			}
		}
		if got := theirs[qname].String(); got != want {
			t.Errorf("%s: CoreDNS's own message was changed:\n%s", qname, got)
		}
		if len(m.Answer) != cap(m.Answer) {
			t.Errorf("%s: room left in the answer", qname)
		}
	}
}

// With no reply to the target, a CNAME alone is what every authority says that does not serve it (RFC 1034 section
// 4.3.2).
func TestExternalNameAsksCoreDNSToABoundedDepth(t *testing.T) {
	h := openFor(t, "cluster.local", externalSuffixes, externals()...)
	var asked []string
	h.upstream.lookup = func(ctx context.Context, state request.Request, name string, qtype uint16) (*dns.Msg, error) {
		asked = append(asked, fmt.Sprintf("%s %s at depth %v", name, dns.TypeToString[qtype], ctx.Value(dnsserver.LoopKey{})))
		return upstreamOf(resolvable)(ctx, state, name, qtype)
	}
	for _, tt := range []struct {
		depth any
		qtype uint16
		want  []string
	}{
		{depth: 0, qtype: dns.TypeAAAA, want: []string{"www.example.com. AAAA at depth 1"}},
		{depth: nil, qtype: dns.TypeA, want: []string{"www.example.com. A at depth 1"}},
		{depth: 7, qtype: dns.TypeA, want: []string{"www.example.com. A at depth 8"}},
		{depth: 8, qtype: dns.TypeA},
		{depth: 0, qtype: dns.TypeCNAME},
	} {
		asked = nil
		rec := dnstest.NewRecorder(&test.ResponseWriter{})
		ctx := context.WithValue(t.Context(), dnsserver.LoopKey{}, tt.depth)
		rcode, err := h.ServeDNS(ctx, rec, query("out.m.test.", tt.qtype))
		if diff := cmp.Diff(tt.want, asked); diff != "" || err != nil || rcode != dns.RcodeSuccess && tt.depth != 8 {
			t.Errorf("depth %v: %s, %v (-want +got):\n%s", tt.depth, dns.RcodeToString[rcode], err, diff)
		}
	}
}

func TestExternalNameGoesAroundThroughCoreDNS(t *testing.T) {
	path := manifest(t, strings.Join([]string{
		svc("default/nginx", none), eps("default/nginx", "v4", web, "10.244.0.10 host=web-0 pod=web-0"),
		aliasTo("default/other", "web-0.a.test"), aliasTo("default/self", "self.a.test"), aliasTo("default/gone", "gone.a.test.example.net"),
		aliasTo("default/ping", "pong.a.test"), aliasTo("default/pong", "ping.a.test"),
	}, ""))
	i := run(t, block(".", "headless cluster.local {\nmanifests "+path+"\nsuffix a.test default.svc.cluster.local\nsuffix apex.test self.default.svc.cluster.local\n}\nkubernetes"))
	defer stop(t, i)
	m := exchange(t, i, "other.a.test.", dns.TypeA)
	if len(m.Answer) != 2 || m.Answer[1].String() != "web-0.a.test.\t5\tIN\tA\t10.244.0.10" {
		t.Errorf("got %s", m)
	}
	m = exchange(t, i, "gone.a.test.", dns.TypeA) // the server's other plugin denies it
	if len(m.Answer) != 1 || m.Rcode != dns.RcodeNameError || len(m.Ns) != 1 || m.Ns[0].Header().Name != "behind." {
		t.Errorf("got %s", m)
	}
	for _, qname := range []string{"self.a.test.", "ping.a.test.", "apex.test."} {
		if m := exchange(t, i, qname, dns.TypeA); m.Rcode != dns.RcodeServerFailure || len(m.Answer) > 0 {
			t.Errorf("%s: got %s", qname, m)
		}
	}
}

func TestExternalNameWaitsForItsTargetsNamespace(t *testing.T) {
	h := openFor(t, "cluster.local", externalSuffixes, externals()...)
	h.upstream.lookup = upstreamOf(nil)
	tr := tree.New("default", "worker")
	h.plant(tr)
	tr.Writer("worker")
	tr.Writer("default").Replace(objectsOf(t, externals()...), 42)
	checkAll(t, h, []row{
		{"synced", "short.m.test.", dns.TypeA, "@ $ CNAME web-1.m.test.\n> $ A 10.244.0.11"},
		{"synced, at an apex", "short.test.", dns.TypeA, "@ $ A 10.244.0.11"},
		{"not synced", "hidden.m.test.", dns.TypeA, "SERVFAIL"},
		{"not synced, on the way", "away.default.k.test.", dns.TypeA, "SERVFAIL"},
	})
}

// A namespace that is not watched is another's to answer for where the name is flattened, and has no names where it
// would be ours.
func TestExternalNameIntoANamespaceThatIsNotWatched(t *testing.T) {
	h := openFor(t, "cluster.local", externalSuffixes+"\nnamespaces default", externals()...)
	h.upstream.lookup = upstreamOf(map[string]string{"nimbus-0.worker.svc.cluster.local.": "@ 30 IN A 10.244.1.1"})
	checkAll(t, h, []row{
		{"hidden", "hidden.m.test.", dns.TypeA, "@ $ A 10.244.1.1"},
		{"not hidden", "hidden.default.k.test.", dns.TypeA, "@ $ CNAME nimbus-0.worker.k.test.\n" + nxDomain("k.test.")},
		{"no service", "pod.m.test.", dns.TypeA, "SERVFAIL"},
		{"the zone", "zone.m.test.", dns.TypeA, "SERVFAIL"},
	})
}
