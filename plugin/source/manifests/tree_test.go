package manifests

import (
	"bytes"
	golog "log"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/source"
	"github.com/coredns-headless/headless/plugin/tree"
)

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// expect checks the addresses of names, such as default/web-0; an empty text means that there is no such name.
func expect(t *testing.T, s *source.Source, want map[string]string) {
	t.Helper()
	for name, addrs := range want {
		var p tree.Path
		for _, label := range strings.Split(name, "/") {
			p.Labels[p.N] = []byte(label)
			p.N++
		}
		var got []string
		for _, a := range s.Tree().Find(&p, tree.Query{Family: tree.IPv4}).Addrs {
			got = append(got, a.String())
		}
		if got := strings.Join(got, " "); got != addrs {
			t.Errorf("%s: got %q, want %q", name, got, addrs)
		}
	}
}

// counts checks applied and skipped objects.
func counts(t *testing.T, s *source.Source, k object.Kind, applied, skipped uint64) {
	t.Helper()
	c := s.Count(k)
	if diff := cmp.Diff([2]uint64{applied, skipped}, [2]uint64{c.Applied.Load(), c.Skipped.Load()}); diff != "" {
		t.Errorf("%s: applied and skipped (-want +got):\n%s", k, diff)
	}
}

// logged is what CoreDNS's log has while the test runs.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func captureLog(t *testing.T) *logged {
	l := new(logged)
	golog.SetOutput(l)
	t.Cleanup(func() { golog.SetOutput(os.Stderr) })
	return l
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

// with returns the lines that hold all of parts.
func (l *logged) with(parts ...string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []string
	for line := range strings.Lines(l.buf.String()) {
		all := true
		for _, p := range parts {
			all = all && strings.Contains(line, p)
		}
		if all {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}
