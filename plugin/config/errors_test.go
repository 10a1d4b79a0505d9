package config

import (
	"strings"
	"testing"
)

// Parts of several errors.
const (
	nameZone    = "name the cluster zone, such as cluster.local"
	noZone      = ": must be a domain name, such as cluster.local"
	nameNetwork = "use the pod network, such as 10.244.0.0/16"
)

// at is how an error in that line begins.
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

func TestUnknownOptionIsRefused(t *testing.T) {
	check(t, []mistake{
		{name: "unknown", input: inBlock("ttl 5", "upstream"), want: at(3) + "unknown property 'upstream'"},
		{name: "in another case", input: inBlock("TTL 5"), want: at(2) + "unknown property 'TTL'"},
		{name: "of two lines", input: inBlock("\"a\nb\""), want: at(2) + `unknown property 'a\nb'`},
	})
}

func TestWrongExplainIsRefused(t *testing.T) {
	const usage = ": must be IP:port, such as 127.0.0.1:8053"
	check(t, []mistake{
		{
			name: "no port", input: inBlock("ttl 5", "explain 127.0.0.1"),
			want: at(3) + "invalid explain address '127.0.0.1'" + usage,
		},
		{
			name: "a name", input: inBlock("explain localhost:8053"),
			want: at(2) + "invalid explain address 'localhost:8053'" + usage,
		},
		{name: "port 0", input: inBlock("explain [::1]:0"), want: at(2) + "invalid explain address '[::1]:0'" + usage},
		{
			name: "twice", input: inBlock("explain", "explain [::1]:1"),
			want: at(3) + "explain is already set at Testfile:2",
		},
		{
			name: "two addresses", input: inBlock("explain [::1]:1 [::1]:2"),
			want: at(2) + "wrong argument count for 'explain'; usage: explain [ADDRESS]",
		},
	})
}

func TestWrongNumberOfArgumentsSaysHowTheOptionIsWritten(t *testing.T) {
	const suffix, kubeconfig = "suffix SUFFIX TARGET", "kubeconfig KUBECONFIG [CONTEXT]"
	const timeout = "startup_timeout DURATION"
	check(t, []mistake{
		{
			name: "suffix 0", input: inBlock("suffix"),
			want: at(2) + "wrong argument count for 'suffix'; usage: " + suffix,
		},
		{
			name: "suffix 1", input: inBlock("suffix a.test"),
			want: at(2) + "wrong argument count for 'suffix'; usage: " + suffix,
		},
		{
			name: "suffix 3", input: inBlock("suffix a b c"),
			want: at(2) + "wrong argument count for 'suffix'; usage: " + suffix,
		},
		{
			name: "not_ready 1", input: inBlock("not_ready yes"),
			want: at(2) + "wrong argument count for 'not_ready'; usage: not_ready",
		},
		{
			name: "namespaces 0", input: inBlock("namespaces"),
			want: at(2) + "wrong argument count for 'namespaces'; usage: namespaces NAMESPACE...",
		},
		{name: "ttl 0", input: inBlock("ttl"), want: at(2) + "wrong argument count for 'ttl'; usage: ttl TTL"},
		{name: "ttl 2", input: inBlock("ttl 5 s"), want: at(2) + "wrong argument count for 'ttl'; usage: ttl TTL"},
		{
			name: "kubeconfig 0", input: inBlock("kubeconfig"),
			want: at(2) + "wrong argument count for 'kubeconfig'; usage: " + kubeconfig,
		},
		{
			name: "kubeconfig 3", input: inBlock("kubeconfig a b c"),
			want: at(2) + "wrong argument count for 'kubeconfig'; usage: " + kubeconfig,
		},
		{
			name: "snapshot 0", input: inBlock("snapshot"),
			want: at(2) + "wrong argument count for 'snapshot'; usage: snapshot FILE",
		},
		{
			name: "snapshot 2", input: inBlock("snapshot a b"),
			want: at(2) + "wrong argument count for 'snapshot'; usage: snapshot FILE",
		},
		{
			name: "manifests 0", input: inBlock("manifests"),
			want: at(2) + "wrong argument count for 'manifests'; usage: manifests PATH...",
		},
		{
			name: "startup_timeout 0", input: inBlock("startup_timeout"),
			want: at(2) + "wrong argument count for 'startup_timeout'; usage: " + timeout,
		},
		{
			name: "startup_timeout 2", input: inBlock("startup_timeout 5 s"),
			want: at(2) + "wrong argument count for 'startup_timeout'; usage: " + timeout,
		},
		{
			name: "the first line counts, not the next", input: inBlock("ttl", "5"),
			want: at(2) + "wrong argument count for 'ttl'; usage: ttl TTL",
		},
	})
}

func TestWrongZoneIsRefused(t *testing.T) {
	const reverse = " covers every address; " + nameNetwork
	check(t, []mistake{
		{name: "root", input: "headless .", want: at(1) + "cluster zone cannot be the root; " + nameZone},
		{
			name: "root of the server block", input: "headless",
			want: at(1) + "cluster zone cannot be the root; " + nameZone,
		},
		{
			name: "root after a good one", input: "\nheadless cluster.local .",
			want: at(2) + "cluster zone cannot be the root; " + nameZone,
		},
		{name: "network alone", input: "headless 10.244.0.0/16", want: at(1) + "no cluster zone; " + nameZone},
		{name: "in-addr.arpa", input: "headless in-addr.arpa", want: at(1) + "zone 'in-addr.arpa'" + reverse},
		{name: "ip6.arpa", input: "headless cluster.local IP6.arpa.", want: at(1) + "zone 'IP6.arpa.'" + reverse},
		{
			name: "network of all addresses", input: "headless cluster.local ::/0",
			want: at(1) + "zone '::/0'" + reverse,
		},
		{
			name: "network with a host's bits", input: "headless cluster.local 10.244.7.1/16",
			want: at(1) + "network '10.244.7.1/16' has host bits set; use 10.244.0.0/16",
		},
		{
			name: "network of IPv4 in IPv6", input: "headless cluster.local ::ffff:10.0.0.0/104",
			want: at(1) + "network '::ffff:10.0.0.0/104' is IPv4-mapped IPv6; use the IPv4 network",
		},
		{
			name: "network twice", input: "headless cluster.local 10.244.0.0/16 244.10.in-addr.arpa",
			want: at(1) + "network '244.10.in-addr.arpa' is listed twice",
		},
		{
			name: "network of another server block", input: "headless cluster.local 10.244.0.0/16",
			key:  "dns://cluster.local.:53",
			want: at(1) + "network '10.244.0.0/16' is not in the server block's zones (cluster.local.)",
		},
		{
			name: "no reverse zone", input: "headless cluster.local a.in-addr.arpa",
			want: at(1) + "zone 'a.in-addr.arpa' is not the reverse zone of a network; " + nameNetwork,
		},
		{
			name: "in-addr.arpa of the server block", input: "headless", key: "dns://in-addr.arpa.:53",
			want: at(1) + "zone 'in-addr.arpa.'" + reverse,
		},
		{name: "no domain name", input: "headless a..b", want: at(1) + "invalid cluster zone 'a..b'" + noZone},
		{
			name: "with a port", input: "headless cluster.local:53",
			want: at(1) + "invalid cluster zone 'cluster.local:53'" + noZone,
		},
		{
			name: "with a scheme", input: "headless dns://cluster.local",
			want: at(1) + "invalid cluster zone 'dns://cluster.local'" + noZone,
		},
		{name: "empty", input: `headless ""`, want: at(1) + "invalid cluster zone ''" + noZone},
		{
			name: "twice in a stanza", input: "headless cluster.local Cluster.local.",
			want: at(1) + "cluster zone 'Cluster.local.' is listed twice",
		},
		{
			name: "twice across stanzas", input: "headless cluster.local\nheadless other.local cluster.local",
			want: at(2) +
				"cluster zone 'cluster.local.' already has a stanza at Testfile:1; set all its options there",
		},
	})
}

func TestWrongValueSaysTheRange(t *testing.T) {
	const (
		seconds  = "ttl must be in range [0, 3600]: "
		duration = ": must be a duration of at least 0s, such as 5s"
		label    = ": must be a label of at most 63 lower case letters, digits and dashes"
		covers   = " must be a suffix of this stanza, or a parent domain of one"
	)
	check(t, []mistake{
		{name: "ttl too great", input: inBlock("ttl 9000"), want: at(2) + seconds + "9000"},
		{name: "ttl just too great", input: inBlock("ttl 3601"), want: at(2) + seconds + "3601"},
		{name: "ttl negative", input: inBlock("ttl -1"), want: at(2) + seconds + "-1"},
		{
			name: "ttl no number", input: inBlock("ttl abc"),
			want: at(2) + "invalid ttl 'abc': must be a number of seconds in range [0, 3600]",
		},
		{name: "ptr of something else", input: inBlock("ptr service"), want: at(2) + "invalid ptr 'service': must be suffix"},
		{name: "ptr of nothing", input: inBlock("ptr"), want: at(2) + "wrong argument count for 'ptr'; usage: ptr suffix"},
		{
			name: "apex_ttl too great", input: inBlock("apex_ttl 86401"),
			want: at(2) + "apex_ttl must be in range [0, 86400]: 86401",
		},
		{name: "ttl beyond 32 bits", input: inBlock("ttl 4294967297"), want: at(2) + seconds + "4294967297"},
		{
			name: "timeout no duration", input: inBlock("startup_timeout soon"),
			want: at(2) + "invalid startup_timeout 'soon'" + duration,
		},
		{
			name: "timeout without a unit", input: inBlock("startup_timeout 5"),
			want: at(2) + "invalid startup_timeout '5'" + duration,
		},
		{
			name: "timeout negative", input: inBlock("startup_timeout -5s"),
			want: at(2) + "invalid startup_timeout '-5s'" + duration,
		},
		{
			name: "namespace in upper case", input: inBlock("namespaces default Prod"),
			want: at(2) + "invalid namespace 'Prod'" + label,
		},
		{
			name: "namespace with a dot", input: inBlock("namespaces a.b"),
			want: at(2) + "invalid namespace 'a.b'" + label,
		},
		{
			name: "fallthrough no domain name", input: inBlock("fallthrough a..b"),
			want: at(2) + "invalid fallthrough zone 'a..b': must be a domain name",
		},
		{
			name:  "fallthrough below a suffix that is not shared",
			input: inBlock("suffix x.a.test svc.cluster.local", "suffix a.test svc.cluster.local", "fallthrough x.a.test"),
			want: at(2) + "suffix 'x.a.test.' is shared by fallthrough, and lies in 'a.test.' of Testfile:3, which is not; " +
				"share both or neither",
		},
		{
			name: "fallthrough below that of another stanza",
			input: inBlock("suffix a.test svc.cluster.local") +
				"\nheadless other.local {\nsuffix x.a.test svc.other.local\nfallthrough\n}",
			want: at(5) + "suffix 'x.a.test.' is shared by fallthrough, and lies in 'a.test.' of Testfile:2, which is not; " +
				"share both or neither",
		},
		{
			name:  "fallthrough covers no suffix",
			input: inBlock("suffix a.test svc.cluster.local", "fallthrough b.test"),
			want:  at(3) + "fallthrough zone 'b.test.'" + covers,
		},
		{
			name:  "fallthrough below the suffix",
			input: inBlock("fallthrough test x.a.test", "suffix a.test svc.cluster.local"),
			want:  at(2) + "fallthrough zone 'x.a.test.'" + covers,
		},
	})
}

func TestOptionsThatExcludeEachOther(t *testing.T) {
	const together = "kubeconfig and manifests cannot both be set"
	const asFiles = "snapshot and manifests cannot both be set"
	const twice = " is already set at Testfile:"
	check(t, []mistake{
		{
			name: "manifests after kubeconfig", input: inBlock("kubeconfig a", "ttl 5", "manifests b"),
			want: at(4) + together,
		},
		{name: "kubeconfig after manifests", input: inBlock("manifests b", "kubeconfig a"), want: at(3) + together},
		{name: "snapshot with manifests", input: inBlock("snapshot s", "ttl 5", "manifests b"), want: at(2) + asFiles},
		{name: "manifests with a snapshot", input: inBlock("manifests b", "snapshot s"), want: at(3) + asFiles},
		{name: "snapshot twice", input: inBlock("snapshot a", "snapshot b"), want: at(3) + "snapshot" + twice + "2"},
		{name: "not_ready twice", input: inBlock("not_ready", "not_ready"), want: at(3) + "not_ready" + twice + "2"},
		{name: "ttl twice", input: inBlock("ttl 5", "not_ready", "ttl 5"), want: at(4) + "ttl" + twice + "2"},
		{
			name: "kubeconfig twice", input: inBlock("kubeconfig a", "kubeconfig b"),
			want: at(3) + "kubeconfig" + twice + "2",
		},
		{
			name: "startup_timeout twice", input: inBlock("startup_timeout 1s", "startup_timeout 1s"),
			want: at(3) + "startup_timeout" + twice + "2",
		},
		{
			name: "fallthrough twice", input: inBlock("suffix a.test svc.cluster.local", "fallthrough", "fallthrough"),
			want: at(4) + "fallthrough" + twice + "3",
		},
	})
}

// A path is empty if its environment variable is not set, as in kubeconfig {$KUBECONFIG}. To take the service account
// or the working directory instead would be a surprise.
func TestEmptyPathIsRefused(t *testing.T) {
	const kubeconfig, manifests = "kubeconfig path cannot be empty", "manifests path cannot be empty"
	check(t, []mistake{
		{name: "kubeconfig", input: inBlock("ttl 5", `kubeconfig ""`), want: at(3) + kubeconfig},
		{name: "kubeconfig with a context", input: inBlock(`kubeconfig "" admin`), want: at(2) + kubeconfig},
		{name: "manifests", input: inBlock(`manifests ""`), want: at(2) + manifests},
		{
			name: "one of the manifests", input: inBlock("manifests a.yaml", `manifests b.yaml ""`),
			want: at(3) + manifests,
		},
		{
			name: "kubeconfig behind manifests", input: inBlock("manifests a.yaml", `kubeconfig ""`),
			want: at(3) + kubeconfig,
		},
	})
	const noFile = ": must be a file, in a directory that CoreDNS can write to"
	check(t, []mistake{
		{name: "snapshot", input: inBlock("ttl 5", `snapshot ""`), want: at(3) + "invalid snapshot ''" + noFile},
		{
			name: "snapshot that is a directory", input: inBlock("snapshot /var/lib/"),
			want: at(2) + "invalid snapshot '/var/lib/'" + noFile,
		},
	})
}

// A zone leaves room for hostmaster.ZONE in the SOA record, and for the label of a peer.
func TestZoneIsNotTooLong(t *testing.T) {
	zone := strings.Repeat(strings.Repeat("z", 60)+".", 4)
	check(t, []mistake{
		{
			name: "244 octets", input: "headless " + zone,
			want: at(1) + "cluster zone '" + zone + "' must have at most 190 octets: 244",
		},
	})
}
