package watch

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A state is written when CoreDNS ends, too, however short ago it wrote one.
func TestLastStateIsWrittenAtTheEnd(t *testing.T) {
	noLeaks(t)
	captureLog(t)
	s := filled(t)
	path := filepath.Join(t.TempDir(), "snapshot")
	w, end := keep(t, new(Registry), s, path, time.Minute)
	eventually(t, "a snapshot is written", func() bool { return !w.Saved().IsZero() })
	version := w.Tree().Version()
	s.set(endpointSlice("default/nginx-x", "", "nginx", "web-0=10.0.0.9"))
	eventually(t, "the change is there", func() bool { return w.Tree().Version() > version })
	end()
	if text := read(t, path); !strings.Contains(text, "10.0.0.9") {
		t.Errorf("the last state is not written:\n%s", text)
	}
}

// What ends before it knows all keeps what the file has of the rest.
func TestAnEarlyEndLeavesTheSnapshotAlone(t *testing.T) {
	noLeaks(t)
	captureLog(t)
	s := newAPIServer(t)
	s.set(headlessService("a/nginx", ""))
	s.set(headlessService("b/nginx", ""))
	path := filepath.Join(t.TempDir(), "snapshot")
	w, end := keep(t, new(Registry), s, path, time.Minute, "a", "b")
	eventually(t, "it syncs", w.Tree().IsDone)
	end()
	whole := read(t, path)
	s.setRefuse(func(w http.ResponseWriter, c call) bool {
		if c.Namespace == "b" {
			w.WriteHeader(http.StatusForbidden)
		}
		return c.Namespace == "b"
	})
	w, end = keep(t, new(Registry), s, path, time.Minute, "a", "b")
	eventually(t, "a is there, and b is not", func() bool { return w.Tree().Synced([]byte("a")) })
	end()
	if text := read(t, path); text != whole {
		t.Errorf("it has now\n%s\nand had\n%s", text, whole)
	}
}

// A file is written again no sooner than saveEvery, and where that takes long, than saveShare times as long.
func TestSnapshotIsNotWrittenTooOften(t *testing.T) {
	noLeaks(t)
	captureLog(t)
	was := saveEvery
	saveEvery = 500 * time.Millisecond
	t.Cleanup(func() { saveEvery = was })
	s := filled(t)
	path := filepath.Join(t.TempDir(), "snapshot")
	begun, written := time.Now(), 0
	_, end := keep(t, new(Registry), s, path, time.Minute)
	var last os.FileInfo
	for i := 0; time.Since(begun) < 4*saveEvery || written == 0 && time.Since(begun) < time.Minute; i++ {
		s.set(endpointSlice("default/nginx-x", "", "nginx", fmt.Sprintf("web-0=10.0.1.%d", i%250)))
		if now, err := os.Stat(path); err == nil && !os.SameFile(last, now) {
			last = now
			written++
		}
		time.Sleep(saveEvery / 100) // a change so often
	}
	if most := int(time.Since(begun)/saveEvery) + 1; written < 1 || written > most {
		t.Errorf("written %d times in %s, want 1 to %d", written, time.Since(begun), most)
	}
	end()
}

// What is put where a link leads does not take the link's place: it may lead to another disk.
func TestSnapshotFollowsLinks(t *testing.T) {
	noLeaks(t)
	captureLog(t)
	oftener(t)
	folder := t.TempDir()
	path, target := filepath.Join(folder, "link"), filepath.Join(folder, "disk", "snapshot")
	must(t, os.Mkdir(filepath.Dir(target), 0o700))
	must(t, os.Symlink(filepath.Join("disk", "snapshot"), path))
	s := filled(t)
	for range 2 { // it leads nowhere yet, and to the last one
		_, end := keep(t, new(Registry), s, path, time.Minute)
		eventually(t, "it is written", func() bool { return strings.Contains(fileText(target), "10.0.0.1") })
		end()
		if to, err := os.Readlink(path); err != nil || to != filepath.Join("disk", "snapshot") {
			t.Fatalf("the link leads to %q, %v", to, err)
		}
		must(t, os.Truncate(target, 0))
	}
}

// fileText is what a file has, empty if it is not there.
func fileText(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(text)
}

// What is no file is nothing to wait for, and nothing to put a file in the place of.
func TestSnapshotTakesNoPlaceOfWhatIsNoFile(t *testing.T) {
	tests := []struct {
		name string
		make func(path string) error
		want string
	}{
		{"named pipe", func(path string) error { return syscall.Mkfifo(path, 0o600) }, "neither a file nor a folder: no snapshot: allowed is"},
		{"device", func(path string) error { return os.Symlink(os.DevNull, path) }, "neither a file nor a folder: no snapshot: allowed is"},
		{"folder", func(path string) error { return os.Mkdir(path, 0o700) }, "is a directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			noLeaks(t)
			hurry(t)
			oftener(t)
			log := captureLog(t)
			path := filepath.Join(t.TempDir(), "snapshot")
			must(t, tt.make(path))
			was, err := os.Lstat(path)
			must(t, err)
			s := filled(t)
			s.setRefuse(unavailable)
			w, end := keep(t, new(Registry), s, path, 20*time.Millisecond)
			defer end()
			eventually(t, "the log says that it is not read", func() bool { return len(log.with("WARNING", path, "is of no use")) == 1 })
			s.setRefuse(nil)
			eventually(t, "it syncs", w.Tree().IsDone)
			eventually(t, "the log says that it is not written", func() bool { return len(log.with("WARNING", path, "is not written: "+tt.want)) == 1 })
			if now, err := os.Lstat(path); err != nil || !os.SameFile(was, now) {
				t.Errorf("something took its place: %v", err)
			}
		})
	}
}
