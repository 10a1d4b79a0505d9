package watch

import (
	"bytes"
	"cmp"
	"slices"
	"unicode/utf8"
)

// jsonText walks over text that is JSON (RFC 8259) without making anything of it.
type jsonText struct {
	text []byte
	// odd says that something was passed which encoding/json and the parser of YAML may take for different things, such as two keys
	// that are one.
	odd   bool
	keys  [][]byte // of all objects that are open
	depth int
}

// depthMax is deeper than any Service or EndpointSlice goes, and less than either parser can.
const depthMax = 100

// All that walk begin with the first octet at i, and return where the rest begins; that is -1 where the text is no JSON.

func (j *jsonText) value(i int) int {
	if i < 0 || i >= len(j.text) {
		return -1
	}
	switch c := j.text[i]; c {
	case '{':
		return j.object(i, func(_ []byte, i int) int { return j.value(i) })
	case '[':
		return j.array(i, j.value)
	case '"':
		return j.str(i)
	case 't':
		return j.literal(i, "true")
	case 'f':
		return j.literal(i, "false")
	case 'n':
		return j.literal(i, "null")
	}
	return j.number(i)
}

// object calls each with every key and where its value begins, and goes on where that returns.
func (j *jsonText) object(i int, each func(key []byte, i int) int) int {
	open := len(j.keys)
	end := j.several(i, '}', func(i int) int {
		colon := j.str(i)
		if colon < 0 || j.text[i] != '"' {
			return -1
		}
		key := j.text[i+1 : colon-1]
		j.odd = j.odd || !plainKey(key)
		j.keys = append(j.keys, key)
		for colon < len(j.text) && j.text[colon] == ' ' {
			colon++
		}
		if at := j.space(colon); at != colon { // YAML wants the colon in the key's line
			j.odd = true
			colon = at
		}
		if !j.at(colon, ':') {
			return -1
		}
		return each(key, j.space(colon+1))
	})
	keys := j.keys[open:]
	slices.SortFunc(keys, compareFolded)
	for k := 1; k < len(keys); k++ {
		j.odd = j.odd || compareFolded(keys[k-1], keys[k]) == 0
	}
	j.keys = j.keys[:open]
	return end
}

// array calls each with where every value begins, and goes on where that returns.
func (j *jsonText) array(i int, each func(i int) int) int { return j.several(i, ']', each) }

// several walks over what stands between brackets, with commas.
func (j *jsonText) several(i int, closing byte, each func(i int) int) int {
	j.depth++
	defer func() { j.depth-- }()
	if j.depth > depthMax {
		return -1
	}
	i = j.space(i + 1)
	if j.at(i, closing) {
		return i + 1
	}
	for {
		if i = each(i); i < 0 {
			return -1
		}
		i = j.space(i)
		switch {
		case j.at(i, closing):
			return i + 1
		case !j.at(i, ','):
			return -1
		}
		i = j.space(i + 1)
	}
}

func (j *jsonText) at(i int, c byte) bool { return i < len(j.text) && j.text[i] == c }

func (j *jsonText) space(i int) int {
	for i < len(j.text) && (j.text[i] == ' ' || j.text[i] == '\n' || j.text[i] == '\r' || j.text[i] == '\t') {
		i++
	}
	return i
}

func (j *jsonText) literal(i int, word string) int {
	if !bytes.HasPrefix(j.text[i:], []byte(word)) {
		return -1
	}
	return i + len(word)
}

func (j *jsonText) number(i int) int {
	if j.at(i, '-') {
		i++
	}
	digits := func() int {
		n := 0
		for ; i < len(j.text) && '0' <= j.text[i] && j.text[i] <= '9'; i++ {
			n++
		}
		return n
	}
	zero := j.at(i, '0')
	if n := digits(); n == 0 || zero && n > 1 {
		return -1
	}
	if j.at(i, '.') {
		i++
		if digits() == 0 {
			return -1
		}
	}
	if j.at(i, 'e') || j.at(i, 'E') {
		if i++; j.at(i, '+') || j.at(i, '-') {
			i++
		}
		if digits() == 0 {
			return -1
		}
	}
	return i
}

func (j *jsonText) str(i int) int {
	for i++; i < len(j.text); i++ {
		switch c := j.text[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return -1
		case c == '\\':
			n := j.escape(i)
			if n == 0 {
				return -1
			}
			i += n - 1
		case c >= 0x7f:
			r, n := utf8.DecodeRune(j.text[i:])
			j.odd = j.odd || !plainRune(r)
			i += n - 1
		}
	}
	return -1
}

// escape is the length of the escape at i, 0 if it is none. Surrogates make sense only in pairs.
func (j *jsonText) escape(i int) int {
	switch {
	case i+1 >= len(j.text):
		return 0
	case bytes.IndexByte([]byte(`"\/bfnrt`), j.text[i+1]) >= 0:
		return 2
	case j.text[i+1] != 'u' || i+6 > len(j.text):
		return 0
	}
	for _, c := range j.text[i+2 : i+6] {
		if bytes.IndexByte([]byte("0123456789abcdefABCDEF"), c) < 0 {
			return 0
		}
	}
	j.odd = j.odd || j.text[i+2]|0x20 == 'd' && j.text[i+3] > '7'
	return 6
}

// plainRune tells whether a character beyond ASCII stands for itself in YAML: no control character, line end or byte order mark.
func plainRune(r rune) bool {
	return r >= 0xa0 && r != '\u2028' && r != '\u2029' && r != '\ufeff' && r != '\ufffe' && r != '\uffff'
}

// plainKey tells whether a key is one to YAML, which merges at << and wants a key within 1,024 characters, and has nothing that
// folds to ASCII.
func plainKey(key []byte) bool {
	if len(key) > 1000 || string(key) == "<<" {
		return false
	}
	for _, c := range key {
		if c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// compareFolded compares keys as encoding/json finds a field: without case.
func compareFolded(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if c := cmp.Compare(fold(a[i]), fold(b[i])); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func fold(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
