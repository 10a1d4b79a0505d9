package headless

import (
	"fmt"
	"strings"
	"testing"

	"github.com/coredns/coredns/plugin/pkg/dnstest"
	"github.com/coredns/coredns/plugin/test"
	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/tree"
)

const authority = `headless cluster.local {
    suffix mgmt.pix.yun.com default.svc.cluster.local
    suffix storm.example.org nginx.default.svc.cluster.local
    suffix k8s.example.org svc.cluster.local
    suffix nobody.example.org kafka-0.default.svc.cluster.local
    manifests $CLUSTER
    ttl 7
    apex_ttl 7
}`

// soa is the SOA record of a suffix of h, in presentation format.
func soa(h *Headless, zone string) string {
	return fmt.Sprintf("%[1]s 7 IN SOA ns.dns.%[1]s hostmaster.%[1]s %[2]d 7200 1800 86400 7", zone, h.stanzas[0].tree.Serial(new(tree.Path)))
}

func TestSuffixAnswersEverythingBelowItsTarget(t *testing.T) {
	h := open(t, authority, new(behind))
	const mgmt, storm, k8s, nobody = "mgmt.pix.yun.com.", "storm.example.org.", "k8s.example.org.", "nobody.example.org."
	const nginx = "@ $ A 10.244.0.10\n@ $ A 10.244.0.11"
	rows := []row{
		{"namespace: a peer", "web-0." + mgmt, dns.TypeA, "@ $ A 10.244.0.10"},
		{"namespace: a pod of a Deployment", "ws-777779bd59-ftn4j." + mgmt, dns.TypeA, "@ $ A 10.244.0.21"},
		{"namespace: IPv6", "web-1." + mgmt, dns.TypeAAAA, "@ $ AAAA fd00::b"},
		{"namespace: a dashed address", "10-244-0-22." + mgmt, dns.TypeA, "@ $ A 10.244.0.22"},
		{"namespace: a headless Service", "nginx." + mgmt, dns.TypeA, nginx},
		{"namespace: a ClusterIP Service", "api." + mgmt, dns.TypeA, "@ $ A 10.96.0.10"},
		{"namespace: a ClusterIP Service's IPv6", "api." + mgmt, dns.TypeAAAA, "@ $ AAAA fd00:96::a"},
		{"namespace: a pod below its Service", "kafka-0.kafka." + mgmt, dns.TypeA, "@ $ A 10.244.0.30\n@ $ A 10.244.0.31"},
		{"namespace: a dashed address below its Service", "10-244-0-22.ws." + mgmt, dns.TypeA, "@ $ A 10.244.0.22"},
		{"namespace: apex", mgmt, dns.TypeA, noData(mgmt)},
		{"namespace: a type that a peer lacks", "web-0." + mgmt, dns.TypeAAAA, noData(mgmt)},
		{"namespace: SOA below the apex", "web-0." + mgmt, dns.TypeSOA, noData(mgmt)},
		{"namespace: a type that a Service lacks", "ws." + mgmt, dns.TypeAAAA, noData(mgmt)},
		{"namespace: not ready", "web-2." + mgmt, dns.TypeA, nxDomain(mgmt)},
		{"namespace: a miss of another type", "web-9." + mgmt, dns.TypeTXT, nxDomain(mgmt)},
		{"namespace: a peer of another namespace", "nimbus-0." + mgmt, dns.TypeA, nxDomain(mgmt)},
		{"namespace: too many labels", "a.web-0.nginx." + mgmt, dns.TypeA, nxDomain(mgmt)},
		{"namespace: the cluster's own name", "web-0.default.svc.cluster.local." + mgmt, dns.TypeA, nxDomain(mgmt)},

		{"Service: apex", storm, dns.TypeA, nginx},
		{"Service: a type that the apex lacks", storm, dns.TypeTXT, noData(storm)},
		{"Service: a peer", "web-0." + storm, dns.TypeA, "@ $ A 10.244.0.10"},
		{"Service: a peer of another", "kafka-0." + storm, dns.TypeA, nxDomain(storm)},
		{"Service: its own label", "nginx." + storm, dns.TypeA, nxDomain(storm)},
		{"Service: too many labels", "web-0.nginx." + storm, dns.TypeA, nxDomain(storm)},

		{"root: a peer", "web-0.default." + k8s, dns.TypeA, "@ $ A 10.244.0.10"},
		{"root: a peer below its Service", "web-0.nginx.default." + k8s, dns.TypeA, "@ $ A 10.244.0.10"},
		{"root: a Service", "nimbus.worker." + k8s, dns.TypeA, "@ $ A 10.244.1.1"},
		{"root: a namespace", "default." + k8s, dns.TypeA, noData(k8s)},
		{"root: no namespace", "none." + k8s, dns.TypeA, nxDomain(k8s)},
		{"root: apex", k8s, dns.TypeA, noData(k8s)},

		// A pod of that name is no Service: the target is not there (yet).
		{"no such Service: apex", nobody, dns.TypeA, noData(nobody)},
		{"no such Service: a name", "web-0." + nobody, dns.TypeA, nxDomain(nobody)},

		// A 0x20 client compares the names of the reply with its own, octet by octet.
		{"0x20: a peer", "Web-0.MGMT.pix.Yun.com.", dns.TypeA, "@ $ A 10.244.0.10"},
		{"0x20: a Service", "NGINX.mgmt.pix.yun.COM.", dns.TypeA, nginx},
		{"0x20: NODATA", "web-0.MGMT.pix.Yun.com.", dns.TypeTXT, noData("MGMT.pix.Yun.com.")},
		{"0x20: NXDOMAIN", "x.mGmt.pix.yun.com.", dns.TypeA, nxDomain("mGmt.pix.yun.com.")},
		{"0x20: SOA", "Mgmt.Pix.Yun.Com.", dns.TypeSOA, "SOA Mgmt.Pix.Yun.Com."},

		{"a transfer that *transfer* has declined", mgmt, dns.TypeAXFR, "REFUSED"},
		{"an incremental one", storm, dns.TypeIXFR, "REFUSED"},
		{"of a peer", "web-0." + mgmt, dns.TypeAXFR, "REFUSED"},
	}
	for _, zone := range []string{mgmt, storm, k8s, nobody} {
		rows = append(rows, row{"the SOA of " + zone, zone, dns.TypeSOA, "SOA " + zone})
	}
	checkAll(t, h, rows)
}

// refuses checks that h returns rcode and leaves the reply to the server above.
func refuses(t *testing.T, h *Headless, r *dns.Msg, want int) {
	t.Helper()
	b := h.Next.(*behind)
	b.asked = 0
	got, rcode, err := ask(h, r)
	if got != nil || rcode != want || err != nil || b.asked != 0 {
		t.Errorf("wrote %v, returned %s, %v; asked behind %d times; want %s, nothing written",
			got, dns.RcodeToString[rcode], err, b.asked, dns.RcodeToString[want])
	}
}

// NXDOMAIN would be kept by resolvers, as a lie.
func TestSuffixSaysSERVFAILBeforeTheFirstSync(t *testing.T) {
	h := open(t, authority, new(behind))
	unsync(h)
	for _, qname := range []string{
		"web-0.mgmt.pix.yun.com.", "x.mgmt.pix.yun.com.", "mgmt.pix.yun.com.", "storm.example.org.", "k8s.example.org.",
	} {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeTXT, dns.TypeSOA} {
			refuses(t, h, query(qname, qtype), dns.RcodeServerFailure)
		}
	}
	checkAll(t, h, []row{
		{"no port", "a.b.c.mgmt.pix.yun.com.", dns.TypeA, nxDomain("mgmt.pix.yun.com.")},
		{"a port", "_a._b.c.mgmt.pix.yun.com.", dns.TypeSRV, "SERVFAIL"},
		{"too deep", "a.b.c.d.e.mgmt.pix.yun.com.", dns.TypeA, nxDomain("mgmt.pix.yun.com.")},
	})
}

func TestNamespacesSyncByThemselves(t *testing.T) {
	h := open(t, authority, new(behind))
	tr := tree.New("default", "worker")
	h.plant(tr)
	tr.Writer("worker")
	tr.Writer("default").Replace(nil, 42)
	checkAll(t, h, []row{
		{"the namespace", "x.mgmt.pix.yun.com.", dns.TypeA, nxDomain("mgmt.pix.yun.com.")},
		{"the namespace below the root", "x.default.k8s.example.org.", dns.TypeA, nxDomain("k8s.example.org.")},
		{"another", "x.worker.k8s.example.org.", dns.TypeA, "SERVFAIL"},
		{"the root", "k8s.example.org.", dns.TypeA, "SERVFAIL"},
	})
}

func TestLongestSuffixWins(t *testing.T) {
	for name, lines := range map[string]string{
		"the longest first": "suffix worker.x.test worker.svc.cluster.local\nsuffix x.test svc.cluster.local\nsuffix test default.svc.cluster.local",
		"the longest last":  "suffix test default.svc.cluster.local\nsuffix x.test svc.cluster.local\nsuffix worker.x.test worker.svc.cluster.local",
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, "headless cluster.local {\nttl 7\nmanifests $CLUSTER\n"+lines+"\n}", new(behind))
			checkAll(t, h, []row{
				{"", "web-0.test.", dns.TypeA, "@ $ A 10.244.0.10"},
				{"", "web-0.default.x.test.", dns.TypeA, "@ $ A 10.244.0.10"},
				{"", "nimbus-0.worker.x.test.", dns.TypeA, "@ $ A 10.244.1.1"},
				{"", "nginx.worker.x.test.", dns.TypeA, nxDomain("worker.x.test.")},
				{"", "web-0.x.test.", dns.TypeA, nxDomain("x.test.")},
				{"", "worker.x.test.", dns.TypeA, noData("worker.x.test.")},
				{"", "nimbus-0.worker.y.x.test.", dns.TypeA, nxDomain("x.test.")},
				{"", "nimbus-0.worker.xworker.test.", dns.TypeA, nxDomain("test.")},
			})
		})
	}
}

// A suffix may lie above the cluster zone, such as the company's domain that holds it. What is in the cluster zone
// stays as it was.
func TestSuffixAboveTheClusterZoneDoesNoHarm(t *testing.T) {
	h := open(t, "headless cluster.example.org {\nttl 7\nmanifests $CLUSTER\nsuffix example.org default.svc.cluster.example.org\n}", new(behind))
	checkAll(t, h, []row{
		{"", "web-0.example.org.", dns.TypeA, "@ $ A 10.244.0.10"},
		{"", "web-0.default.svc.cluster.example.org.", dns.TypeA, "@ $ A 10.244.0.10"},
		{"", "x.example.org.", dns.TypeA, nxDomain("example.org.")},
		{"", "ws-777779bd59-ftn4j.ws.example.org.", dns.TypeA, "@ $ A 10.244.0.21"},
		{"", "kafka-0.kafka.default.svc.cluster.example.org.", dns.TypeA, "@ $ A 10.244.0.30\n@ $ A 10.244.0.31"},
	})
	for _, tt := range harmless {
		if dns.IsSubDomain("cluster.local.", tt.qname) {
			qname := strings.TrimSuffix(tt.qname, "local.") + "example.org."
			t.Run(tt.name, func(t *testing.T) { goesOn(t, h, query(qname, tt.qtype)) })
		}
	}
}

func TestNotReadyIsTheStanzas(t *testing.T) {
	const two = `headless cluster.local {
    manifests $CLUSTER
    ttl 7
    suffix a.test default.svc.cluster.local
}
headless other.local {
    manifests $CLUSTER
    ttl 7
    not_ready
    suffix b.test default.svc.other.local
}`
	h := open(t, two, new(behind))
	if n := len(sources.Running()); n != 1 {
		t.Errorf("%d sources of the same manifests, want 1", n)
	}
	checkAll(t, h, []row{
		{"", "web-2.default.svc.cluster.local.", dns.TypeA, "next"},
		{"", "web-2.a.test.", dns.TypeA, nxDomain("a.test.")},
		{"", "web-2.nginx.a.test.", dns.TypeA, nxDomain("a.test.")},
		{"", "web-2.b.test.", dns.TypeA, "@ $ A 10.244.0.12"},
		{"", "web-2.nginx.b.test.", dns.TypeA, "@ $ A 10.244.0.12"},
		{"", "web-2.default.svc.other.local.", dns.TypeA, "@ $ A 10.244.0.12"},
		{"*kubernetes* has no such name while it is not ready", "web-2.nginx.default.svc.other.local.", dns.TypeA, "@ $ A 10.244.0.12"},
		{"never a Service's own addresses", "nginx.b.test.", dns.TypeA, "@ $ A 10.244.0.10\n@ $ A 10.244.0.11"},
		{"", "web-0.nginx.default.svc.other.local.", dns.TypeA, "next"},
	})
}

func TestTTLIsTheStanzas(t *testing.T) {
	const two = "headless cluster.local {\nmanifests $CLUSTER\nttl 0\nsuffix a.test default.svc.cluster.local\n}\n" +
		"headless other.local {\nmanifests $CLUSTER\nsuffix b.test default.svc.other.local\n}"
	h := open(t, two, new(behind))
	for zone, want := range map[string][3]uint32{"a.test.": {0, 0, 0}, "b.test.": {5, 5, 5}} { // 5 s by default
		hit, _, _ := ask(h, query("web-0."+zone, dns.TypeA))
		miss, _, _ := ask(h, query("x."+zone, dns.TypeA))
		got := [3]uint32{hit.Answer[0].Header().Ttl, miss.Ns[0].Header().Ttl, miss.Ns[0].(*dns.SOA).Minttl}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", zone, diff)
		}
	}
}

// deaf is the writer of a client that went away.
type deaf struct{ test.ResponseWriter }

func (*deaf) WriteMsg(*dns.Msg) error { return errBehind }

// An error would be logged for each such query, and SERVFAIL written after the reply.
func TestClientThatWentAwayIsNoError(t *testing.T) {
	h := open(t, authority, new(behind))
	for _, qname := range []string{"web-0.mgmt.pix.yun.com.", "x.mgmt.pix.yun.com.", "web-0.default.svc.cluster.local."} {
		rcode, err := h.ServeDNS(t.Context(), dnstest.NewRecorder(new(deaf)), query(qname, dns.TypeA))
		if rcode != dns.RcodeSuccess || err != nil {
			t.Errorf("%s: %s, %v", qname, dns.RcodeToString[rcode], err)
		}
	}
}

// What lies between two origins has a name below it, so it exists (RFC 8020): a resolver that asks label by label
// would give up at NXDOMAIN.
func TestNameAboveANestedOriginIsAnEmptyNonTerminal(t *testing.T) {
	h := openFor(t, "cluster.local.here.org", "suffix s.test default.svc.cluster.local.here.org\nsuffix a.b.s.test default.svc.cluster.local.here.org\n"+
		"suffix org default.svc.cluster.local.here.org", svc("default/nginx", none))
	checkAll(t, h, []row{
		{"above a suffix", "b.s.test.", dns.TypeA, noData("s.test.")},
		{"beside that", "c.s.test.", dns.TypeA, nxDomain("s.test.")},
		{"beside the suffix", "x.b.s.test.", dns.TypeA, nxDomain("s.test.")},
		{"above a cluster zone", "here.org.", dns.TypeA, noData("org.")},
		{"right above it", "local.here.org.", dns.TypeA, noData("org.")},
		{"beside it", "there.org.", dns.TypeA, nxDomain("org.")},
	})
}
