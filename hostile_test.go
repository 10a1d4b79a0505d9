package headless

import (
	"testing"

	"github.com/miekg/dns"
)

// Objects called like parts of other names have their own names and no others.
func TestNamespacesServicesAndPeersOfOddNames(t *testing.T) {
	odd := []string{"svc", "cluster", "local", "dns", "ns", "dns-version", "k", "test", "default", "kubernetes"}
	objects := []string{svc("default/web", none), eps("default/web", "v4", web, "10.244.0.1 host=web-0 pod=web-0")}
	for _, ns := range odd[:5] {
		for _, s := range odd {
			objects = append(objects, svc(ns+"/"+s, none))
			for _, host := range odd {
				objects = append(objects, eps(ns+"/"+s, host, web, "10.66.0.1 host="+host+" pod=of-"+ns+"-"+s+"-"+host))
			}
		}
	}
	h := openFor(t, "cluster.local", "suffix k.test svc.cluster.local\nsuffix m.test default.svc.cluster.local", objects...)
	h.serve(hostAddrs([]string{"192.0.2.53"}), nil)
	checkAll(t, h, []row{
		{"a peer", "web-0.default.svc.cluster.local.", dns.TypeA, "@ $ A 10.244.0.1"},
		{"a peer under a suffix", "web-0.m.test.", dns.TypeA, "@ $ A 10.244.0.1"},
		{"nobody's peer", "svc.m.test.", dns.TypeA, nxDomain("m.test.")},
		{"a name server", "ns.dns.k.test.", dns.TypeA, "@ $ A 192.0.2.53"},
		{"another suffix's name server", "ns.dns.m.test.", dns.TypeA, "@ $ A 192.0.2.53"},
		{"the version", "dns-version.k.test.", dns.TypeTXT, "@ $ TXT 1.1.0"},
		{"an apex", "k.test.", dns.TypeA, noData("k.test.")},
		{"the apex's name server", "k.test.", dns.TypeNS, "@ $ NS ns.dns.k.test.\nadditional:\nns.dns.k.test. $ A 192.0.2.53"},
		{"the root of the tree", "svc.cluster.local.", dns.TypeA, "next"},
		{"the zone", "cluster.local.", dns.TypeA, "next"},
		{"the zone's name server", "ns.dns.cluster.local.", dns.TypeA, "next"},
		{"the zone's version", "dns-version.cluster.local.", dns.TypeTXT, "next"},
		{"a Service of a namespace called svc", "web.svc.cluster.local.", dns.TypeA, "next"},
		{"a peer in a namespace called svc", "of-svc-svc-svc.svc.svc.cluster.local.", dns.TypeA, "@ $ A 10.66.0.1"},
		{"a Service's name", "cluster.local.svc.cluster.local.", dns.TypeA, "next"},
	})
}

// A search list with svc.cluster.local in it makes google.com.svc.cluster.local of google.com. Whoever may choose the
// names of namespaces captures it with a Service google, and here with a pod, too.
func TestNamespaceCalledLikeATopLevelDomain(t *testing.T) {
	h := openFor(t, "cluster.local", "", svc("com/shop", none), eps("com/shop", "v4", web, "10.66.0.1 pod=google"), svc("default/com", none), eps("default/com", "v4", web, "10.66.0.2 pod=google"))
	checkAll(t, h, []row{
		{"searched by every pod", "google.com.svc.cluster.local.", dns.TypeA, "@ $ A 10.66.0.1"},
		{"searched by those of the namespace", "google.com.default.svc.cluster.local.", dns.TypeA, "@ $ A 10.66.0.2"},
		{"another namespace's", "google.com.other.svc.cluster.local.", dns.TypeA, "next"},
		{"itself", "google.com.", dns.TypeA, "next"},
	})
}
