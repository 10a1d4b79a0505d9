package tree

import "testing"

// RFC 1982: a secondary that has once seen a higher serial would not transfer a zone with a lower one.
func TestNoReaderSeesASerialGoBack(t *testing.T) {
	read := func() func(*Tree) {
		last := make(map[string]uint32)
		return func(tr *Tree) {
			for _, name := range []string{"", "default", "other", "nginx.default", "api.default", "nginx.other", "unknown", "unknown.default"} {
				now := tr.Serial(pathOf(name))
				if was, ok := last[name]; ok && int32(now-was) < 0 {
					t.Errorf("serial of %q goes back from %d to %d", name, was, now)
				}
				last[name] = now
			}
		}
	}
	churn(t, 4000, read(), read())
}
