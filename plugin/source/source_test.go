package source

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/source/sourcetest"
	"github.com/coredns-headless/headless/plugin/tree"
)

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
		l := sourcetest.CaptureLog(t)
		s := New("test", nil)
		services, slices := s.Tree().Writer(""), s.Tree().Writer("")
		s.Start()
		defer s.Stop()
		list := []object.Object{service(t, "a"), service(t, "b"), service(t, "c")}
		s.Count(object.KindService).Received.Add(3)
		time.Sleep(5 * progressEvery)
		if len(l.With("test: still syncing after 2s: 3 Services, 0 EndpointSlices received")) != 1 || len(l.With("")) != 1 {
			t.Errorf("log: %q, want once how many have come", l.With(""))
		}
		services.Replace(list, 7)
		slices.Replace(nil, 7)
		synctest.Wait()
		if len(l.With("test: synced after 10s: 3 Services, 0 endpoints")) != 1 || len(l.With("")) != 2 {
			t.Errorf("log: %q, want that all have come", l.With(""))
		}
	})
}

func TestWarningsAreBounded(t *testing.T) { synctest.Test(t, warningsAreBounded) }

func warningsAreBounded(t *testing.T) {
	log := sourcetest.CaptureLog(t)
	s := New("test", nil)
	for i := range warnedMax + 10 {
		s.Skip(object.NewKey(object.KindService, "default", fmt.Sprintf("no.label.%d", i)), errors.New("no label"))
	}
	if named := len(log.With(": left out: ")); named != warnBurst {
		t.Errorf("%d objects are named, want %d", named, warnBurst)
	}
	time.Sleep(unnamedEvery)
	synctest.Wait()
	if lines := log.With(fmt.Sprintf(" %d more objects were left out", warnedMax+10-warnBurst)); len(lines) != 1 {
		t.Errorf("log: %q, want how many are not named", lines)
	}
	time.Sleep(10 * unnamedEvery)
	s.Stop()
	if n := len(log.With("left out")); n != warnBurst+1 {
		t.Errorf("%d lines, want %d", n, warnBurst+1)
	}
	if n := s.Count(object.KindService).Skipped.Load(); n != warnedMax+10 {
		t.Errorf("%d are counted, want %d", n, warnedMax+10)
	}
}

// What a source brought stays readable after it ended: a query may still be under way.
func TestTreeOutlivesItsSource(t *testing.T) {
	sourcetest.CaptureLog(t)
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
