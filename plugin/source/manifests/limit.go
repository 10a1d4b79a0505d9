package manifests

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	yaml3 "go.yaml.in/yaml/v3"
)

// What is read at once. No object has more: etcd takes 1.5 MiB. The largest that the API server takes is a slice of
// 1,000 endpoints with 100 addresses each: 2.4 MB and 130,000 lines and keys.
const (
	maxOctets = 4 << 20
	maxValues = 160_000 // the parser of YAML makes up to 600 octets of each
)

// limit refuses what is no single object.
func limit(text []byte, values int) error {
	if len(text) <= maxOctets && values <= maxValues {
		return nil
	}
	return fmt.Errorf("too large for one object: %d octets, about %d keys and values; the most are %d and %d: "+
		"write a list as kubectl prints it, or as JSON", len(text), values, maxOctets, maxValues)
}

// limitYAML refuses what is too much for the parser of YAML, which begins two or three values at most where a line or
// one of these is. A comma counts twice, since the key behind it may have no colon.
func limitYAML(text []byte) error {
	count := func(s string) int { return bytes.Count(text, []byte(s)) }
	values := max(count("\n"), count("- ")) + oddLineEnds(text) + 2*count(",")
	for _, s := range []string{": ", ":\n", ":\r", "[", "{", "? "} {
		values += count(s)
	}
	return limit(text, values)
}

// parse makes JSON of YAML.
func (d *decoder) parse(text []byte) ([]byte, error) {
	if err := d.ctx.Err(); err != nil {
		return nil, err
	}
	if err := limitYAML(text); err != nil {
		if stub := stubOf(text); stub != nil {
			return stub, nil
		}
		return nil, err
	}
	if most := min(32*len(text), maxOctets); weigh(text) > most {
		return nil, fmt.Errorf("aliases make more than %d octets of it; write out what they stand for", most)
	}
	return d.toJSON(text)
}

var kindLine = regexp.MustCompile(`^\n?(?:- |  )?kind: (\w+)\r?(?:\n|$)`)

// stubOf returns what is left of an object, or an item, of a kind that is ignored anyway, as of a large ConfigMap. It
// is nil if the kind is another, or is not clear.
func stubOf(text []byte) []byte {
	key, form := []byte("\nkind: "), `{"kind":%q}`
	if bytes.HasPrefix(text, []byte("- ")) {
		key, form = []byte("\n  kind: "), `[{"kind":%q}]`
	}
	at := max(bytes.Index(text, key), 0)
	m := kindLine.FindSubmatch(text[at:])
	if m == nil || at > 0 && kindLine.Match(text) || bytes.Contains(text[at+1:], key) {
		return nil
	}
	switch strings.TrimSuffix(string(m[1]), "List") {
	case "", "Service", "EndpointSlice":
		return nil
	}
	return fmt.Appendf(nil, form, m[1])
}

var alias = regexp.MustCompile(`[*][\w-]`)

// weigh is how many octets come of the aliases in text, 0 if there are none. The parser that makes JSON puts them in
// before it could count.
func weigh(text []byte) int {
	var root yaml3.Node
	if !bytes.Contains(text, []byte("&")) || !alias.Match(text) || yaml3.Unmarshal(text, &root) != nil {
		return 0
	}
	known := make(map[*yaml3.Node]int)
	var sum func(n *yaml3.Node) int
	sum = func(n *yaml3.Node) int {
		w, done := known[n]
		if n == nil || done {
			return w
		}
		known[n] = 0 // an anchor in itself is an error of the other parser
		w = 16 + len(n.Value) + sum(n.Alias)
		for _, c := range n.Content {
			w += sum(c)
		}
		known[n] = min(w, 1<<30)
		return known[n]
	}
	return sum(&root)
}
