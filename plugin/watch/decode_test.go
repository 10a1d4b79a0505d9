package watch

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/coredns-headless/headless/plugin/object"
)

// decodeText returns what text holds: Namespace/Name of Services, and of slices their addresses too.
func decodeText(text string) (kept, skipped []string, err error) {
	d := decoder{
		keep: func(o object.Object) {
			parts := []string{o.Key().Kind.String(), o.Key().Namespace + "/" + o.Key().Name}
			if o.Version() != 0 {
				parts = append(parts, "with a version")
			}
			if sl, ok := o.(*object.EndpointSlice); ok {
				for _, e := range sl.Endpoints {
					parts = append(parts, e.Pod+"="+e.Addr.String())
				}
			}
			kept = append(kept, strings.Join(parts, " "))
		},
		skip: func(k object.Key, _ error) {
			skipped = append(skipped, fmt.Sprintf("%s %s/%s", k.Kind, k.Namespace, k.Name))
		},
	}
	err = d.decode([]byte(text))
	return kept, skipped, err
}

const (
	serviceYAML = `apiVersion: v1
kind: Service
metadata: {namespace: default, name: nginx, resourceVersion: "7"}
spec: {clusterIP: None}
`
	sliceYAML = `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  namespace: default
  name: nginx-x
  resourceVersion: "8"
  labels: {kubernetes.io/service-name: nginx}
addressType: IPv4
endpoints:
- addresses: [10.0.0.1]
  targetRef: {kind: Pod, namespace: default, name: web-0}
`
	keptService = "Service default/nginx"
	keptSlice   = "EndpointSlice default/nginx-x web-0=10.0.0.1"
)

// indent moves text to the right, as the item of a list.
func indent(text string) string {
	return "- " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n  ") + "\n"
}

func TestManifestsOfAllForms(t *testing.T) {
	withoutKind := func(s string) string { // as the items of ServiceList and EndpointSliceList come
		return regexp.MustCompile(`(?m)^(apiVersion|kind):.*\n`).ReplaceAllString(s, "")
	}
	tests := []struct {
		name    string
		text    string
		kept    []string
		skipped []string
	}{
		{name: "comments", text: "# nothing yet\n---\n# here either\n"},
		{name: "one document", text: serviceYAML, kept: []string{keptService}},
		{name: "several documents", text: serviceYAML + "---\n" + sliceYAML, kept: []string{keptService, keptSlice}},
		{name: "markers around documents", text: "---\n" + serviceYAML + "---\n---\nnull\n---\n" + sliceYAML + "...\n", kept: []string{keptService, keptSlice}},
		{
			name: "List, as kubectl prints it", text: "apiVersion: v1\nitems:\n" + indent(serviceYAML) + indent(sliceYAML) + "kind: List\nmetadata: {resourceVersion: \"\"}\n",
			kept: []string{keptService, keptSlice},
		},
		{name: "ServiceList", text: "apiVersion: v1\nkind: ServiceList\nitems:\n" + indent(withoutKind(serviceYAML)), kept: []string{keptService}},
		{
			name: "EndpointSliceList", text: "apiVersion: discovery.k8s.io/v1\nkind: EndpointSliceList\nitems:\n" + indent(withoutKind(sliceYAML)),
			kept: []string{keptSlice},
		},
		{name: "lists in lists", text: "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ServiceList\n  items:\n  " + strings.ReplaceAll(indent(serviceYAML), "\n", "\n  ") + "\n", kept: []string{keptService}},
		{name: "empty lists", text: "apiVersion: v1\nkind: List\nitems: []\n---\napiVersion: v1\nkind: List\nitems: null\n---\napiVersion: v1\nkind: ServiceList\n"},
		{name: "Windows line ends", text: strings.ReplaceAll(serviceYAML, "\n", "\r\n"), kept: []string{keptService}},
		{
			name: "other kinds are passed over", kept: []string{keptService}, text: `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec: {replicas: [not, a, number]}
---
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {namespace: default, name: nginx}
---
apiVersion: v1
kind: Endpoints
metadata: {name: nginx}
---
` + serviceYAML,
		},
		{
			name: "other kinds in a List are passed over", kept: []string{keptService},
			text: "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: web-0}}\n" + indent(serviceYAML),
		},
		{
			name: "objects without names in DNS are left out", kept: []string{keptService}, skipped: []string{"Service /nginx", "EndpointSlice default/x"},
			text: "apiVersion: v1\nkind: Service\nmetadata: {name: nginx}\n---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {namespace: default, name: x}\n---\n" + serviceYAML,
		},
		{
			name: "JSON with tabs", kept: []string{keptService},
			text: "\n{\n\t\"apiVersion\": \"v1\",\n\t\"kind\":\t\"List\",\n\t\"items\": [\n\t\t{\n\t\t\t\"apiVersion\": \"v1\", \"kind\": \"Service\",\n\t\t\t\"metadata\": {\"namespace\": \"default\", \"name\": \"nginx\"}\n\t\t}\n\t]\n}\n",
		},
		{name: "JSON in one line", text: `{"apiVersion":"v1","kind":"Service","metadata":{"namespace":"default","name":"nginx"}}`, kept: []string{keptService}},
		{
			name: "JSON with the escapes of YAML", kept: []string{keptService},
			text: `{"apiVersion":"v1","kind":"Service","metadata":{"namespace":"default","name":"nginx","annotations":{"a":"\"\\\b\f\n\r\t\u00e9"}}}`,
		},
		{
			name: "JSON with an escaped slash", kept: []string{keptService}, // RFC 8259 section 7
			text: `{"apiVersion":"discovery.k8s.io\/v1","kind":"Other"}` + "\n---\n" + serviceYAML,
		},
		{
			name: "JSON with a surrogate pair", kept: []string{keptService}, // RFC 8259 section 7
			text: `{"apiVersion":"v1","kind":"Service","metadata":{"namespace":"default","name":"nginx","annotations":{"a":"\ud83d\ude00"}}}`,
		},
		{
			name: "what YAML takes for another type", kept: []string{keptService},
			text: "apiVersion: v1\nkind: Service\nmetadata: {namespace: default, name: nginx, creationTimestamp: 2026-11-21T02:00:00Z}\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kept, skipped, err := decodeText(tt.text)
			if err != nil {
				t.Fatalf("%v, in\n%s", err, tt.text)
			}
			if diff := cmp.Diff(tt.kept, kept); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.skipped, skipped); diff != "" {
				t.Errorf("left out (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBadManifestNamesDocumentAndLine(t *testing.T) {
	const allowed = ": allowed are Service (v1), EndpointSlice (discovery.k8s.io/v1) and lists of them; other kinds are passed over"
	tests := []struct {
		name string
		text string // after a document of four lines and a marker: it begins in line 6
		want string
	}{
		{name: "a mapping in a value", text: "kind: Service\nmetadata: a: b\n", want: "document 2, line 7: mapping values are not allowed in this context"},
		{name: "no colon", text: "kind: Service\napiVersion v1\nmetadata: {}\n", want: "document 2, line 7: could not find expected ':'"},
		{name: "no kind", text: "apiVersion: v1\nmetadata: {name: a}\n", want: "document 2, line 6: no kind" + allowed},
		{name: "an empty object", text: "{}\n", want: "document 2, line 6: no kind" + allowed},
		{name: "no object", text: "hello\n", want: "document 2, line 6: no object" + allowed},
		{name: "objects without a List", text: "\n- kind: Service\n", want: "document 2, line 7: no object" + allowed},
		{name: "a Service of another version", text: "apiVersion: v2\nkind: Service\n", want: `document 2, line 6: version "v2"` + allowed},
		{name: "a Service without a version", text: "kind: Service\n", want: `document 2, line 6: version ""` + allowed},
		{name: "a slice of an old version", text: "apiVersion: discovery.k8s.io/v1beta1\nkind: EndpointSlice\n", want: `document 2, line 6: version "v1beta1"` + allowed},
		{
			name: "a field of another type", text: "apiVersion: v1\nkind: Service\nspec: {clusterIP: 5}\n",
			want: "document 2, line 6: not what the API allows: json: cannot unmarshal number into Go struct field ServiceSpec.spec.clusterIP of type string",
		},
		{
			name: "a field of another type in a List",
			text: "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n- apiVersion: v1\n  kind: Service\n  spec: []\n",
			want: "document 2, line 11: not what the API allows: json: cannot unmarshal array into Go struct field Service.spec of type v1.ServiceSpec",
		},
		{name: "items no list", text: "apiVersion: v1\nkind: List\nitems:\n  a: b\n", want: "document 2, line 9: items is no list"},
		{name: "an item without a kind", text: "apiVersion: v1\nkind: List\nitems:\n- kind: Pod\n- metadata: {}\n", want: "document 2, line 10: no kind" + allowed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := decodeText(serviceYAML + "---\n" + tt.text)
			if err == nil {
				t.Fatal("accepted")
			}
			if err.Error() != tt.want {
				t.Errorf("got\n\t%s\nwant\n\t%s", err, tt.want)
			}
		})
	}
}

// Whatever the parser of YAML says of it, the error is one line that leads to the place.
func TestMalformedManifestNamesDocumentAndLine(t *testing.T) {
	tests := []struct {
		name     string
		text     string
		document int
		line     int
		block    int // first line of the block that is wrong, if the parser names that instead
	}{
		{name: "in the first line", text: "kind: a: b\n", document: 1, line: 1},
		{name: "a tab in the first line", text: "\tkind: Service\n", document: 1, line: 1},
		{name: "a line moved to the left", text: serviceYAML + "---\nkind: Service\nspec:\n    a: b\n  c: d\n", document: 2, line: 9, block: 6},
		{name: "a list that goes on as a mapping", text: serviceYAML + "---\nkind: List\nitems:\n- a\nb\n", document: 2, line: 9},
		{name: "an unknown anchor", text: serviceYAML + "---\nkind: Service\nspec: *nope\n", document: 2, line: 7},
		{name: "a key twice", text: serviceYAML + "---\nkind: Service\napiVersion: v1\nspec: {}\nspec: {}\n", document: 2, line: 9},
		{name: "a kind that is a list", text: serviceYAML + "---\nkind: [Service]\n", document: 2, line: 6},
		{name: "a control character", text: serviceYAML + "---\nkind: Service\napiVersion: v\x011\n", document: 2, line: 7},
		{name: "no UTF-8", text: serviceYAML + "---\nkind: Service\napiVersion: v\xff1\n", document: 2, line: 7},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := decodeText(tt.text)
			if err == nil {
				t.Fatal("accepted")
			}
			var document, line int
			n, _ := fmt.Sscanf(err.Error(), "document %d, line %d: ", &document, &line)
			if n != 2 || document != tt.document || line != tt.line && (tt.block == 0 || line < tt.block || line > tt.line) {
				t.Errorf("%q does not begin with document %d, line %d", err, tt.document, tt.line)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
		})
	}
}

// FuzzManifest feeds anything to the decoder: it never panics, an error names the document, and what is read item by item is what
// the parser has of the whole.
func FuzzManifest(f *testing.F) {
	for _, seed := range []string{
		"", serviceYAML, sliceYAML, serviceYAML + "---\n" + sliceYAML, "{\n\t\"kind\": \"List\"\n}", "kind: List\nitems: [[]]", "- - -", "&a [*a]", "%", "\ufeff{}",
		"a: &a {b: c}\nkind: Service\n<<: *a\napiVersion: v1", smallDumps[0], smallDumps[1], smallDumps[0] + "---\n" + smallDumps[1],
		smallDocuments[0], smallDocuments[1],
		"kind: List\nitems:\n  " + strings.ReplaceAll(indent(serviceYAML), "\n", "\n  ") + "\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, _, err := decodeText(text); err != nil && !strings.HasPrefix(err.Error(), "document ") {
			t.Errorf("error names no document: %q", err)
		}
		sameBothWays(t, text)
	})
}

// Two dumps in one file are two documents, or a mistake that is said. The second is never lost in silence.
func TestNothingBehindADocumentIsLost(t *testing.T) {
	const serviceJSON = `{"apiVersion":"v1","kind":"Service","metadata":{"namespace":"default","name":"nginx"}}` + "\n"
	const otherJSON = `{"apiVersion":"v1","kind":"Service","metadata":{"namespace":"default","name":"other"}}` + "\n"
	for name, text := range map[string]string{
		"JSON behind JSON":             serviceJSON + otherJSON,
		"JSON behind YAML":             serviceYAML + otherJSON,
		"YAML behind JSON":             serviceJSON + strings.ReplaceAll(serviceYAML, "nginx", "other"),
		"YAML behind a document's end": serviceYAML + "...\n" + strings.ReplaceAll(serviceYAML, "nginx", "other"),
		"a text":                       serviceJSON + "other\n",
	} {
		t.Run(name, func(t *testing.T) {
			kept, _, err := decodeText(text)
			if err == nil && len(kept) != 2 {
				t.Errorf("kept only %q, without an error", kept)
			}
		})
	}
}

// Programs escape in JSON what they like (RFC 8259 section 7): whatever they do, the text is the same.
func TestStringsOfJSONAreReadAsWritten(t *testing.T) {
	for _, want := range []string{
		"plain", "a/b", `a\b`, `a\/b`, `a\\/b`, `\`, `"`, `\"`, "é", "😀", "😀😀", "a\tb\nc", "\u2028", "---", "{}", `\ud83d\ude00`, `\\ud83d`, "\ufffd", "\t",
	} {
		plain, err := json.Marshal(want)
		must(t, err)
		var escaped strings.Builder
		for _, unit := range utf16.Encode([]rune(want)) {
			if unit == '/' {
				escaped.WriteString(`\/`)
				continue
			}
			fmt.Fprintf(&escaped, `\u%04x`, unit)
		}
		for _, quoted := range []string{string(plain), `"` + escaped.String() + `"`} {
			text := "{\n\t\"apiVersion\": \"discovery.k8s.io/v1\",\n\t\"kind\": \"EndpointSlice\",\n" +
				"\t\"metadata\": {\"namespace\": \"default\", \"name\": \"nginx-1\", \"labels\": {\"kubernetes.io/service-name\": \"nginx\"}},\n" +
				"\t\"endpoints\": [{\"addresses\": [\"10.0.0.1\"], \"hostname\": " + quoted + "}]\n}\n"
			got := ""
			d := decoder{keep: func(o object.Object) { got = o.(*object.EndpointSlice).Endpoints[0].Host }, skip: func(object.Key, error) {}}
			if err := d.decode([]byte(text)); err != nil || got != want {
				t.Errorf("%s was read as %q, want %q (%v)", quoted, got, want, err)
			}
		}
	}
}
