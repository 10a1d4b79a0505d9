package watch

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"github.com/coredns-headless/headless/plugin/object"
)

// FuzzSnapshot reads what a file may have, also where the checksum would keep it away: what is taken is the same when it was written
// and read once more.
func FuzzSnapshot(f *testing.F) {
	w, services, slices := stores()
	must(f, services.Replace([]any{headlessService("default/nginx", "1")}, "1"))
	must(f, slices.Replace([]any{endpointSlice("default/nginx-x", "2", "nginx", "web-0=10.0.0.1")}, "2"))
	var whole bytes.Buffer
	must(f, encodeSnapshot(&whole, w, w.tree.Held()))
	f.Add(whole.Bytes())
	f.Add(whole.Bytes()[:whole.Len()/2])
	for _, text := range []string{
		"", "{}", documentMarker, `{"apiVersion":"headless/v1","kind":"Snapshot"}` + "\n", ".:53 {\n}\n",
		`{"kind":"Service","metadata":{"namespace":"a","name":"b"},"spec":{"type":"ExternalName","externalName":"c"}}`,
		`{"kind":"EndpointSlice","metadata":{"namespace":"a","name":"b","labels":{"kubernetes.io/service-name":"c"}},"endpoints":[{"addresses":["::"]}]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := decodeSnapshot(text, w.server); (r == nil) == (err == nil) {
			t.Fatalf("got %v, %v", r, err)
		}
		if !utf8.Valid(text) {
			return // JSON makes one text of many
		}
		for line := range bytes.Lines(text) {
			first, again := newRecalled(), newRecalled()
			if first.add(line) != nil {
				continue
			}
			for at, list := range first.objects {
				text, err := object.Manifest(list[0], nil)
				must(t, err)
				must(t, again.add(text))
				back, err := object.Manifest(again.objects[place{at.kind, false, at.namespace}][0], nil)
				must(t, err)
				if !bytes.Equal(back, text) {
					t.Errorf("%s\nread back as\n%s", text, back)
				}
			}
		}
	})
}
