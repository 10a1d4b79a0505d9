package watch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	yaml "go.yaml.in/yaml/v3"

	"github.com/coredns-headless/headless/plugin/object"
)

// A list is a document that was cut into its items, so that each can be read alone: only one of them stands in memory beside the text.
// A parser reads from left to right, so what it makes of an item is the same wherever the item stands, as long as everything before it
// was read to its end.
type list struct {
	// opener and closer make a document of items.
	opener, closer string
	// head is the document without its items; line is that of the key items in it, where that has to be so.
	head []byte
	line int
	// items are where the items begin; the last one is where they end.
	items []int
	// broken says that the document is of another form from the last of items on.
	broken bool
	// cutOff says that nothing follows the items.
	cutOff bool
}

// errUnsure says that an item alone does not tell what it is in the document.
var errUnsure = errors.New("unsure")

// list reads a document that is a list of the form that programs print, item by item. It is not done where the document is of another
// form, or so odd that only the whole of it tells. An error is one that the whole document has too.
func (d *decoder) list(doc []byte) (done bool, err error) {
	l, ok := cutJSON(doc)
	if !ok {
		l, ok = cutYAML(doc)
	}
	if !ok {
		return false, nil
	}
	objects := []object.Object{}
	left := make(map[object.Key]error)
	item := decoder{
		keep:  func(o object.Object) { objects = append(objects, o) },
		skip:  func(k object.Key, err error) { left[k] = err },
		first: d.first, line: d.line,
	}
	err = item.cut(&l, doc)
	d.line = item.line
	switch {
	case errors.Is(err, errUnsure):
		d.line = d.first
		return false, nil
	case err != nil:
		return true, err
	}
	for _, o := range objects {
		d.keep(o)
	}
	for k, err := range left {
		d.skip(k, err)
	}
	return true, nil
}

// cut reads the items of l, which was cut from doc.
func (d *decoder) cut(l *list, doc []byte) error {
	var def typeMeta
	if !l.broken {
		var err error
		if def, err = d.ofItems(l); err != nil {
			return err
		}
	}
	line, at := d.first, 0
	goTo := func(offset int) {
		line += bytes.Count(doc[at:offset], []byte("\n"))
		at = offset
	}
	last := len(l.items) - 1
	for i, from := range l.items[:last] {
		text := doc[from:l.items[i+1]]
		if d.quick(text, def, true) {
			continue
		}
		goTo(from)
		n, err := d.parse(l, text, l.closer, line)
		if err != nil {
			return d.rest(l, doc[from:], line)
		}
		if err := d.items(n, def); err != nil && !l.broken {
			return err
		}
	}
	if l.broken {
		goTo(l.items[last])
		return d.rest(l, doc[at:], line)
	}
	return nil
}

// ofItems reads the head of a list, and returns what its items are where they do not say.
func (d *decoder) ofItems(l *list) (typeMeta, error) {
	docs := yaml.NewDecoder(bytes.NewReader(plainJSON(l.head)))
	var n, more yaml.Node
	if docs.Decode(&n) != nil || !errors.Is(docs.Decode(&more), io.EOF) || n.Content[0].Kind != yaml.MappingNode {
		return typeMeta{}, errUnsure
	}
	top, found := n.Content[0], false
	for i := 0; i < len(top.Content); i += 2 {
		key := top.Content[i]
		if key.Value == "items" {
			found = len(top.Content[i+1].Content) == 0 && (l.line == 0 || key.Line == l.line)
		}
	}
	t, err := d.typeOf(top, typeMeta{})
	def, ok := t.items()
	switch {
	case found && ok && err == nil:
		return def, nil
	case found && t.Kind == "" && err == nil && l.cutOff: // as of a dump that is still being written
		_, err = t.object()
		return def, err
	}
	return def, errUnsure
}

// rest reads the rest of a document from the line on where an item is that is malformed, and returns what is wrong.
func (d *decoder) rest(l *list, text []byte, line int) error {
	if _, err := d.parse(l, text, "", line); err != nil {
		return err
	}
	return errUnsure // it goes on in the next item
}

// parse has the parser read items, the first in that line.
func (d *decoder) parse(l *list, items []byte, closer string, line int) (*yaml.Node, error) {
	d.first = line - bytes.Count([]byte(l.opener), []byte("\n"))
	d.line = line
	text := make([]byte, 0, len(l.opener)+len(items)+len(closer))
	text = plainJSON(append(append(append(text, l.opener...), items...), closer...))
	docs := yaml.NewDecoder(bytes.NewReader(text))
	var n, more yaml.Node
	err := docs.Decode(&n)
	if err == nil {
		err = docs.Decode(&more)
	}
	switch {
	case errors.Is(err, io.EOF):
		return n.Content[0], nil
	case err == nil, unknownAnchor.MatchString(err.Error()):
		return nil, errUnsure
	}
	return nil, d.malformed(text, err)
}

// quick reads one document, or item of a list, of the plain form that programs print. It reports whether it could.
func (d *decoder) quick(text []byte, def typeMeta, isItem bool) bool {
	if bytes.HasPrefix(text, []byte("{")) {
		text = bytes.TrimRight(text, " \t\r\n")
		if isItem {
			text = bytes.TrimRight(text, ", \t\r\n") // what follows it in the list
		}
	} else {
		turned, ok := yamlToJSON(d.json[:0], text, isItem)
		if !ok {
			return false
		}
		d.json, text = turned, turned
	}
	j := jsonText{text: text}
	t, plain := def, true
	word := func(to *string, from, end int) {
		if plain = plain && end > 0 && text[from] == '"' && bytes.IndexByte(text[from:end], '\\') < 0; plain {
			*to = string(text[from+1 : end-1])
		}
	}
	end := -1
	if j.at(0, '{') {
		end = j.object(0, func(key []byte, i int) int {
			end := j.value(i)
			switch string(key) {
			case "kind":
				word(&t.Kind, i, end)
			case "apiVersion":
				word(&t.APIVersion, i, end)
			}
			return end
		})
	}
	if _, nested := t.items(); end != len(text) || j.odd || !plain || nested {
		return false
	}
	o, err := t.object()
	if err != nil || o != nil && json.Unmarshal(text, o) != nil {
		return false
	}
	if o != nil {
		d.slim(o)
	}
	return true
}
