package manifests

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	kjson "sigs.k8s.io/json"
)

// value is a value in JSON, left where it stands in the text.
type value []byte

// UnmarshalJSON implements json.Unmarshaler.
func (v *value) UnmarshalJSON(text []byte) error {
	*v = text
	return nil
}

// in returns where the value begins in the text that it stands in.
func (v value) in(text []byte) int { return cap(text) - cap(v) }

// maxFlow bounds what the YAML parser gets of a document that begins as JSON and is none. A longer one is not flow
// style that somebody wrote, but a dump that is cut off.
const maxFlow = 64 << 10

// readJSON reads a stream of objects, the first of which begins in d.line.
func (d *decoder) readJSON(text []byte) error {
	for {
		rest := bytes.TrimLeft(text, blanks)
		d.line += bytes.Count(text[:len(text)-len(rest)], []byte("\n"))
		if len(rest) == 0 {
			return nil
		}
		v := rest
		err := d.readObject(v, typeMeta{})
		malformed, at := kjson.SyntaxErrorOffset(err)
		if malformed && json.Valid(rest[:at-1]) { // another value follows
			v = rest[:at-1]
			err = d.readObject(v, typeMeta{})
		} else if malformed {
			return d.syntax(rest, int(at), err)
		}
		if err != nil {
			return err
		}
		d.line += bytes.Count(v, []byte("\n"))
		text = rest[len(v):]
	}
}

// maxLists is how deep lists may stand in lists. Each is read once more than the one that it is in.
const maxLists = 3

// readItems reads the items of a list in text, which begins in d.line.
func (d *decoder) readItems(text []byte, items []value, def typeMeta) error {
	if d.lists++; d.lists > maxLists {
		return fmt.Errorf("a list is in more than %d others", maxLists-1)
	}
	defer func() { d.lists-- }()
	first, at := d.line, 0
	for _, item := range items {
		d.line += bytes.Count(text[at:item.in(text)], []byte("\n"))
		at = item.in(text)
		if err := d.readObject(item, def); err != nil {
			return err
		}
	}
	d.line = first
	return nil
}

// at notes the line of an error, which is at an offset of text.
func (d *decoder) at(text []byte, offset int, err error) error {
	d.line += bytes.Count(text[:min(offset, len(text))], []byte("\n"))
	return err
}

// locateJSON notes the line of an error of a value's type.
func (d *decoder) locateJSON(text []byte, err error) error {
	if t := new(json.UnmarshalTypeError); errors.As(err, &t) {
		return d.at(text, int(t.Offset), err)
	}
	return err
}

// syntax returns errUnsure for text that is no JSON, but may be YAML. Else it notes the line of the error.
func (d *decoder) syntax(text []byte, offset int, err error) error {
	if len(text) <= maxFlow {
		if _, yerr := d.toJSON(text); yerr == nil || !isSyntax(yerr) {
			return errUnsure
		}
	}
	return d.at(text, offset, err)
}
