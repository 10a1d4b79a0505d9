package manifests

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/coredns-headless/headless/plugin/object"
)

// decoder turns the text of one manifest file into objects. sigs.k8s.io/yaml makes JSON of YAML, as in kubectl, and
// sigs.k8s.io/json makes an object of JSON, as in the API server. Both hold some 30 times in memory what they read at
// once, so lists are read item by item: those in JSON by readJSON, and those in YAML of the form that programs print
// by readList.
type decoder struct {
	objects []object.Object
	left    []leftOut
	// document counts from 1. line is that of the text at hand, and in the end that of the error.
	document, line int
	lists          int // how many lists the object at hand is in
	// toJSON is yaml.YAMLToJSONStrict. Tests look at what it is given.
	toJSON func([]byte) ([]byte, error)
}

// leftOut is an object that has no name in DNS, and why.
type leftOut struct {
	key object.Key
	err error
}

func newDecoder() *decoder { return &decoder{toJSON: yaml.YAMLToJSONStrict} }

const wantKinds = "want Service (v1), EndpointSlice (discovery.k8s.io/v1) or a list; other kinds are ignored"

// errUnsure says that the document must be read by the YAML parser as a whole.
var errUnsure = errors.New("unsure")

// decode reads every Service and EndpointSlice in text. An error names the document and line of the mistake; the
// objects are of no use then.
func (d *decoder) decode(text []byte) error {
	for line, doc := range documents(text) {
		d.document++
		d.line = line
		if err := d.decodeDocument(doc); err != nil {
			return fmt.Errorf("document %d, line %d: %w", d.document, d.line, err)
		}
	}
	if d.document == 0 {
		return fmt.Errorf("document 1, line 1: no object; %s", wantKinds) // as after a dump that failed
	}
	return nil
}

const (
	blanks        = " \t\r\n"
	byteOrderMark = "\uFEFF"
)

// documents yields the documents of text, with the markers that they begin with, and the lines that they begin in,
// from 1. A marker (YAML 1.1 section 4.1, c-document-start and c-document-end) stands at the head of a line, where
// nothing else can begin with it, so that no parser is needed to find it.
func documents(text []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		first, start, at, number, empty := 1, 0, 0, 0, true
		for line := range bytes.Lines(text) {
			number++
			begins, ends := isMarker(line, "---"), isMarker(line, "...")
			if begins || ends {
				if !empty && !yield(first, text[start:at]) {
					return
				}
				first, start, empty = number, at, ends
			}
			at += len(line)
			if ends {
				first, start = number+1, at
				continue
			}
			head := bytes.TrimLeft(line, blanks+byteOrderMark)
			empty = empty && (len(head) == 0 || head[0] == '#' || head[0] == '%')
		}
		if !empty {
			yield(first, text[start:])
		}
	}
}

func isMarker(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(bytes.TrimPrefix(line, []byte(byteOrderMark)), []byte(marker))
	return ok && (len(rest) == 0 || bytes.IndexByte([]byte(blanks), rest[0]) >= 0)
}

// decodeDocument reads one document, which begins in d.line.
func (d *decoder) decodeDocument(doc []byte) error {
	doc = d.contents(doc)
	if len(doc) == 0 {
		return nil
	}
	if i := notText(doc); i >= 0 {
		d.line += bytes.Count(doc[:i], []byte("\n"))
		return fmt.Errorf("octet %#x is not text; use UTF-8 without control characters", doc[i])
	}
	read := d.readList
	if isFlow.Match(doc) {
		read = d.readJSON
	}
	objects, left, line := len(d.objects), len(d.left), d.line
	err := read(doc)
	if errors.Is(err, errUnsure) {
		d.objects, d.left, d.line = d.objects[:objects], d.left[:left], line
		err = d.readWhole(doc)
	}
	return err
}

// contents returns doc from the line of its first node on, and counts the lines before it. It is empty if there is no
// node.
func (d *decoder) contents(doc []byte) []byte {
	doc = bytes.TrimPrefix(bytes.TrimPrefix(doc, []byte(byteOrderMark)), []byte("---"))
	for {
		line, below, more := bytes.Cut(doc, []byte("\n"))
		if head := bytes.TrimLeft(line, blanks+byteOrderMark); len(head) > 0 && head[0] != '#' {
			return bytes.TrimPrefix(doc, []byte(byteOrderMark))
		}
		if !more {
			return nil
		}
		doc = below
		d.line++
	}
}

// notText returns the offset of the first octet that no text file has, -1 if there is none.
func notText(doc []byte) int {
	for i := 0; i < len(doc); {
		r, n := rune(doc[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRune(doc[i:])
		}
		if r == utf8.RuneError && n == 1 || r < ' ' && r != '\t' && r != '\r' && r != '\n' {
			return i
		}
		i += n
	}
	return -1
}

var (
	// isFlow finds a mapping in flow style, which is what JSON is in YAML, behind tags and an anchor.
	isFlow = regexp.MustCompile(`^[ \t]*([!&]\S*\s+)*\{`)
	// oddMarker finds document markers at the head of what are lines to YAML 1.1 alone (section 4.2, b-generic).
	oddMarker = regexp.MustCompile("[\r\u0085\u2028\u2029](---|[.]{3})")
)

// readWhole reads one document in YAML at once. The parser reads no further than a document's end, and must find
// nothing behind it: a mapping in flow style ends where it closes, so it is read as the item of a sequence, in which
// nothing else may follow.
func (d *decoder) readWhole(doc []byte) error {
	if at := oddMarker.FindIndex(doc); at != nil {
		d.line += bytes.Count(doc[:at[0]], []byte("\n"))
		return errors.New("a document begins or ends behind a line end that is neither LF nor CR LF")
	}
	flow := isFlow.Match(doc)
	if flow {
		doc = append([]byte("- "), doc...)
	}
	text, err := d.toJSON(doc)
	if err != nil {
		return d.locate(err)
	}
	if flow {
		text = text[1 : len(text)-1]
	}
	if string(text) == "null" { // nothing between two markers
		return nil
	}
	return d.readJSON(text)
}

// isSyntax reports whether an error stopped the parser. Others it finds in what it has read to its end.
func isSyntax(err error) bool {
	text, ok := strings.CutPrefix(err.Error(), "yaml: ")
	return ok && !strings.HasPrefix(text, "unmarshal errors:") && !isUnknownAnchor(err)
}

// isUnknownAnchor reports whether an anchor is unknown, which another part of the document may define.
func isUnknownAnchor(err error) bool { return strings.HasPrefix(err.Error(), "yaml: unknown anchor ") }

var (
	parserLine = regexp.MustCompile(`(?:^yaml: |\n  )line (\d+): (.*)`)
	// fromZero finds the errors whose lines the parser counts from 0. All others it counts from 1.
	fromZero = regexp.MustCompile(`^did not find expected (key|node content|<|'-'|',')`)
)

// locate returns what the YAML parser says, the first of several errors, and moves d.line to the line that it names.
func (d *decoder) locate(err error) error {
	m := parserLine.FindStringSubmatch(err.Error())
	if m == nil {
		return errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	n, nerr := strconv.Atoi(m[1])
	switch {
	case nerr != nil: // no number that an int can hold
	case fromZero.MatchString(m[2]):
		d.line += n
	case m[2] == "could not find expected ':'": // which it only misses in the next line
		d.line += max(n-2, 0)
	default:
		d.line += n - 1
	}
	return errors.New(m[2])
}

type typeMeta struct {
	Kind       string `json:"kind"`
	APIVersion string `json:"apiVersion"`
	// Items are those of a list.
	Items []value `json:"items"`
}

// group and version of apiVersion.
func (t typeMeta) split() (group, version string) {
	if i := strings.LastIndex(t.APIVersion, "/"); i >= 0 {
		return t.APIVersion[:i], t.APIVersion[i+1:]
	}
	return "", t.APIVersion
}

// items reports whether t is a list, and returns the type of items that have none, as those of a ServiceList.
func (t typeMeta) items() (def typeMeta, ok bool) {
	group, _ := t.split()
	switch {
	case t.Kind == "List" && group == "":
		return typeMeta{}, true
	case t.Kind == "ServiceList" && group == "":
		return typeMeta{Kind: "Service", APIVersion: t.APIVersion}, true
	case t.Kind == "EndpointSliceList" && group == discoveryv1.GroupName:
		return typeMeta{Kind: "EndpointSlice", APIVersion: t.APIVersion}, true
	}
	return typeMeta{}, false
}

// object returns an empty object of type t, nil for another kind. The only version is v1.
func (t typeMeta) object() (metav1.Object, error) {
	group, version := t.split()
	var o metav1.Object
	switch {
	case t.Kind == "":
		return nil, fmt.Errorf("no kind; %s", wantKinds)
	case t.Kind == "L", t.Kind == "Li", t.Kind == "Lis": // a dump ends with its kind, and may still be written
		return nil, fmt.Errorf("kind %q is cut off; %s", t.Kind, wantKinds)
	case t.Kind == "Service" && group == "":
		o = new(corev1.Service)
	case t.Kind == "EndpointSlice" && group == discoveryv1.GroupName:
		o = new(discoveryv1.EndpointSlice)
	default:
		return nil, nil
	}
	if version != "v1" {
		return nil, fmt.Errorf("version %q; %s", version, wantKinds)
	}
	return o, nil
}

// readObject reads an object in JSON, or a list, which begins in d.line. def is its type if it does not say.
func (d *decoder) readObject(text []byte, def typeMeta) error {
	t := def
	twice, err := kjson.UnmarshalStrict(text, &t, kjson.DisallowDuplicateFields)
	def, isList := t.items()
	malformed, _ := kjson.SyntaxErrorOffset(err)
	switch e := new(json.UnmarshalTypeError); {
	case malformed:
		return err
	case text[0] != '{':
		return fmt.Errorf("not an object; %s", wantKinds)
	case errors.As(err, &e) && e.Field == "items": // of another kind they may be anything
		if isList {
			return d.at(text, int(e.Offset), errors.New("items is not a list"))
		}
	case err != nil:
		return d.locateJSON(text, fmt.Errorf("kind and apiVersion: %w", err))
	case len(twice) > 0:
		return twice[0]
	case isList:
		return d.readItems(text, t.Items, def)
	}
	o, err := t.object()
	if o == nil {
		return err
	}
	if twice, err = kjson.UnmarshalStrict(text, o, kjson.DisallowDuplicateFields); err != nil {
		return d.locateJSON(text, fmt.Errorf("not what the API allows: %w", err))
	}
	if len(twice) > 0 {
		return twice[0]
	}
	// A resourceVersion that a dump brought along means nothing: whoever edits the file does not count it up.
	o.SetResourceVersion("")
	slim, err := object.From(o)
	if err != nil {
		key := object.NewKey(object.KindOf(o), o.GetNamespace(), o.GetName())
		d.left = append(d.left, leftOut{key, err})
	}
	if slim != nil {
		d.objects = append(d.objects, slim)
	}
	return nil
}
