package manifests

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/yaml"

	"github.com/coredns-headless/headless/plugin/source/sourcetest"
)

// keys are the keys k0, k1 and so on, each in form.
func keys(form string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, form, i)
	}
	return b.String()
}

// The parser of YAML takes up to 300 octets for each one, and a second for each MB. So it is not even given what is
// no single object.
func TestTooMuchAtOnceIsRefusedUnread(t *testing.T) {
	const (
		allowed = "the most are 4194304 and 160000: write a list as kubectl prints it, or as JSON"
		typed   = "apiVersion: v1\nkind: Service\n"
		listed  = "apiVersion: v1\nkind: List\nitems:\n"
	)
	many := strings.Repeat("a,", maxValues)
	tests := []struct{ name, text, want string }{
		{
			name: "a mapping", text: serviceYAML + "---\n" + typed + "spec:\n" + keys("  k%d: 1\n", 200_000),
			want: "document 2, line 6: too large for one object: 2488925 octets, about 400006 keys and values; " + allowed,
		},
		{name: "a mapping in one line", text: typed + "spec: {" + keys("k%d: 1, ", 200_000) + "}\n", want: "line 1: too large for one object: "},
		{name: "a sequence", text: typed + "spec:\n" + strings.Repeat("- \n", maxValues), want: "line 1: too large"},
		{name: "sequences in one line", text: typed + "spec:\n" + strings.Repeat("- ", maxValues) + "\n", want: "line 1: too large"},
		{name: "lines that end as in YAML 1.1", text: typed + "spec:\n" + keys("  k%d: 1\u0085", maxValues), want: "line 1: too large"},
		{name: "a text", text: typed + "spec: " + strings.Repeat("a", maxOctets) + "\n", want: "line 1: too large"},
		{name: "a list in flow style", text: listed[:len(listed)-1] + " [" + many + "]\n", want: "line 1: too large"},
		{name: "a document in flow style", text: "{kind: Service, spec: [" + many + "]}\n", want: "line 1: invalid character 'k' looking for beginning of object key string"},
		{name: "an item", text: listed + indent(serviceYAML) + indent(typed+"spec: ["+many+"]\n"), want: "line 8: too large"},
		{name: "an item that is malformed, in a long list", text: listed + "- a: b: c\n" + strings.Repeat(indent(serviceYAML), maxValues/8), want: "line 4: mapping values are not allowed"},
		{name: "a head", text: "apiVersion: v1\nkind: List\nmetadata:\n" + keys("  k%d: 1\n", maxValues) + "items:\n" + indent(serviceYAML), want: "line 1: too large"},
		{name: "a tail", text: listed + indent(serviceYAML) + "metadata:\n" + keys("  k%d: 1\n", maxValues), want: "line 8: too large"},
		{name: "JSON", text: `{"apiVersion": "v1", "kind": "Service", "spec": {"ports": [` + strings.Repeat("{},", maxValues) + "{}]}}", want: "line 1: too large"},
		{name: "another kind in quotes", text: "a: \"\nkind: Pod\n\"\nkind: List\nitems: [" + many + "]\n", want: "line 1: too large"},
		{name: "another kind in quotes, behind", text: "kind: List\na: \"\nkind: Pod\n\"\nitems: [" + many + "]\n", want: "line 1: too large"},
		{name: "a list of a kind of ours", text: "kind: ServiceList\napiVersion: v1\nitems: [" + many + "]\n", want: "line 1: too large"},
		{name: "an alias for aliases", text: typed + laughs(6), want: "line 1: aliases make more than "},
		{name: "aliases for a text", text: typed + "a: &a " + strings.Repeat("x", 2000) + "\nb: [" + strings.Repeat("*a, ", 1000) + "]\n", want: "line 1: aliases make more than "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDecoder(t.Context())
			d.toJSON = func(text []byte) ([]byte, error) {
				if n := strings.Count(string(text), ",") + strings.Count(string(text), "\n") + strings.Count(string(text), "\u0085"); len(text) > maxOctets || n > maxValues {
					t.Errorf("the parser of YAML was given %d octets", len(text))
				}
				return yaml.YAMLToJSONStrict(text)
			}
			if err := d.decode([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got\n\t%.300v\nwant\n\t%s", err, tt.want)
			}
		})
	}
}

// laughs are aliases for aliases: nine to the power of depth values.
func laughs(depth int) string {
	var b strings.Builder
	b.WriteString("a0: &a0 [" + strings.Repeat("lol, ", 9) + "]\n")
	for i := 1; i < depth; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9))
	}
	return b.String()
}

// The largest objects that there are, and those of other kinds, whatever their size.
func TestLargestObjectsAreRead(t *testing.T) {
	slice := dumped()[1].(*discoveryv1.EndpointSlice)
	for i := range slice.Endpoints {
		for n := range 100 {
			slice.Endpoints[i].Addresses = append(slice.Endpoints[i].Addresses[:n], fmt.Sprintf("10.244.%d.%d", 100+i, 100+n))
		}
	}
	for len(slice.Endpoints) < 1000 {
		slice.Endpoints = append(slice.Endpoints, slice.Endpoints[:100]...)
	}
	inJSON, err := json.MarshalIndent(slice, "", "    ")
	must(t, err)
	var inYAML, ports strings.Builder
	const head = "addressType: IPv4\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n" +
		"metadata:\n  labels:\n    kubernetes.io/service-name: nginx\n  name: a\n  namespace: default\n"
	inYAML.WriteString(head + "endpoints:\n")
	for _, e := range slice.Endpoints {
		inYAML.WriteString("- conditions:\n    ready: true\n  addresses:\n  - " + strings.Join(e.Addresses, "\n  - ") + "\n")
	}
	ports.WriteString(head + "ports:\n")
	for i := range 20_000 {
		fmt.Fprintf(&ports, "- name: p%d\n  port: %d\n  protocol: TCP\n", i, i+1)
	}
	text := strings.Repeat("    1, 2: [3]\n", maxValues/4)
	file := "apiVersion: v1\ndata:\n  a: |\n" + text + "kind: ConfigMap\nmetadata: {name: a}\n"
	list := "apiVersion: v1\nitems:\n" + indent(file) + indent(serviceYAML) + "kind: List\n"
	shared := strings.Repeat("---\napiVersion: v1\nkind: Service\nmetadata: {namespace: &n default, name: a, labels: &l {a: b}}\nspec: {selector: *l, clusterIP: None, externalName: *n}\n", 3)
	for name, tt := range map[string]struct {
		text    string
		objects int
	}{
		"addresses in a list":        {text: "kind: List\napiVersion: v1\nitems:\n" + indent(inYAML.String()), objects: 1},
		"ports":                      {text: ports.String(), objects: 1},
		"addresses in JSON":          {text: string(inJSON), objects: 1},
		"another kind":               {text: file + "---\n" + serviceYAML, objects: 1},
		"another kind, Windows":      {text: strings.ReplaceAll(file+"---\n"+serviceYAML, "\n", "\r\n"), objects: 1},
		"another kind, kind first":   {text: "kind: ConfigMap\ndata:\n  a: |\n" + text + "---\n" + serviceYAML, objects: 1},
		"another kind in a list":     {text: list, objects: 1},
		"another kind in JSON":       {text: `{"kind": "Other", "data": [` + strings.Repeat("0,", maxOctets) + "0]}\n", objects: 0},
		"aliases":                    {text: shared, objects: 3},
		"what looks like aliases":    {text: "kind: ConfigMap\napiVersion: v1\ndata:\n  a: |\n" + strings.Repeat("    x = &y * *z\n", 5000), objects: 0},
		"list whose items are small": {text: "kind: List\napiVersion: v1\nitems:\n" + strings.Repeat(indent(serviceYAML), maxValues/16), objects: maxValues / 16},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDecoder(t.Context())
			must(t, d.decode([]byte(tt.text)))
			if len(d.objects) != tt.objects || len(d.left) > 0 {
				t.Errorf("%d objects, %v left out", len(d.objects), d.left)
			}
		})
	}
}

// Whoever stops CoreDNS waits for one object at most.
func TestReadingEndsWithItsContext(t *testing.T) {
	for _, format := range []string{"yaml", "json"} {
		ctx, cancel := context.WithCancel(t.Context())
		d, given := newDecoder(ctx), 0
		d.toJSON = func(text []byte) ([]byte, error) {
			if given++; given == 4 {
				cancel()
			}
			return yaml.YAMLToJSONStrict(text)
		}
		if format == "json" {
			cancel()
		}
		err := d.decode([]byte(dump(t, format, 5)))
		if err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) || len(d.objects) > 4 || given > 4 {
			t.Errorf("%s: error %v, %d objects, the parser of YAML was given %d texts", format, err, len(d.objects), given)
		}
	}
}

func TestStopWhileAFileIsReadIsNoFault(t *testing.T) {
	log := sourcetest.CaptureLog(t)
	path := write(t, filepath.Join(t.TempDir(), "x.yaml"), web("a", "web-0=10.0.0.1"))
	m := following(t, path)
	write(t, path, web("a", "web-0=10.0.0.2"))
	m.refresh(t.Context())
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	m.refresh(stopped)
	sourcetest.Expect(t, m.source.Tree(), map[string]string{"a/web-0": "10.0.0.1"})
	if lines := log.With(); len(lines) > 0 {
		t.Errorf("log: %q", lines)
	}
}

// Start-up waits for the files: who waits for a while sees what for.
func TestStartSaysThatItReadsLargeFiles(t *testing.T) {
	log := sourcetest.CaptureLog(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), web("a", "web-0=10.0.0.1"))
	must(t, errors.Join(os.WriteFile(filepath.Join(dir, "b.yaml"), nil, 0o600), os.Truncate(filepath.Join(dir, "b.yaml"), 12e6)))
	if _, err := Open("test", []string{dir}, nil); err == nil {
		t.Error("accepted")
	}
	if lines := log.With("INFO", "test: reading 12 MB in 2 files"); len(lines) != 1 || len(log.With()) != 1 {
		t.Errorf("log: %q", log.With())
	}
}
