package manifests

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"
)

// errUnsure says that the document must be read by the YAML parser as a whole.
var errUnsure = errors.New("unsure")

// cut cuts a list whose key items stands alone in its line, and whose items begin below one another. The tail is what
// is behind the items. There are no items if the document is of another form.
func cut(doc []byte) (head []byte, items [][]byte, tail []byte) {
	if oddLineEnds(doc) > 0 {
		return nil, nil, nil
	}
	indent, from, at := -1, 0, 0
	for line := range bytes.Lines(doc) {
		body := bytes.TrimLeft(line, " ")
		column := len(line) - len(body)
		isItem := bytes.HasPrefix(body, []byte("- "))
		switch {
		case head == nil:
			if string(bytes.TrimRight(line, " \r\n")) == "items:" {
				from = at + len(line)
				head = doc[:from]
			}
		case len(bytes.TrimRight(body, "\r\n")) == 0 || body[0] == '#':
		case indent < 0 && isItem:
			indent = column
		case isItem && column == indent:
			items = append(items, doc[from:at])
			from = at
		case indent < 0:
			return nil, nil, nil
		case column <= indent:
			return head, append(items, doc[from:at]), doc[at:]
		}
		at += len(line)
	}
	if indent < 0 {
		return nil, nil, nil
	}
	return head, append(items, doc[from:]), nil
}

// oddLineEnds counts the line ends that only YAML 1.1 knows.
func oddLineEnds(text []byte) int {
	odd := bytes.Count(text, []byte("\r")) - bytes.Count(text, []byte("\r\n"))
	for _, lineEnd := range []string{"\u0085", "\u2028", "\u2029"} {
		odd += bytes.Count(text, []byte(lineEnd))
	}
	return odd
}

// readList reads a list of the form that programs print, item by item. The parser reads from left to right, so what it
// makes of an item is the same wherever the item stands, as long as everything before it was read to its end.
func (d *decoder) readList(doc []byte) error {
	head, items, tail := cut(doc)
	if len(items) == 0 {
		return errUnsure
	}
	// A head that can be read alone is no text that only looks like one, as in quotes.
	if _, _, err := d.readHead(head); err != nil {
		return errUnsure
	}
	text, t, tailErr := d.readHead(slices.Concat(head, tail))
	item, isList := ofItems(t)
	first, rest := d.line, doc[len(head):]
	d.line += bytes.Count(head, []byte("\n"))
	for _, it := range items {
		one, err := d.parse(it)
		switch {
		case err != nil && strings.HasPrefix(err.Error(), "yaml: unmarshal errors:"): // of what was read to its end
			return d.locate(err)
		case err != nil:
			return d.readRest(rest, err)
		case isList && tailErr == nil: // the item is the only one of its sequence
			if err := d.readObject(one[1:len(one)-1], item); err != nil {
				return err
			}
		}
		d.line += bytes.Count(it, []byte("\n"))
		rest = rest[len(it):]
	}
	switch {
	case tailErr != nil:
		return d.readRest(rest, tailErr)
	case !isList:
		d.line = first
		return d.readObject(text, metav1.TypeMeta{})
	}
	return nil
}

// readHead reads a list without its items, and makes JSON of it.
func (d *decoder) readHead(head []byte) ([]byte, metav1.TypeMeta, error) {
	var l list
	text, err := d.parse(head)
	if err == nil {
		err = kjson.UnmarshalCaseSensitivePreserveInts(text, &l)
	}
	if err == nil && l.Items != nil {
		err = errUnsure
	}
	return text, l.TypeMeta, err
}

// readRest reads the rest of a document from the malformed item or line on, which is in d.line, and returns its error:
// alone is that of the item alone.
func (d *decoder) readRest(text []byte, alone error) error {
	if limitYAML(text) != nil {
		return d.locate(alone)
	}
	_, err := d.parse(append([]byte("items:\n"), text...))
	if err == nil || strings.HasPrefix(err.Error(), "yaml: unknown anchor ") {
		return errUnsure // it goes on in the next item, or another item has the anchor
	}
	d.line--
	return d.locate(err)
}

// oddMarker finds document markers at the head of what are lines to YAML 1.1 alone (section 4.2, b-generic).
var oddMarker = regexp.MustCompile("[\r\u0085\u2028\u2029](---|[.]{3})")

// readWhole reads one document at once. The parser reads no further than a document's end.
func (d *decoder) readWhole(doc []byte) error {
	text, err := d.parse(doc)
	if err != nil {
		return d.locate(err)
	}
	if at := oddMarker.FindIndex(doc); at != nil {
		d.line += bytes.Count(doc[:at[0]], []byte("\n"))
		return errors.New("a document begins or ends behind a line end that is neither LF nor CR LF")
	}
	if string(text) == "null" {
		return nil
	}
	return d.readObject(text, metav1.TypeMeta{})
}

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
