package manifests

import (
	"bytes"
	"slices"

	kjson "sigs.k8s.io/json"
)

// list is a document in YAML that was cut into its items. A parser reads from left to right, so what it makes of an
// item is the same wherever the item stands, as long as everything before it was read to its end.
type list struct {
	head, tail []byte // the document before its items, with their key, and behind them
	items      []int  // where the items begin; the last one is where they end
	broken     bool   // from the last of items on the document is of another form
}

// cut cuts a list whose key items stands alone in its line, and whose items begin below one another.
func cut(doc []byte) (l list, ok bool) {
	for _, lineEnd := range []string{"\u0085", "\u2028", "\u2029"} { // of YAML 1.1
		if bytes.Contains(doc, []byte(lineEnd)) {
			return l, false
		}
	}
	at, indent := 0, 0
	for line := range bytes.Lines(doc) {
		if r := bytes.IndexByte(line, '\r'); r >= 0 && r != len(line)-2 {
			return l, false
		}
		body := bytes.TrimLeft(line, " ")
		column := len(line) - len(body)
		blank := len(bytes.TrimLeft(body, "\r\n")) == 0 || body[0] == '#'
		isKey := column == 0 && !blank && 'a' <= body[0] && body[0] <= 'z'
		isItem := bytes.HasPrefix(body, []byte("- "))
		switch {
		case blank:
		case l.head == nil: // before the key
			if string(bytes.TrimRight(line, " \r\n")) == "items:" {
				l.head = doc[:at+len(line)]
			} else if !isKey && column == 0 {
				return l, false
			}
		case len(l.items) == 0 && isItem:
			indent = column
			l.items = append(l.items, at)
		case len(l.items) == 0:
			return l, false
		case isItem && column == indent:
			l.items = append(l.items, at)
		case column > indent:
		default: // what is behind the items must be keys; the parser says whether it is
			l.items = append(l.items, at)
			l.tail, l.broken = doc[at:], !isKey
			return l, true
		}
		at += len(line)
	}
	l.items = append(l.items, len(doc))
	return l, len(l.items) > 1
}

// readList reads a document that is a list of the form that programs print, item by item. An error is one that the
// whole document has, too.
func (d *decoder) readList(doc []byte) error {
	l, ok := cut(doc)
	if !ok {
		return errUnsure
	}
	def, err := d.typeOf(&l)
	if err != nil {
		return err
	}
	last, at := len(l.items)-1, 0
	for i, from := range l.items {
		d.line += bytes.Count(doc[at:from], []byte("\n"))
		if at = from; i == last {
			break
		}
		item, err := d.toJSON(doc[from:l.items[i+1]])
		switch {
		case err != nil && isSyntax(err):
			return d.readRest(doc[from:])
		case l.broken:
		case err != nil && isUnknownAnchor(err):
			return errUnsure
		case err != nil:
			return d.locate(err)
		default: // the item is the only one of its sequence
			if err := d.readObject(item[1:len(item)-1], def); err != nil {
				return err
			}
		}
	}
	if l.broken {
		return d.readRest(doc[at:])
	}
	return nil
}

// typeOf reads the type of a list, and returns that of items that have none.
func (d *decoder) typeOf(l *list) (typeMeta, error) {
	var head struct {
		typeMeta
		Items value `json:"items"`
	}
	// A head that can be read alone is no text that only looks like one, as in quotes.
	text, err := d.toJSON(l.head)
	if err != nil || kjson.UnmarshalCaseSensitivePreserveInts(text, &head) != nil || string(head.Items) != "null" {
		return typeMeta{}, errUnsure
	}
	text, err = d.toJSON(slices.Concat(l.head, l.tail))
	switch {
	case l.broken:
		return typeMeta{}, nil
	case err != nil && isSyntax(err):
		l.broken = true
		return typeMeta{}, nil
	case err != nil || kjson.UnmarshalCaseSensitivePreserveInts(text, &head) != nil:
		return typeMeta{}, errUnsure
	}
	def, isList := head.items()
	switch {
	case isList:
		return def, nil
	case head.Kind == "" && len(l.tail) == 0: // as of a dump that is still being written
		_, err = head.object()
		return def, err
	}
	return def, errUnsure
}

// readRest reads the rest of a document from the malformed item or line on, which is in d.line, and returns its error.
func (d *decoder) readRest(text []byte) error {
	const opener = "items:\n"
	_, err := d.toJSON(append([]byte(opener), text...))
	if err == nil || !isSyntax(err) {
		return errUnsure // it goes on in the next item
	}
	d.line--
	return d.locate(err)
}
