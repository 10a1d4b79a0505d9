package manifests

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
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
// sigs.k8s.io/json makes an object of JSON, as in the API server. The first holds some 30 times in memory what it
// reads at once, so readList gives it lists item by item.
type decoder struct {
	ctx     context.Context // cuts off reading
	objects []object.Object
	left    map[object.Key]error // the objects that have no name in DNS, and why
	// document counts from 1. line is that of the text at hand, and in the end that of the error.
	document, line int
	depth          int                          // of the list at hand in others
	toJSON         func([]byte) ([]byte, error) // yaml.YAMLToJSONStrict; tests look at what it is given
}

func newDecoder(ctx context.Context) *decoder {
	return &decoder{ctx: ctx, left: make(map[object.Key]error), toJSON: yaml.YAMLToJSONStrict}
}

const wantKinds = "want Service (v1), EndpointSlice (discovery.k8s.io/v1) or a list; other kinds are ignored"

// decode reads every Service and EndpointSlice in text. An error names the document and line of the mistake; the
// objects are of no use then.
func (d *decoder) decode(text []byte) error {
	for line, doc := range documents(bytes.TrimPrefix(text, []byte("\uFEFF"))) {
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

const blanks = " \t\r\n"

// documents yields the documents of text, from their first nodes on, and the lines that these are in. A marker (YAML
// 1.1 section 4.1, c-document-start and c-document-end) stands at the head of a line, where nothing else can begin
// with it, so that no parser is needed to find it.
func documents(text []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		number, first, start, at, empty := 0, 0, -1, 0, true
		for line := range bytes.Lines(text) {
			number++
			at += len(line)
			if isMarker(line) {
				if start >= 0 && !yield(first, text[start:at-len(line)]) {
					return
				}
				first, start, empty = number, at, true
				if line[0] == '.' {
					start = -1
				}
				line = line[len("---"):]
			}
			head := bytes.TrimLeft(line, blanks)
			if empty && len(head) > 0 && head[0] != '#' && head[0] != '%' {
				first, start, empty = number, at-len(line), false
			}
		}
		if start >= 0 {
			yield(first, text[start:])
		}
	}
}

func isMarker(line []byte) bool {
	if !bytes.HasPrefix(line, []byte("---")) && !bytes.HasPrefix(line, []byte("...")) {
		return false
	}
	return len(line) == 3 || strings.IndexByte(blanks, line[3]) >= 0
}

// decodeDocument reads one document, which begins in d.line.
func (d *decoder) decodeDocument(doc []byte) error {
	was := *d
	for line := range bytes.Lines(doc) {
		if !utf8.Valid(line) || bytes.ContainsFunc(line, isControl) {
			return errors.New("not text; use UTF-8 without control characters")
		}
		d.line++
	}
	*d = was
	if isFlow(doc) {
		err := d.readJSON(doc)
		if malformed, _ := kjson.SyntaxErrorOffset(err); !malformed || len(doc) > maxFlow || oddMarker.Match(doc) {
			return err
		}
		text, yerr := d.parse(append([]byte("- "), doc...)) // nothing may follow the item of a sequence
		if yerr != nil {
			return err
		}
		*d = was
		return d.readObject(text[1:len(text)-1], metav1.TypeMeta{})
	}
	err := d.readList(doc)
	if errors.Is(err, errUnsure) {
		*d = was
		err = d.readWhole(doc)
	}
	return err
}

func isControl(r rune) bool { return r < ' ' && strings.IndexByte(blanks, byte(r)) < 0 } // #nosec G115 -- below ' '

// maxFlow bounds what the parser of YAML gets of a document in flow style that is no JSON. A longer one is a dump that
// is cut off.
const maxFlow = 64 << 10

// isFlow reports whether a document is a mapping in flow style, maybe behind a tag or an anchor. The parser of YAML
// ends where the mapping does, and would not see what is behind it.
func isFlow(doc []byte) bool {
	head := bytes.TrimLeft(doc, blanks)
	return len(head) > 0 && strings.IndexByte("{!&", head[0]) >= 0
}

// readJSON reads a stream of objects, the first of which begins in d.line.
func (d *decoder) readJSON(text []byte) error {
	for {
		v := bytes.TrimLeft(text, blanks)
		d.line += bytes.Count(text[:len(text)-len(v)], []byte("\n"))
		if len(v) == 0 {
			return nil
		}
		text = v
		line := d.line
		err := d.readObject(v, metav1.TypeMeta{})
		if malformed, at := kjson.SyntaxErrorOffset(err); malformed && json.Valid(v[:at-1]) { // another value follows
			v, d.line = v[:at-1], line
			err = d.readObject(v, metav1.TypeMeta{})
		}
		if err != nil {
			return err
		}
		d.line += bytes.Count(v, []byte("\n"))
		text = text[len(v):]
	}
}

// maxDepth is how deep lists may stand in lists. Each is read once more than the one that it is in.
const maxDepth = 3

// list is an object as far as lists differ from others.
type list struct {
	metav1.TypeMeta
	Items []value `json:"items"`
}

// value is a value in JSON, left where it stands in the text: its length, and what room is from its begin on.
type value struct{ length, room uint32 }

// UnmarshalJSON implements json.Unmarshaler.
func (v *value) UnmarshalJSON(text []byte) error {
	*v = value{length: uint32(len(text)), room: uint32(cap(text))} // #nosec G115 -- no file has more than 1 GiB
	return nil
}

// ofItems reports whether t is a list, and returns the type of items that have none, as those of a ServiceList.
func ofItems(t metav1.TypeMeta) (item metav1.TypeMeta, isList bool) {
	switch t.GroupVersionKind().GroupKind().String() {
	case "List":
		return metav1.TypeMeta{}, true
	case "ServiceList", "EndpointSliceList." + discoveryv1.GroupName:
		return metav1.TypeMeta{Kind: strings.TrimSuffix(t.Kind, "List"), APIVersion: t.APIVersion}, true
	}
	return metav1.TypeMeta{}, false
}

// emptyOf returns an empty object of type t, nil for another kind. The only version is v1.
func emptyOf(t metav1.TypeMeta) (o metav1.Object, err error) {
	kind := t.GroupVersionKind()
	switch kind.GroupKind().String() {
	case "", "L", "Li", "Lis": // a dump ends with its kind, and may still be written
		return nil, fmt.Errorf("kind %q is missing or cut off; %s", t.Kind, wantKinds)
	case "Service":
		o = new(corev1.Service)
	case "EndpointSlice." + discoveryv1.GroupName:
		o = new(discoveryv1.EndpointSlice)
	default:
		return nil, nil
	}
	if kind.Version != "v1" {
		return nil, fmt.Errorf("version %q; %s", kind.Version, wantKinds)
	}
	return o, nil
}

// readObject reads an object in JSON, or a list, which begins in d.line. t is its type if it does not say.
func (d *decoder) readObject(text []byte, t metav1.TypeMeta) error {
	switch err := d.ctx.Err(); {
	case err != nil:
		return err
	case text[0] != '{':
		return fmt.Errorf("not an object; %s", wantKinds)
	}
	first, l, wrong := d.line, list{TypeMeta: t}, new(json.UnmarshalTypeError)
	err := d.unmarshal(text, &l)
	item, isList := ofItems(l.TypeMeta)
	switch {
	case errors.As(err, &wrong) && wrong.Field == "items" && !isList: // of another kind they may be anything
		d.line = first
	case err != nil:
		return err
	case isList && d.depth == maxDepth:
		return fmt.Errorf("a list is in more than %d others", maxDepth-1)
	case isList:
		d.depth++
		defer func() { d.depth-- }()
		at := 0
		for _, v := range l.Items {
			from := cap(text) - int(v.room)
			d.line += bytes.Count(text[at:from], []byte("\n"))
			at = from
			if err := d.readObject(text[from:from+int(v.length)], item); err != nil {
				return err
			}
		}
		d.line = first
		return nil
	}
	o, err := emptyOf(l.TypeMeta)
	if o == nil {
		return err
	}
	if err := limit(text, bytes.Count(text, []byte("{"))); err != nil {
		return err
	}
	if err := d.unmarshal(text, o); err != nil {
		return err
	}
	// A resourceVersion that a dump brought along means nothing: whoever edits the file does not count it up.
	o.SetResourceVersion("")
	slim, err := object.From(o)
	if err != nil {
		d.left[object.NewKey(object.KindOf(o), o.GetNamespace(), o.GetName())] = err
	}
	if slim != nil {
		d.objects = append(d.objects, slim)
	}
	return nil
}

// unmarshal decodes JSON as the API server does, and moves d.line to the line of an error.
func (d *decoder) unmarshal(text []byte, into any) error {
	twice, err := kjson.UnmarshalStrict(text, into, kjson.DisallowDuplicateFields)
	malformed, at := kjson.SyntaxErrorOffset(err)
	if wrong := new(json.UnmarshalTypeError); errors.As(err, &wrong) {
		at = wrong.Offset
	}
	d.line += bytes.Count(text[:min(int(at), len(text))], []byte("\n"))
	switch {
	case err != nil && !malformed:
		return fmt.Errorf("not what the API allows: %w", err)
	case err == nil && len(twice) > 0:
		return twice[0]
	}
	return err
}
