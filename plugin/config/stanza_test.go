package config

import (
	"strings"
	"testing"
	"time"

	"github.com/coredns/caddy"
	"github.com/google/go-cmp/cmp"
)

// parse parses input as a server block with these keys.
func parse(input string, keys ...string) ([]Stanza, error) {
	c := caddy.NewTestController("dns", input)
	c.ServerBlockKeys = keys
	return Parse(c)
}

// inBlock returns a stanza for cluster.local with these options, the first of them in line 2.
func inBlock(options ...string) string {
	return "headless cluster.local {\n" + strings.Join(options, "\n") + "\n}"
}

func line(n int) Position { return Position{File: "Testfile", Line: n} }

// defaults returns a stanza without options that begins in line n.
func defaults(n int, zones ...string) Stanza {
	return Stanza{Zones: zones, TTL: 5, ApexTTL: 3600, StartupTimeout: 5 * time.Second, SourceAt: line(n), At: line(n)}
}

// with returns the stanza "headless cluster.local" after a change.
func with(change func(*Stanza)) []Stanza {
	s := defaults(1, "cluster.local.")
	change(&s)
	return []Stanza{s}
}

func TestStanzaIsReadWhole(t *testing.T) {
	tests := []struct {
		name  string
		input string
		keys  []string
		want  []Stanza
	}{
		{
			name:  "defaults",
			input: "headless cluster.local",
			keys:  []string{"dns://.:53"},
			want:  []Stanza{defaults(1, "cluster.local.")},
		},
		{
			name:  "an empty block is no block",
			input: "headless cluster.local {\n}",
			keys:  []string{"dns://.:53"},
			want:  []Stanza{defaults(1, "cluster.local.")},
		},
		{
			name:  "zones in lower case and fully qualified",
			input: "headless Cluster.LOCAL cluster.example.org.",
			keys:  []string{"dns://.:53"},
			want:  []Stanza{defaults(1, "cluster.local.", "cluster.example.org.")},
		},
		{
			name:  "zones of the server block",
			input: "headless",
			keys:  []string{"dns://cluster.local.:1053", "dns://cluster.example.org.:1053"},
			want:  []Stanza{defaults(1, "cluster.local.", "cluster.example.org.")},
		},
		{
			name:  "zones given stand instead of the server block's",
			input: "headless cluster.local",
			keys:  []string{"dns://cluster.example.org.:53", "dns://in-addr.arpa.:53"},
			want:  []Stanza{defaults(1, "cluster.local.")},
		},
		{
			name: "every option",
			input: inBlock(
				"suffix mgmt.pix.yun.com default.svc.cluster.local", // 2
				"suffix storm.example.org worker.default.svc.cluster.local",
				"suffix K8S.example.org. SVC.Cluster.local.",
				"not_ready", // 5
				"namespaces worker default",
				"ttl 30",
				"fallthrough example.org", // 8
				"kubeconfig /etc/kube/config admin@cluster",
				"startup_timeout 1m30s",
				"apex_ttl 60",
				"ptr suffix",
			),
			keys: []string{"dns://.:53"},
			want: with(func(s *Stanza) {
				s.Suffixes = []Suffix{
					{Name: "mgmt.pix.yun.com.", Target: Target{Namespace: "default"}, At: line(2)},
					{
						Name: "storm.example.org.", Target: Target{Namespace: "default", Service: "worker"},
						Shared: true, At: line(3),
					},
					{Name: "k8s.example.org.", Shared: true, At: line(4)},
				}
				s.NotReady, s.PTRSuffix = true, true
				s.Namespaces = []string{"default", "worker"}
				s.TTL, s.ApexTTL = 30, 60
				s.Kubeconfig, s.Context, s.SourceAt = "/etc/kube/config", "admin@cluster", line(9)
				s.StartupTimeout = 90 * time.Second
			}),
		},
		{
			name:  "snapshot",
			input: inBlock("ttl 5", "snapshot /var/lib/headless/cluster"),
			want:  with(func(s *Stanza) { s.Snapshot = Snapshot{Path: "/var/lib/headless/cluster", At: line(3)} }),
		},
		{
			name:  "manifests of several lines",
			input: inBlock("manifests a.yaml b", "manifests c.json"),
			keys:  []string{"dns://.:53"},
			want: with(func(s *Stanza) {
				s.Manifests, s.SourceAt = []string{"a.yaml", "b", "c.json"}, line(3)
			}),
		},
		{
			name:  "kubeconfig without a context",
			input: inBlock("kubeconfig /etc/kube/config"),
			keys:  []string{"dns://.:53"},
			want:  with(func(s *Stanza) { s.Kubeconfig, s.SourceAt = "/etc/kube/config", line(2) }),
		},
		{
			name:  "namespaces of several lines, without duplicates",
			input: inBlock("namespaces b a", "namespaces a c"),
			keys:  []string{"dns://.:53"},
			want:  with(func(s *Stanza) { s.Namespaces = []string{"a", "b", "c"} }),
		},
		{
			name:  "the least ttl and timeout",
			input: inBlock("ttl 0", "startup_timeout 0s"),
			keys:  []string{"dns://.:53"},
			want:  with(func(s *Stanza) { s.TTL, s.StartupTimeout = 0, 0 }),
		},
		{
			name:  "the greatest ttl",
			input: inBlock("ttl 3600", "apex_ttl 86400"),
			keys:  []string{"dns://.:53"},
			want:  with(func(s *Stanza) { s.TTL, s.ApexTTL = 3600, 86400 }),
		},
		{
			name:  "a target in the second zone",
			input: "headless cluster.local cluster.example.org {\nsuffix x.test ns.svc.cluster.example.org\n}",
			keys:  []string{"dns://.:53"},
			want: []Stanza{func() Stanza {
				s := defaults(1, "cluster.local.", "cluster.example.org.")
				s.Suffixes = []Suffix{{Name: "x.test.", Target: Target{Namespace: "ns"}, At: line(2)}}
				return s
			}()},
		},
		{
			name:  "nested suffixes",
			input: inBlock("suffix x.test svc.cluster.local", "suffix ns.x.test other.svc.cluster.local"),
			keys:  []string{"dns://test.:53", "dns://cluster.local.:53"},
			want: with(func(s *Stanza) {
				s.Suffixes = []Suffix{
					{Name: "x.test.", At: line(2)},
					{Name: "ns.x.test.", Target: Target{Namespace: "other"}, At: line(3)},
				}
			}),
		},
		{
			name: "several stanzas",
			input: `headless cluster.local {
    suffix a.test default.svc.cluster.local
    ttl 10
}
headless other.local {
    suffix b.test default.svc.other.local
    manifests /tmp/other.yaml
}`,
			keys: []string{"dns://.:53"},
			want: func() []Stanza {
				first, second := defaults(1, "cluster.local."), defaults(5, "other.local.")
				first.Suffixes = []Suffix{{Name: "a.test.", Target: Target{Namespace: "default"}, At: line(2)}}
				first.TTL = 10
				second.Suffixes = []Suffix{{Name: "b.test.", Target: Target{Namespace: "default"}, At: line(6)}}
				second.Manifests, second.SourceAt = []string{"/tmp/other.yaml"}, line(7)
				return []Stanza{first, second}
			}(),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parse(tt.input, tt.keys...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOrderOfOptionsIsIrrelevant(t *testing.T) {
	options := []string{
		"suffix a.test default.svc.cluster.local", "fallthrough", "namespaces default", "ttl 7", "not_ready",
		"manifests x.yaml", "startup_timeout 1s",
	}
	read := func(options []string) Stanza {
		t.Helper()
		got, err := parse(inBlock(options...), "dns://.:53")
		if err != nil {
			t.Fatalf("%q: %v", options, err)
		}
		s := got[0]
		s.SourceAt, s.Suffixes[0].At = Position{}, Position{} // the lines are what differs
		return s
	}
	want := read(options)
	for range options {
		options = append(options[1:], options[0])
		if diff := cmp.Diff(want, read(options)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", options, diff)
		}
	}
	for i, j := 0, len(options)-1; i < j; i, j = i+1, j-1 {
		options[i], options[j] = options[j], options[i]
	}
	if diff := cmp.Diff(want, read(options)); diff != "" {
		t.Errorf("%q (-want +got):\n%s", options, diff)
	}
}

func TestFallthroughSharesTheSuffixesItCovers(t *testing.T) {
	tests := []struct {
		name   string
		option string
		want   map[string]bool // shared, by suffix
	}{
		{name: "none", option: "", want: map[string]bool{"a.example.org.": false, "b.test.": false}},
		{name: "bare", option: "fallthrough", want: map[string]bool{"a.example.org.": true, "b.test.": true}},
		{
			name: "a suffix itself", option: "fallthrough b.test",
			want: map[string]bool{"a.example.org.": false, "b.test.": true},
		},
		{
			name: "a domain above", option: "fallthrough Example.ORG",
			want: map[string]bool{"a.example.org.": true, "b.test.": false},
		},
		{name: "the root", option: "fallthrough .", want: map[string]bool{"a.example.org.": true, "b.test.": true}},
		{
			name: "each by its own", option: "fallthrough example.org b.test",
			want: map[string]bool{"a.example.org.": true, "b.test.": true},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list, err := parse(inBlock("suffix a.example.org default.svc.cluster.local", tt.option,
				"suffix b.test svc.cluster.local"), "dns://.:53")
			if err != nil {
				t.Fatal(err)
			}
			got := make(map[string]bool)
			for _, s := range list[0].Suffixes {
				got[s.Name] = s.Shared
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
