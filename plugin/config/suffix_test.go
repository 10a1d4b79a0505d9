package config

import (
	"strings"
	"testing"
)

func TestWrongSuffixIsRefused(t *testing.T) {
	const no = ": must be a domain name of at most 190 octets, such as example.org"
	long := strings.Repeat(strings.Repeat("a", 62)+".", 3) + "ab."
	if len(long) != 192 {
		t.Fatal(len(long))
	}
	check(t, []mistake{
		{
			name: "no domain name", input: inBlock("suffix a..b svc.cluster.local"),
			want: at(2) + "invalid suffix 'a..b'" + no,
		},
		{
			name: "a label too long", input: inBlock("suffix " + strings.Repeat("a", 64) + " svc.cluster.local"),
			want: at(2) + "invalid suffix '" + strings.Repeat("a", 64) + "'" + no,
		},
		{
			name: "no room for a peer", input: inBlock("suffix " + long + " svc.cluster.local"),
			want: at(2) + "invalid suffix '" + long + "'" + no,
		},
		{
			name: "not ASCII", input: inBlock("ttl 5", "suffix m\u00fcnchen.example svc.cluster.local"),
			want: at(3) + "name 'm\u00fcnchen.example' is not ASCII; use xn--mnchen-3ya.example",
		},
		{
			name: "not ASCII, in the target", input: inBlock("suffix a.test b\u00fccher.svc.cluster.local"),
			want: at(2) + "name 'b\u00fccher.svc.cluster.local' is not ASCII; use xn--bcher-kva.svc.cluster.local",
		},
		{
			name: "no name of IDNA", input: inBlock("fallthrough \u0378.test"),
			want: at(2) + "name '\\u0378.test' is not ASCII",
		},
		{
			name: "cluster zone not ASCII", input: "headless cl\u00fcster.local",
			want: at(1) + "name 'cl\u00fcster.local' is not ASCII; use xn--clster-4ya.local",
		},
		{
			name:  "a reverse zone beside a pod network",
			input: "headless cluster.local 10.0.0.0/8 {\nsuffix 10.in-addr.arpa svc.cluster.local\n}",
			want:  at(2) + "suffix '10.in-addr.arpa.' is a reverse zone, and headless answers pod networks there",
		},
		{name: "root", input: inBlock("suffix . svc.cluster.local"), want: at(2) + "invalid suffix '.'" + no},
		{name: "empty", input: inBlock(`suffix "" svc.cluster.local`), want: at(2) + "invalid suffix ''" + no},
		{
			name: "network", input: inBlock("suffix 10.0.0.0/8 svc.cluster.local"),
			want: at(2) + "invalid suffix '10.0.0.0/8'" + no,
		},
		{
			name: "with a port", input: inBlock("suffix a.test:53 svc.cluster.local"),
			want: at(2) + "invalid suffix 'a.test:53'" + no,
		},
		{
			name: "equal to the cluster zone", input: inBlock("ttl 5", "suffix cluster.local svc.cluster.local"),
			want: at(3) + "suffix 'cluster.local.' must be outside the cluster zone 'cluster.local.'",
		},
		{
			name: "inside the cluster zone", input: inBlock("suffix mgmt.Cluster.local svc.cluster.local"),
			want: at(2) + "suffix 'mgmt.cluster.local.' must be outside the cluster zone 'cluster.local.'",
		},
		{
			name:  "inside a later stanza's cluster zone",
			input: inBlock("suffix a.other.local svc.cluster.local") + "\nheadless other.local",
			want:  at(2) + "suffix 'a.other.local.' must be outside the cluster zone 'other.local.'",
		},
		{
			name:  "inside an earlier stanza's cluster zone",
			input: "headless other.local\n" + inBlock("suffix a.other.local svc.cluster.local"),
			want:  at(3) + "suffix 'a.other.local.' must be outside the cluster zone 'other.local.'",
		},
		{
			name: "outside the server block", input: inBlock("suffix a.test svc.cluster.local"),
			key:  "dns://cluster.local.:53",
			want: at(2) + "suffix 'a.test.' is not in the server block's zones (cluster.local.)",
		},
		{
			name: "above the server block", input: inBlock("suffix test svc.cluster.local"), key: "dns://a.test.:53",
			want: at(2) + "suffix 'test.' is not in the server block's zones (a.test.)",
		},
		{
			name:  "twice in a stanza",
			input: inBlock("suffix a.test svc.cluster.local", "ttl 5", "suffix A.test. default.svc.cluster.local"),
			want:  at(4) + "suffix 'a.test.' is already set at Testfile:2",
		},
		{
			name: "twice across stanzas",
			input: inBlock("suffix a.test svc.cluster.local") +
				"\nheadless other.local {\nsuffix a.test svc.other.local\n}",
			want: at(5) + "suffix 'a.test.' is already set at Testfile:2",
		},
	})
}

func TestWrongTargetIsRefused(t *testing.T) {
	const targets = ": must be svc.ZONE, NAMESPACE.svc.ZONE or SERVICE.NAMESPACE.svc.ZONE, " +
		"where ZONE is cluster.local."
	target := func(s string) string { return inBlock("not_ready", "suffix mgmt.x "+s) }
	check(t, []mistake{
		{
			name: "in a foreign zone", input: target("default.svc.other.local"),
			want: at(3) + "invalid target 'default.svc.other.local'" + targets,
		},
		{
			name: "in the zone but not below svc", input: target("default.pod.cluster.local"),
			want: at(3) + "invalid target 'default.pod.cluster.local'" + targets,
		},
		{
			name: "the zone itself", input: target("cluster.local"),
			want: at(3) + "invalid target 'cluster.local'" + targets,
		},
		{
			name: "a label that ends in svc", input: target("notsvc.cluster.local"),
			want: at(3) + "invalid target 'notsvc.cluster.local'" + targets,
		},
		{
			name: "an escaped dot", input: target(`my\.ns.svc.cluster.local`),
			want: at(3) + `invalid target 'my\\.ns.svc.cluster.local'` + targets,
		},
		{
			name: "no name of a namespace", input: target("_ns.svc.cluster.local"),
			want: at(3) + "invalid target '_ns.svc.cluster.local'" + targets,
		},
		{
			name: "too many labels", input: target("web-0.nginx.default.svc.cluster.local"),
			want: at(3) + "invalid target 'web-0.nginx.default.svc.cluster.local'" + targets,
		},
		{
			name: "no domain name", input: target("default..svc.cluster.local"),
			want: at(3) + "invalid target 'default..svc.cluster.local'" + targets,
		},
		{
			name: "an empty label", input: target(".svc.cluster.local"),
			want: at(3) + "invalid target '.svc.cluster.local'" + targets,
		},
		{
			name:  "of several zones",
			input: "headless cluster.local other.local {\nsuffix a.test default.cluster.local\n}",
			want:  at(2) + "invalid target 'default.cluster.local'" + targets + " or other.local.",
		},
		{
			name:  "in another stanza's zone",
			input: "headless other.local\n" + inBlock("suffix a.test svc.other.local"),
			want:  at(3) + "invalid target 'svc.other.local'" + targets,
		},
		{
			name:  "a namespace left out",
			input: inBlock("suffix a.test prod.svc.cluster.local", "namespaces default worker"),
			want:  at(2) + "namespace 'prod' of the target is not watched; namespaces has only default, worker",
		},
		{
			name:  "a Service of a namespace left out",
			input: inBlock("namespaces default", "suffix a.test web.prod.svc.cluster.local"),
			want:  at(3) + "namespace 'prod' of the target is not watched; namespaces has only default",
		},
	})
}
