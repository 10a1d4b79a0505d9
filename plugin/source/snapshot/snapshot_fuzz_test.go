package snapshot

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/source"
	"github.com/coredns-headless/headless/plugin/tree"
)

// FuzzSnapshot reads what a file may have, also where the checksum would keep it away: a tree takes it, and it is the
// same when it is written and read once more.
func FuzzSnapshot(f *testing.F) {
	c := filled()
	s := c.watch()
	c.fill()
	var whole bytes.Buffer
	must(f, encode(&whole, s, s.Tree().Held()))
	f.Add(whole.Bytes())
	f.Add(whole.Bytes()[:whole.Len()/2])
	for _, text := range []string{
		"", "{}", `{"apiVersion":"headless/v2","kind":"Snapshot"}` + "\n", ".:53 {\n}\n",
		`{"namespace":"a","name":"b","service":{"type":2,"externalName":"c."}}`,
		`{"namespace":"a","name":"b","service":{"clusterIPs":["::1"],"ports":[{"name":"a","protocol":"tcp","port":1}]}}`,
		`{"namespace":"a","name":"b","endpointSlice":{"service":"c","endpoints":[{"host":"--","addr":"::","dashed":true}]}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := decode(text, s.Server); (c == nil) == (err == nil) {
			t.Fatalf("got %v, %v", c, err)
		}
		for line := range bytes.Lines(text) {
			first, err := parse(line)
			if err != nil {
				continue
			}
			written, err := json.Marshal(first)
			must(t, err)
			again, err := parse(written)
			must(t, err)
			if back, err := json.Marshal(again); err != nil || !bytes.Equal(back, written) {
				t.Errorf("%s\nread back as\n%s, %v", written, back, err)
			}
			into := tree.New()
			w := into.Writer("")
			w.Presume([]object.Object{first.object}, 1)
			taken := new(bytes.Buffer)
			must(t, encode(taken, &source.Source{}, into.Held()))
			w.Replace(nil, 2)
		}
	})
}
