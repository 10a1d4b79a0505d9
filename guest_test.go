package headless

import (
	"fmt"
	"testing"

	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/tree"
)

const guest = "headless cluster.local {\nmanifests $CLUSTER\nttl 7\n}"

func TestGuestAnswersPeers(t *testing.T) {
	h := open(t, guest, new(behind))
	tests := []struct {
		name  string
		qname string
		qtype uint16
		want  []string
	}{
		{name: "pod of a StatefulSet", qname: "web-0.default.svc.cluster.local.", qtype: dns.TypeA, want: []string{"A 10.244.0.10"}},
		{name: "IPv4 of two families", qname: "web-1.default.svc.cluster.local.", qtype: dns.TypeA, want: []string{"A 10.244.0.11"}},
		{name: "IPv6 of two families", qname: "web-1.default.svc.cluster.local.", qtype: dns.TypeAAAA, want: []string{"AAAA fd00::b"}},
		{name: "pod of a Deployment", qname: "ws-777779bd59-ftn4j.default.svc.cluster.local.", qtype: dns.TypeA, want: []string{"A 10.244.0.21"}},
		{name: "neither pod nor hostname", qname: "10-244-0-22.default.svc.cluster.local.", qtype: dns.TypeA, want: []string{"A 10.244.0.22"}},
		{name: "hostname", qname: "broker.default.svc.cluster.local.", qtype: dns.TypeA, want: []string{"A 10.244.0.30", "A 10.244.0.31"}},
		{name: "pod of another hostname", qname: "kafka-0.default.svc.cluster.local.", qtype: dns.TypeA, want: []string{"A 10.244.0.30", "A 10.244.0.31"}},
		{name: "pod below its Service", qname: "ws-777779bd59-ftn4j.ws.default.svc.cluster.local.", qtype: dns.TypeA, want: []string{"A 10.244.0.21"}},
		{name: "pod of another hostname below its Service", qname: "kafka-0.kafka.default.svc.cluster.local.", qtype: dns.TypeA, want: []string{"A 10.244.0.30", "A 10.244.0.31"}},
		{name: "another namespace", qname: "nimbus-0.worker.svc.cluster.local.", qtype: dns.TypeA, want: []string{"A 10.244.1.1"}},
		{name: "spelled by a 0x20 client", qname: "wEb-0.DEFAULT.sVc.cLuster.Local.", qtype: dns.TypeA, want: []string{"A 10.244.0.10"}},
		{name: "with escapes", qname: `web\0450.default.svc.cluster.local.`, qtype: dns.TypeA, want: []string{"A 10.244.0.10"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := query(tt.qname, tt.qtype)
			want := authoritative(r, dns.RcodeSuccess, nil, nil)
			for _, rr := range tt.want {
				want.Answer = append(want.Answer, records("x. 7 IN "+rr)...)
				want.Answer[len(want.Answer)-1].Header().Name = tt.qname // as it was spelled, escapes included
			}
			answers(t, h, r, want)
		})
	}
}

// An AAAA of an IPv4-only pod that were handed on would come back NXDOMAIN and poison the A answer.
func TestGuestAnswersEveryTypeOfItsNames(t *testing.T) {
	h := open(t, guest, new(behind))
	for _, tt := range []struct {
		qname string
		qtype uint16
		zone  string
	}{
		{qname: "web-0.default.svc.cluster.local.", qtype: dns.TypeAAAA, zone: "cluster.local."},
		{qname: "web-0.default.svc.cluster.local.", qtype: dns.TypeTXT, zone: "cluster.local."},
		{qname: "web-0.default.svc.cluster.local.", qtype: dns.TypeSRV, zone: "cluster.local."},
		{qname: "web-0.default.svc.cluster.local.", qtype: dns.TypeSOA, zone: "cluster.local."},
		{qname: "web-0.default.svc.cluster.local.", qtype: dns.TypeANY, zone: "cluster.local."},
		{qname: "web-0.default.svc.cluster.local.", qtype: dns.TypeHTTPS, zone: "cluster.local."},
		{qname: "kafka-0.kafka.default.svc.cluster.local.", qtype: dns.TypeAAAA, zone: "cluster.local."},
		{qname: "kafka-0.kafka.default.svc.cluster.local.", qtype: dns.TypeMX, zone: "cluster.local."},
		{qname: "kafka-0.kafka.default.svc.cluster.local.", qtype: dns.TypeSRV, zone: "cluster.local."}, // its slice has no ports
		{qname: "Web-0.Default.Svc.Cluster.Local.", qtype: dns.TypeAAAA, zone: "Cluster.Local."},
	} {
		t.Run(tt.qname+dns.TypeToString[tt.qtype], func(t *testing.T) {
			r := query(tt.qname, tt.qtype)
			soa := fmt.Sprintf("%[1]s 7 IN SOA ns.dns.%[1]s hostmaster.%[1]s %[2]d 7200 1800 86400 7", tt.zone, h.stanzas[0].tree.Serial(new(tree.Path)))
			answers(t, h, r, authoritative(r, dns.RcodeSuccess, nil, records(soa)))
		})
	}
}

// kubernetes is what the handler of that name says of its zones.
type kubernetes struct{ serial, ttl uint32 }

func (k kubernetes) Serial(request.Request) uint32 { return k.serial }
func (k kubernetes) MinTTL(request.Request) uint32 { return k.ttl }

// plugin.SOA makes the records of *kubernetes*: its TTL is at most 300 s, its minimum is not bounded.
func TestGuestDeniesTypesWithTheSOAOfKubernetes(t *testing.T) {
	h := open(t, guest, new(behind))
	for _, tt := range []struct {
		name string
		k    kubernetes
		want string
	}{
		{name: "default", k: kubernetes{serial: 1234567890, ttl: 5}, want: "cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1234567890 7200 1800 86400 5"},
		{name: "kubeadm's", k: kubernetes{serial: 7, ttl: 30}, want: "cluster.local. 30 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 7 7200 1800 86400 30"},
		{name: "long", k: kubernetes{serial: 8, ttl: 3600}, want: "cluster.local. 300 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 8 7200 1800 86400 3600"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h.zoneSOA = tt.k
			r := query("web-0.default.svc.cluster.local.", dns.TypeAAAA)
			answers(t, h, r, authoritative(r, dns.RcodeSuccess, nil, records(tt.want)))
		})
	}
}

// harmless are queries that somebody else answered before, one by one.
var harmless = []struct {
	name  string
	qname string
	qtype uint16
}{
	{"a Service", "nginx.default.svc.cluster.local.", dns.TypeA},
	{"a ClusterIP Service", "api.default.svc.cluster.local.", dns.TypeA},
	{"an ExternalName Service", "external.default.svc.cluster.local.", dns.TypeCNAME},
	{"a Service named like its pod", "same.default.svc.cluster.local.", dns.TypeA},
	{"a type that a Service lacks", "nginx.default.svc.cluster.local.", dns.TypeTXT},
	{"a hostname below its Service", "web-0.nginx.default.svc.cluster.local.", dns.TypeA},
	{"a type that a hostname lacks", "web-0.nginx.default.svc.cluster.local.", dns.TypeAAAA},
	{"a hostname below its Service, SRV", "web-0.nginx.default.svc.cluster.local.", dns.TypeSRV},
	{"a dashed address below its Service", "10-244-0-22.ws.default.svc.cluster.local.", dns.TypeA},
	{"a dashed address of a pod without hostname", "10-244-0-21.ws.default.svc.cluster.local.", dns.TypeA},
	{"a pod below another Service", "kafka-0.nginx.default.svc.cluster.local.", dns.TypeA},
	{"a peer that is not ready", "web-2.default.svc.cluster.local.", dns.TypeA},
	{"a peer of another namespace", "web-0.worker.svc.cluster.local.", dns.TypeA},
	{"a miss", "web-9.default.svc.cluster.local.", dns.TypeA},
	{"a miss below a Service", "web-9.nginx.default.svc.cluster.local.", dns.TypeA},
	{"a miss in no namespace", "web-0.none.svc.cluster.local.", dns.TypeA},
	{"a search list's", "www.google.com.default.svc.cluster.local.", dns.TypeA},
	{"a search list's of two labels", "google.com.default.svc.cluster.local.", dns.TypeA},
	{"a peer of a peer", "x.web-0.default.svc.cluster.local.", dns.TypeA},
	{"a port", "_web._tcp.nginx.default.svc.cluster.local.", dns.TypeSRV},
	{"a namespace", "default.svc.cluster.local.", dns.TypeA},
	{"svc", "svc.cluster.local.", dns.TypeA},
	{"the zone", "cluster.local.", dns.TypeSOA},
	{"a pod's record", "10-244-0-10.default.pod.cluster.local.", dns.TypeA},
	{"the version", "dns-version.cluster.local.", dns.TypeTXT},
	{"outside", "www.example.org.", dns.TypeA},
	{"outside, with the same labels", "web-0.default.svc.cluster.local.example.org.", dns.TypeA},
	{"outside, with a longer label", "web-0.default.svc.xcluster.local.", dns.TypeA},
	{"a reverse name", "10.0.244.10.in-addr.arpa.", dns.TypePTR},
	{"the root", ".", dns.TypeNS},
	{"a transfer", "web-0.default.svc.cluster.local.", dns.TypeAXFR},
	{"an incremental transfer", "web-0.default.svc.cluster.local.", dns.TypeIXFR},
	{"a transfer of the zone", "cluster.local.", dns.TypeAXFR},
}

func TestGuestHandsEverythingElseOn(t *testing.T) {
	h := open(t, guest, new(behind))
	for _, tt := range harmless {
		t.Run(tt.name, func(t *testing.T) { goesOn(t, h, query(tt.qname, tt.qtype)) })
	}
}

func TestGuestAnswersNothingBeforeTheFirstSync(t *testing.T) {
	h := open(t, guest, new(behind))
	unsync(h)
	for _, tt := range harmless {
		t.Run(tt.name, func(t *testing.T) { goesOn(t, h, query(tt.qname, tt.qtype)) })
	}
	goesOn(t, h, query("web-0.default.svc.cluster.local.", dns.TypeA))
	goesOn(t, h, query("kafka-0.kafka.default.svc.cluster.local.", dns.TypeA))
}

func TestOnlyQueriesOfClassINAreOurs(t *testing.T) {
	h := open(t, guest[:len(guest)-1]+"suffix mgmt.example.org default.svc.cluster.local\n}", new(behind))
	for _, qname := range []string{"web-0.default.svc.cluster.local.", "web-0.mgmt.example.org.", "mgmt.example.org."} {
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
