package manifests

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// jsonStream is a stream of JSON objects that is read token by token.
type jsonStream struct {
	*json.Decoder
	text []byte
}

// ignored is a value that is read and not kept.
type ignored struct{}

func (*ignored) UnmarshalJSON([]byte) error { return nil }

// next is where the next value begins, behind commas and a colon.
func (s *jsonStream) next() int {
	at := s.InputOffset()
	return len(s.text) - len(bytes.TrimLeft(s.text[at:], blanks+",:"))
}

// maxLists is how deep lists may stand in lists. Each is read once more than the one that it is in.
const maxLists = 3

// readJSON reads a stream of objects, the first of which begins in d.line. Text that was YAML has no line ends, so
// that all of it is in that line.
func (d *decoder) readJSON(text []byte) error {
	if d.lists++; d.lists > maxLists {
		return fmt.Errorf("a list is in more than %d others", maxLists-1)
	}
	defer func() { d.lists-- }()
	s := &jsonStream{json.NewDecoder(bytes.NewReader(text)), text}
	for line := d.line; s.next() < len(text); d.line = line {
		begin := s.next()
		token, err := s.Token()
		if err != nil {
			return d.syntax(s, "", err)
		}
		if token != json.Delim('{') {
			return d.at(text, begin, fmt.Errorf("no object: %s", allowedKinds))
		}
		if err := d.readMembers(s, begin); err != nil {
			return err
		}
	}
	return nil
}

// span is where a value begins and ends.
type span struct{ from, to int }

// readMembers reads an object from its first key on. What it is may stand behind its items, as kubectl sorts keys:
// they are only found here, and read in the end.
func (d *decoder) readMembers(s *jsonStream, begin int) error {
	var t typeMeta
	var items []span
	seen := make(map[string]bool)
	for s.More() {
		token, err := s.Token()
		if err != nil {
			return d.syntax(s, "{", err)
		}
		key, _ := token.(string) // of an object every other token is one
		at := s.next()
		if seen[key] {
			return d.at(s.text, at, fmt.Errorf("duplicate field %q", key))
		}
		seen[key] = true
		if key == "items" && at < len(s.text) && s.text[at] == '[' {
			if items, err = d.findItems(s); err != nil {
				return err
			}
			continue
		}
		if err := s.Decode(new(ignored)); err != nil {
			return d.syntax(s, "{", err)
		}
		switch value := s.text[at:s.InputOffset()]; key {
		case "kind":
			err = json.Unmarshal(value, &t.Kind)
		case "apiVersion":
			err = json.Unmarshal(value, &t.APIVersion)
		case "items":
			items = append(items, span{at, at})
			if string(value) == "null" {
				items = nil
			}
		}
		if err != nil {
			return d.at(s.text, at, fmt.Errorf("%s: %w", key, err))
		}
	}
	if _, err := s.Token(); err != nil {
		return d.syntax(s, "{", err)
	}
	def, isList := t.items()
	if !isList {
		items = []span{{begin, int(s.InputOffset())}}
	}
	return d.readItems(s.text, items, def)
}

// findItems finds the items of a list.
func (d *decoder) findItems(s *jsonStream) ([]span, error) {
	var items []span
	_, err := s.Token() // the bracket
	for err == nil && s.More() {
		from := s.next()
		if err = s.Decode(new(ignored)); err == nil {
			items = append(items, span{from, int(s.InputOffset())})
		}
	}
	if err == nil {
		_, err = s.Token()
	}
	if err != nil {
		return nil, d.syntax(s, "[", err)
	}
	return items, nil
}

func (d *decoder) readItems(text []byte, items []span, def typeMeta) error {
	at := 0
	for _, item := range items {
		d.line += bytes.Count(text[at:item.from], []byte("\n"))
		at = item.from
		if item.to == at {
			return errors.New("items is no list")
		}
		if err := d.readObject(text[at:item.to], def); err != nil {
			return err
		}
	}
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

// syntax places an error of the JSON parser. It is unsure where YAML can be read on, as that is more than JSON. The
// opener and what has not been read make one document, so that nobody has to read all of a long one again to see a
// mistake in it.
func (d *decoder) syntax(s *jsonStream, opener string, err error) error {
	begin := s.next()
	if _, yerr := d.toJSON(append([]byte(opener), s.text[begin:]...)); yerr == nil || !isSyntax(yerr) {
		return errUnsure
	}
	at := s.InputOffset()
	if again := new(json.SyntaxError); errors.As(json.Unmarshal(s.text[begin:], new(ignored)), &again) {
		at, err = int64(begin)+again.Offset, again // the decoder's own offset passes over tokens
	} else if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		at, err = int64(len(s.text)), io.ErrUnexpectedEOF
	}
	return d.at(s.text, int(at), err)
}
