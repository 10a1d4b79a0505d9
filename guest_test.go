package headless

import (
	"context"
	"testing"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/etcd/msg"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"
)

const guest = "headless cluster.local {\nmanifests $CLUSTER\nttl 7\n}"

// An AAAA of an IPv4-only pod that were handed on would come back NXDOMAIN and poison the A answer: a guest answers
// every type of its names.
func TestGuestAnswersPeers(t *testing.T) {
	h := open(t, guest, new(behind))
	const noData = "authority:\nSOA cluster.local."
	checkAll(t, h, []row{
		{"pod of a StatefulSet", "web-0.default.svc.cluster.local.", dns.TypeA, "@ $ A 10.244.0.10"},
		{"IPv4 of two families", "web-1.default.svc.cluster.local.", dns.TypeA, "@ $ A 10.244.0.11"},
		{"IPv6 of two families", "web-1.default.svc.cluster.local.", dns.TypeAAAA, "@ $ AAAA fd00::b"},
		{"pod of a Deployment", "ws-777779bd59-ftn4j.default.svc.cluster.local.", dns.TypeA, "@ $ A 10.244.0.21"},
		{"neither pod nor hostname", "10-244-0-22.default.svc.cluster.local.", dns.TypeA, "@ $ A 10.244.0.22"},
		{"hostname", "broker.default.svc.cluster.local.", dns.TypeA, "@ $ A 10.244.0.30\n@ $ A 10.244.0.31"},
		{"pod below its Service", "ws-777779bd59-ftn4j.ws.default.svc.cluster.local.", dns.TypeA, "@ $ A 10.244.0.21"},
		{"pod of another hostname below its Service", "kafka-0.kafka.default.svc.cluster.local.", dns.TypeA, "@ $ A 10.244.0.30\n@ $ A 10.244.0.31"},
		{"another namespace", "nimbus-0.worker.svc.cluster.local.", dns.TypeA, "@ $ A 10.244.1.1"},
		{"spelled by a 0x20 client", "wEb-0.DEFAULT.sVc.cLuster.Local.", dns.TypeA, "@ $ A 10.244.0.10"},
		{"with escapes", `web\0450.default.svc.cluster.local.`, dns.TypeA, "@ $ A 10.244.0.10"},

		{"no IPv6", "web-0.default.svc.cluster.local.", dns.TypeAAAA, noData},
		{"TXT", "web-0.default.svc.cluster.local.", dns.TypeTXT, noData},
		{"SRV", "web-0.default.svc.cluster.local.", dns.TypeSRV, noData},
		{"SOA", "web-0.default.svc.cluster.local.", dns.TypeSOA, noData},
		{"ANY", "web-0.default.svc.cluster.local.", dns.TypeANY, noData},
		{"no IPv6 below its Service", "kafka-0.kafka.default.svc.cluster.local.", dns.TypeAAAA, noData},
		{"SRV below its Service, without ports", "kafka-0.kafka.default.svc.cluster.local.", dns.TypeSRV, noData},
		{"NODATA for a 0x20 client", "Web-0.Default.Svc.Cluster.Local.", dns.TypeAAAA, "authority:\nSOA Cluster.Local."},
	})
}

// fakeBackend is what the handler called kubernetes says of its zones.
type fakeBackend struct {
	serial, ttl uint32
	names       []string
}

func (k fakeBackend) Serial(request.Request) uint32 { return k.serial }
func (k fakeBackend) MinTTL(request.Request) uint32 { return k.ttl }

func (k fakeBackend) Reverse(context.Context, request.Request, bool, plugin.Options) (list []msg.Service, err error) {
	for _, name := range k.names {
		list = append(list, msg.Service{Host: name})
	}
	return list, nil
}

// plugin.SOA makes the records of *kubernetes*: its TTL is at most 300 s, its minimum is not bounded.
func TestGuestDeniesTypesWithTheSOAOfKubernetes(t *testing.T) {
	h := open(t, guest, new(behind))
	for _, tt := range []struct {
		name string
		k    fakeBackend
		want string
	}{
		{name: "default", k: fakeBackend{serial: 1234567890, ttl: 5}, want: "cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1234567890 7200 1800 86400 5"},
		{name: "kubeadm's", k: fakeBackend{serial: 7, ttl: 30}, want: "cluster.local. 30 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 7 7200 1800 86400 30"},
		{name: "long", k: fakeBackend{serial: 8, ttl: 3600}, want: "cluster.local. 300 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 8 7200 1800 86400 3600"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h.serve(nil, &chain{kubernetes: tt.k})
			r := query("web-0.default.svc.cluster.local.", dns.TypeAAAA)
			answers(t, h, r, authoritative(r, dns.RcodeSuccess, nil, records(tt.want)))
		})
	}
}

// harmless are queries that somebody else answered before, one by one.
var harmless = []row{
	{"a Service", "nginx.default.svc.cluster.local.", dns.TypeA, "next"},
	{"a ClusterIP Service", "api.default.svc.cluster.local.", dns.TypeA, "next"},
	{"an ExternalName Service", "external.default.svc.cluster.local.", dns.TypeCNAME, "next"},
	{"a Service named like its pod", "same.default.svc.cluster.local.", dns.TypeA, "next"},
	{"a hostname below its Service", "web-0.nginx.default.svc.cluster.local.", dns.TypeA, "next"},
	{"a type that a hostname lacks", "web-0.nginx.default.svc.cluster.local.", dns.TypeAAAA, "next"},
	{"a hostname below its Service, SRV", "web-0.nginx.default.svc.cluster.local.", dns.TypeSRV, "next"},
	{"a dashed address below its Service", "10-244-0-22.ws.default.svc.cluster.local.", dns.TypeA, "next"},
	{"a peer that is not ready", "web-2.default.svc.cluster.local.", dns.TypeA, "next"},
	{"a peer of another namespace", "web-0.worker.svc.cluster.local.", dns.TypeA, "next"},
	{"a miss", "web-9.default.svc.cluster.local.", dns.TypeA, "next"},
	{"a miss below a Service", "web-9.nginx.default.svc.cluster.local.", dns.TypeA, "next"},
	{"a miss in no namespace", "web-0.none.svc.cluster.local.", dns.TypeA, "next"},
	{"a search list's", "www.google.com.default.svc.cluster.local.", dns.TypeA, "next"},
	{"a peer of a peer", "x.web-0.default.svc.cluster.local.", dns.TypeA, "next"},
	{"a port", "_web._tcp.nginx.default.svc.cluster.local.", dns.TypeSRV, "next"},
	{"a namespace", "default.svc.cluster.local.", dns.TypeA, "next"},
	{"svc", "svc.cluster.local.", dns.TypeA, "next"},
	{"the zone", "cluster.local.", dns.TypeSOA, "next"},
	{"a pod's record", "10-244-0-10.default.pod.cluster.local.", dns.TypeA, "next"},
	{"the version", "dns-version.cluster.local.", dns.TypeTXT, "next"},
	{"outside", "www.example.org.", dns.TypeA, "next"},
	{"outside, with the same labels", "web-0.default.svc.cluster.local.example.org.", dns.TypeA, "next"},
	{"a reverse name", "10.0.244.10.in-addr.arpa.", dns.TypePTR, "next"},
	{"the root", ".", dns.TypeNS, "next"},
	{"a transfer", "web-0.default.svc.cluster.local.", dns.TypeAXFR, "next"},
	{"an incremental transfer", "web-0.default.svc.cluster.local.", dns.TypeIXFR, "next"},
	{"a transfer of the zone", "cluster.local.", dns.TypeAXFR, "next"},
}

func TestGuestHandsEverythingElseOn(t *testing.T) {
	h := open(t, guest, new(behind))
	checkAll(t, h, harmless)
	unsync(h)
	checkAll(t, h, append([]row{
		{"a peer before the first sync", "web-0.default.svc.cluster.local.", dns.TypeA, "next"},
		{"a peer below its Service before the first sync", "kafka-0.kafka.default.svc.cluster.local.", dns.TypeA, "next"},
	}, harmless...))
}

func TestOnlyQueriesOfClassINAreOurs(t *testing.T) {
	h := open(t, "headless cluster.local 10.244.0.0/16 {\nmanifests $CLUSTER\nsuffix mgmt.example.org default.svc.cluster.local\n}", new(behind))
	for _, qname := range []string{"web-0.default.svc.cluster.local.", "web-0.mgmt.example.org.", "mgmt.example.org.", "10.0.244.10.in-addr.arpa."} {
		for name, change := range map[string]func(*dns.Msg){
			"class CH":     func(r *dns.Msg) { r.Question[0].Qclass = dns.ClassCHAOS },
			"class ANY":    func(r *dns.Msg) { r.Question[0].Qclass = dns.ClassANY },
			"NOTIFY":       func(r *dns.Msg) { r.Opcode = dns.OpcodeNotify },
			"UPDATE":       func(r *dns.Msg) { r.Opcode = dns.OpcodeUpdate },
			"no question":  func(r *dns.Msg) { r.Question = nil },
			"two of them":  func(r *dns.Msg) { r.Question = append(r.Question, r.Question[0]) },
			"a bad escape": func(r *dns.Msg) { r.Question[0].Name = `\9` + r.Question[0].Name },
		} {
			t.Run(name+" "+qname, func(t *testing.T) {
				r := query(qname, dns.TypeA)
				change(r)
				goesOn(t, h, r)
			})
		}
	}
}
