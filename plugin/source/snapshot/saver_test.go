package snapshot

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coredns-headless/headless/plugin/source/sourcetest"
)

// A state is written when CoreDNS ends, too, however short ago it wrote one.
func TestLastStateIsWrittenAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sourcetest.CaptureLog(t)
		s := filled()
		path := filepath.Join(t.TempDir(), "snapshot")
		_, end := keep(t, new(Shared), s, path, time.Minute)
		time.Sleep(saveEvery)
		s.set(endpointSlice("default", "nginx-x", true, "web-0=10.0.0.9"))
		end()
		if text := fileOf(t, path); !strings.Contains(text, "10.0.0.9") {
			t.Errorf("the last state is not written:\n%s", text)
		}
	})
}

// What ends before it knows all keeps what the file has of the rest.
func TestAnEarlyEndLeavesTheSnapshotAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sourcetest.CaptureLog(t)
		s := newCluster()
		s.set(service("a", "nginx"))
		s.set(service("b", "nginx"))
		path := snapshotOf(t, s, "a", "b")
		whole := fileOf(t, path)
		s.setAway(func(namespace string) bool { return namespace == "b" })
		w, end := keep(t, new(Shared), s, path, time.Minute, "a", "b")
		time.Sleep(2 * saveEvery)
		if !w.Tree().Synced([]byte("a")) || w.Tree().IsDone() {
			t.Error("a is not there, or b is")
		}
		end()
		if text := fileOf(t, path); text != whole {
			t.Errorf("it has now\n%s\nand had\n%s", text, whole)
		}
	})
}

// A file is written again no sooner than saveEvery, and where that takes long, than saveShare times as long.
func TestSnapshotIsNotWrittenTooOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sourcetest.CaptureLog(t)
		s := filled()
		path := filepath.Join(t.TempDir(), "snapshot")
		last, changes := "", 0
		written := func(lasts time.Duration) (times int) {
			for begun := time.Now(); time.Since(begun) < lasts; time.Sleep(time.Second) {
				changes++
				s.set(endpointSlice("default", "nginx-x", true, fmt.Sprintf("web-0=10.0.%d.%d", changes/250, changes%250)))
				if now := fileText(path); now != last {
					last = now
					times++
				}
			}
			return times
		}
		w, end := keep(t, new(Shared), s, path, time.Minute)
		if n := written(time.Minute); n != 6 { // one second after the first list, and each saveEvery after that
			t.Errorf("written %d times in a minute, want 6", n)
		}
		end()

		slow := &saver{file: &file{path: path, writing: make(chan struct{}, 1)}, source: w}
		slow.active.Store(slow)
		slow.tried, slow.took = time.Now(), time.Second
		slow.start()
		defer slow.wg.Wait()
		defer slow.cancel()
		last = fileText(path)
		if early, late := written(saveShare*time.Second), written(time.Minute); early != 0 || late != 1 {
			t.Errorf("written %d times in %d s, and then %d times, want 0 and 1", early, saveShare, late)
		}
	})
}

// What is put where a link leads does not take the link's place: it may lead to another disk.
func TestSnapshotFollowsLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sourcetest.CaptureLog(t)
		folder := t.TempDir()
		path, target := filepath.Join(folder, "link"), filepath.Join(folder, "disk", "snapshot")
		must(t, os.Mkdir(filepath.Dir(target), 0o700))
		must(t, os.Symlink(filepath.Join("disk", "snapshot"), path))
		s := filled()
		for range 2 { // it leads nowhere yet, and to the last one
			_, end := keep(t, new(Shared), s, path, time.Minute)
			time.Sleep(saveEvery)
			if !strings.Contains(fileText(target), "10.0.0.1") {
				t.Error("it is not written")
			}
			end()
			if to, err := os.Readlink(path); err != nil || to != filepath.Join("disk", "snapshot") {
				t.Fatalf("the link leads to %q, %v", to, err)
			}
			must(t, os.Truncate(target, 0))
		}
	})
}

// Where all may write, somebody else may put a file or a link before the first snapshot is written.
func TestSnapshotOfAnotherUserIsLeftAlone(t *testing.T) {
	other := func(t *testing.T, path string) {
		if user == 0 {
			must(t, os.Lchown(path, 4242, -1))
		} else {
			was := user
			user = 4242
			t.Cleanup(func() { user = was })
		}
	}
	for name, put := range map[string]func(t *testing.T, path string){
		"it": func(t *testing.T, path string) {
			must(t, os.WriteFile(path, nil, 0o600))
			other(t, path)
		},
		"it belongs": func(t *testing.T, path string) { // the link, to what may be replaced
			must(t, os.Symlink(filepath.Join(t.TempDir(), "snapshot"), path))
			other(t, path)
		},
		"its folder": func(t *testing.T, path string) { other(t, filepath.Dir(path)) },
	} {
		bubble(t, name, func(t *testing.T) {
			log := sourcetest.CaptureLog(t)
			path := filepath.Join(t.TempDir(), "snapshot")
			put(t, path)
			s := filled()
			s.setAway(gone)
			_, end := keep(t, new(Shared), s, path, late)
			defer end()
			time.Sleep(late)
			synctest.Wait()
			s.setAway(present)
			time.Sleep(2 * saveEvery)
			if len(log.With("WARNING", path, "cannot be used: "+name)) != 1 || len(log.With("WARNING", path, "is not written: "+name)) != 1 {
				t.Errorf("log: %q, want that it is neither read nor written", log.With())
			}
			if text := fileText(path); text != "" {
				t.Errorf("written: %s", text)
			}
		})
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
		{"named pipe", func(path string) error { return syscall.Mkfifo(path, 0o600) }, "neither a file nor a folder: not a snapshot; give"},
		{"device", func(path string) error { return os.Symlink(os.DevNull, path) }, "neither a file nor a folder: not a snapshot; give"},
		{"folder", func(path string) error { return os.Mkdir(path, 0o700) }, "is a directory"},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			log := sourcetest.CaptureLog(t)
			path := filepath.Join(t.TempDir(), "snapshot")
			must(t, tt.make(path))
			was, err := os.Lstat(path)
			must(t, err)
			s := filled()
			s.setAway(gone)
			w, end := keep(t, new(Shared), s, path, late)
			defer end()
			time.Sleep(late)
			synctest.Wait()
			if len(log.With("WARNING", path, "cannot be used")) != 1 {
				t.Errorf("log: %q, want that it is not read", log.With())
			}
			s.setAway(present)
			time.Sleep(2 * saveEvery)
			if len(log.With("WARNING", path, "is not written: "+tt.want)) != 1 || !w.Tree().IsDone() {
				t.Errorf("log: %q, want that it is not written", log.With())
			}
			if now, err := os.Lstat(path); err != nil || !os.SameFile(was, now) {
				t.Errorf("something took its place: %v", err)
			}
		})
	}
}

// A reload acquires the snapshot of a source that goes on: the saver goes on, too.
func TestSaverIsSharedUntilNobodyUsesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sourcetest.CaptureLog(t)
		s := filled()
		path := filepath.Join(t.TempDir(), "snapshot")
		l := new(Shared)
		w, end := keep(t, l, s, path, time.Minute)
		time.Sleep(saveEvery)
		release := l.Acquire(path, time.Minute, w)
		if n := len(l.files[path].savers); n != 1 {
			t.Errorf("%d savers, want 1", n)
		}
		release()
		release()
		s.set(endpointSlice("default", "nginx-x", true, "web-0=10.0.0.9"))
		time.Sleep(saveEvery)
		if text := fileOf(t, path); !strings.Contains(text, "10.0.0.9") {
			t.Errorf("it ended with the first release:\n%s", text)
		}
		end()
		if len(l.files) != 0 {
			t.Error("it goes on after the last release")
		}
	})
}
