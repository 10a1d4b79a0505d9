package headless

import (
	"testing"

	"github.com/miekg/dns"
)

// specified is the cluster of the specification's examples, as far as it has one.
var specified = []string{
	svc("default/kubernetes", `clusterIP: 10.3.0.1, clusterIPs: [10.3.0.1, "fd00:3::1"], ports: [{name: https, port: 443, protocol: TCP}, {name: quic, port: 8443, protocol: UDP}, {port: 9000}]`),
	svc("default/four", `clusterIP: 10.3.0.4, ports: [{name: https, port: 443}]`),
	svc("default/six", `clusterIP: "fd00:3::6", ports: [{name: https, port: 443}]`),
	svc("default/headless", none+", ports: [{name: https, port: 443}, {name: alt, port: 8443}, {port: 9000}]"),
	eps("default/headless", "v4", "{name: https, port: 443, protocol: TCP}, {name: alt, port: 8443, protocol: TCP}, {port: 9000, protocol: TCP}",
		"10.244.0.100 host=my-pet pod=my-pet", "10.244.0.101,10.244.0.102 host=my-pet-2 pod=my-pet-2", "10.244.0.103 pod=ws-ftn4j", "10.244.0.104",
		"10.244.0.109 host=my-pet-9 pod=my-pet-9 unready"),
	eps("default/headless", "v6", "{name: https, port: 443, protocol: TCP}, {name: alt, port: 8443, protocol: TCP}, {port: 9000, protocol: TCP}",
		"fd00:244::64 host=my-pet pod=my-pet"),
	svc("default/starting", none+", ports: [{name: https, port: 443}]"),
	eps("default/starting", "v4", "{name: https, port: 443}", "10.244.0.120 host=late pod=late unready"),
	aliasTo("default/foo", "www.example.com"),
}

const specZone = "k8s.example.org."

// rule is one of the Kubernetes DNS specification.
type rule struct {
	section, rule string
	qname         string // below specZone, or a reverse name
	qtype         uint16
	want          string // as in row
	disagrees     string // why the rule is not followed
}

// rules are all of version 1.1.0. Those that say disagrees are the list of
// what is not followed.
var rules = []rule{
	{section: "2.1", rule: "ttl is the record's", qname: "kubernetes.default.", qtype: dns.TypeA, want: "@ 7 IN A 10.3.0.1"},
	{section: "2.1", rule: "an endpoint's hostname comes first", qname: "my-pet.headless.default.", qtype: dns.TypeA, want: "@ $ A 10.244.0.100"},
	{section: "2.1", rule: "else an identifier: the pod's name", qname: "ws-ftn4j.headless.default.", qtype: dns.TypeA, want: "@ $ A 10.244.0.103"},
	{section: "2.1", rule: "else an identifier: the dashed address", qname: "10-244-0-104.headless.default.", qtype: dns.TypeA, want: "@ $ A 10.244.0.104"},
	{section: "2.1", rule: "one identifier for an endpoint", qname: "10-244-0-103.headless.default.", qtype: dns.TypeA, want: nxDomain(specZone)},
	{section: "2.1", rule: "case does not matter", qname: "My-Pet.HEADLESS.default.", qtype: dns.TypeA, want: "@ $ A 10.244.0.100"},

	{section: "2.2", rule: "dns-version", qname: "dns-version.", qtype: dns.TypeTXT, want: `@ $ TXT "1.1.0"`},
	{section: "2.2", rule: "dns-version is a TXT record", qname: "dns-version.", qtype: dns.TypeA, want: noData(specZone)},
	{section: "2.2", rule: "dns-version is at the zone", qname: "dns-version.default.", qtype: dns.TypeTXT, want: nxDomain(specZone)},

	{section: "2.3.1", rule: "A", qname: "kubernetes.default.", qtype: dns.TypeA, want: "@ $ A 10.3.0.1"},
	{section: "2.3.1", rule: "AAAA", qname: "kubernetes.default.", qtype: dns.TypeAAAA, want: "@ $ AAAA fd00:3::1"},
	{section: "2.3.1", rule: "no AAAA of an IPv4 Service", qname: "four.default.", qtype: dns.TypeAAAA, want: noData(specZone)},
	{section: "2.3.1", rule: "no A of an IPv6 Service", qname: "six.default.", qtype: dns.TypeA, want: noData(specZone)},

	{
		section: "2.3.2", rule: "SRV of a named port, and addresses", qname: "_https._tcp.kubernetes.default.", qtype: dns.TypeSRV,
		want: `@ $ SRV 0 100 443 kubernetes.default.` + specZone + `
			additional:
			kubernetes.default.` + specZone + ` $ A 10.3.0.1
			kubernetes.default.` + specZone + ` $ AAAA fd00:3::1`,
	},
	{
		section: "2.3.2", rule: "SRV by protocol", qname: "_quic._udp.kubernetes.default.", qtype: dns.TypeSRV,
		want: `@ $ SRV 0 100 8443 kubernetes.default.` + specZone + `
			additional:
			kubernetes.default.` + specZone + ` $ A 10.3.0.1
			kubernetes.default.` + specZone + ` $ AAAA fd00:3::1`,
	},
	{
		section: "2.3.2", rule: "SRV of an IPv6 Service", qname: "_https._tcp.six.default.", qtype: dns.TypeSRV,
		want: "@ $ SRV 0 100 443 six.default." + specZone + "\nadditional:\nsix.default." + specZone + " $ AAAA fd00:3::6",
	},
	{section: "2.3.2", rule: "no SRV of another protocol", qname: "_https._udp.kubernetes.default.", qtype: dns.TypeSRV, want: nxDomain(specZone)},
	{section: "2.3.2", rule: "no SRV of an unnamed port", qname: "_._tcp.kubernetes.default.", qtype: dns.TypeSRV, want: nxDomain(specZone)},
	{section: "2.3.2", rule: "no SRV of a port's number", qname: "_9000._tcp.kubernetes.default.", qtype: dns.TypeSRV, want: nxDomain(specZone)},

	{
		section: "2.3.3", rule: "PTR of a cluster IP", qname: "1.0.3.10.in-addr.arpa.", qtype: dns.TypePTR, want: "next",
		disagrees: "the reverse zone is another's: *kubernetes* has the Service's own name for it, which only a guest's neighbour may tell",
	},

	{
		section: "2.4.1", rule: "A of each ready endpoint", qname: "headless.default.", qtype: dns.TypeA,
		want: "@ $ A 10.244.0.100\n@ $ A 10.244.0.101\n@ $ A 10.244.0.102\n@ $ A 10.244.0.103\n@ $ A 10.244.0.104",
	},
	{section: "2.4.1", rule: "AAAA of each ready endpoint", qname: "headless.default.", qtype: dns.TypeAAAA, want: "@ $ AAAA fd00:244::64"},
	{
		section: "2.4.1", rule: "NXDOMAIN if none is ready", qname: "starting.default.", qtype: dns.TypeA, want: noData(specZone),
		disagrees: "the Service's name exists, and so do those of its ports below it (RFC 8020): NODATA",
	},
	{section: "2.4.1", rule: "A of a hostname", qname: "my-pet.headless.default.", qtype: dns.TypeA, want: "@ $ A 10.244.0.100"},
	{section: "2.4.1", rule: "AAAA of a hostname", qname: "my-pet.headless.default.", qtype: dns.TypeAAAA, want: "@ $ AAAA fd00:244::64"},
	{section: "2.4.1", rule: "A for each address of a hostname", qname: "my-pet-2.headless.default.", qtype: dns.TypeA, want: "@ $ A 10.244.0.101\n@ $ A 10.244.0.102"},
	{section: "2.4.1", rule: "no A of an endpoint that is not ready", qname: "my-pet-9.headless.default.", qtype: dns.TypeA, want: nxDomain(specZone)},

	{
		section: "2.4.2", rule: "SRV of each ready endpoint", qname: "_https._tcp.headless.default.", qtype: dns.TypeSRV,
		want: `@ $ SRV 0 25 443 10-244-0-104.headless.default.` + specZone + `
			@ $ SRV 0 25 443 my-pet.headless.default.` + specZone + `
			@ $ SRV 0 25 443 my-pet-2.headless.default.` + specZone + `
			@ $ SRV 0 25 443 ws-ftn4j.headless.default.` + specZone + `
			additional:
			10-244-0-104.headless.default.` + specZone + ` $ A 10.244.0.104
			my-pet.headless.default.` + specZone + ` $ A 10.244.0.100
			my-pet.headless.default.` + specZone + ` $ AAAA fd00:244::64
			my-pet-2.headless.default.` + specZone + ` $ A 10.244.0.101
			my-pet-2.headless.default.` + specZone + ` $ A 10.244.0.102
			ws-ftn4j.headless.default.` + specZone + ` $ A 10.244.0.103`,
	},
	{
		section: "2.4.2", rule: "SRV of each named port", qname: "_alt._tcp.headless.default.", qtype: dns.TypeSRV,
		want: `@ $ SRV 0 25 8443 10-244-0-104.headless.default.` + specZone + `
			@ $ SRV 0 25 8443 my-pet.headless.default.` + specZone + `
			@ $ SRV 0 25 8443 my-pet-2.headless.default.` + specZone + `
			@ $ SRV 0 25 8443 ws-ftn4j.headless.default.` + specZone + `
			additional:
			10-244-0-104.headless.default.` + specZone + ` $ A 10.244.0.104
			my-pet.headless.default.` + specZone + ` $ A 10.244.0.100
			my-pet.headless.default.` + specZone + ` $ AAAA fd00:244::64
			my-pet-2.headless.default.` + specZone + ` $ A 10.244.0.101
			my-pet-2.headless.default.` + specZone + ` $ A 10.244.0.102
			ws-ftn4j.headless.default.` + specZone + ` $ A 10.244.0.103`,
	},
	{section: "2.4.2", rule: "no SRV of an unnamed port", qname: "_._tcp.headless.default.", qtype: dns.TypeSRV, want: nxDomain(specZone)},
	{section: "2.4.2", rule: "no SRV while nothing is ready", qname: "_https._tcp.starting.default.", qtype: dns.TypeSRV, want: noData(specZone)},

	{
		section: "2.4.3", rule: "PTR of a ready endpoint", qname: "100.0.244.10.in-addr.arpa.", qtype: dns.TypePTR, want: "@ $ PTR my-pet.default." + specZone,
		disagrees: "the name told is the shorter one, without the Service's label, by which programs know their pods",
	},
	{
		section: "2.4.3", rule: "PTR of IPv6", qname: "4.6.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.4.4.2.0.0.0.d.f.ip6.arpa.", qtype: dns.TypePTR,
		want: "@ $ PTR my-pet.default." + specZone, disagrees: "as for IPv4",
	},
	{
		section: "2.4.3", rule: "PTR of one of several addresses", qname: "101.0.244.10.in-addr.arpa.", qtype: dns.TypePTR, want: "next",
		disagrees: "the name leads to other addresses too, which software that looks back does not accept",
	},
	{section: "2.4.3", rule: "no PTR of an endpoint that is not ready", qname: "109.0.244.10.in-addr.arpa.", qtype: dns.TypePTR, want: "next"},

	{
		section: "2.5", rule: "CNAME, and what it leads to", qname: "foo.default.", qtype: dns.TypeA,
		want: "@ $ CNAME www.example.com.\n> 28715 IN A 192.0.2.53",
	},
	{section: "2.5", rule: "CNAME", qname: "foo.default.", qtype: dns.TypeCNAME, want: "@ $ CNAME www.example.com."},

	{
		section: "2.6", rule: "A of a pod's dashed address (deprecated)", qname: "10-244-0-100.default.pod.", qtype: dns.TypeA, want: nxDomain(specZone),
		disagrees: "the names of a suffix are those below svc; pods of no Service are not watched",
	},
	{section: "3", rule: "more names are allowed", qname: "my-pet.default.", qtype: dns.TypeA, want: "@ $ A 10.244.0.100"},
}

func TestEveryRuleOfTheSpecification(t *testing.T) {
	h := openFor(t, "cluster.local 10.244.0.0/16 10.3.0.0/16 fd00:244::/64", "suffix "+specZone+" svc.cluster.local", specified...)
	h.upstream.lookup = upstreamOf(map[string]string{"www.example.com.": "@ 28715 IN A 192.0.2.53"})
	for _, tt := range rules {
		t.Run(tt.section+" "+tt.rule, func(t *testing.T) {
			if !dns.IsSubDomain("arpa.", tt.qname) {
				tt.qname += specZone
			}
			r := row{qname: tt.qname, qtype: tt.qtype, want: tt.want}
			r.check(t, h)
		})
	}
}
