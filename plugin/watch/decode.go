package watch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/plugin/object"
)

// decoder turns the text of one manifest file into objects. YAML and JSON are read by the same parser, JSON being a part of
// YAML; that gives each item its line. Lists of the form that programs print are read item by item instead (list.go), with the same
// outcome.
type decoder struct {
	keep func(object.Object)
	skip func(object.Key, error)
	// document and line of the node at hand, and the document's first line, from 1
	document, line, first int
	json                  []byte // of the item at hand, used again for the next
}

const allowedKinds = "allowed are Service (v1), EndpointSlice (discovery.k8s.io/v1) and lists of them; other kinds are passed over"

// decode calls keep for every Service and EndpointSlice in text, and skip for those left out. The error names the
// document and line of what is not well-formed; what was kept before it is of no use then.
func (d *decoder) decode(text []byte) error {
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	for line, doc := range documents(text) {
		d.document++
		d.line = line
		if err := d.one(doc); err != nil {
			return fmt.Errorf("document %d, line %d: %w", d.document, d.line, err)
		}
	}
	if d.document == 0 {
		return fmt.Errorf("document 1, line 1: nothing there: %s", allowedKinds) // as after a dump that failed
	}
	return nil
}

// one reads one document, which begins in d.line.
func (d *decoder) one(doc []byte) error {
	if line, below, ok := bytes.Cut(doc, []byte("\n")); ok && string(bytes.TrimRight(line, " \t\r")) == "---" {
		doc = below
		d.line++
	}
	d.first = d.line
	if i := notText(doc); i >= 0 {
		d.line += bytes.Count(doc[:i], []byte("\n"))
		return fmt.Errorf("octet %#x is no text: allowed is UTF-8 without control characters", doc[i])
	}
	if done, err := d.list(doc); done {
		return err
	}
	if d.quick(doc, typeMeta{}, false) {
		return nil
	}
	return d.whole(plainJSON(doc))
}

// notText returns where the first octet is that no text has, -1 if there is none.
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

// whole reads one document as the parser has it, all at once. That takes some 30 times its size in memory.
func (d *decoder) whole(doc []byte) error {
	docs := yaml.NewDecoder(bytes.NewReader(doc)) // several, where one ends with ... and the next has no marker
	for {
		var n yaml.Node
		err := docs.Decode(&n)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return d.malformed(doc, err)
		case len(n.Content) > 0 && n.Content[0].Tag != "!!null": // not nothing between two markers
			if err := d.node(n.Content[0], typeMeta{}); err != nil {
				return err
			}
		}
	}
}

// malformed places an error of the parser.
func (d *decoder) malformed(doc []byte, err error) error {
	if m := unknownAnchor.FindStringSubmatch(err.Error()); m != nil {
		d.line += bytes.Count(doc[:max(0, bytes.Index(doc, []byte("*"+m[1])))], []byte("\n"))
	}
	return d.place(err)
}

var (
	unknownAnchor = regexp.MustCompile(`unknown anchor '(.*)' referenced`)
	parserLine    = regexp.MustCompile(`^line (\d+): `)
)

// place takes the parser's words for an error, the first of several, and notes the line that they name.
func (d *decoder) place(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if t := new(yaml.TypeError); errors.As(err, &t) {
		text = t.Errors[0]
	}
	if m := parserLine.FindStringSubmatch(text); m != nil {
		if n, nerr := strconv.Atoi(m[1]); nerr == nil {
			d.line = d.first + n - 1
		}
		if text = text[len(m[0]):]; strings.HasPrefix(text, "did not find expected") {
			d.line++ // these the parser counts from 0, and all others from 1
		}
	}
	return errors.New(text)
}

// documents yields the documents of text and the lines that they begin in, from 1. A marker stands at the head of a line
// wherever it stands, so that no parser is needed to find it.
func documents(text []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		first, start, at, empty := 1, 0, 0, true
		number := 0
		for line := range bytes.Lines(text) {
			number++
			marker := bytes.HasPrefix(line, []byte("---")) && (len(line) == 3 || bytes.ContainsAny(line[3:4], " \t\r\n"))
			if marker && !empty {
				if !yield(first, text[start:at]) {
					return
				}
				first, start = number, at
			}
			at += len(line)
			head := bytes.TrimLeft(line, " \t\r\n\uFEFF")
			empty = !marker && empty && (len(head) == 0 || head[0] == '#' || head[0] == '%')
		}
		if !empty {
			yield(first, text[start:])
		}
	}
}

// plainJSON lets JSON pass for YAML, of which it is a part but for three things: tabs at the head of lines, escaped slashes,
// and surrogate pairs. Lines stay where they are.
func plainJSON(doc []byte) []byte {
	if head := bytes.TrimLeft(doc, " \t\r\n\uFEFF"); len(head) == 0 || head[0] != '{' {
		return doc
	}
	out := make([]byte, 0, len(doc))
	head := true // nothing but white space in this line so far
	for i := 0; i < len(doc); i++ {
		c := doc[i]
		switch {
		case c == '\t' && head:
			out = append(out, ' ')
			continue
		case c == '\\' && i+1 < len(doc) && doc[i+1] == '/':
			continue
		case c == '\\' && i+12 <= len(doc):
			if r := surrogates(doc[i : i+12]); r != utf8.RuneError {
				out = utf8.AppendRune(out, r)
				i += 11
				continue
			}
			fallthrough
		case c == '\\' && i+1 < len(doc):
			out = append(out, c, doc[i+1])
			i++
			continue
		}
		head = c == '\n' || head && c == ' '
		out = append(out, c)
	}
	return out
}

// surrogates reads an escaped pair, such as \ud83d\ude00; utf8.RuneError if it is none.
func surrogates(pair []byte) rune {
	if pair[1] != 'u' || pair[6] != '\\' || pair[7] != 'u' {
		return utf8.RuneError
	}
	high, err := strconv.ParseUint(string(pair[2:6]), 16, 16)
	low, lerr := strconv.ParseUint(string(pair[8:12]), 16, 16)
	if err != nil || lerr != nil {
		return utf8.RuneError
	}
	return utf16.DecodeRune(rune(high), rune(low)) // #nosec G115 -- 16 bits
}

type typeMeta struct {
	Kind       string `yaml:"kind"`
	APIVersion string `yaml:"apiVersion"`
}

// group and version of apiVersion.
func (t typeMeta) split() (group, version string) {
	if i := strings.LastIndex(t.APIVersion, "/"); i >= 0 {
		return t.APIVersion[:i], t.APIVersion[i+1:]
	}
	return "", t.APIVersion
}

// items tells whether t is a list, and what its items are where they do not say: those of a typed list, such as ServiceList.
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

// object is an empty object of type t, nil if it is of another kind. The only version is v1.
func (t typeMeta) object() (metav1.Object, error) {
	group, version := t.split()
	var o metav1.Object
	switch {
	case t.Kind == "":
		return nil, fmt.Errorf("no kind: %s", allowedKinds)
	case t.Kind == "L", t.Kind == "Li", t.Kind == "Lis": // of a dump that is still being written: it says last what it is
		return nil, fmt.Errorf("kind %q is cut off: %s", t.Kind, allowedKinds)
	case t.Kind == "Service" && group == "":
		o = new(corev1.Service)
	case t.Kind == "EndpointSlice" && group == discoveryv1.GroupName:
		o = new(discoveryv1.EndpointSlice)
	default:
		return nil, nil
	}
	if version != "v1" {
		return nil, fmt.Errorf("version %q: %s", version, allowedKinds)
	}
	return o, nil
}

// node reads an object, or the items of a list.
func (d *decoder) node(n *yaml.Node, def typeMeta) error {
	t, err := d.typeOf(n, def)
	if err != nil {
		return err
	}
	if def, ok := t.items(); ok {
		return d.items(n, def)
	}
	o, err := t.object()
	if o == nil {
		return err
	}
	return d.object(n, o)
}

// typeOf is what n says it is.
func (d *decoder) typeOf(n *yaml.Node, t typeMeta) (typeMeta, error) {
	d.line = d.first + n.Line - 1
	if n.Kind != yaml.MappingNode {
		return t, fmt.Errorf("no object: %s", allowedKinds)
	}
	if err := n.Decode(&t); err != nil {
		return t, fmt.Errorf("kind and apiVersion: %w", d.place(err))
	}
	return t, nil
}

func (d *decoder) items(n *yaml.Node, def typeMeta) error {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != "items" {
			continue
		}
		items := n.Content[i+1]
		if items.Kind != yaml.SequenceNode && items.Tag != "!!null" {
			d.line = d.first + items.Line - 1
			return errors.New("items is no list")
		}
		for _, item := range items.Content {
			if err := d.node(item, def); err != nil {
				return err
			}
		}
	}
	return nil
}

// object reads n into o, as the API server would.
func (d *decoder) object(n *yaml.Node, o metav1.Object) error {
	var plain map[string]any
	if err := n.Decode(&plain); err != nil {
		return d.place(err)
	}
	text, err := json.Marshal(plain)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, o); err != nil {
		return fmt.Errorf("not what the API allows: %w", err)
	}
	d.slim(o)
	return nil
}

// slim keeps what counts of o. A resourceVersion that a dump brought along means nothing: whoever edits the file does not count it up.
func (d *decoder) slim(o metav1.Object) {
	o.SetResourceVersion("")
	slim, err := object.From(o)
	if err != nil {
		d.skip(object.NewKey(object.KindOf(o), o.GetNamespace(), o.GetName()), err)
	}
	if slim != nil {
		d.keep(slim)
	}
}
