package watch

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// oftener lets snapshots be written as soon as something changed.
func oftener(t *testing.T) {
	was, wasShare := saveEvery, saveShare
	saveEvery, saveShare = 10*time.Millisecond, 0 // a busy disk takes long
	t.Cleanup(func() { saveEvery, saveShare = was, wasShare })
}

// keep starts a watch of s that keeps a snapshot, and returns how to end both.
func keep(t *testing.T, r *Registry, s *apiServer, path string, after time.Duration, namespaces ...string) (w *Watch, end func()) {
	t.Helper()
	w, err := Cluster("test", s.config(), namespaces)
	must(t, err)
	holder := new(int)
	w, _ = r.Acquire(s.host+strings.Join(namespaces, " "), holder, w, Snapshot{Path: path, After: after})
	return w, func() { r.Release(func(h any) bool { return h == holder }) }
}

// handMade is a slice that nobody's controller made, so that it lacks the label of headless Services.
func handMade(name, service string, endpoints ...string) *discoveryv1.EndpointSlice {
	o := endpointSlice(name, "", service, endpoints...)
	delete(o.Labels, corev1.IsHeadlessService)
	delete(o.Labels, discoveryv1.LabelManagedBy)
	return o
}

// filled is an API server with a Service and slices of both kinds.
func filled(t *testing.T) *apiServer {
	s := newAPIServer(t)
	s.set(headlessService("default/nginx", ""))
	s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.1", "web-1=10.0.0.2"))
	s.set(handMade("default/hand", "nginx", "hand-0=10.0.0.3"))
	return s
}

var whole = map[string]string{
	"default/nginx": "10.0.0.1 10.0.0.2 10.0.0.3", "default/web-0": "10.0.0.1", "default/web-1": "10.0.0.2", "default/hand-0": "10.0.0.3",
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return string(text)
}

// snapshotOf makes a snapshot of the filled API server.
func snapshotOf(t *testing.T, s *apiServer) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "snapshot")
	_, end := keep(t, new(Registry), s, path, time.Minute)
	eventually(t, "a snapshot is written", func() bool { _, err := os.Stat(path); return err == nil })
	end()
	return path
}

func TestSnapshotFollowsAndManifestsReadIt(t *testing.T) {
	noLeaks(t)
	captureLog(t)
	oftener(t)
	s := filled(t)
	path := filepath.Join(t.TempDir(), "snapshot")
	w, end := keep(t, new(Registry), s, path, time.Minute)
	defer end()
	readable := func() *Watch {
		m, err := Manifests("read", []string{path}, nil)
		if err != nil {
			t.Fatalf("%v:\n%s", err, read(t, path))
		}
		return m
	}
	eventually(t, "a snapshot is written", func() bool { return !w.Saved().IsZero() })
	expect(t, readable(), whole)
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v: names and addresses of the whole cluster are nobody else's", info.Mode(), err)
	}
	s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.9"))
	eventually(t, "the change is written", func() bool { return strings.Contains(read(t, path), "10.0.0.9") })
	expect(t, readable(), map[string]string{"default/web-0": "10.0.0.9", "default/web-1": "", "default/hand-0": "10.0.0.3"})
	was, err := os.Stat(path)
	must(t, err)
	time.Sleep(10 * saveEvery) // nothing changes, so nothing is written
	if now, err := os.Stat(path); err != nil || !os.SameFile(was, now) {
		t.Errorf("written again without a change, %v", err)
	}
	if list, err := os.ReadDir(filepath.Dir(path)); err != nil || len(list) != 1 {
		t.Errorf("the folder has %v, %v", list, err)
	}
	w.saved.Store(1)
	eventually(t, "it is up to date without being written", func() bool { return time.Since(w.Saved()) < time.Minute })
}

func TestSnapshotIsServedWhileTheAPIServerIsGone(t *testing.T) {
	noLeaks(t)
	hurry(t)
	log := captureLog(t)
	s := filled(t)
	path := snapshotOf(t, s)
	s.setRefuse(unavailable)
	w, end := keep(t, new(Registry), s, path, 50*time.Millisecond)
	defer end()
	eventually(t, "the snapshot is served", w.Tree().AllSynced)
	expect(t, w, whole)
	if w.Tree().IsDone() || !w.Stale() {
		t.Error("a snapshot counts as synced, or as up to date")
	}
	eventually(t, "the log says so", func() bool {
		return len(log.with("WARNING", "test: API server not reached within 50ms: serving snapshot", path, "Services 1, endpoints of headless Services 3")) == 1
	})

	// While it is gone a pod goes, one gets another address, and one comes.
	s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.9", "web-2=10.0.0.4"))
	s.setRefuse(nil)
	eventually(t, "it syncs", w.Tree().IsDone)
	expect(t, w, map[string]string{"default/web-0": "10.0.0.9", "default/web-1": "", "default/web-2": "10.0.0.4", "default/hand-0": "10.0.0.3"})
	eventually(t, "it is up to date", func() bool { return !w.Stale() })
}

func TestSnapshotIsNotReadWhereTheAPIServerIsThere(t *testing.T) {
	noLeaks(t)
	log := captureLog(t)
	s := filled(t)
	path := snapshotOf(t, s)
	s.delete(endpointSlice("default/nginx-x", "", "nginx"))
	w, end := keep(t, new(Registry), s, path, time.Minute)
	defer end()
	eventually(t, "it syncs", w.Tree().IsDone)
	expect(t, w, map[string]string{"default/web-0": "", "default/hand-0": "10.0.0.3"})
	if lines := log.with("serving snapshot"); len(lines) > 0 {
		t.Errorf("log: %q", lines)
	}
}

// In a namespace that the API server lets nobody see, the snapshot is served; the others are up to date, and are written.
func TestSnapshotIsServedNamespaceByNamespace(t *testing.T) {
	noLeaks(t)
	hurry(t)
	oftener(t)
	captureLog(t)
	s := newAPIServer(t)
	for _, ns := range []string{"a", "b"} {
		s.set(headlessService(ns+"/nginx", ""))
		s.set(endpointSlice(ns+"/nginx-x", "", "nginx", "web-0=10.0.0.1"))
	}
	path := filepath.Join(t.TempDir(), "snapshot")
	w, end := keep(t, new(Registry), s, path, time.Minute, "a", "b")
	eventually(t, "a snapshot is written", func() bool { return !w.Saved().IsZero() })
	end()

	s.setRefuse(func(w http.ResponseWriter, c call) bool { return c.Namespace == "b" && forbidden(w, c) })
	s.set(endpointSlice("a/nginx-x", "", "nginx", "web-0=10.0.0.9"))
	w, end = keep(t, new(Registry), s, path, 50*time.Millisecond, "a", "b")
	defer end()
	eventually(t, "all is known", w.Tree().AllSynced)
	eventually(t, "one is listed", func() bool { return strings.Join(resolve(w, "a/web-0"), "") == "10.0.0.9" })
	expect(t, w, map[string]string{"b/web-0": "10.0.0.1"})
	eventually(t, "both are written", func() bool {
		text := read(t, path)
		return strings.Contains(text, "10.0.0.9") && strings.Contains(text, "10.0.0.1") && strings.Contains(text, `"namespaces":["a","b"]`)
	})
}

func TestSnapshotThatIsNoGoodIsNamedAndIgnored(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(text []byte) []byte
		want  string
		stays bool // it is not overwritten when the API server is back
	}{
		{name: "empty", spoil: func([]byte) []byte { return nil }, want: "empty"},
		{
			name: "truncated", want: "no end: the file is truncated",
			spoil: func(text []byte) []byte { return text[:len(text)/2] },
		},
		{
			name: "truncated before the last line", want: "no end: the file is truncated",
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
			name: "of an older format", want: `line 1: apiVersion "headless/v0": allowed is headless/v1`,
			spoil: func(text []byte) []byte { return bytes.Replace(text, []byte("headless/v1"), []byte("headless/v0"), 1) },
		},
		{
			name: "of another cluster", want: `line 1: it is of the API server "https://10.0.0.1:6443": allowed is "http://api.test"`,
			spoil: func(text []byte) []byte {
				_, after, _ := bytes.Cut(text, []byte(`"namespaces"`))
				return append([]byte(`{"apiVersion":"headless/v1","kind":"Snapshot","server":"https://10.0.0.1:6443","namespaces"`), after...)
			},
		},
		{
			name: "somebody else's", want: "line 1: no snapshot: allowed is a file that this option wrote, or none", stays: true,
			spoil: func([]byte) []byte { return []byte(".:53 {\n    whoami\n}\n") },
		},
		{
			name: "somebody else's of one line without an end", want: "line 1: no snapshot: allowed is a file that this option wrote, or none", stays: true,
			spoil: func([]byte) []byte { return []byte(`{"apiVersion":"v1","kind":"List"}`) },
		},
		{
			name: "cut off in its first line", want: "line 1: no snapshot: allowed is a file that this option wrote, or none",
			spoil: func(text []byte) []byte { return text[:20] },
		},
		{
			name: "of other namespaces", want: `has only namespaces ["other"], not [""]`,
			spoil: func([]byte) []byte { return nil }, // written below
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			noLeaks(t)
			hurry(t)
			oftener(t)
			log := captureLog(t)
			s := filled(t)
			path := snapshotOf(t, s)
			if tt.name == "of other namespaces" {
				w, end := keep(t, new(Registry), s, path, time.Minute, "other")
				eventually(t, "it is written", func() bool { return !w.Saved().IsZero() })
				end()
			} else {
				must(t, os.WriteFile(path, tt.spoil([]byte(read(t, path))), 0o600))
			}
			spoilt := read(t, path)
			s.setRefuse(unavailable)
			w, end := keep(t, new(Registry), s, path, 20*time.Millisecond)
			defer end()
			eventually(t, "the log names it", func() bool { return len(log.with("WARNING", path, tt.want)) == 1 })
			if w.Tree().AllSynced() {
				t.Error("it was taken")
			}
			time.Sleep(5 * saveEvery) // in which it would have been written
			if read(t, path) != spoilt || !w.Saved().IsZero() {
				t.Errorf("overwritten with nothing known, up to date at %s", w.Saved())
			}
			s.setRefuse(nil)
			eventually(t, "it syncs", w.Tree().IsDone)
			if !tt.stays {
				eventually(t, "it is replaced", func() bool { return !w.Saved().IsZero() })
				return
			}
			eventually(t, "the log says that it stays", func() bool { return len(log.with("WARNING", path, "is not written", tt.want)) == 1 })
			if read(t, path) != spoilt {
				t.Error("somebody else's file was overwritten")
			}
		})
	}
}

// A write that takes long must not take the place of what the newer watch writes meanwhile.
func TestFileIsWrittenByOneAtATime(t *testing.T) {
	noLeaks(t)
	captureLog(t)
	oftener(t)
	one, two := filled(t), filled(t)
	two.host = "http://other.test"
	two.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.9"))
	path := filepath.Join(t.TempDir(), "snapshot")
	r := new(Registry)
	w, endOne := keep(t, r, one, path, time.Minute)
	defer endOne()
	eventually(t, "a snapshot is written", func() bool { return !w.Saved().IsZero() })
	writes := r.savers[path][0].file
	writes.Lock() // one writes, and the disk is slow
	w, endTwo := keep(t, r, two, path, time.Minute)
	defer endTwo()
	eventually(t, "the newer one syncs", w.Tree().IsDone)
	if r.savers[path][1].file != writes || !strings.Contains(read(t, path), "10.0.0.1") {
		t.Error("both write")
	}
	writes.Unlock()
	eventually(t, "the newer one's state is written", func() bool { return strings.Contains(read(t, path), "10.0.0.9") })
}

// Whoever reloads with another API server keeps that one's state in the file from then on; if the reload fails, the first one's again.
func TestFileOfTwoWatchesIsTheNewerOnes(t *testing.T) {
	noLeaks(t)
	oftener(t)
	captureLog(t)
	one, two := filled(t), newAPIServer(t)
	two.host = "http://other.test"
	two.set(headlessService("default/other", ""))
	path := filepath.Join(t.TempDir(), "snapshot")
	r := new(Registry)
	a, endA := keep(t, r, one, path, time.Minute)
	defer endA()
	eventually(t, "the first is written", func() bool { return !a.Saved().IsZero() })
	_, endB := keep(t, r, two, path, time.Minute)
	eventually(t, "the newer is written", func() bool { return strings.Contains(read(t, path), `"other"`) })
	one.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.9"))
	eventually(t, "the change shows", func() bool { return strings.Join(resolve(a, "default/web-0"), "") == "10.0.0.9" })
	time.Sleep(5 * saveEvery) // time enough for the older one to write, which it must not
	if !strings.Contains(read(t, path), `"other"`) {
		t.Error("the older watch wrote the file")
	}
	endB()
	eventually(t, "the first is written again", func() bool { return strings.Contains(read(t, path), "10.0.0.9") })
}

// A disk that is full, or a folder that is not there, is said once, and harms nothing else.
func TestSnapshotThatCannotBeWritten(t *testing.T) {
	noLeaks(t)
	oftener(t)
	log := captureLog(t)
	s := filled(t)
	folder := filepath.Join(t.TempDir(), "later")
	path := filepath.Join(folder, "snapshot")
	w, end := keep(t, new(Registry), s, path, time.Minute)
	defer end()
	eventually(t, "the log says so", func() bool { return len(log.with("WARNING", path, "is not written", "no such file")) > 0 })
	expect(t, w, whole)
	time.Sleep(5 * saveEvery) // it is tried again
	if lines := log.with("is not written"); len(lines) != 1 {
		t.Errorf("log: %q", lines)
	}
	must(t, os.Mkdir(folder, 0o700))
	eventually(t, "it is written", func() bool { return !w.Saved().IsZero() })
	eventually(t, "the log says so", func() bool { return len(log.with("INFO", path, "written again")) == 1 })
}

// What a crash left half written goes; what another program has there stays.
func TestLeftoversAreRemoved(t *testing.T) {
	noLeaks(t)
	captureLog(t)
	folder := t.TempDir()
	path := filepath.Join(folder, "snapshot")
	old := time.Now().Add(-2 * time.Hour)
	for _, name := range []string{".snapshot.123.tmp", ".other.123.tmp", "snapshot.tmp"} {
		must(t, os.WriteFile(filepath.Join(folder, name), []byte("half"), 0o600))
		must(t, os.Chtimes(filepath.Join(folder, name), old, old))
	}
	w, end := keep(t, new(Registry), filled(t), path, time.Minute)
	eventually(t, "a snapshot is written", func() bool { return !w.Saved().IsZero() })
	end()
	var names []string
	list, err := os.ReadDir(folder)
	must(t, err)
	for _, e := range list {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != ".other.123.tmp snapshot snapshot.tmp" {
		t.Errorf("left: %s", got)
	}
}
