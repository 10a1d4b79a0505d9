package watch

import (
	"bytes"

	yaml "go.yaml.in/yaml/v3"
)

// blockYAML turns YAML of the plain form that programs print into JSON: block mappings and sequences, scalars of one line, literal
// blocks, no comments. Of anything else it says that it cannot.
type blockYAML struct {
	rest []byte // what follows the line at hand
	// the line at hand: how many blanks stand before it, and its text without the line end
	indent int
	line   []byte
	more   bool // there is a line at hand
	ok     bool
	out    []byte
}

// yamlToJSON appends to out the JSON of a mapping, or that of the item of a sequence that has one.
func yamlToJSON(out, text []byte, inSequence bool) ([]byte, bool) {
	b := blockYAML{rest: text, ok: true, out: out}
	b.next()
	switch {
	case !b.more || b.isItem() != inSequence:
		return out, false
	case inSequence:
		b.item()
	default:
		b.node()
	}
	return b.out, b.ok && !b.more
}

// next goes to the next line.
func (b *blockYAML) next() {
	end := bytes.IndexByte(b.rest, '\n')
	if end < 0 {
		b.more, b.ok = false, b.ok && len(b.rest) == 0
		return
	}
	line := bytes.TrimSuffix(b.rest[:end], []byte("\r"))
	b.rest, b.more = b.rest[end+1:], true
	b.line = bytes.TrimLeft(line, " ")
	b.indent = len(line) - len(b.line)
	for _, c := range b.line {
		b.ok = b.ok && ' ' <= c && c < 0x7f
	}
	b.ok = b.ok && len(b.line) > 0 && b.indent <= depthMax
}

// has says that there is a line of that indentation.
func (b *blockYAML) has(indent int) bool { return b.ok && b.more && b.indent == indent }

func (b *blockYAML) isItem() bool { return bytes.HasPrefix(b.line, []byte("- ")) }

// node turns what begins in the line at hand, all of its indentation.
func (b *blockYAML) node() {
	indent := b.indent
	if b.isItem() {
		b.out = append(b.out, '[')
		for b.has(indent) && b.isItem() {
			b.item()
			b.out = append(b.out, ',')
		}
		b.closes(']')
		return
	}
	b.out = append(b.out, '{')
	for b.has(indent) && !b.isItem() {
		b.field()
		b.out = append(b.out, ',')
	}
	b.closes('}')
}

// closes puts a bracket in the place of the last comma.
func (b *blockYAML) closes(bracket byte) { b.out[len(b.out)-1] = bracket }

// item turns one item of a sequence. What follows the dash is like a line that begins there.
func (b *blockYAML) item() {
	b.line = b.line[2:]
	b.indent += 2
	b.ok = b.ok && len(b.line) > 0 && b.indent <= depthMax
	if _, _, isField := cutField(b.line); isField || b.isItem() {
		b.node()
		return
	}
	b.scalar(b.line)
	b.next()
}

// field turns one key and its value.
func (b *blockYAML) field() {
	indent := b.indent
	key, value, ok := cutField(b.line)
	if b.ok = b.ok && ok && isString(key); !b.ok {
		return
	}
	b.out = append(b.out, '"')
	b.out = append(b.out, key...)
	b.out = append(b.out, '"', ':')
	b.next()
	switch {
	case string(value) == "|" || string(value) == "|-":
		b.literal(indent, len(value) == 1)
	case len(value) > 0:
		b.scalar(value)
	case b.more && (b.indent > indent || b.indent == indent && b.isItem()):
		b.node()
	default:
		b.out = append(b.out, "null"...)
	}
}

// cutField cuts a line into a plain key and the rest behind the colon and a blank.
func cutField(line []byte) (key, value []byte, ok bool) {
	i := 0
	for i < len(line) && (isWord(line[i]) || i > 0 && (line[i] == '.' || line[i] == '/' || line[i] == '-' || line[i] == '_')) {
		i++
	}
	switch {
	case i == 0 || i == len(line) || line[i] != ':':
		return nil, nil, false
	case i+1 == len(line):
		return line[:i], nil, true
	}
	return line[:i], line[min(i+2, len(line)):], line[i+1] == ' ' && i+2 < len(line)
}

func isWord(c byte) bool { return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' }

// isString tells whether a plain scalar is text, and no number or the like, to the parser. Most need not be asked about.
func isString(plain []byte) bool {
	letter := plain[0] > '9'
	switch {
	case letter && len(plain) > len("false"), !letter && bytes.Count(plain, []byte(".")) > 1:
		return true
	}
	return shortTag(plain) == "!!str"
}

func shortTag(plain []byte) string {
	n := yaml.Node{Kind: yaml.ScalarNode, Value: string(plain)}
	return n.ShortTag()
}

// scalar turns a scalar of one line.
func (b *blockYAML) scalar(s []byte) {
	switch text := string(s); {
	case !b.ok:
	case text == "{}", text == "[]":
		b.out = append(b.out, s...)
	case s[0] == '"':
		j := jsonText{text: s}
		b.ok = b.ok && j.str(0) == len(s) && !j.odd && !bytes.Contains(s, []byte(`\/`))
		b.out = append(b.out, s...)
	case s[0] == '\'':
		inner, closed := bytes.CutSuffix(s[1:], []byte("'"))
		quotes := bytes.ReplaceAll(inner, []byte("''"), nil)
		b.ok = b.ok && closed && bytes.IndexByte(quotes, '\'') < 0
		b.quote(bytes.ReplaceAll(inner, []byte("''"), []byte("'")))
	default:
		b.plain(s)
	}
}

// plain turns a plain scalar.
func (b *blockYAML) plain(s []byte) {
	last := s[len(s)-1]
	if !isWord(s[0]) && s[0] != '/' || last == ' ' || last == ':' || bytes.Contains(s, []byte(": ")) || bytes.Contains(s, []byte(" #")) {
		b.ok = false
		return
	}
	if isString(s) {
		b.quote(s)
		return
	}
	switch string(s) {
	case "true", "false", "null":
	default: // one that JSON writes the same way
		j := jsonText{text: s}
		b.ok = b.ok && shortTag(s) == "!!int" && j.number(0) == len(s)
	}
	b.out = append(b.out, s...)
}

// quote appends a string of ASCII.
func (b *blockYAML) quote(s []byte) {
	b.out = append(b.out, '"')
	b.escaped(s)
	b.out = append(b.out, '"')
}

func (b *blockYAML) escaped(s []byte) {
	for _, c := range s {
		if c == '"' || c == '\\' {
			b.out = append(b.out, '\\')
		}
		b.out = append(b.out, c)
	}
}

// literal turns the lines of a literal block below a key of that indentation.
func (b *blockYAML) literal(above int, lineEnd bool) {
	indent := b.indent
	b.ok = b.ok && b.more && indent > above
	b.out = append(b.out, '"')
	for first := true; b.ok && b.more && b.indent >= indent; first = false {
		if !first {
			b.out = append(b.out, `\n`...)
		}
		for range b.indent - indent {
			b.out = append(b.out, ' ')
		}
		b.escaped(b.line)
		b.next()
	}
	b.ok = b.ok && (!b.more || b.indent <= above)
	if lineEnd {
		b.out = append(b.out, `\n`...)
	}
	b.out = append(b.out, '"')
}
