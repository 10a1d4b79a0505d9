package manifests

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coredns-headless/headless/plugin/source/sourcetest"
	"github.com/coredns-headless/headless/plugin/tree"
)

// following is a poller of manifests that the test moves on by itself.
func following(t *testing.T, paths ...string) *poller {
	t.Helper()
	m, err := open("test", paths, nil)
	must(t, err)
	if !m.source.Tree().IsDone() {
		t.Fatal("nothing was read")
	}
	return m
}

// settle lets one interval pass in which nothing changes.
func (m *poller) settle() {
	m.refresh(context.Background())
	m.refresh(context.Background())
}

func TestChangedFileCountsOnceItHasStoodStill(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "x.yaml"), web("default", "web-0=10.0.0.1"))
	m := following(t, path)
	for _, addr := range []string{"10.0.0.2", "10.0.0.3", "10.0.0.4"} { // somebody is still writing
		write(t, path, web("default", "web-0="+addr))
		m.refresh(context.Background())
		sourcetest.Expect(t, m.source.Tree(), map[string]string{"default/web-0": "10.0.0.1"})
	}
	serial := m.source.Tree().Serial(new(tree.Path))
	m.refresh(context.Background())
	sourcetest.Expect(t, m.source.Tree(), map[string]string{"default/web-0": "10.0.0.4"})
	if got := m.source.Tree().Serial(new(tree.Path)); got <= serial {
		t.Errorf("serial %d after %d", got, serial)
	}
	serial = m.source.Tree().Serial(new(tree.Path))
	m.settle()
	if got := m.source.Tree().Serial(new(tree.Path)); got != serial {
		t.Errorf("serial %d after %d, and nothing changed", got, serial)
	}
}

// An editor may have moved a file away just when it is looked at for the first time after the start.
func TestFileThatIsAwayForAMomentAfterTheStartStays(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "x.yaml"), web("default", "web-0=10.0.0.1"))
	m, err := open("test", []string{filepath.Dir(path)}, nil)
	must(t, err)
	must(t, os.Rename(path, path+"~"))
	m.refresh(context.Background())
	sourcetest.Expect(t, m.source.Tree(), map[string]string{"default/web-0": "10.0.0.1"})
	must(t, os.Rename(path+"~", path))
	m.settle()
	sourcetest.Expect(t, m.source.Tree(), map[string]string{"default/web-0": "10.0.0.1"})
	must(t, os.Remove(path))
	m.settle()
	sourcetest.Expect(t, m.source.Tree(), nil)
}

func TestNewFileInAFolderIsRead(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), web("a", "web-0=10.0.0.1"))
	m := following(t, dir)
	write(t, filepath.Join(dir, "b.yaml"), web("b", "web-0=10.0.0.2"))
	m.refresh(context.Background())
	sourcetest.Expect(t, m.source.Tree(), map[string]string{"b/web-0": ""})
	m.refresh(context.Background())
	sourcetest.Expect(t, m.source.Tree(), map[string]string{"a/web-0": "10.0.0.1", "b/web-0": "10.0.0.2"})
}

// Whoever edits a dump does not count up the resourceVersion in it.
func TestResourceVersionOfADumpHidesNoEdit(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "x.yaml"), web("default", "web-0=10.0.0.1"))
	m := following(t, path)
	text := web("default", "web-0=10.0.0.2", "web-1=10.0.0.3")
	write(t, path, text)
	m.settle()
	sourcetest.Expect(t, m.source.Tree(), map[string]string{"default/web-0": "10.0.0.2", "default/web-1": "10.0.0.3"})
}

func TestBadFileKeepsTheLastGoodStateAndIsSaidOnce(t *testing.T) {
	log := sourcetest.CaptureLog(t)
	dir := t.TempDir()
	bad := write(t, filepath.Join(dir, "a.yaml"), web("a", "web-0=10.0.0.1"))
	other := write(t, filepath.Join(dir, "b.yaml"), web("b", "web-0=10.0.0.2"))
	m := following(t, dir)

	write(t, bad, web("a", "web-0=10.0.0.9")+"---\nkind: a: b\n")
	write(t, other, web("b", "web-0=10.0.0.3"))
	for range 3 {
		m.settle()
	}
	sourcetest.Expect(t, m.source.Tree(), map[string]string{"a/web-0": "10.0.0.1", "b/web-0": "10.0.0.3"}) // the other file counts all the same
	if lines := log.With("WARNING"); len(lines) != 1 || len(log.With("test: keeping the last good state: manifests", bad, "document 3, line 17: ")) != 1 {
		t.Errorf("log: %q, want one warning", log.With())
	}

	write(t, bad, web("a", "web-0=10.0.0.4"))
	m.settle()
	sourcetest.Expect(t, m.source.Tree(), map[string]string{"a/web-0": "10.0.0.4"})
	if lines := log.With("INFO", "test: good again"); len(lines) != 1 {
		t.Errorf("log: %q, want one line that says it is good again", log.With())
	}

	write(t, bad, web("a", "web-0=10.0.0.4")+"---\nkind: a: b\n")
	m.settle()
	if lines := log.With("WARNING"); len(lines) != 2 {
		t.Errorf("log: %q, want a second warning", log.With())
	}
}

func TestRemovedFileOfAFolderTakesItsObjectsAlong(t *testing.T) {
	dir := t.TempDir()
	gone := write(t, filepath.Join(dir, "a.yaml"), web("a", "web-0=10.0.0.1"))
	write(t, filepath.Join(dir, "b.yaml"), web("b", "web-0=10.0.0.2"))
	m := following(t, dir)
	must(t, os.Remove(gone))
	m.settle()
	sourcetest.Expect(t, m.source.Tree(), map[string]string{"a": "", "a/web-0": "", "b/web-0": "10.0.0.2"})
	write(t, gone, web("a", "web-0=10.0.0.3"))
	m.settle()
	sourcetest.Expect(t, m.source.Tree(), map[string]string{"a/web-0": "10.0.0.3"})
}

// Editors move the old file away before they write the new one. A removal is a change like any other.
func TestFileThatIsGoneForAMomentKeepsItsObjects(t *testing.T) {
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "a.yaml"), web("a", "web-0=10.0.0.1"))
	m := following(t, dir)
	must(t, os.Rename(path, path+"~"))
	m.refresh(context.Background())
	sourcetest.Expect(t, m.source.Tree(), map[string]string{"a/web-0": "10.0.0.1"})
	write(t, path, web("a", "web-0=10.0.0.2"))
	m.refresh(context.Background())
	sourcetest.Expect(t, m.source.Tree(), map[string]string{"a/web-0": "10.0.0.1"})
	m.refresh(context.Background())
	sourcetest.Expect(t, m.source.Tree(), map[string]string{"a/web-0": "10.0.0.2"})
}

func TestMissingPathKeepsTheLastGoodStateAndIsSaidOnce(t *testing.T) {
	for _, path := range []string{"file.yaml", "folder"} {
		t.Run(path, func(t *testing.T) {
			log := sourcetest.CaptureLog(t)
			dir := t.TempDir()
			file := write(t, filepath.Join(dir, "file.yaml"), web("a", "web-0=10.0.0.1"))
			write(t, filepath.Join(dir, "folder", "x.yaml"), web("b", "web-0=10.0.0.2"))
			m := following(t, file, filepath.Join(dir, "folder"))
			want := map[string]string{"a/web-0": "10.0.0.1", "b/web-0": "10.0.0.2"}
			for round := 1; round <= 2; round++ {
				must(t, os.Rename(filepath.Join(dir, path), filepath.Join(dir, "away")))
				m.settle()
				m.settle()
				sourcetest.Expect(t, m.source.Tree(), want)
				if lines := log.With("WARNING", "keeping the last good state: manifests", path, "no such file or directory"); len(lines) != round {
					t.Errorf("round %d: log: %q, want %d warnings", round, log.With(), round)
				}
				must(t, os.Rename(filepath.Join(dir, "away"), filepath.Join(dir, path)))
				m.settle()
				sourcetest.Expect(t, m.source.Tree(), want)
				if lines := log.With("INFO", "good again"); len(lines) != round {
					t.Errorf("round %d: log: %q, want %d lines that say it is good again", round, log.With(), round)
				}
			}
		})
	}
}

// A file that is bad when it comes for the first time has no last good state; it must not take others' along.
func TestBadNewFileIsLeftOut(t *testing.T) {
	log := sourcetest.CaptureLog(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), web("a", "web-0=10.0.0.1"))
	m := following(t, dir)
	bad := write(t, filepath.Join(dir, "b.yaml"), "kind: [\n")
	m.settle()
	sourcetest.Expect(t, m.source.Tree(), map[string]string{"a/web-0": "10.0.0.1"})
	must(t, os.Remove(bad))
	m.settle()
	write(t, bad, "kind: [\n") // another bad file: whoever removed the first has not heard of it
	m.settle()
	if lines := log.With("WARNING", "b.yaml"); len(lines) != 2 {
		t.Errorf("log: %q, want a warning for each", log.With())
	}
}

// The kubelet updates a ConfigMap's volume by turning the link ..data to another folder, in one step. Sizes and times
// of the files may be as they were.
func TestConfigMapUpdateIsPickedUp(t *testing.T) {
	for _, name := range []string{"the folder", "a file in it"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			at := time.Now().Add(-time.Hour)
			for folder, addr := range map[string]string{"..1": "10.0.0.1", "..2": "10.0.0.2"} {
				path := write(t, filepath.Join(dir, folder, "x.yaml"), web("default", "web-0="+addr))
				must(t, os.Chtimes(path, at, at))
			}
			must(t, os.Symlink("..1", filepath.Join(dir, "..data")))
			must(t, os.Symlink(filepath.Join("..data", "x.yaml"), filepath.Join(dir, "x.yaml")))
			path := dir
			if name != "the folder" {
				path = filepath.Join(dir, "x.yaml")
			}
			m := following(t, path)
			sourcetest.Expect(t, m.source.Tree(), map[string]string{"default/web-0": "10.0.0.1"})

			must(t, os.Symlink("..2", filepath.Join(dir, "..data_tmp")))
			must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
			must(t, os.RemoveAll(filepath.Join(dir, "..1")))
			m.settle()
			sourcetest.Expect(t, m.source.Tree(), map[string]string{"default/web-0": "10.0.0.2"})
		})
	}
}

// README promises two seconds. A goroutine that Stop leaves running fails the bubble.
func TestStartedManifestsFollowChangesUntilStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := sourcetest.CaptureLog(t)
		path := write(t, filepath.Join(t.TempDir(), "x.yaml"), web("default", "web-0=10.0.0.1"))
		w, err := Open("test", []string{path}, nil)
		must(t, err)
		w.Start()
		if !w.Wait(0) {
			t.Error("not synced")
		}
		write(t, path, web("default", "web-0=10.0.0.2"))
		time.Sleep(2 * time.Second)
		sourcetest.Expect(t, w.Tree(), map[string]string{"default/web-0": "10.0.0.2"})
		if lines := log.With("INFO", "test: synced"); len(lines) != 1 {
			t.Errorf("log: %q, want one line that says it has synced", log.With())
		}
		w.Stop()
		write(t, path, web("default", "web-0=10.0.0.3"))
		time.Sleep(2 * time.Second)
		sourcetest.Expect(t, w.Tree(), map[string]string{"default/web-0": "10.0.0.2"})
	})
}

// The Corefile may write the folder with a slash at its end.
func TestMissingFolderWithASlashKeepsTheLastGoodState(t *testing.T) {
	sourcetest.CaptureLog(t)
	folder := filepath.Join(t.TempDir(), "folder")
	write(t, filepath.Join(folder, "x.yaml"), web("b", "web-0=10.0.0.2"))
	m := following(t, folder+"/")
	must(t, os.Rename(folder, folder+" away"))
	m.settle()
	sourcetest.Expect(t, m.source.Tree(), map[string]string{"b/web-0": "10.0.0.2"})
}

// A dump that failed leaves an empty file: that is no cluster without Services.
func TestFileThatIsTruncatedKeepsItsObjects(t *testing.T) {
	log := sourcetest.CaptureLog(t)
	path := write(t, filepath.Join(t.TempDir(), "x.yaml"), web("a", "web-0=10.0.0.1"))
	m := following(t, path)
	write(t, path, "")
	m.settle()
	sourcetest.Expect(t, m.source.Tree(), map[string]string{"a/web-0": "10.0.0.1"})
	if lines := log.With("WARNING", "keeping the last good state", "no object"); len(lines) != 1 {
		t.Errorf("log: %q, want a warning", log.With())
	}
}

// Size and time of a file may be as they were, and it is another.
func TestFileReplacedByOneThatLooksAlikeIsRead(t *testing.T) {
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "x.yaml"), web("a", "web-0=10.0.0.1"))
	other := write(t, filepath.Join(dir, "y"), web("a", "web-0=10.0.0.2"))
	at := time.Now().Add(-time.Hour)
	must(t, os.Chtimes(path, at, at))
	must(t, os.Chtimes(other, at, at))
	m := following(t, path)
	must(t, os.Rename(other, path))
	m.settle()
	sourcetest.Expect(t, m.source.Tree(), map[string]string{"a/web-0": "10.0.0.2"})
}

// A file that could not be read is tried until it can, though nothing about it changes. Linux refuses even root this
// one.
func TestFileThatCannotBeReadIsTriedAgain(t *testing.T) {
	log := sourcetest.CaptureLog(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), web("a", "web-0=10.0.0.1"))
	m := following(t, dir)
	path := filepath.Join(dir, "b.yaml")
	must(t, os.Symlink("/proc/self/mem", path))
	m.settle()
	m.settle()
	sourcetest.Expect(t, m.source.Tree(), map[string]string{"a/web-0": "10.0.0.1"})
	if lines := log.With("WARNING", path, "give YAML or JSON files"); len(lines) != 1 {
		t.Errorf("log: %q, want one warning", log.With())
	}
	if _, done := m.seen[path]; done {
		t.Error("it counts as read")
	}
}

// Every file of a folder is looked at twice a second: that must not look at all the folders above it each time.
func TestFolderOfManyFilesIsLookedAtCheaply(t *testing.T) {
	const files = 500
	dir := t.TempDir()
	for i := range files {
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.yaml", i)), []byte(web("default", fmt.Sprintf("web-%d=10.0.0.1", i))), 0o600))
	}
	m := following(t, dir)
	if allocations := testing.AllocsPerRun(1, func() { m.refresh(context.Background()) }); allocations > 8*files {
		t.Errorf("%.0f allocations, more than 8 for each file", allocations)
	}
	if len(m.files) != files {
		t.Errorf("%d files were read", len(m.files))
	}
}

// What stands in a file's place and is none takes no objects along, in a folder or not, and nobody waits for a named
// pipe's writer.
func TestFileReplacedByWhatIsNoneKeepsItsObjects(t *testing.T) {
	const allowed = "; give YAML or JSON files, or folders of them"
	for name, tt := range map[string]struct {
		put  func(path string) error
		want string
	}{
		"folder":                      {put: func(path string) error { return os.Mkdir(path, 0o755) }, want: "is a directory"},
		"link to nowhere":             {put: func(path string) error { return os.Symlink("nowhere", path) }, want: "no such file or directory"},
		"link to itself":              {put: func(path string) error { return os.Symlink(path, path) }, want: "too many levels of symbolic links"},
		"named pipe":                  {put: func(path string) error { return syscall.Mkfifo(path, 0o600) }, want: "neither a file nor a folder"},
		"device":                      {put: func(path string) error { return os.Symlink("/dev/zero", path) }, want: "neither a file nor a folder"},
		"file that seems to be huge":  {put: func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<42)) }, want: "file has more than 1 GiB"},
		"file that changes meanwhile": {put: func(path string) error { return os.Symlink("/proc/self/status", path) }, want: "file changes while it is read"},
	} {
		for _, place := range []string{"file", "folder"} {
			t.Run(name+", "+place, func(t *testing.T) {
				log := sourcetest.CaptureLog(t)
				dir := t.TempDir()
				path := write(t, filepath.Join(dir, "a.yaml"), web("a", "web-0=10.0.0.1"))
				read := path
				if place == "folder" {
					read = dir
				}
				m := following(t, read)
				must(t, os.Remove(path))
				must(t, tt.put(path))
				m.settle()
				m.settle()
				sourcetest.Expect(t, m.source.Tree(), map[string]string{"a/web-0": "10.0.0.1"})
				if lines := log.With("WARNING", path, tt.want+allowed); len(lines) != 1 || len(log.With()) != 1 {
					t.Errorf("log: %q, want one warning: %s", log.With(), tt.want)
				}
				must(t, os.Remove(path))
				write(t, path, web("a", "web-0=10.0.0.2"))
				m.settle()
				sourcetest.Expect(t, m.source.Tree(), map[string]string{"a/web-0": "10.0.0.2"})
				if lines := log.With("INFO", "good again"); len(lines) != 1 {
					t.Errorf("log: %q, want a line that says it is good again", log.With())
				}
			})
		}
	}
}
