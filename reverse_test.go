package headless

import (
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/tree"
)

// pointed has addresses with one name, several, and none that leads back.
var pointed = []string{
	svc("default/nginx", none),
	eps("default/nginx", "v4", web, "10.244.0.10 host=web-0 pod=web-0", "10.244.0.12 host=web-2 pod=web-2 unready", "10.244.0.13,10.244.0.14 host=two pod=two", "10.244.0.15"),
	eps("default/nginx", "v6", web, "fd00::a host=web-0 pod=web-0"),
	svc("default/kafka", none), eps("default/kafka", "v4", web, "10.244.0.31 host=broker pod=kafka-0", "10.244.0.32 pod=kafka-1"),
	// On the host network many pods have one address, and here one of them is ready.
	svc("default/node", none), eps("default/node", "v4", web, "10.244.9.1 pod=agent-1 unready", "10.244.9.1 pod=proxy-1", "10.244.9.1 pod=zeta-1"),
	// A pod that ended has an address that another has now.
	svc("default/aaa", none), eps("default/aaa", "v4", web, "10.244.0.10 pod=done unready"),
	// What namespace other says of addresses that are default's.
	svc("other/claim", none), eps("other/claim", "v4", web, "10.244.0.60 pod=forged", "10.244.0.61 pod=forged-too unready"),
	svc("default/victim", none), eps("default/victim", "v4", web, "10.244.0.60 pod=victim-0", "10.244.0.61 pod=victim-1"),
	// Names that a Service hides, and a hostname of two pods in two Services.
	svc("default/same", none), eps("default/same", "v4", web, "10.244.0.40 host=same pod=same", "10.244.0.41 host=nginx pod=behind-nginx", "10.244.0.42 host=api pod=nginx"),
	svc("default/left", none), eps("default/left", "v4", web, "10.244.0.51 host=db pod=left-0", "10.244.0.53 host=dup"),
	svc("default/right", none), eps("default/right", "v4", web, "10.244.0.52 host=db pod=right-0", "10.244.0.54 host=dup"),
	svc("default/api", "clusterIP: 10.244.0.200"),
	svc("default/ext", "type: ExternalName, externalName: web-0.nginx.default.svc.cluster.local"),
	svc("worker/nimbus", none), eps("worker/nimbus", "v4", web, "10.244.1.1 host=nimbus-0 pod=nimbus-0", "192.168.0.1 pod=outside"),
}

// openBefore is openFor before *kubernetes*.
func openBefore(t *testing.T, zones, options string, objects ...string) *Headless {
	t.Helper()
	h := openFor(t, zones, options, objects...)
	h.serve(nil, hasNames(objectsOf(t, objects...)))
	return h
}

func TestPTR(t *testing.T) {
	h := openBefore(t, "cluster.local 10.244.0.0/16 fd00::/64", "suffix m.test default.svc.cluster.local\nsuffix nginx.test nginx.default.svc.cluster.local\nptr suffix", pointed...)
	checkAll(t, h, []row{
		{"a peer, under the first suffix", "10.0.244.10.in-addr.arpa.", dns.TypePTR, "@ $ PTR web-0.m.test."},
		{"IPv6", "a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.", dns.TypePTR, "@ $ PTR web-0.m.test."},
		{"a 0x20 client", "10.0.244.10.In-Addr.ARPA.", dns.TypePTR, "@ $ PTR web-0.m.test."},
		{"a dashed address", "15.0.244.10.in-addr.arpa.", dns.TypePTR, "@ $ PTR 10-244-0-15.m.test."},
		{"a hostname before the pod's name", "31.0.244.10.in-addr.arpa.", dns.TypePTR, "@ $ PTR broker.m.test."},
		{"several ready pods, in alphabetical order", "1.9.244.10.in-addr.arpa.", dns.TypePTR, "@ $ PTR proxy-1.m.test."},
		{"no suffix: the cluster zone", "1.1.244.10.in-addr.arpa.", dns.TypePTR, "@ $ PTR nimbus-0.nimbus.worker.svc.cluster.local."},
		{"a hostname that a Service hides", "41.0.244.10.in-addr.arpa.", dns.TypePTR, "@ $ PTR behind-nginx.m.test."},
		{"a hostname and a pod that Services hide", "42.0.244.10.in-addr.arpa.", dns.TypePTR, "@ $ PTR api.same.default.svc.cluster.local."},
		{"the Service's own pod", "40.0.244.10.in-addr.arpa.", dns.TypePTR, "@ $ PTR same.same.default.svc.cluster.local."},
		{"an ambiguous hostname", "51.0.244.10.in-addr.arpa.", dns.TypePTR, "@ $ PTR left-0.m.test."},
		{"an ambiguous hostname of no pod", "53.0.244.10.in-addr.arpa.", dns.TypePTR, "@ $ PTR dup.left.default.svc.cluster.local."},
		{"two addresses of one pod", "13.0.244.10.in-addr.arpa.", dns.TypePTR, "next"},
		{"not ready", "12.0.244.10.in-addr.arpa.", dns.TypePTR, "next"},
		{"a cluster IP", "200.0.244.10.in-addr.arpa.", dns.TypePTR, "next"},
		{"of two namespaces", "60.0.244.10.in-addr.arpa.", dns.TypePTR, "next"},
		{"of two namespaces, ready in one", "61.0.244.10.in-addr.arpa.", dns.TypePTR, "next"},
		{"nobody's", "99.0.244.10.in-addr.arpa.", dns.TypePTR, "next"},
		{"outside the networks, though a peer's", "1.0.168.192.in-addr.arpa.", dns.TypePTR, "next"},
		{"another type", "10.0.244.10.in-addr.arpa.", dns.TypeA, noData("244.10.in-addr.arpa.")},
		{"SOA", "10.0.244.10.in-addr.arpa.", dns.TypeSOA, noData("244.10.in-addr.arpa.")},
		{"another type for a 0x20 client", "10.0.244.10.In-Addr.ARPA.", dns.TypeTXT, noData("244.10.In-Addr.ARPA.")},
		{"another type of IPv6", "a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.", dns.TypeTXT, noData("0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.")},
		{"a transfer", "10.0.244.10.in-addr.arpa.", dns.TypeAXFR, "next"},
		{"an incremental transfer", "10.0.244.10.in-addr.arpa.", dns.TypeIXFR, "next"},
	})
}

func TestReverseNamesThatAreNone(t *testing.T) {
	h := openFor(t, "cluster.local 10.0.0.0/8 fd00::/64", "suffix m.test default.svc.cluster.local", svc("default/s", none),
		eps("default/s", "v4", web, "10.0.0.0 pod=zero", "10.10.10.10 pod=ten"), eps("default/s", "v6", web, "fd00::a pod=six"))
	const six = "a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa."
	rows := []row{
		{"whole", "10.10.10.10.in-addr.arpa.", dns.TypePTR, "@ $ PTR ten.m.test."},
		{"zeros", "0.0.0.10.in-addr.arpa.", dns.TypePTR, "@ $ PTR zero.m.test."},
		{"an escaped zero", `1\048.10.10.10.in-addr.arpa.`, dns.TypePTR, "@ $ PTR ten.m.test."},
		{"whole IPv6", six, dns.TypePTR, "@ $ PTR six.m.test."},
		{"whole IPv6 in capitals", strings.ToUpper(six), dns.TypePTR, "@ $ PTR six.m.test."},
		{"IPv4 in IPv6", "a.0.a.0.a.0.a.0.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.", dns.TypePTR, "next"},
	}
	for _, qname := range []string{
		"010.10.10.10.in-addr.arpa.", "10.10.10.010.in-addr.arpa.", "00.0.0.10.in-addr.arpa.", "10.10.10.in-addr.arpa.", "10.in-addr.arpa.", "in-addr.arpa.", "arpa.",
		"10.10.10.10.10.in-addr.arpa.", "0.10.10.10.10.in-addr.arpa.", "266.10.10.10.in-addr.arpa.", "+10.10.10.10.in-addr.arpa.", "-0.0.0.10.in-addr.arpa.",
		"0x0a.10.10.10.in-addr.arpa.", "1_0.10.10.10.in-addr.arpa.", `\048.0.0.1\.10.in-addr.arpa.`, "a.10.10.10.in-addr.arpa.",
		"10.10.10.10.ip6.arpa.", "10.10.10.10.in-addr.arpa.example.org.", "10.10.10.10.in-addr.arpax.",
		six[2:], "0." + six, "0" + six, strings.Replace(six, "a.", "g.", 1), strings.Replace(six, "a.", "+a.", 1), strings.Replace(six, "a.", "_.", 1),
		strings.Replace(six, "ip6", "in-addr", 1), strings.Replace(six, "ip6", "ip6.int", 1),
	} {
		rows = append(rows, row{"", qname, dns.TypePTR, "next"})
	}
	checkAll(t, h, rows)
}

func TestPTRTakesTheFirstSuffixThatHasTheAddress(t *testing.T) {
	const ten, nimbus = "10.0.244.10.in-addr.arpa.", "1.1.244.10.in-addr.arpa."
	long := strings.Repeat("a.", 92) + "zone."
	for _, tt := range []struct {
		name    string
		options string
		ten     string // 10.244.0.10
		nimbus  string // 10.244.1.1
	}{
		{"no suffix", "", "web-0.nginx.default.svc.cluster.local.", "nimbus-0.nimbus.worker.svc.cluster.local."},
		{"the root", "suffix k.test svc.cluster.local", "web-0.default.k.test.", "nimbus-0.worker.k.test."},
		{"a Service", "suffix s.test nginx.default.svc.cluster.local", "web-0.s.test.", "nimbus-0.nimbus.worker.svc.cluster.local."},
		{"another Service", "suffix s.test kafka.default.svc.cluster.local", "web-0.nginx.default.svc.cluster.local.", "nimbus-0.nimbus.worker.svc.cluster.local."},
		{"in the Corefile's order", "suffix n.test nginx.default.svc.cluster.local\nsuffix k.test svc.cluster.local", "web-0.n.test.", "nimbus-0.worker.k.test."},
		{"in the other order", "suffix k.test svc.cluster.local\nsuffix n.test nginx.default.svc.cluster.local", "web-0.default.k.test.", "nimbus-0.worker.k.test."},
		{"the first though its name is shorter", "suffix m.test default.svc.cluster.local\nsuffix x.m.test worker.svc.cluster.local", "web-0.m.test.", "nimbus-0.x.m.test."},
		{"a shared one", "suffix m.test default.svc.cluster.local\nfallthrough", "web-0.m.test.", "nimbus-0.nimbus.worker.svc.cluster.local."},
		{"a suffix below has the name", "suffix m.test default.svc.cluster.local\nsuffix web-0.m.test worker.svc.cluster.local", "web-0.nginx.default.svc.cluster.local.", "nimbus-0.web-0.m.test."},
		{"a name server has the name", "suffix m.test default.svc.cluster.local\nnameserver web-0.m.test 192.0.2.1", "web-0.nginx.default.svc.cluster.local.", "nimbus-0.nimbus.worker.svc.cluster.local."},
		{"a long one", "suffix " + long + " default.svc.cluster.local", "web-0." + long, "nimbus-0.nimbus.worker.svc.cluster.local."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := openBefore(t, "cluster.local 10.244.0.0/16", "ptr suffix\n"+tt.options, pointed...)
			checkAll(t, h, []row{
				{"nginx", ten, dns.TypePTR, "@ $ PTR " + tt.ten},
				{"nimbus", nimbus, dns.TypePTR, "@ $ PTR " + tt.nimbus},
			})
		})
	}
}

// hostname -f in the pod prints it, whether the pod is ready or not.
func TestPTRIsWhatThePodCallsItself(t *testing.T) {
	const ten, waits, deployed = "10.0.244.10.in-addr.arpa.", "12.0.244.10.in-addr.arpa.", "32.0.244.10.in-addr.arpa."
	const job, host = "1.2.244.10.in-addr.arpa.", "train-0.train.job.svc.cluster.local."
	objects := func(ready string) []string {
		return append(slices.Clone(pointed),
			svc("job/train", none), eps("job/train", "v4", web, "10.244.2.1 host=train-0 pod=train-0-x7k2p"+ready),
			svc("job/all", none), eps("job/all", "v4", web, "10.244.2.1 pod=train-0-x7k2p"))
	}
	const options = "not_ready\nsuffix m.test default.svc.cluster.local\nsuffix k.test svc.cluster.local"
	for _, ready := range []string{"", " unready"} {
		checkAll(t, openBefore(t, "cluster.local 10.244.0.0/16", options, objects(ready)...), []row{
			{"a peer with a hostname", ten, dns.TypePTR, "@ $ PTR web-0.nginx.default.svc.cluster.local."},
			{"not ready", waits, dns.TypePTR, "@ $ PTR web-2.nginx.default.svc.cluster.local."},
			{"without a hostname", deployed, dns.TypePTR, "@ $ PTR kafka-1.m.test."},
			{"a hostname that is not the pod's name", job, dns.TypePTR, "@ $ PTR " + host},
		})
	}
	checkAll(t, openFor(t, "cluster.local 10.244.0.0/16", options, objects("")...), []row{
		{"nobody serves it: the suffix", ten, dns.TypePTR, "@ $ PTR web-0.m.test."},
	})
	checkAll(t, openFor(t, "cluster.local 10.244.0.0/16", "", objects("")...), []row{
		{"and no suffix: the short name", ten, dns.TypePTR, "@ $ PTR web-0.default.svc.cluster.local."},
		{"below a Service, ours", deployed, dns.TypePTR, "@ $ PTR kafka-1.kafka.default.svc.cluster.local."},
	})
}

// The plugin behind has the name once an endpoint is ready, and may know of one before the tree does.
func TestHostnameThatIsNotReadyIsPassedOnFirst(t *testing.T) {
	const qname = "web-2.train.default.svc.cluster.local."
	objects := []string{
		svc("default/train", none), eps("default/train", "v4", web, "10.244.0.12 host=web-2 pod=web-2-x7k2p unready",
			"10.244.0.13 host=web-3 pod=web-3-m4d9s"),
	}
	h := openFor(t, "cluster.local", "not_ready", objects...)
	denies := func(r *dns.Msg) *dns.Msg { return new(dns.Msg).SetRcode(r, dns.RcodeNameError) }
	next := h.Next.(*behind)
	asks := func(h *Headless, qname string, qtype uint16) *dns.Msg {
		m, _, _ := ask(h, query(qname, qtype))
		return m
	}
	next.answer = denies
	r := query(qname, dns.TypeA)
	same(t, authoritative(r, dns.RcodeSuccess, records(qname+" 7 IN A 10.244.0.12"), nil), asks(h, qname, dns.TypeA))
	if m := asks(h, qname, dns.TypeTXT); m.Rcode != dns.RcodeSuccess || len(m.Answer) > 0 || len(m.Ns) != 1 {
		t.Errorf("another type: %s", m)
	}
	if m := asks(h, qname, dns.TypeSRV); len(m.Answer) != 1 || m.Answer[0].(*dns.SRV).Target != qname {
		t.Errorf("SRV: %s", m)
	}
	if m := asks(h, "web-3.train.default.svc.cluster.local.", dns.TypeA); m.Rcode != dns.RcodeNameError {
		t.Errorf("a ready hostname: %s", m)
	}
	h.stanzas[0].source.Outdated.Add(1)
	if m := asks(h, qname, dns.TypeA); m.Rcode != dns.RcodeNameError {
		t.Errorf("stale: %s", m)
	}
	h.stanzas[0].source.Outdated.Add(-1)
	theirs := func(r *dns.Msg) *dns.Msg {
		return authoritative(r, dns.RcodeSuccess, records(qname+" 5 IN A 192.0.2.1"), nil)
	}
	next.answer = theirs
	same(t, theirs(r), asks(h, qname, dns.TypeA))
	h.Next = nil
	same(t, authoritative(r, dns.RcodeSuccess, records(qname+" 7 IN A 10.244.0.12"), nil), asks(h, qname, dns.TypeA))
	h = openFor(t, "cluster.local", "", objects...)
	h.Next.(*behind).answer = denies
	if m := asks(h, qname, dns.TypeA); m.Rcode != dns.RcodeNameError {
		t.Errorf("without not_ready: %s", m)
	}
}

func TestPTRWithNotReady(t *testing.T) {
	h := openFor(t, "cluster.local 10.244.0.0/16", "ptr suffix\nnot_ready\nsuffix m.test default.svc.cluster.local", pointed...)
	checkAll(t, h, []row{
		{"a peer that is not ready", "12.0.244.10.in-addr.arpa.", dns.TypePTR, "@ $ PTR web-2.m.test."},
		{"ready ones first", "1.9.244.10.in-addr.arpa.", dns.TypePTR, "@ $ PTR proxy-1.m.test."},
		{"ready ones first, of any namespace", "10.0.244.10.in-addr.arpa.", dns.TypePTR, "@ $ PTR web-0.m.test."},
	})
	h = openFor(t, "cluster.local 10.244.0.0/16", "not_ready", pointed...)
	// The hostname is *kubernetes*' own where it is ready, and ours where it is not.
	checkAll(t, h, []row{{"in the cluster zone", "12.0.244.10.in-addr.arpa.", dns.TypePTR, "@ $ PTR web-2.nginx.default.svc.cluster.local."}})
	checkAll(t, h, []row{{"and forth", "web-2.nginx.default.svc.cluster.local.", dns.TypeA, "@ $ A 10.244.0.12"}})
}

func TestPTROfNestedNetworksIsTheSmallest(t *testing.T) {
	objects := strings.Join([]string{svc("default/s", none), eps("default/s", "v4", web, "10.0.1.1 pod=in", "10.0.2.1 pod=out", "10.0.1.2 pod=pair")}, "")
	other := strings.Join([]string{svc("default/s", none), eps("default/s", "v4", web, "10.0.1.1 pod=theirs", "10.0.2.1 pod=theirs-too")}, "")
	h := open(t, "headless a.local 10.0.0.0/8 {\nttl 7\nmanifests "+manifest(t, objects)+"\n}\nheadless b.local 10.0.1.0/24 {\nttl 7\nmanifests "+manifest(t, other)+"\n}", new(behind))
	checkAll(t, h, []row{
		{"the smaller", "1.1.0.10.in-addr.arpa.", dns.TypePTR, "@ $ PTR theirs.s.default.svc.b.local."},
		{"the larger", "1.2.0.10.in-addr.arpa.", dns.TypePTR, "@ $ PTR out.s.default.svc.a.local."},
		{"not in the smaller, which has it all", "2.1.0.10.in-addr.arpa.", dns.TypePTR, "next"},
	})
}

func TestPTRBeforeTheFirstSync(t *testing.T) {
	h := openFor(t, "cluster.local 10.244.0.0/16", "suffix k.test svc.cluster.local", pointed...)
	tr := tree.New("default", "worker")
	h.plant(tr)
	tr.IndexAddresses()
	late := tr.Writer("worker")
	now := tr.Writer("default")
	var worker, rest []object.Object
	for _, o := range objectsOf(t, pointed...) {
		switch o.Key().Namespace {
		case "worker":
			worker = append(worker, o)
		case "default":
			rest = append(rest, o)
		}
	}
	now.Replace(rest, 42)
	late.Set(worker[0])
	late.Set(worker[1])
	const ten, nimbus = "10.0.244.10.in-addr.arpa.", "1.1.244.10.in-addr.arpa."
	checkAll(t, h, []row{{"synced", ten, dns.TypePTR, "@ $ PTR web-0.default.k.test."}, {"not synced", nimbus, dns.TypePTR, "next"}})
	late.Replace(worker, 43)
	checkAll(t, h, []row{{"synced late", nimbus, dns.TypePTR, "@ $ PTR nimbus-0.worker.k.test."}})
	late.Replace(nil, 44)
	checkAll(t, h, []row{{"gone", nimbus, dns.TypePTR, "next"}})
}

// namesOf is *kubernetes* with these names for every address.
type namesOf struct {
	hasNames
	names []string
}

func (k namesOf) Names(*dns.Msg) []string { return k.names }

// EndpointSlices could else give a PTR record to a pod that no headless Service of its own namespace has.
func TestPTRLeavesAnAddressToTheNamespaceThatKubernetesNames(t *testing.T) {
	h := openFor(t, "cluster.local 10.244.0.0/16", "suffix k.test svc.cluster.local", pointed...)
	const ten = "10.0.244.10.in-addr.arpa."
	for _, tt := range []struct {
		name  string
		names []string
		want  string
	}{
		{name: "none", want: "@ $ PTR web-0.nginx.default.svc.cluster.local."},
		{name: "its own", names: []string{"web-0.nginx.default.svc.cluster.local"}, want: "@ $ PTR web-0.nginx.default.svc.cluster.local."},
		{name: "of a Service of its own", names: []string{"api.default.svc.cluster.local."}, want: "@ $ PTR web-0.nginx.default.svc.cluster.local."},
		{name: "another's", names: []string{"10-244-0-10.api.shop.svc.cluster.local."}, want: "next"},
		{name: "both", names: []string{"web-0.nginx.default.svc.cluster.local.", "x.y.shop.svc.cluster.local."}, want: "next"},
		{name: "in no cluster zone", names: []string{"host.example.org."}, want: "next"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h.serve(nil, namesOf{hasNames(objectsOf(t, pointed...)), tt.names})
			checkAll(t, h, []row{{"", ten, dns.TypePTR, tt.want}})
			r := (&explained{h: h}).Explain(ten, "PTR")
			if says := strings.Contains(strings.Join(r.Steps, "\n"), "a name of another namespace"); says != (tt.want == "next") {
				t.Errorf("explained by %q", r.Steps)
			}
		})
	}
}
