package source

import (
	"bytes"
	"errors"
	"fmt"
	golog "log"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/tree"
)

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

// with returns the lines that hold a text.
func (l *logged) with(part string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []string
	for line := range strings.Lines(l.buf.String()) {
		if strings.Contains(line, part) {
			lines = append(lines, line)
		}
	}
	return lines
}

// service is a Service with a name of its own.
func service(t *testing.T, name string) object.Object {
	t.Helper()
	s := new(object.Service)
	if err := s.Restore("default", name); err != nil {
		t.Fatal(err)
	}
	return s
}

// While a first list takes long, the log says how many objects have come, and no more often than some do.
func TestLogSaysHowManyObjectsHaveCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := captureLog(t)
		s := New("test", nil)
		services, slices := s.Tree().Writer(""), s.Tree().Writer("")
		s.Start()
		defer s.Stop()
		list := []object.Object{service(t, "a"), service(t, "b"), service(t, "c")}
		s.Count(object.KindService).Received.Add(3)
		time.Sleep(5 * progressEvery)
		if len(l.with("test: still syncing after 2s: 3 Services, 0 EndpointSlices received")) != 1 || len(l.with("")) != 1 {
			t.Errorf("log: %q, want once how many have come", l.with(""))
		}
		services.Replace(list, 7)
		slices.Replace(nil, 7)
		synctest.Wait()
		if len(l.with("test: synced after 10s: 3 Services, 0 endpoints")) != 1 || len(l.with("")) != 2 {
			t.Errorf("log: %q, want that all have come", l.with(""))
		}
	})
}

func TestWarningsAreBounded(t *testing.T) { synctest.Test(t, warningsAreBounded) }

func warningsAreBounded(t *testing.T) {
	log := captureLog(t)
	s := New("test", nil)
	for i := range warnedMax + 10 {
		s.Skip(object.NewKey(object.KindService, "default", fmt.Sprintf("no.label.%d", i)), errors.New("no label"))
	}
	if named := len(log.with(": left out: ")); named != warnBurst {
		t.Errorf("%d objects are named, want %d", named, warnBurst)
	}
	time.Sleep(unnamedEvery)
	synctest.Wait()
	if lines := log.with(fmt.Sprintf(" %d more objects were left out", warnedMax+10-warnBurst)); len(lines) != 1 {
		t.Errorf("log: %q, want how many are not named", lines)
	}
	time.Sleep(10 * unnamedEvery)
	s.Stop()
	if n := len(log.with("left out")); n != warnBurst+1 {
		t.Errorf("%d lines, want %d", n, warnBurst+1)
	}
	if n := s.Count(object.KindService).Skipped.Load(); n != warnedMax+10 {
		t.Errorf("%d are counted, want %d", n, warnedMax+10)
	}
}

// What a source brought stays readable after it ended: a query may still be under way.
func TestTreeOutlivesItsSource(t *testing.T) {
	captureLog(t)
	s := New("test", nil)
	s.Tree().Writer("").Replace([]object.Object{service(t, "nginx")}, 1)
	s.Start()
	s.Stop()
	if services, _ := s.Tree().Size(); services != 1 || !s.Tree().IsDone() {
		t.Error("the Service is gone")
	}
	path := &tree.Path{N: 2, Labels: [4][]byte{[]byte("default"), []byte("nginx")}}
	if a := s.Tree().Find(path, tree.Query{}); a.Status == tree.None {
		t.Error("its name is gone")
	}
}
