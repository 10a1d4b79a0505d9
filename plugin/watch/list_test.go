package watch

import (
	"bytes"
	"errors"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coredns-headless/headless/plugin/object"
)

// outcome is what a decoder made of a text.
type outcome struct {
	objects []object.Object
	left    map[object.Key]string
	err     error
}

func decoded(text []byte, decode func(*decoder, []byte) error) outcome {
	o := outcome{left: make(map[object.Key]string)}
	o.err = decode(&decoder{
		keep: func(slim object.Object) { o.objects = append(o.objects, slim) },
		skip: func(k object.Key, err error) { o.left[k] = err.Error() },
	}, text)
	return o
}

// wholly decodes without cutting lists into items.
func wholly(d *decoder, text []byte) error {
	for line, doc := range documents(bytes.TrimPrefix(text, []byte("\ufeff"))) {
		d.document++
		d.line, d.first = line, line
		if first, below, ok := bytes.Cut(doc, []byte("\n")); ok && strings.TrimRight(string(first), " \t\r") == "---" {
			doc = below
		}
		if notText(doc) >= 0 {
			return errors.New("no text")
		}
		if err := d.whole(plainJSON(doc)); err != nil {
			return err
		}
	}
	if d.document == 0 {
		return errors.New("nothing there")
	}
	return nil
}

// sameBothWays checks that what is read item by item is what the parser has of the whole.
func sameBothWays(t *testing.T, text string) outcome {
	t.Helper()
	got, want := decoded([]byte(text), (*decoder).decode), decoded([]byte(text), wholly)
	switch {
	case (got.err == nil) != (want.err == nil):
		t.Errorf("error item by item %v, of the whole %v, in\n%s", got.err, want.err, text)
	case got.err == nil && (!reflect.DeepEqual(got.objects, want.objects) || !reflect.DeepEqual(got.left, want.left)):
		t.Errorf("item by item %+v, of the whole %+v, in\n%s", got, want, text)
	}
	return got
}

// oddities stand for values and lines in the tests below.
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

// smallDocuments are what others write: objects without a List, one behind the other.
var smallDocuments = []string{
	`---
apiVersion: v1
kind: Service
metadata:
  name: web-0
  namespace: default
spec:
  clusterIP: None
---
addressType: IPv4
apiVersion: discovery.k8s.io/v1
endpoints:
- addresses: [10.0.0.1]
kind: EndpointSlice
metadata:
  labels:
    kubernetes.io/service-name: web-0
  name: web-0-x7k2p
  namespace: default
`,
	`{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web-0", "namespace": "default"}}
---
{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {
"name": "web-0-x7k2p", "namespace": "default", "labels": {"kubernetes.io/service-name": "web-0"}}, "endpoints": [
{"addresses": ["10.0.0.1"]}
]}
`,
}

// Whatever stands in a dump, in whatever place, is read as if the parser had all of it.
func TestListIsReadItemByItemAsAWhole(t *testing.T) {
	read := 0
	for _, small := range slices.Concat(smallDumps, smallDocuments) {
		lines := strings.SplitAfter(small, "\n")
		with := func(i int, instead ...string) string {
			return strings.Join(lines[:i], "") + strings.Join(instead, "") + strings.Join(lines[i+1:], "")
		}
		for i, line := range lines {
			texts := []string{with(i), with(i, line, line), with(i, " ", line), with(i, strings.TrimPrefix(line, " ")), with(i, strings.TrimSuffix(line, "\n"), "\r\n")}
			key, value, hasValue := strings.Cut(line, ": ")
			for k, o := range oddities {
				if (i+k)%5 > 0 { // neighbours are alike, and the race detector is slow
					continue
				}
				texts = append(texts, with(i, o, "\n", line), with(i, line[:len(line)-len(strings.TrimLeft(line, " -"))], o, "\n", line))
				if comma := ""; hasValue {
					if strings.HasSuffix(value, ",\n") {
						comma = ","
					}
					texts = append(texts, with(i, key, ": ", o, comma, "\n"))
				}
			}
			for _, text := range texts {
				if sameBothWays(t, text).err == nil {
					read++
				}
				if t.Failed() {
					return
				}
			}
		}
	}
	if read < 600 {
		t.Errorf("only %d texts were any good", read)
	}
}

// FuzzDump puts anything into a dump, instead of what stands there.
func FuzzDump(f *testing.F) {
	for i, o := range oddities {
		f.Add(uint8(i), uint16(13*i), uint8(i), o)
	}
	dumps := slices.Concat(smallDumps, smallDocuments)
	f.Fuzz(func(t *testing.T, which uint8, at uint16, less uint8, text string) {
		dump := dumps[int(which)%len(dumps)]
		begin := int(at) % len(dump)
		sameBothWays(t, dump[:begin]+text+dump[min(begin+int(less)%32, len(dump)):])
	})
}

// A dump that is still being written, or whose writer died, is an error wherever it ends, and not a cluster with fewer Services.
func TestDumpThatIsCutOffIsAnError(t *testing.T) {
	for _, text := range smallDumps {
		all := sameBothWays(t, text)
		for end := range text {
			if got := sameBothWays(t, text[:end]); got.err == nil && len(got.objects) != len(all.objects) {
				t.Errorf("%d of %d objects, and no error, of\n%s", len(got.objects), len(all.objects), text[:end])
			}
		}
	}
}

// The error of an item in the middle of a dump names the line that it has in the file.
func TestErrorInADumpNamesItsLine(t *testing.T) {
	tests := []struct {
		name, format, old, new string
		want                   string // LINE is where new is
	}{
		{name: "type", format: "yaml", old: "terminating: false", new: "terminating: nope", want: "json: cannot unmarshal string into Go struct field"},
		{name: "syntax", format: "yaml", old: "terminating: false", new: "terminating: a: b", want: "line LINE: mapping values are not allowed in this context"},
		{name: "key twice", format: "yaml", old: "terminating: false", new: "ready: false", want: "line LINE: mapping key \"ready\" already defined"},
		{name: "unclosed quote", format: "yaml", old: "terminating: false", new: "terminating: \"", want: "did not find expected key"},
		{name: "no colon", format: "json", old: `"terminating": false`, new: `"terminating" : : false`, want: "line LINE: did not find expected node content"},
		{name: "key twice", format: "json", old: `"terminating": false`, new: `"ready": false`, want: "line LINE: mapping key \"ready\" already defined"},
		{name: "type", format: "json", old: `"terminating": false`, new: `"terminating": "nope"`, want: "json: cannot unmarshal string into Go struct field"},
	}
	for _, tt := range tests {
		t.Run(tt.name+" "+tt.format, func(t *testing.T) {
			text := dump(tt.format, 300)
			at := strings.Index(text, tt.old)
			at += strings.Index(text[at+1:], tt.old) + 1
			text = text[:at] + tt.new + text[at+len(tt.old):]
			err := sameBothWays(t, text).err
			want := strings.ReplaceAll(tt.want, "LINE", strconv.Itoa(1+strings.Count(text[:at], "\n")))
			if err == nil || !strings.Contains(err.Error(), "document 1, line ") || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

// Reading costs in proportion to the file, and little more than the parser of JSON: trees of the whole took 38 octets for one of YAML.
func TestDumpIsReadWithFewAllocations(t *testing.T) {
	const endpoints = 4_000
	yaml, json := dump("yaml", endpoints), dump("json", endpoints)
	middle := strings.LastIndex(yaml[:len(yaml)/2], "\n") + 1
	middleJSON := strings.LastIndex(json[:len(json)/2], "\n") + 1
	between := func(text, begin, end string) string {
		_, text, _ = strings.Cut(text, begin)
		return strings.TrimSpace(text[:strings.LastIndex(text, end)])
	}
	yamlDocuments := strings.NewReplacer("\n- ", "\n---\n", "\n  ", "\n").Replace("\n"+between(yaml, "items:\n", "kind: List")) + "\n"
	jsonDocuments := strings.ReplaceAll(between(json, "[\n", "]"), "},\n        {", "}\n---\n{")
	tests := []struct {
		name, text string
		most       float64 // octets allocated for each one of the text
		bad        bool
	}{
		{name: "YAML", text: yaml, most: 8},
		{name: "JSON", text: json, most: 4},
		{name: "JSON in one line", text: strings.NewReplacer("\n", "", "    ", "").Replace(json), most: 8},
		{name: "YAML with Windows line ends", text: strings.ReplaceAll(yaml, "\n", "\r\n"), most: 8},
		{name: "YAML with a byte order mark", text: "\ufeff" + yaml, most: 8},
		{name: "YAML moved to the right", text: strings.NewReplacer("\n- ", "\n  - ", "\n  ", "\n    ").Replace(yaml), most: 8},
		{name: "YAML with an odd item", text: strings.Replace(yaml, "default", "&a default", 1), most: 8},
		{name: "JSON with an odd item", text: strings.Replace(json, `"name": "web-0"`, `"name": "web-0", "x": "\ud83d\ude00"`, 1), most: 4},
		{name: "YAML in documents", text: yamlDocuments, most: 8},
		{name: "JSON in documents", text: jsonDocuments, most: 8},
		{name: "YAML cut off", text: yaml[:middle], most: 8, bad: true},
		{name: "JSON cut off", text: json[:middleJSON], most: 4, bad: true},
		{name: "YAML with a mistake", text: yaml[:middle] + "x: y: z\n" + yaml[middle:], most: 8, bad: true},
		{name: "JSON with a mistake", text: json[:middleJSON] + "{{" + json[middleJSON:], most: 4, bad: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := []byte(tt.text)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got := decoded(text, (*decoder).decode)
			runtime.ReadMemStats(&after)
			if (got.err != nil) != tt.bad || !tt.bad && len(got.objects) != 2*endpoints/100 {
				t.Errorf("%d objects, error %v", len(got.objects), got.err)
			}
			if each := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(tt.text)); each > tt.most {
				t.Errorf("%.1f octets for each one of the text, more than %.0f", each, tt.most)
			} else {
				t.Logf("%.1f octets for each one of the text", each)
			}
		})
	}
}

// A name that was cut out of a text of 40 MB must not keep all of that in memory.
func TestObjectsHoldNothingOfTheText(t *testing.T) {
	for _, format := range []string{"yaml", "json"} {
		freed := make(chan struct{})
		got := func() outcome {
			text := []byte(dump(format, 100))
			runtime.AddCleanup(&text[0], func(c chan struct{}) { close(c) }, freed)
			return decoded(text, (*decoder).decode)
		}()
		eventually(t, format+": the text is freed", func() bool {
			runtime.GC()
			select {
			case <-freed:
				return true
			case <-time.After(time.Millisecond):
				return false
			}
		})
		if len(got.objects) != 2 {
			t.Errorf("%d objects, error %v", len(got.objects), got.err)
		}
	}
}
