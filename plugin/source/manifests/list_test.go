package manifests

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
	"weak"

	"sigs.k8s.io/yaml"
)

// oddities stand for values and lines in FuzzManifest.
var oddities = []string{
	"", "~", "null", "true", "True", "y", "no", "0", "007", "-0", "0x1f", "1_000", "1.5", "1e3", "99999999999999999999", "1.2.3", "2026-11-21", "2026-11-21T02:00:00Z",
	"None", "a b", "a: b", "a:", "a #b", "a#b", "#a", "a:b", "&x a", "*x", "!!str 5", "!!binary aGk=", "@a", "`a`", "%a", "-", "- a", "- - a", "-a", "? a", "?a",
	"{}", "[]", "{a: b}", "[a, b]", "{", "]", "|", "|-", ">", ">-\n      a\n      b", "|\n      a\n\n       b\n      c", "|\n\n      a", "|2\n      a", "|\n a", "|\n      a\n    b: c",
	`"a"`, `"a" `, `"a\/b"`, `"a\tb"`, `"\x41"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\u0000"`, `"a`, `"a` + "\n- b\"", `"a` + "\nkind: b\"", `'a'`, `'it''s'`, `''`, `'a`, `'a'b'`, `'a` + "\n- b'",
	"é", "\u0085", "\u2028", "\ufeff", "\x7f", "\ufffd", "a\rb", "a\tb", "\ta", "a\n        b", "a\n  b", "a\n# b", "\n# b", "...", "--- a", "<<: *x", "<<: {a: b}", "items:", "items: []",
	"kind: Service", "kind: List", "apiVersion: v1", "Kind: Pod", "items:\n- a", `"kind": Pod`, `kind : Pod`, "1: a", "null: a", "- kind: Pod", "- apiVersion: v1\n  kind: Pod",
	`{"a": 1, "a": 2}`, `{"a": 1, "A": 2}`, `{"a" : 1}`, `{"a"` + "\n" + `: 1}`, `{"\u0061": 1, "a": 2}`, `{"<<": {"a": 1}}`, `[1,]`, `[1 2]`, `1,`, `,`, `"a",`, `"a": 1,`, `}`, `]`, `{},`,
	`"kind": "Pod",`, `"Kind": "Pod",`, `"items": [],`, `"items": [{}],`, `"é": 1,`, `01`, `1.`, `.5`, `+1`, `1E2`, `nul`, `"\u12g4"`, `"` + "\u2028" + `"`, `"` + "\u0085" + `"`, `"é"`, `"` + "\x7f" + `"`,
}

// smallDumps have everything that dumps have, once.
var smallDumps = []string{
	`apiVersion: v1
items:
- apiVersion: v1
  kind: Service
  metadata:
    annotations:
      last-applied: |
        {"kind":"Service"}
        # b
    name: web-0
    namespace: default
  spec:
    clusterIP: None
- addressType: IPv4
  apiVersion: discovery.k8s.io/v1
  endpoints:
  - addresses:
    - 10.0.0.1
    conditions:
      ready: true
  kind: EndpointSlice
  metadata:
    generation: 3
    labels:
      kubernetes.io/service-name: "web-0"
    name: web-0-x7k2p
    namespace: default
kind: List
metadata:
  resourceVersion: ""
`,
	`{
    "items": [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web-0", "namespace": "default", "generation": 3}
        },
        {
            "addressType": "IPv4",
            "apiVersion": "discovery.k8s.io/v1",
            "endpoints": [
                {
                    "addresses": [
                        "10.0.0.1"
                    ],
                    "conditions": {
                        "ready": true
                    }
                }
            ],
            "kind": "EndpointSlice",
            "metadata": {"name": "web-0-x7k2p", "namespace": "default", "labels": {
                    "kubernetes.io/service-name": "web-0"
                }
            }
        }
    ],
    "apiVersion": "v1",
    "kind": "List"
}
`,
}

// readBoth reads text item by item and as a whole, which must come to the same but for the words and lines of errors.
func readBoth(t *testing.T, text string) (*decoder, error) {
	t.Helper()
	got, want := newDecoder(context.Background()), newDecoder(context.Background())
	err, wantErr := got.decode([]byte(text)), error(nil)
	if err != nil {
		var document, line int
		n, _ := fmt.Sscanf(err.Error(), "document %d, line %d: ", &document, &line)
		// The parser counts lone CR, and a last line that has no end.
		lines := 2 + strings.Count(text, "\n") + strings.Count(text, "\r")
		if n != 2 || document < 1 || line < 1 || line > lines || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %q, in\n%s", err, text)
		}
	}
	for _, doc := range documents([]byte(strings.TrimPrefix(text, "\ufeff"))) {
		if isFlow(doc) || !utf8.Valid(doc) || bytes.ContainsFunc(doc, isControl) {
			return got, err // of another parser, or of none
		}
		if wantErr == nil {
			wantErr = want.readWhole(doc)
		}
	}
	switch {
	case got.document == 0: // nothing there
	case (err == nil) != (wantErr == nil):
		t.Errorf("error item by item %v, of the whole %v, in\n%s", err, wantErr, text)
	case err == nil && (!reflect.DeepEqual(got.objects, want.objects) || !reflect.DeepEqual(got.left, want.left)):
		t.Errorf("item by item %+v, of the whole %+v, in\n%s", got, want, text)
	}
	return got, err
}

// FuzzManifest feeds anything to the decoder, alone and in a dump: it never panics, an error is one line that names a
// document and a line, and what is read item by item is what sigs.k8s.io/yaml makes of the whole.
func FuzzManifest(f *testing.F) {
	for i, o := range oddities {
		for k := range 3 { // at the head of lines, in their middle, and in their end
			f.Add(uint16(i*31+k*97), uint16(i+k), o)
			f.Add(uint16(i*31+k*97), uint16(0), o+"\n")
		}
	}
	for _, text := range []string{
		"", serviceYAML, serviceYAML + "---\n" + sliceYAML, "kind: List\nitems: [[]]", "- - -", "&a [*a]", "%", "\ufeff{}",
		"a: &a {b: c}\nkind: Service\n<<: *a\napiVersion: v1", smallDumps[1], smallDumps[0] + "---\n" + smallDumps[1],
		"kind: List\nitems:\n  " + strings.ReplaceAll(indent(serviceYAML), "\n", "\n  ") + "\n", "a: \"x\nitems:\n- b\nkind: c\"\nitems: null\nkind: List\n",
	} {
		f.Add(uint16(0), uint16(0), text)
	}
	f.Fuzz(func(t *testing.T, from, length uint16, text string) {
		_, _ = readBoth(t, text) // whatever both make of it
		for _, dump := range smallDumps {
			begin := int(from) % len(dump)
			_, _ = readBoth(t, dump[:begin]+text+dump[min(begin+int(length)%64, len(dump)):])
		}
	})
}

// A dump that is still being written, or whose writer died, is an error wherever it ends, and not a cluster with
// fewer Services.
func TestDumpThatIsCutOffIsAnError(t *testing.T) {
	for _, text := range smallDumps {
		for end := range text {
			if d, err := readBoth(t, text[:end]); err == nil && len(d.objects) != 2 {
				t.Errorf("%d objects, and no error, of\n%s", len(d.objects), text[:end])
			}
		}
	}
}

// The error of an item in the middle of a dump names its line, or at least that of its item.
func TestErrorInADumpNamesItsLine(t *testing.T) {
	tests := []struct {
		name, format, instead string // of the second "terminating: false"
		want                  string // LINE is where it is, ITEM where its item begins
	}{
		{name: "type", format: "yaml", instead: "terminating: nope", want: "line ITEM: not what the API allows: json: cannot unmarshal string into Go struct field"},
		{name: "syntax", format: "yaml", instead: "terminating: a: b", want: "line LINE: mapping values are not allowed in this context"},
		{name: "key twice", format: "yaml", instead: "ready: false", want: `line LINE: key "ready" already set in map`},
		{name: "no colon", format: "yaml", instead: "terminating", want: "line LINE: could not find expected ':'"},
		{name: "unclosed quote", format: "yaml", instead: `terminating: "`, want: "did not find expected key"}, // at the next quote
		{name: "syntax", format: "json", instead: `"terminating": : false`, want: "line LINE: invalid character ':' looking for beginning of value"},
		{name: "key twice", format: "json", instead: `"ready": false`, want: `line ITEM: duplicate field "endpoints[1].conditions.ready"`},
		{name: "type", format: "json", instead: `"terminating": "nope"`, want: "line LINE: not what the API allows: json: cannot unmarshal string into Go struct field"},
	}
	for _, tt := range tests {
		t.Run(tt.name+" "+tt.format, func(t *testing.T) {
			text := dump(t, tt.format, 3)
			old, begins := "terminating: false", "\n- addressType"
			if tt.format == "json" {
				old, begins = `"terminating": false`, "{\n            \"addressType"
			}
			at := strings.Index(text, old)
			at += 1 + strings.Index(text[at+1:], old)
			line := 1 + strings.Count(text[:at], "\n")
			item := line - strings.Count(text[strings.LastIndex(text[:at], begins)+1:at], "\n")
			_, err := readBoth(t, text[:at]+tt.instead+text[at+len(old):])
			want := strings.NewReplacer("LINE", strconv.Itoa(line), "ITEM", strconv.Itoa(item)).Replace(tt.want)
			if err == nil || !strings.HasPrefix(err.Error(), "document 1, line ") || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

// The YAML parser makes 30 octets of one, so it gets no more than an item of a dump at once. JSON is decoded in its
// place: one octet and a half is allocated for each, twice as many where items are larger than the decoder's buffer.
func TestDumpIsReadItemByItem(t *testing.T) {
	const services = 5
	y, j := dump(t, "yaml", services), dump(t, "json", services)
	middle, middleJSON := strings.LastIndex(y[:len(y)/2], "\n")+1, strings.LastIndex(j[:len(j)/2], "\n")+1
	items, _, _ := strings.Cut(y[strings.Index(y, "items:\n")+len("items:"):], "\nkind: List")
	tests := []struct {
		name, text string
		bad        bool
	}{
		{name: "YAML", text: y},
		{name: "YAML with Windows line ends", text: strings.ReplaceAll(y, "\n", "\r\n")},
		{name: "YAML with a byte order mark", text: "\ufeff" + y},
		{name: "YAML behind a marker and a comment", text: "# dump\n--- # of today\n" + y + "...\n"},
		{name: "YAML moved to the right", text: strings.NewReplacer("\n- ", "\n  - ", "\n  ", "\n    ").Replace(y)},
		{name: "YAML with an anchor", text: strings.Replace(y, "default", "&a default", 1)},
		{name: "YAML in documents", text: strings.NewReplacer("\n- ", "\n---\n", "\n  ", "\n").Replace(items) + "\n"},
		{name: "YAML cut off", text: y[:middle], bad: true},
		{name: "YAML with a mistake", text: y[:middle] + "x: y: z\n" + y[middle:], bad: true},
		{name: "JSON", text: j},
		{name: "JSON in one line", text: strings.NewReplacer("\n", "", "    ", "").Replace(j)},
		{name: "JSON cut off", text: j[:middleJSON], bad: true},
		{name: "JSON with a mistake", text: j[:middleJSON] + "{{" + j[middleJSON:], bad: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, text, largest := newDecoder(context.Background()), []byte(tt.text), 0
			d.toJSON = func(text []byte) ([]byte, error) {
				out, err := yaml.YAMLToJSONStrict(text)
				if err == nil { // else it stopped somewhere
					largest = max(largest, len(text))
				}
				return out, err
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := d.decode(text)
			runtime.ReadMemStats(&after)
			if (err != nil) != tt.bad || !tt.bad && len(d.objects) != 2*services {
				t.Errorf("%d objects, error %v", len(d.objects), err)
			}
			if largest > max(len(text), len(y))/services+100 {
				t.Errorf("the parser of YAML had %d of %d octets at once", largest, len(text))
			}
			each := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(text))
			t.Logf("%.1f octets for each one of the text", each)
			most := 4.0
			if tt.bad { // YAML is tried from the mistake on
				most = 8
			}
			if strings.HasPrefix(tt.name, "JSON") && each > most {
				t.Errorf("%.1f octets for each one of the text, more than %.1f", each, most)
			}
		})
	}
}

// A name that was cut out of a text of 40 MB must not keep all of that in memory.
func TestObjectsHoldNothingOfTheText(t *testing.T) {
	for _, format := range []string{"yaml", "json"} {
		d := newDecoder(context.Background())
		text := func() weak.Pointer[byte] {
			text := []byte(dump(t, format, 1))
			must(t, d.decode(text))
			return weak.Make(&text[0])
		}()
		runtime.GC()
		if text.Value() != nil {
			t.Errorf("%s: the text is still there", format)
		}
		if len(d.objects) != 2 {
			t.Errorf("%s: %d objects", format, len(d.objects))
		}
	}
}
