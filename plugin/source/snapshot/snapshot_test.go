package snapshot

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/source"
	"github.com/coredns-headless/headless/plugin/source/sourcetest"
)

// late is when a snapshot is read, in tests where that matters.
const late = 5 * time.Second

func fileOf(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return string(text)
}

// snapshotOf makes a snapshot of s.
func snapshotOf(t *testing.T, s *cluster, namespaces ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "snapshot")
	_, end := keep(t, new(Shared), s, path, time.Minute, namespaces...)
	synctest.Wait()
	end()
	return path
}

func TestSnapshotFollowsTheTree(t *testing.T) { synctest.Test(t, snapshotFollows) }

func snapshotFollows(t *testing.T) {
	sourcetest.CaptureLog(t)
	s := filled()
	path := filepath.Join(t.TempDir(), "snapshot")
	w, end := keep(t, new(Shared), s, path, time.Minute)
	defer end()
	// recalled is a source that knows what the file has, and nothing else.
	recalled := func() *source.Source {
		t.Helper()
		r := (&cluster{host: s.host, away: gone}).watch()
		(&saver{file: &file{path: path}, source: r}).recall()
		return r
	}
	saved := func(want time.Duration) {
		t.Helper()
		synctest.Wait()
		if ago := time.Since(time.Unix(w.Saved.Load(), 0)); ago != want {
			t.Errorf("it has every change until %s ago, want %s", ago, want)
		}
	}
	time.Sleep(saveEvery)
	saved(saveEvery * 9 / 10)
	sourcetest.Expect(t, recalled().Tree(), whole)
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v: names and addresses of the whole cluster are nobody else's", info.Mode(), err)
	}
	s.set(endpointSlice("default", "nginx-x", true, "web-0=10.0.0.9"))
	time.Sleep(saveEvery)
	sourcetest.Expect(t, recalled().Tree(), map[string]string{
		"default/web-0": "10.0.0.9", "default/web-1": "", "default/hand-0": "10.0.0.3",
	})
	was, err := os.Stat(path)
	must(t, err)
	time.Sleep(10 * saveEvery) // nothing changes, so nothing is written
	if now, err := os.Stat(path); err != nil || !os.SameFile(was, now) {
		t.Errorf("written again without a change, %v", err)
	}
	saved(0)
	if list, err := os.ReadDir(filepath.Dir(path)); err != nil || len(list) != 1 {
		t.Errorf("the folder has %v, %v", list, err)
	}
}

func TestSnapshotIsServedWhileTheAPIServerIsGone(t *testing.T) { synctest.Test(t, snapshotIsServed) }

func snapshotIsServed(t *testing.T) {
	log := sourcetest.CaptureLog(t)
	s := filled()
	path := snapshotOf(t, s)
	s.setAway(gone)
	w, end := keep(t, new(Shared), s, path, late)
	defer end()
	time.Sleep(late - 1)
	if w.Tree().AllSynced() {
		t.Error("it is served too early")
	}
	time.Sleep(time.Nanosecond)
	synctest.Wait()
	sourcetest.Expect(t, w.Tree(), whole)
	if !w.Tree().AllSynced() || w.Tree().IsDone() || !w.Stale() {
		t.Error("a snapshot is not served, or counts as synced, or as up to date")
	}
	if len(log.With("WARNING", "test: not synced after 5s: serving snapshot", path, "1 Services, 3 endpoints of headless Services")) != 1 {
		t.Errorf("log: %q, want a word of it", log.With())
	}

	// While it is gone a pod goes, one gets another address, and one comes.
	s.set(endpointSlice("default", "nginx-x", true, "web-0=10.0.0.9", "web-2=10.0.0.4"))
	s.setAway(present)
	synctest.Wait()
	sourcetest.Expect(t, w.Tree(), map[string]string{"default/web-0": "10.0.0.9", "default/web-1": "", "default/web-2": "10.0.0.4", "default/hand-0": "10.0.0.3"})
	if !w.Tree().IsDone() || w.Stale() {
		t.Errorf("synced %t, stale %t", w.Tree().IsDone(), w.Stale())
	}
}

func TestSnapshotIsNotReadWhereTheAPIServerIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := sourcetest.CaptureLog(t)
		s := filled()
		path := snapshotOf(t, s)
		s.delete(object.NewKey(object.KindEndpointSlice, "default", "nginx-x"))
		w, end := keep(t, new(Shared), s, path, late)
		defer end()
		time.Sleep(2 * late)
		sourcetest.Expect(t, w.Tree(), map[string]string{"default/web-0": "", "default/hand-0": "10.0.0.3"})
		if lines := log.With("serving snapshot"); len(lines) > 0 {
			t.Errorf("log: %q", lines)
		}
	})
}

// In a namespace that the API server lets nobody see, the snapshot is served; the others are up to date, and are
// written.
func TestSnapshotIsServedNamespaceByNamespace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sourcetest.CaptureLog(t)
		s := newCluster()
		for _, ns := range []string{"a", "b"} {
			s.set(service(ns, "nginx"))
			s.set(endpointSlice(ns, "nginx-x", true, "web-0=10.0.0.1"))
		}
		path := snapshotOf(t, s, "a", "b")
		s.setAway(func(namespace string) bool { return namespace == "b" })
		s.set(endpointSlice("a", "nginx-x", true, "web-0=10.0.0.9"))
		w, end := keep(t, new(Shared), s, path, late, "a", "b")
		defer end()
		time.Sleep(late + saveEvery)
		sourcetest.Expect(t, w.Tree(), map[string]string{"a/web-0": "10.0.0.9", "b/web-0": "10.0.0.1"})
		text := fileOf(t, path)
		for _, part := range []string{"10.0.0.9", "10.0.0.1", `"namespaces":["a","b"]`} {
			if !strings.Contains(text, part) {
				t.Errorf("%s is not written:\n%s", part, text)
			}
		}
	})
}

// ofVersion1 is a file that version 0.1 wrote, for the cluster of the tests.
const ofVersion1 = `{"apiVersion":"headless/v1","kind":"Snapshot","server":"http://api.test","namespaces":[""],"serial":7,"time":"2026-11-26T05:35:10Z"}
---
{"apiVersion":"v1","kind":"Service","metadata":{"namespace":"default","name":"nginx"},"spec":{"clusterIP":"None"}}
---
{"apiVersion":"headless/v1","kind":"SnapshotEnd","objects":1,"sha256":"48646b0ed0d34be5a1ddf5c6e2ab8f3bd8ff1c1ccb6a77e7ac7d1a3bd85b9b5e"}
`

func TestSnapshotThatIsNoGoodIsNamedAndIgnored(t *testing.T) {
	tests := []struct {
		name  string
		of    []string                 // the namespaces that it has, empty for all
		spoil func(text []byte) []byte // nil leaves it as it is
		want  string
		stays bool // it is not overwritten when the API server is back
	}{
		{name: "empty", spoil: func([]byte) []byte { return nil }, want: "empty"},
		{
			name: "truncated", want: "no last line: the file is truncated",
			spoil: func(text []byte) []byte { return text[:len(text)/2] },
		},
		{
			name: "truncated before the last line", want: "no last line: the file is truncated",
			spoil: func(text []byte) []byte { return text[:bytes.LastIndexByte(text[:len(text)-1], '\n')+1] },
		},
		{
			name: "changed", want: "the file was changed",
			spoil: func(text []byte) []byte { return bytes.Replace(text, []byte("10.0.0.1"), []byte("10.0.0.7"), 1) },
		},
		{
			name: "changed in its last line", want: "the file was changed",
			spoil: func(text []byte) []byte { return bytes.Replace(text, []byte(`"objects":3`), []byte(`"objects":0`), 1) },
		},
		{
			name: "of version 0.1", want: `line 1: its version is headless/v1; want headless/v2`,
			spoil: func([]byte) []byte { return []byte(ofVersion1) },
		},
		{
			name: "of another cluster", want: `line 1: its API server is "https://10.0.0.1:6443"; want "http://api.test"`,
			spoil: func(text []byte) []byte {
				_, after, _ := bytes.Cut(text, []byte(`"namespaces"`))
				return append([]byte(`{"apiVersion":"headless/v2","kind":"Snapshot","server":"https://10.0.0.1:6443","namespaces"`), after...)
			},
		},
		{
			name: "somebody else's", want: "line 1: not a snapshot; give a file that this option wrote", stays: true,
			spoil: func([]byte) []byte { return []byte(".:53 {\n    whoami\n}\n") },
		},
		{
			name: "somebody else's of one line without an end", want: "line 1: not a snapshot; give a file that this option wrote", stays: true,
			spoil: func([]byte) []byte { return []byte(`{"apiVersion":"v1","kind":"List"}`) },
		},
		{
			name: "cut off in its first line", want: "line 1: not a snapshot; give a file that this option wrote",
			spoil: func(text []byte) []byte { return text[:20] },
		},
		{
			name: "of other namespaces", want: `has only namespaces ["other"], not [""]`,
			of: []string{"other"},
		},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			log := sourcetest.CaptureLog(t)
			s := filled()
			path := snapshotOf(t, s, tt.of...)
			if tt.spoil != nil {
				must(t, os.WriteFile(path, tt.spoil([]byte(fileOf(t, path))), 0o600))
			}
			spoilt := fileOf(t, path)
			s.setAway(gone)
			w, end := keep(t, new(Shared), s, path, late)
			defer end()
			time.Sleep(late + 5*saveEvery) // in which it would have been written
			if lines := log.With("WARNING", path, tt.want); len(lines) != 1 || w.Tree().AllSynced() {
				t.Errorf("taken %t, log: %q, want once %q", w.Tree().AllSynced(), log.With(path), tt.want)
			}
			if fileOf(t, path) != spoilt || w.Saved.Load() != 0 {
				t.Errorf("overwritten with nothing known, up to date at %s", time.Unix(w.Saved.Load(), 0))
			}
			s.setAway(present)
			time.Sleep(2 * saveEvery)
			if replaced := fileOf(t, path) != spoilt && w.Saved.Load() != 0; !w.Tree().IsDone() || replaced == tt.stays {
				t.Errorf("synced %t, replaced %t, want %t", w.Tree().IsDone(), replaced, !tt.stays)
			}
			if lines := log.With("WARNING", path, "is not written", tt.want); tt.stays && len(lines) != 1 {
				t.Errorf("log: %q, want that it stays", log.With(path))
			}
		})
	}
}

// A write that takes long must not take the place of what the newer watch writes meanwhile.
func TestFileIsWrittenByOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sourcetest.CaptureLog(t)
		one, two := filled(), filled()
		two.host = "http://other.test"
		two.set(endpointSlice("default", "nginx-x", true, "web-0=10.0.0.9"))
		path := filepath.Join(t.TempDir(), "snapshot")
		r := new(Shared)
		_, endOne := keep(t, r, one, path, time.Minute)
		defer endOne()
		time.Sleep(saveEvery)
		writes := r.files[path].writing
		writes <- struct{}{} // one writes, and the disk is slow
		_, endTwo := keep(t, r, two, path, time.Minute)
		defer endTwo()
		time.Sleep(saveEvery)
		if text := fileOf(t, path); !strings.Contains(text, "10.0.0.1") {
			t.Errorf("both write:\n%s", text)
		}
		<-writes
		synctest.Wait()
		if text := fileOf(t, path); !strings.Contains(text, "10.0.0.9") {
			t.Errorf("the newer one's state is not written:\n%s", text)
		}
	})
}

// Whoever reloads with another API server keeps that one's state in the file from then on; if the reload fails, the
// first one's again.
func TestFileOfTwoWatchesIsTheNewerOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sourcetest.CaptureLog(t)
		one, two := filled(), newCluster()
		two.host = "http://other.test"
		two.set(service("default", "other"))
		path := filepath.Join(t.TempDir(), "snapshot")
		r := new(Shared)
		has := func(when, part string) {
			t.Helper()
			time.Sleep(saveEvery)
			if text := fileOf(t, path); !strings.Contains(text, part) {
				t.Errorf("%s: %s is not written:\n%s", when, part, text)
			}
		}
		_, endA := keep(t, r, one, path, time.Minute)
		defer endA()
		has("the first", "10.0.0.1")
		_, endB := keep(t, r, two, path, time.Minute)
		has("the newer", `"other"`)
		one.set(endpointSlice("default", "nginx-x", true, "web-0=10.0.0.9"))
		has("the first has a change", `"other"`)
		endB()
		has("the newer is gone", "10.0.0.9")
	})
}

// A disk that is full, or a folder that is not there, is said once, and harms nothing else.
func TestSnapshotThatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := sourcetest.CaptureLog(t)
		folder := filepath.Join(t.TempDir(), "later")
		path := filepath.Join(folder, "snapshot")
		w, end := keep(t, new(Shared), filled(), path, time.Minute)
		defer end()
		time.Sleep(5 * saveEvery) // it is tried again
		sourcetest.Expect(t, w.Tree(), whole)
		if lines := log.With("is not written"); len(lines) != 1 || len(log.With("WARNING", path, "is not written", "no such file")) != 1 {
			t.Errorf("log: %q, want once that it is not written", lines)
		}
		must(t, os.Mkdir(folder, 0o700))
		time.Sleep(saveEvery)
		if w.Saved.Load() == 0 || len(log.With("INFO", path, "written again")) != 1 {
			t.Errorf("written at %d, log: %q", w.Saved.Load(), log.With())
		}
	})
}

// What a crash left half written goes; what another process writes, or another program has there, stays.
func TestLeftoversAreRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sourcetest.CaptureLog(t)
		folder := t.TempDir()
		for name, age := range map[string]time.Duration{
			".snapshot.123.tmp": 2 * time.Hour, ".snapshot.456.tmp": time.Minute, ".other.123.tmp": 2 * time.Hour, "snapshot.tmp": 2 * time.Hour,
		} {
			path, made := filepath.Join(folder, name), time.Now().Add(-age)
			must(t, os.WriteFile(path, []byte("half"), 0o600))
			must(t, os.Chtimes(path, made, made))
		}
		_, end := keep(t, new(Shared), filled(), filepath.Join(folder, "snapshot"), time.Minute)
		synctest.Wait()
		end()
		var names []string
		list, err := os.ReadDir(folder)
		must(t, err)
		for _, e := range list {
			names = append(names, e.Name())
		}
		if got := strings.Join(names, " "); got != ".other.123.tmp .snapshot.456.tmp snapshot snapshot.tmp" {
			t.Errorf("left: %s", got)
		}
	})
}
