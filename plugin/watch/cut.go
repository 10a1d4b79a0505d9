package watch

import "bytes"

// cutJSON cuts a list in JSON.
func cutJSON(doc []byte) (l list, ok bool) {
	l = list{opener: `{"items":[`, closer: "]}", broken: true}
	j := jsonText{text: doc}
	begin, from := j.space(0), 0
	if !j.at(begin, '{') {
		return l, false
	}
	end := j.object(begin, func(key []byte, i int) int {
		if string(key) != "items" || !j.at(i, '[') || from > 0 {
			return j.value(i)
		}
		from = i + 1
		end := j.array(i, func(i int) int {
			l.items = append(l.items, i)
			return j.value(i)
		})
		if end > 0 {
			l.items = append(l.items, end-1)
		}
		return end
	})
	if len(l.items) == 0 {
		return l, false
	}
	if end > 0 && j.space(end) == len(doc) {
		l.broken = false
		l.head = append(bytes.Clone(doc[begin:from]), doc[l.items[len(l.items)-1]:end]...)
	}
	return l, true
}

// cutYAML cuts a list in YAML whose key items stands alone in its line, and whose items begin below one another.
func cutYAML(doc []byte) (l list, ok bool) {
	l = list{opener: "items:\n", cutOff: true}
	for _, lineEnd := range []string{"\u0085", "\u2028", "\u2029"} {
		if bytes.Contains(doc, []byte(lineEnd)) {
			return l, false
		}
	}
	const before, first, in, behind = 0, 1, 2, 3 // where it is
	place, at, indent, lines := before, 0, 0, 0
	for line := range bytes.Lines(doc) {
		lines++
		if r := bytes.IndexByte(line, '\r'); r >= 0 && r != len(line)-2 {
			return l, false
		}
		body := bytes.TrimLeft(line, " ")
		blank := len(body) == 0 || body[0] == '\n' || body[0] == '\r' || body[0] == '#'
		column := len(line) - len(body)
		key := column == 0 && len(body) > 0 && 'a' <= body[0] && body[0] <= 'z'
		isItem := bytes.HasPrefix(body, []byte("- "))
		isItems := string(bytes.TrimRight(line, " \r\n")) == "items:"
		switch {
		case isItems && place == before:
			place, l.line = first, lines
			l.head = append(l.head, doc[:at+len(line)]...)
		case place == first && isItem:
			place, indent = in, column
			l.items = append(l.items, at)
		case place == in && isItem && column == indent:
			l.items = append(l.items, at)
		case place == in && key:
			place, l.cutOff = behind, false
			l.items = append(l.items, at)
			l.head = append(l.head, doc[at:]...)
		case blank, place == in && column > indent, place != in && place != first && (key && !isItems || column > 0):
		case place == behind:
			l.items, l.broken = l.items[:len(l.items)-1], true
			return l, true
		default:
			l.broken = true
			return l, place == in
		}
		at += len(line)
	}
	if l.cutOff {
		l.items = append(l.items, len(doc))
	}
	return l, place >= in
}
