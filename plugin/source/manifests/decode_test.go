package manifests

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredns-headless/headless/plugin/object"
)

// decodeText returns what text holds: Namespace/Name of Services, and of slices their addresses too.
func decodeText(text string) (kept, skipped []string, err error) {
	d := newDecoder(context.Background())
	err = d.decode([]byte(text))
	for _, o := range d.objects {
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
	}
	for k := range d.left {
		skipped = append(skipped, fmt.Sprintf("%s %s/%s", k.Kind, k.Namespace, k.Name))
	}
	slices.Sort(skipped)
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
			name: "objects without names in DNS are left out", kept: []string{keptService}, skipped: []string{"EndpointSlice default/x", "Service /nginx"},
			text: "apiVersion: v1\nkind: Service\nmetadata: {name: nginx}\n---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {namespace: default, name: x}\n---\n" + serviceYAML,
		},
		{
			name: "JSON with tabs", kept: []string{keptService},
			text: "\n{\n\t\"apiVersion\": \"v1\",\n\t\"kind\":\t\"List\",\n\t\"items\": [\n\t\t{\n\t\t\t\"apiVersion\": \"v1\", \"kind\": \"Service\",\n\t\t\t\"metadata\": {\"namespace\": \"default\", \"name\": \"nginx\"}\n\t\t}\n\t]\n}\n",
		},
		{name: "JSON in one line", text: `{"apiVersion":"v1","kind":"Service","metadata":{"namespace":"default","name":"nginx"}}`, kept: []string{keptService}},
		{
			name: "JSON behind JSON", kept: []string{keptService, "Service default/other"},
			text: `{"apiVersion":"v1","kind":"Service","metadata":{"namespace":"default","name":"nginx"}}` + "\n" +
				`{"apiVersion":"v1","kind":"Service","metadata":{"namespace":"default","name":"other"}}` + "\n",
		},
		{name: "JSON with a kind behind the items", text: `{"items":[{"metadata":{"namespace":"default","name":"nginx"}}],"apiVersion":"v1","kind":"ServiceList"}`, kept: []string{keptService}},
		{name: "JSON of another kind with items", text: `{"items":[5,{"kind":"Service","apiVersion":"v1"}],"kind":"Other"}`},
		{
			name: "JSON that only YAML takes", kept: []string{keptService}, // a comma at the end, a comment
			text: `{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Service","metadata":{"namespace":"default","name":"nginx"}},]}` + "\n# end\n",
		},
		{name: "flow style", text: "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Service, metadata: {namespace: default,\nname: nginx}}]}\n", kept: []string{keptService}},
		{
			name: "an anchor in another item", kept: []string{"Service default/a", "Service default/b"},
			text: "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata: {name: a, namespace: &n default}\n" +
				"- apiVersion: v1\n  kind: Service\n  metadata: {name: b, namespace: *n}\nkind: List\n",
		},
		{name: "a directive", text: "%YAML 1.1\n---\n" + serviceYAML, kept: []string{keptService}},
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
	const allowed = "; want Service (v1), EndpointSlice (discovery.k8s.io/v1) or a list; other kinds are ignored"
	tests := []struct {
		name string
		text string // after a document of four lines and a marker: it begins in line 6
		want string
	}{
		{name: "a mapping in a value", text: "kind: Service\nmetadata: a: b\n", want: "document 2, line 7: mapping values are not allowed in this context"},
		{name: "no colon", text: "kind: Service\napiVersion v1\nmetadata: {}\n", want: "document 2, line 7: could not find expected ':'"},
		{name: "a tab", text: "\tkind: Service\n", want: "document 2, line 6: found character that cannot start any token"},
		{name: "a line moved to the left", text: "kind: Service\nspec:\n    a: b\n  c: d\n", want: "document 2, line 9: did not find expected key"},
		{name: "a list that goes on as a mapping", text: "kind: List\nitems:\n- a\nb\n", want: "document 2, line 9: could not find expected ':'"},
		{name: "an unknown anchor", text: "kind: Service\nspec: *nope\n", want: "document 2, line 6: unknown anchor 'nope' referenced"},
		{name: "a key twice", text: "kind: Service\napiVersion: v1\nspec: {}\nspec: {}\n", want: `document 2, line 9: key "spec" already set in map`},
		{name: "a kind that is a list", text: "kind: [Service]\n", want: "document 2, line 6: not what the API allows: json: cannot unmarshal array into Go struct field list.TypeMeta.kind of type string"},
		{name: "a control character", text: "kind: Service\napiVersion: v\x011\n", want: "document 2, line 7: not text; use UTF-8 without control characters"},
		{name: "no UTF-8", text: "kind: Service\napiVersion: v\xff1\n", want: "document 2, line 7: not text; use UTF-8 without control characters"},
		{name: "no kind", text: "apiVersion: v1\nmetadata: {name: a}\n", want: "document 2, line 6: kind \"\" is missing or cut off" + allowed},
		{name: "an empty object", text: "{}\n", want: "document 2, line 6: kind \"\" is missing or cut off" + allowed},
		{name: "no object", text: "hello\n", want: "document 2, line 6: not an object" + allowed},
		{name: "objects without a List", text: "\n- kind: Service\n", want: "document 2, line 7: not an object" + allowed},
		{name: "a Service of another version", text: "apiVersion: v2\nkind: Service\n", want: `document 2, line 6: version "v2"` + allowed},
		{name: "a Service without a version", text: "kind: Service\n", want: `document 2, line 6: version ""` + allowed},
		{name: "a slice of an old version", text: "apiVersion: discovery.k8s.io/v1beta1\nkind: EndpointSlice\n", want: `document 2, line 6: version "v1beta1"` + allowed},
		{
			name: "a field of another type", text: "apiVersion: v1\nkind: Service\nspec: {clusterIP: 5}\n",
			want: "document 2, line 6: not what the API allows: json: cannot unmarshal number into Go struct field ServiceSpec.spec.clusterIP of type string",
		},
		{
			name: "a word that is true in YAML 1.1", text: "apiVersion: v1\nkind: Service\nmetadata: {namespace: default, name: y}\n",
			want: "document 2, line 6: not what the API allows: json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.name of type string",
		},
		{
			name: "a field of another type in a List",
			text: "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n- apiVersion: v1\n  kind: Service\n  spec: []\n",
			want: "document 2, line 11: not what the API allows: json: cannot unmarshal array into Go struct field Service.spec of type v1.ServiceSpec",
		},
		{name: "items no list", text: "apiVersion: v1\nkind: List\nitems:\n  a: b\n", want: "document 2, line 6: not what the API allows: json: cannot unmarshal object into Go struct field list.items of type []manifests.value"},
		{name: "items no list in JSON", text: "{\"kind\": \"List\",\n\"items\": {}}\n", want: "document 2, line 7: not what the API allows: json: cannot unmarshal object into Go struct field list.items of type []manifests.value"},
		{name: "an item without a kind", text: "apiVersion: v1\nkind: List\nitems:\n- kind: Pod\n- metadata: {}\n", want: "document 2, line 10: kind \"\" is missing or cut off" + allowed},
		{name: "items twice", text: "{\"kind\": \"List\",\n\"items\": [],\n\"items\": []}\n", want: `document 2, line 6: duplicate field "items"`},
		{
			name: "too many lists in lists", text: strings.Repeat(`{"kind": "List", "items": [`, 4) + strings.Repeat("]}", 4),
			want: "document 2, line 6: a list is in more than 2 others",
		},
		// Two dumps in one document: the second is never lost in silence.
		{name: "JSON behind YAML", text: "kind: Pod\n{\"kind\": \"Pod\"}\n", want: "document 2, line 7: could not find expected ':'"},
		{name: "YAML behind JSON", text: "{\"kind\": \"Pod\"}\nkind: Pod\n", want: "document 2, line 7: not an object" + allowed},
		{name: "YAML behind flow style", text: "!!map {kind: Pod}\nkind: Pod\n", want: "document 2, line 6: not an object" + allowed},
		{name: "a text behind JSON", text: "{\"kind\": \"Pod\"}\nother\n", want: "document 2, line 7: not an object" + allowed},
		{name: "flow style that is cut off", text: "{\"kind\":\n Pod\n", want: "document 2, line 7: invalid character 'P' looking for beginning of value"},
		{
			name: "a marker behind an old Mac's line end, in flow style", text: "{kind: Pod}\r---\rkind: Pod\n",
			want: "document 2, line 6: invalid character 'k' looking for beginning of object key string",
		},
		{
			name: "a marker behind an old Mac's line end", text: "kind: Pod\r---\rkind: Pod\n",
			want: "document 2, line 6: a document begins or ends behind a line end that is neither LF nor CR LF",
		},
		{name: "a document behind another's end", text: "kind: Pod\n...\nkind: a: b\n", want: "document 3, line 8: mapping values are not allowed in this context"},
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

// The API server knows fields by their case: spec.clusterip is none, so that this is no headless Service.
func TestFieldsAreKnownByTheirCase(t *testing.T) {
	for _, text := range []string{
		strings.Replace(serviceYAML, "clusterIP", "clusterip", 1),
		`{"apiVersion": "v1", "Kind": "Pod", "kind": "Service", "metadata": {"namespace": "default", "name": "nginx"}, "spec": {"clusterip": "None"}}`,
	} {
		d := newDecoder(context.Background())
		must(t, d.decode([]byte(text)))
		if len(d.objects) != 1 {
			t.Fatalf("%d objects of %s", len(d.objects), text)
		}
		if s := d.objects[0].(*object.Service); s.Type != object.ClusterIP {
			t.Errorf("type %v of %s", s.Type, text)
		}
	}
}
