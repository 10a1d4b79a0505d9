package zone

import (
	"net/netip"
	"testing"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/tree"
)

// objects are a headless Service with one pod, and an ExternalName Service.
func objects(t *testing.T) (list []object.Object) {
	t.Helper()
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{
			Namespace: "default", Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: "nginx"},
		}
	}
	for _, o := range []any{
		&corev1.Service{ObjectMeta: meta("nginx"), Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone}},
		&corev1.Service{ObjectMeta: meta("out"), Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeExternalName, ExternalName: "www.example.net",
		}},
		&discoveryv1.EndpointSlice{
			ObjectMeta: meta("nginx-1"), AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints: []discoveryv1.Endpoint{{
				Addresses: []string{"10.0.0.1"}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: "web-0"},
			}},
		},
	} {
		slim, err := object.From(o)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, slim)
	}
	return list
}

// set has a cluster zone, a suffix and a shared one, of a tree that holds list, or nothing yet where that is nil.
func set(list []object.Object) *Set {
	tr := tree.New()
	tr.IndexAddresses()
	if w := tr.Writer(""); list != nil {
		w.Replace(list, 1)
	}
	return New([]Stanza{{
		Tree: tr, Zones: []string{"c.test."}, TTL: 5, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Suffixes: []Suffix{
			{Name: "own.test.", Namespace: "default"}, {Name: "s.test.", Namespace: "default", Shared: true},
		},
	}}, nil, nil)
}

// Each query is one of four: to be written, passed on, passed on unless it is denied, or asked of CoreDNS.
func TestDecide(t *testing.T) {
	synced, before := set(objects(t)), set(nil)
	tests := []struct {
		name   string
		set    *Set
		qname  string
		qtype  uint16
		action Action
		result Result
		origin string // empty outside all
	}{
		{"a peer as a guest", synced, "web-0.default.svc.c.test.", dns.TypeA, Write, Answered, "c.test."},
		{"a type that it lacks", synced, "web-0.default.svc.c.test.", dns.TypeAAAA, Write, NoData, "c.test."},
		{"a miss as a guest", synced, "web-9.default.svc.c.test.", dns.TypeA, Next, Passed, "c.test."},
		{"a Service as a guest", synced, "nginx.default.svc.c.test.", dns.TypeA, Next, Passed, "c.test."},
		{"before the first sync", before, "web-0.default.svc.c.test.", dns.TypeA, Next, Passed, "c.test."},
		{"a peer", synced, "WEB-0.own.test.", dns.TypeA, Write, Answered, "own.test."},
		{"a miss", synced, "web-9.own.test.", dns.TypeA, Write, NXDomain, "own.test."},
		{"a transfer that nobody allowed", synced, "own.test.", dns.TypeAXFR, Write, Refused, "own.test."},
		{"a name that may be there", before, "web-0.own.test.", dns.TypeA, Write, ServFail, "own.test."},
		{"a name that no tree can have", before, "a.b.c.d.own.test.", dns.TypeA, Write, NXDomain, "own.test."},
		{"DS, which the parent zone has", synced, "own.test.", dns.TypeDS, NextUnlessDenied, NoData, "own.test."},
		{"an ExternalName", synced, "out.own.test.", dns.TypeA, Ask, Passed, "own.test."},
		{"a peer of a shared suffix", synced, "web-0.s.test.", dns.TypeA, Write, Answered, "s.test."},
		{"a type that it lacks there", synced, "web-0.s.test.", dns.TypeMX, NextUnlessDenied, NoData, "s.test."},
		{"a miss there", synced, "www.s.test.", dns.TypeA, Next, Passed, "s.test."},
		{"a name that may be there", before, "www.s.test.", dns.TypeA, NextUnlessDenied, ServFail, "s.test."},
		{"an address", synced, "1.0.0.10.in-addr.arpa.", dns.TypePTR, Write, Answered, "10.0.0.0/8"},
		{"an address of nobody's", synced, "2.0.0.10.in-addr.arpa.", dns.TypePTR, Next, Passed, "10.0.0.0/8"},
		{"outside", synced, "www.example.net.", dns.TypeA, Next, Passed, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := tt.set.Decide(new(dns.Msg).SetQuestion(tt.qname, tt.qtype))
			origin := ""
			if d.Origin >= 0 {
				origin = tt.set.Names()[d.Origin]
			}
			if d.Action != tt.action || d.Result != tt.result || origin != tt.origin {
				t.Errorf("action %d, result %d, origin %q", d.Action, d.Result, origin)
			}
			if failed := d.Result == ServFail || d.Result == Refused; d.Action == Write && failed != (d.Msg == nil) {
				t.Errorf("message %v", d.Msg)
			}
		})
	}
}

// What CoreDNS says of a target is told under the name that was asked for.
func TestFinish(t *testing.T) {
	d := set(objects(t)).Decide(new(dns.Msg).SetQuestion("out.own.test.", dns.TypeA))
	if d.Action != Ask || d.Target() != "www.example.net." {
		t.Fatalf("action %d", d.Action)
	}
	found := new(dns.Msg).SetQuestion(d.Target(), dns.TypeA)
	rr, err := dns.NewRR("www.example.net. 3 IN A 192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	found.Answer = []dns.RR{rr}
	for name, tt := range map[string]struct {
		m       *dns.Msg
		result  Result
		records int
	}{
		"an address": {found, Answered, 2}, "no answer": {nil, ServFail, 0},
		"no plugin serves it": {new(dns.Msg).SetRcode(found, dns.RcodeRefused), Answered, 1},
		"no such name":        {new(dns.Msg).SetRcode(found, dns.RcodeNameError), NXDomain, 1},
	} {
		got := d.Finish(tt.m)
		records := 0
		if got.Msg != nil {
			records = len(got.Msg.Answer)
		}
		if got.Action != Write || got.Result != tt.result || records != tt.records {
			t.Errorf("%s: action %d, result %d, message %v", name, got.Action, got.Result, got.Msg)
		}
	}
}
