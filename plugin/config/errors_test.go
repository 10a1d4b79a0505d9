package config

import (
	"strings"
	"testing"
)

// Texts that many errors share.
const (
	nameZone = "name the cluster zone, such as cluster.local"
	known    = "allowed are explain, fallthrough, kubeconfig, manifests, nameserver, namespaces, not_ready, snapshot, startup_timeout, suffix, ttl"
	targets  = "allowed are svc.ZONE, NAMESPACE.svc.ZONE and SERVICE.NAMESPACE.svc.ZONE, where ZONE is one of cluster.local."
)

// at is the head of an error in that line.
func at(n int) string { return line(n).String() + " - Error during parsing: " }

type mistake struct {
	name  string
	input string
	key   string // of the server block; the root where empty
	want  string
}

func check(t *testing.T, mistakes []mistake) {
	t.Helper()
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			if m.key == "" {
				m.key = "dns://.:53"
			}
			got, err := parse(m.input, m.key)
			if err == nil {
				t.Fatalf("accepted: %+v", got)
			}
			if err.Error() != m.want {
				t.Errorf("got\n\t%s\nwant\n\t%s", err, m.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
		})
	}
}

func TestWrongOptionSaysWhatIsAllowed(t *testing.T) {
	check(t, []mistake{
		{name: "unknown", input: inBlock("ttl 5", "upstream"), want: at(3) + `unknown option "upstream": ` + known},
		{name: "in another case", input: inBlock("TTL 5"), want: at(2) + `unknown option "TTL": ` + known},
	})
}

func TestWrongExplainSaysWhatIsAllowed(t *testing.T) {
	const allowed = ": allowed is an IP address with a port, such as 127.0.0.1:8053"
	check(t, []mistake{
		{name: "no port", input: inBlock("ttl 5", "explain 127.0.0.1"), want: at(3) + `explain "127.0.0.1"` + allowed},
		{name: "a name", input: inBlock("explain localhost:8053"), want: at(2) + `explain "localhost:8053"` + allowed},
		{name: "port 0", input: inBlock("explain [::1]:0"), want: at(2) + `explain "[::1]:0"` + allowed},
		{name: "twice", input: inBlock("explain", "explain [::1]:1"), want: at(3) + "explain stands in line 2 already: it is allowed once"},
		{name: "two addresses", input: inBlock("explain [::1]:1 [::1]:2"), want: at(2) + "explain has 2 arguments: allowed is explain [ADDRESS]"},
	})
}

func TestWrongNumberOfArgumentsSaysHowTheOptionIsWritten(t *testing.T) {
	const suffix, kubeconfig = "suffix SUFFIX TARGET", "kubeconfig KUBECONFIG [CONTEXT]"
	const timeout = "startup_timeout DURATION, such as 5s"
	check(t, []mistake{
		{name: "suffix 0", input: inBlock("suffix"), want: at(2) + "suffix has 0 arguments: allowed is " + suffix},
		{name: "suffix 1", input: inBlock("suffix a.test"), want: at(2) + "suffix has 1 arguments: allowed is " + suffix},
		{name: "suffix 3", input: inBlock("suffix a b c"), want: at(2) + "suffix has 3 arguments: allowed is " + suffix},
		{name: "not_ready 1", input: inBlock("not_ready yes"), want: at(2) + "not_ready has 1 arguments: allowed is not_ready, without arguments"},
		{name: "namespaces 0", input: inBlock("namespaces"), want: at(2) + "namespaces has 0 arguments: allowed is namespaces NAMESPACE..."},
		{name: "ttl 0", input: inBlock("ttl"), want: at(2) + "ttl has 0 arguments: allowed is ttl SECONDS"},
		{name: "ttl 2", input: inBlock("ttl 5 s"), want: at(2) + "ttl has 2 arguments: allowed is ttl SECONDS"},
		{name: "kubeconfig 0", input: inBlock("kubeconfig"), want: at(2) + "kubeconfig has 0 arguments: allowed is " + kubeconfig},
		{name: "kubeconfig 3", input: inBlock("kubeconfig a b c"), want: at(2) + "kubeconfig has 3 arguments: allowed is " + kubeconfig},
		{name: "snapshot 0", input: inBlock("snapshot"), want: at(2) + "snapshot has 0 arguments: allowed is snapshot FILE"},
		{name: "snapshot 2", input: inBlock("snapshot a b"), want: at(2) + "snapshot has 2 arguments: allowed is snapshot FILE"},
		{name: "manifests 0", input: inBlock("manifests"), want: at(2) + "manifests has 0 arguments: allowed is manifests PATH..."},
		{name: "startup_timeout 0", input: inBlock("startup_timeout"), want: at(2) + "startup_timeout has 0 arguments: allowed is " + timeout},
		{name: "startup_timeout 2", input: inBlock("startup_timeout 5 s"), want: at(2) + "startup_timeout has 2 arguments: allowed is " + timeout},
		{name: "the first line counts, not the next", input: inBlock("ttl", "5"), want: at(2) + "ttl has 0 arguments: allowed is ttl SECONDS"},
	})
}

func TestWrongZoneIsRefused(t *testing.T) {
	const (
		nameNetwork = "name the pod network, such as 10.244.0.0/16"
		reverse     = "is all reverse names of its family, which belong to whoever answered them before: " + nameNetwork
	)
	check(t, []mistake{
		{name: "root", input: "headless .", want: at(1) + `zone "." is all of DNS: ` + nameZone},
		{name: "root of the server block", input: "headless", want: at(1) + `zone "." is all of DNS: ` + nameZone},
		{name: "root after a good one", input: "\nheadless cluster.local .", want: at(2) + `zone "." is all of DNS: ` + nameZone},
		{name: "network alone", input: "headless 10.244.0.0/16", want: at(1) + "no zone given: " + nameZone},
		{name: "in-addr.arpa", input: "headless in-addr.arpa", want: at(1) + `zone "in-addr.arpa" ` + reverse},
		{name: "ip6.arpa", input: "headless cluster.local IP6.arpa.", want: at(1) + `zone "IP6.arpa." ` + reverse},
		{name: "network of all addresses", input: "headless cluster.local ::/0", want: at(1) + `zone "::/0" ` + reverse},
		{
			name: "network with a host's bits", input: "headless cluster.local 10.244.7.1/16",
			want: at(1) + `network "10.244.7.1/16" has bits set behind its length: allowed is 10.244.0.0/16`,
		},
		{
			name: "network of IPv4 in IPv6", input: "headless cluster.local ::ffff:10.0.0.0/104",
			want: at(1) + `network "::ffff:10.0.0.0/104" is IPv4 in IPv6: ` + nameNetwork,
		},
		{name: "network twice", input: "headless cluster.local 10.244.0.0/16 244.10.in-addr.arpa", want: at(1) + `network "244.10.in-addr.arpa" stands twice`},
		{
			name: "network of another server block", input: "headless cluster.local 10.244.0.0/16", key: "dns://cluster.local.:53",
			want: at(1) + `network "10.244.0.0/16" lies outside the server block's zones, no query for it comes here: allowed is what lies in cluster.local.`,
		},
		{
			name: "no reverse zone", input: "headless cluster.local a.in-addr.arpa",
			want: at(1) + `zone "a.in-addr.arpa" is no reverse zone of a network: ` + nameNetwork,
		},
		{name: "in-addr.arpa of the server block", input: "headless", key: "dns://in-addr.arpa.:53", want: at(1) + `zone "in-addr.arpa." ` + reverse},
		{name: "no domain name", input: "headless a..b", want: at(1) + `"a..b" is no cluster zone: ` + nameZone},
		{name: "with a port", input: "headless cluster.local:53", want: at(1) + `"cluster.local:53" is no cluster zone: ` + nameZone},
		{name: "with a scheme", input: "headless dns://cluster.local", want: at(1) + `"dns://cluster.local" is no cluster zone: ` + nameZone},
		{name: "empty", input: `headless ""`, want: at(1) + `"" is no cluster zone: ` + nameZone},
		{name: "twice in a stanza", input: "headless cluster.local Cluster.local.", want: at(1) + `zone "Cluster.local." stands twice`},
		{
			name: "twice across stanzas", input: "headless cluster.local\nheadless other.local cluster.local",
			want: at(2) + `cluster zone "cluster.local." is served by the stanza at Testfile:1 already: it belongs to one cluster, put all options there`,
		},
	})
}

func TestWrongSuffixIsRefused(t *testing.T) {
	const no = " is no suffix: allowed is a domain name of 1 to 190 octets, such as mgmt.example.org"
	const outside = ", no query for it comes here: allowed is what lies in "
	long := strings.Repeat(strings.Repeat("a", 62)+".", 3) + "ab."
	if len(long) != 192 {
		t.Fatal(len(long))
	}
	check(t, []mistake{
		{name: "no domain name", input: inBlock("suffix a..b svc.cluster.local"), want: at(2) + `"a..b"` + no},
		{name: "a label too long", input: inBlock("suffix " + strings.Repeat("a", 64) + " svc.cluster.local"), want: at(2) + `"` + strings.Repeat("a", 64) + `"` + no},
		{name: "no room for a peer", input: inBlock("suffix " + long + " svc.cluster.local"), want: at(2) + `"` + long + `"` + no},
		{name: "root", input: inBlock("suffix . svc.cluster.local"), want: at(2) + `"."` + no},
		{name: "empty", input: inBlock(`suffix "" svc.cluster.local`), want: at(2) + `""` + no},
		{name: "network", input: inBlock("suffix 10.0.0.0/8 svc.cluster.local"), want: at(2) + `"10.0.0.0/8"` + no},
		{name: "with a port", input: inBlock("suffix a.test:53 svc.cluster.local"), want: at(2) + `"a.test:53"` + no},
		{
			name: "equal to the cluster zone", input: inBlock("ttl 5", "suffix cluster.local svc.cluster.local"),
			want: at(3) + `suffix "cluster.local." lies inside the cluster zone "cluster.local.", whose names belong to the cluster: allowed is a domain outside`,
		},
		{
			name: "inside the cluster zone", input: inBlock("suffix mgmt.Cluster.local svc.cluster.local"),
			want: at(2) + `suffix "mgmt.cluster.local." lies inside the cluster zone "cluster.local.", whose names belong to the cluster: allowed is a domain outside`,
		},
		{
			name: "inside a later stanza's cluster zone", input: inBlock("suffix a.other.local svc.cluster.local") + "\nheadless other.local",
			want: at(2) + `suffix "a.other.local." lies inside the cluster zone "other.local.", whose names belong to the cluster: allowed is a domain outside`,
		},
		{
			name: "inside an earlier stanza's cluster zone", input: "headless other.local\n" + inBlock("suffix a.other.local svc.cluster.local"),
			want: at(3) + `suffix "a.other.local." lies inside the cluster zone "other.local.", whose names belong to the cluster: allowed is a domain outside`,
		},
		{
			name: "outside the server block", input: inBlock("suffix a.test svc.cluster.local"), key: "dns://cluster.local.:53",
			want: at(2) + `suffix "a.test." lies outside the server block's zones` + outside + `cluster.local.`,
		},
		{
			name: "above the server block", input: inBlock("suffix test svc.cluster.local"), key: "dns://a.test.:53",
			want: at(2) + `suffix "test." lies outside the server block's zones` + outside + `a.test.`,
		},
		{
			name: "twice in a stanza", input: inBlock("suffix a.test svc.cluster.local", "ttl 5", "suffix A.test. default.svc.cluster.local"),
			want: at(4) + `suffix "a.test." stands at Testfile:2 already: allowed is one target for a suffix`,
		},
		{
			name:  "twice across stanzas",
			input: inBlock("suffix a.test svc.cluster.local") + "\nheadless other.local {\nsuffix a.test svc.other.local\n}",
			want:  at(5) + `suffix "a.test." stands at Testfile:2 already: allowed is one target for a suffix`,
		},
	})
}

func TestWrongTargetIsRefused(t *testing.T) {
	target := func(s string) string { return inBlock("not_ready", "suffix mgmt.x "+s) }
	check(t, []mistake{
		{name: "in a foreign zone", input: target("default.svc.other.local"), want: at(3) + `target "default.svc.other.local": ` + targets},
		{name: "in the zone but not below svc", input: target("default.pod.cluster.local"), want: at(3) + `target "default.pod.cluster.local": ` + targets},
		{name: "the zone itself", input: target("cluster.local"), want: at(3) + `target "cluster.local": ` + targets},
		{name: "a label that ends in svc", input: target("notsvc.cluster.local"), want: at(3) + `target "notsvc.cluster.local": ` + targets},
		{name: "an escaped dot", input: target(`my\.ns.svc.cluster.local`), want: at(3) + `target "my\\.ns.svc.cluster.local": ` + targets},
		{name: "no name of a namespace", input: target("_ns.svc.cluster.local"), want: at(3) + `target "_ns.svc.cluster.local": ` + targets},
		{name: "too many labels", input: target("web-0.nginx.default.svc.cluster.local"), want: at(3) + `target "web-0.nginx.default.svc.cluster.local": ` + targets},
		{name: "no domain name", input: target("default..svc.cluster.local"), want: at(3) + `target "default..svc.cluster.local": ` + targets},
		{name: "an empty label", input: target(".svc.cluster.local"), want: at(3) + `target ".svc.cluster.local": ` + targets},
		{
			name: "of several zones", input: "headless cluster.local other.local {\nsuffix a.test default.cluster.local\n}",
			want: at(2) + `target "default.cluster.local": ` + targets + ", other.local.",
		},
		{
			name: "in another stanza's zone", input: "headless other.local\n" + inBlock("suffix a.test svc.other.local"),
			want: at(3) + `target "svc.other.local": ` + targets,
		},
		{
			name: "a namespace left out", input: inBlock("suffix a.test prod.svc.cluster.local", "namespaces default worker"),
			want: at(2) + `namespace "prod" is not among the namespaces watched: allowed are default, worker`,
		},
		{
			name: "a Service of a namespace left out", input: inBlock("namespaces default", "suffix a.test web.prod.svc.cluster.local"),
			want: at(3) + `namespace "prod" is not among the namespaces watched: allowed are default`,
		},
	})
}

func TestWrongValueSaysTheRange(t *testing.T) {
	const seconds, duration = ": allowed are 0 to 3600 seconds", ": allowed is a duration of 0s or more, such as 5s"
	const label = " is no namespace: allowed are lower case letters, digits and -, 63 at most"
	check(t, []mistake{
		{name: "ttl too great", input: inBlock("ttl 9000"), want: at(2) + `ttl "9000"` + seconds},
		{name: "ttl just too great", input: inBlock("ttl 3601"), want: at(2) + `ttl "3601"` + seconds},
		{name: "ttl negative", input: inBlock("ttl -1"), want: at(2) + `ttl "-1"` + seconds},
		{name: "ttl no number", input: inBlock("ttl abc"), want: at(2) + `ttl "abc"` + seconds},
		{name: "ttl beyond 32 bits", input: inBlock("ttl 4294967297"), want: at(2) + `ttl "4294967297"` + seconds},
		{name: "timeout no duration", input: inBlock("startup_timeout soon"), want: at(2) + `startup_timeout "soon"` + duration},
		{name: "timeout without a unit", input: inBlock("startup_timeout 5"), want: at(2) + `startup_timeout "5"` + duration},
		{name: "timeout negative", input: inBlock("startup_timeout -5s"), want: at(2) + `startup_timeout "-5s"` + duration},
		{name: "namespace in upper case", input: inBlock("namespaces default Prod"), want: at(2) + `"Prod"` + label},
		{name: "namespace with a dot", input: inBlock("namespaces a.b"), want: at(2) + `"a.b"` + label},
		{name: "fallthrough no domain name", input: inBlock("fallthrough a..b"), want: at(2) + `fallthrough "a..b" is no domain name`},
		{
			name: "fallthrough covers no suffix", input: inBlock("suffix a.test svc.cluster.local", "fallthrough b.test"),
			want: at(3) + `fallthrough "b.test." covers no suffix of this stanza: allowed are its suffixes and domains above them`,
		},
		{
			name: "fallthrough below the suffix", input: inBlock("fallthrough test x.a.test", "suffix a.test svc.cluster.local"),
			want: at(2) + `fallthrough "x.a.test." covers no suffix of this stanza: allowed are its suffixes and domains above them`,
		},
	})
}

func TestOptionsThatExcludeEachOther(t *testing.T) {
	const together = "kubeconfig and manifests stand together: allowed is one of them, for one cluster"
	const asFiles = "snapshot and manifests stand together: allowed is one of them, manifests are files already"
	const twice = " already: it is allowed once"
	check(t, []mistake{
		{name: "manifests after kubeconfig", input: inBlock("kubeconfig a", "ttl 5", "manifests b"), want: at(4) + together},
		{name: "kubeconfig after manifests", input: inBlock("manifests b", "kubeconfig a"), want: at(3) + together},
		{name: "snapshot with manifests", input: inBlock("snapshot s", "ttl 5", "manifests b"), want: at(2) + asFiles},
		{name: "manifests with a snapshot", input: inBlock("manifests b", "snapshot s"), want: at(3) + asFiles},
		{name: "snapshot twice", input: inBlock("snapshot a", "snapshot b"), want: at(3) + "snapshot stands in line 2" + twice},
		{name: "not_ready twice", input: inBlock("not_ready", "not_ready"), want: at(3) + "not_ready stands in line 2" + twice},
		{name: "ttl twice", input: inBlock("ttl 5", "not_ready", "ttl 5"), want: at(4) + "ttl stands in line 2" + twice},
		{name: "kubeconfig twice", input: inBlock("kubeconfig a", "kubeconfig b"), want: at(3) + "kubeconfig stands in line 2" + twice},
		{name: "startup_timeout twice", input: inBlock("startup_timeout 1s", "startup_timeout 1s"), want: at(3) + "startup_timeout stands in line 2" + twice},
		{name: "fallthrough twice", input: inBlock("suffix a.test svc.cluster.local", "fallthrough", "fallthrough"), want: at(4) + "fallthrough stands in line 3" + twice},
	})
}

// A path is empty where its environment variable is not set, as in kubeconfig {$KUBECONFIG}. Taking the service account
// instead, or CoreDNS's own folder, would be a surprise.
func TestEmptyPathIsRefused(t *testing.T) {
	const empty = "a path is empty: allowed are names of files, and for manifests of folders"
	check(t, []mistake{
		{name: "kubeconfig", input: inBlock("ttl 5", `kubeconfig ""`), want: at(3) + empty},
		{name: "kubeconfig with a context", input: inBlock(`kubeconfig "" admin`), want: at(2) + empty},
		{name: "manifests", input: inBlock(`manifests ""`), want: at(2) + empty},
		{name: "one of the manifests", input: inBlock("manifests a.yaml", `manifests b.yaml ""`), want: at(3) + empty},
		{name: "kubeconfig behind manifests", input: inBlock("manifests a.yaml", `kubeconfig ""`), want: at(3) + empty},
	})
	const noFile = " is no file: allowed is the name of a file in a folder that CoreDNS may write to"
	check(t, []mistake{
		{name: "snapshot", input: inBlock("ttl 5", `snapshot ""`), want: at(3) + `snapshot ""` + noFile},
		{name: "snapshot that is a folder", input: inBlock("snapshot /var/lib/"), want: at(2) + `snapshot "/var/lib/"` + noFile},
	})
}

// With labels to spare for hostmaster.ZONE in a SOA record, and for a peer.
func TestZoneIsNotTooLong(t *testing.T) {
	zone := strings.Repeat(strings.Repeat("z", 60)+".", 4)
	check(t, []mistake{
		{name: "244 octets", input: "headless " + zone, want: at(1) + `zone "` + zone + `" has 244 octets: allowed are 190`},
	})
}
