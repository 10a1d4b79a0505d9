// Package sourcetest has what the tests of all sources share: CoreDNS's log, and what a tree answers.
package sourcetest

import (
	"bytes"
	golog "log"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/coredns-headless/headless/plugin/tree"
)

// Expect checks the addresses of names, such as default/web-0; an empty text means that there is no such name.
func Expect(t *testing.T, tr *tree.Tree, want map[string]string) {
	t.Helper()
	for name, addrs := range want {
		var got []string
		for _, a := range Find(tr, name).Addrs {
			got = append(got, a.String())
		}
		if got := strings.Join(got, " "); got != addrs {
			t.Errorf("%s: got %q, want %q", name, got, addrs)
		}
	}
}

// Find looks up the IPv4 addresses of a name, such as default/nginx/web-0.
func Find(tr *tree.Tree, name string) tree.Answer {
	var p tree.Path
	for _, label := range strings.Split(name, "/") {
		p.Labels[p.N] = []byte(label)
		p.N++
	}
	return tr.Find(&p, tree.Query{Family: tree.IPv4})
}

// Log is what CoreDNS's log has while a test runs.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// CaptureLog keeps CoreDNS's log until the end of the test.
func CaptureLog(t *testing.T) *Log {
	l := new(Log)
	golog.SetOutput(l)
	t.Cleanup(func() { golog.SetOutput(os.Stderr) })
	return l
}

// Write implements io.Writer.
func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

// With returns the lines that hold all of parts.
func (l *Log) With(parts ...string) []string {
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
