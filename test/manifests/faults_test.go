// Package manifests runs CoreDNS with manifests and asks it all the time, whatever happens to the files.
package manifests

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coredns-headless/headless/test/ask"
	"github.com/coredns-headless/headless/test/parts"
	"github.com/coredns-headless/headless/test/server"
)

// A fault is a CoreDNS that follows manifests, and a client that asks it all the time while something happens to a file. It has two
// Services: the steady one stands in a file that nothing happens to.
type fault struct {
	s *server.Server
	// folder and file are what manifests names; the steady Service is in the folder.
	folder, file string
	asker        *ask.Asker
	moved        ask.Moves
}

// The peer that moves, where it is at first and then.
const (
	movingName = "web-0-0.default.svc.cluster.local"
	movingAddr = "10.80.0.1"
	movedAddr  = "10.99.0.1"

	steadyName = "steady-0.default.svc.cluster.local"
	steadyAddr = "10.81.0.1"
)

// none is a dump of a cluster that has nothing.
const none = "apiVersion: v1\nitems: []\nkind: List\nmetadata:\n  resourceVersion: \"\"\n"

// moving is a dump of web-0 alone; its first peer is at that address.
func moving(addr string) string {
	return dump{format: "yaml", services: 1, first: addr}.String()
}

// prepare makes the folder with the steady Service, and the file, which has none. CoreDNS has yet to be started.
func prepare(t *testing.T) *fault {
	t.Helper()
	dir := t.TempDir()
	f := &fault{s: server.New(t), folder: filepath.Join(dir, "folder"), file: filepath.Join(dir, "file.yaml")}
	must(t, os.Mkdir(f.folder, 0o755))
	put(t, filepath.Join(f.folder, "steady.yaml"), strings.ReplaceAll(dump{format: "yaml", services: 1, first: steadyAddr}.String(), "web-0", "steady"))
	put(t, f.file, none)
	return f
}

// follow starts CoreDNS and the client, with the peer that moves in the file.
func follow(t *testing.T) *fault {
	t.Helper()
	f := prepare(t)
	put(t, f.file, moving(movingAddr))
	f.start(t, steadyName, steadyAddr)
	return f
}

// start starts CoreDNS and the client; steady is a peer that never moves.
func (f *fault) start(t *testing.T, steady, addr string) {
	t.Helper()
	f.s.Start(t, strings.NewReplacer("FILE", f.file, "FOLDER", f.folder, "STUB", server.Stub(t)).Replace(`.:PORT {
    bind 127.0.0.1
    ready READY
    errors
    headless cluster.local {
       manifests FILE FOLDER
       suffix mgmt.example.com default.svc.cluster.local
    }
    forward . STUB
}
`))
	f.s.WaitReady(t)
	f.moved.To(movingAddr)
	suffixed := strings.NewReplacer("default.svc.cluster.local", "mgmt.example.com")
	asker, err := ask.Start("127.0.0.1:"+f.s.Port, 250,
		ask.Question{Kind: "moving", Name: movingName, Sent: f.moved.Allowed},
		ask.Question{Kind: "suffix", Name: suffixed.Replace(movingName), Sent: f.moved.Allowed},
		ask.Question{Kind: "steady", Name: steady, Judge: ask.Addresses(addr)},
		ask.Question{Kind: "steady suffix", Name: suffixed.Replace(steady), Judge: ask.Addresses(addr)},
		ask.Question{Kind: "bystander", Name: "www.example.org", Judge: ask.Addresses("192.0.2.1")},
	)
	must(t, err)
	f.asker = asker
	t.Cleanup(func() {
		r := asker.Stop()
		t.Logf("slowest %s\n%s", r.Slowest.Round(time.Millisecond), r)
		if all := r.Total(); all.Asked < 200 {
			t.Errorf("only %d queries", all.Asked)
		}
		if err := r.Err(); err != nil {
			t.Errorf("clients saw it: %v", err)
		}
	})
}

// logs waits until a line of the log has all of parts.
func (f *fault) logs(t *testing.T, parts ...string) {
	t.Helper()
	f.s.Poll(t, time.Minute, func() error {
	lines:
		for line := range strings.Lines(f.s.Log(t)) {
			for _, p := range parts {
				if !strings.Contains(line, p) {
					continue lines
				}
			}
			return nil
		}
		return fmt.Errorf("no line with %q in\n%s", parts, f.s.Log(t))
	})
}

// moves waits until the peer is at that address, or at none, which do brings about.
func (f *fault) moves(t *testing.T, addr string, do func()) {
	t.Helper()
	f.moved.To(strings.Fields(addr)...)
	do()
	took, err := f.moved.Show("127.0.0.1:"+f.s.Port, time.Minute, movingName)
	must(t, err)
	t.Logf("%q after %s", addr, took.Round(10*time.Millisecond))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put writes a file as careful programs do: beside its place, and then there at once.
func put(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path+"~", []byte(text), 0o600))
	must(t, os.Rename(path+"~", path))
}

func TestFileReplacedByRename(t *testing.T) {
	f := follow(t)
	for _, addr := range []string{movedAddr, movingAddr, movedAddr} {
		f.moves(t, addr, func() { put(t, f.file, moving(addr)) })
	}
	f.noWarnings(t)
}

// A writer that takes its time leaves a dump that is cut off, as long as the poll sees it move and when it stands still.
func TestFileRewrittenSlowly(t *testing.T) {
	f := follow(t)
	text := moving(movedAddr)
	const pieces = 8
	f.moves(t, movedAddr, func() {
		out, err := os.Create(f.file)
		must(t, err)
		defer out.Close()
		for i := range pieces {
			if i == pieces/2 { // the writer waits for something else
				f.logs(t, "WARNING", "the last good state stays", f.file, "document 1, line ")
			}
			_, err := out.WriteString(text[len(text)*i/pieces : len(text)*(i+1)/pieces])
			must(t, err)
			time.Sleep(100 * time.Millisecond) // less than it takes to count as standing still
		}
	})
	f.logs(t, "INFO", "good again", f.file)
}

func TestFileThatIsNoManifestKeepsTheLastState(t *testing.T) {
	f := follow(t)
	addr := movingAddr
	bad := func(words string, spoil func() error) {
		t.Helper()
		must(t, os.RemoveAll(f.file))
		must(t, spoil())
		f.logs(t, "WARNING", "the last good state stays", f.file, words)
		if addr == movingAddr {
			addr = movedAddr
		} else {
			addr = movingAddr
		}
		f.moves(t, addr, func() {
			if info, err := os.Lstat(f.file); err == nil && info.IsDir() { // nothing but a folder may take its place
				must(t, os.Remove(f.file))
			}
			put(t, f.file, moving(addr)) // at once: a file that is missing for a moment is another reason
		})
		f.logs(t, "INFO", "good again", words)
	}
	write := func(text string) func() error {
		return func() error { return os.WriteFile(f.file, []byte(text), 0o600) }
	}
	bad("no such file or directory", func() error { return nil })
	bad("nothing there", write(""))
	bad("document 1, line 1: octet 0x0 is no text", write("\x00\x01\x02\xff"))
	bad("document 1, line 2: octet 0xff is no text", write("kind: List\n\xff\xfe"))
	bad("document 1, line 1: no kind", write(strings.TrimSuffix(moving(movedAddr), "kind: List\nmetadata:\n  resourceVersion: \"\"\n")))
	wrong := strings.Replace(moving(movedAddr), "ready: true", "ready: maybe", 1)
	before, _, _ := strings.Cut(wrong, "- addressType")
	bad(fmt.Sprintf("document 1, line %d: not what the API allows: json: cannot unmarshal", 1+strings.Count(before, "\n")), write(wrong))
	bad("is a directory", func() error { return os.Mkdir(f.file, 0o755) })
	bad("too many levels of symbolic links", func() error { return os.Symlink(f.file, f.file) })
	bad("neither a file nor a folder", func() error { return syscall.Mkfifo(f.file, 0o600) })
}

// A good file that CoreDNS may no longer read, and then may again.
func TestFileMadeUnreadable(t *testing.T) {
	withoutRightToAllFiles(t)
	f := follow(t)
	const reason = "permission denied"
	must(t, os.Chmod(f.file, 0))
	must(t, os.Chtimes(f.file, time.Time{}, time.Now())) // nobody reads again what is as it was
	f.logs(t, "WARNING", "the last good state stays", f.file, reason)
	f.stays(t)
	must(t, os.Chmod(f.file, 0o600))
	f.logs(t, "INFO", "good again", reason)
	f.moves(t, movedAddr, func() { put(t, f.file, moving(movedAddr)) })

	must(t, os.WriteFile(f.file+"~", []byte(moving(movingAddr)), 0)) // another one comes that is unreadable
	must(t, os.Rename(f.file+"~", f.file))
	f.s.Poll(t, time.Minute, func() error {
		if strings.Count(f.s.Log(t), reason) < 3 {
			return errors.New("nobody tried to read it")
		}
		return nil
	})
	f.stays(t)
	f.moves(t, movingAddr, func() { must(t, os.Chmod(f.file, 0o600)) })
}

// withoutRightToAllFiles takes from CoreDNS, when this test starts it, what lets root read every file: as root in CI it would otherwise not feel
// a file's mode. The test's thread alone loses it, for what it starts (capabilities(7)), and ends with the test.
func withoutRightToAllFiles(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	if _, err := parts.CoreDNS.Path(); err != nil { // builds it, which may need the right
		t.Fatal(err)
	}
	runtime.LockOSThread()
	for _, c := range []uintptr{unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH} {
		must(t, unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0))
	}
}

// stays checks that the peer stays where it is for some polls of the files.
func (f *fault) stays(t *testing.T) {
	t.Helper()
	before := f.asker.Report().Kinds["moving"].Right
	f.s.Poll(t, time.Minute, func() error { // 50 a second are asked for; any other answer is wrong
		if now := f.asker.Report().Kinds["moving"].Right; now < before+100 {
			return fmt.Errorf("only %d replies", now-before)
		}
		return nil
	})
}

// As the kubelet updates a ConfigMap's volume: a new folder, the link ..data turned to it in one step, the old folder removed.
func TestConfigMap(t *testing.T) {
	f := prepare(t)
	version := 0
	update := func(addr string) {
		old, _ := os.Readlink(filepath.Join(f.folder, "..data")) // none yet
		version++
		folder := fmt.Sprintf("..2026_11_21_02_00_%02d.123456", version)
		must(t, os.Mkdir(filepath.Join(f.folder, folder), 0o755))
		must(t, os.WriteFile(filepath.Join(f.folder, folder, "x.yaml"), []byte(moving(addr)), 0o600))
		must(t, os.Symlink(folder, filepath.Join(f.folder, "..data_tmp")))
		must(t, os.Rename(filepath.Join(f.folder, "..data_tmp"), filepath.Join(f.folder, "..data")))
		if old == "" {
			must(t, os.Symlink("..data/x.yaml", filepath.Join(f.folder, "x.yaml")))
			return
		}
		must(t, os.RemoveAll(filepath.Join(f.folder, old)))
	}
	update(movingAddr)
	f.start(t, steadyName, steadyAddr)
	for _, addr := range []string{movedAddr, movingAddr, movedAddr} {
		f.moves(t, addr, func() { update(addr) })
	}
	if log := f.s.Log(t); strings.Contains(log, "WARNING") {
		t.Errorf("log:\n%s", log)
	}
}

func TestFolderThatGoesAndComes(t *testing.T) {
	f := prepare(t)
	put(t, filepath.Join(f.folder, "x.yaml"), moving(movingAddr))
	f.start(t, steadyName, steadyAddr)
	steady, err := os.ReadFile(filepath.Join(f.folder, "steady.yaml"))
	must(t, err)
	for round, addr := range []string{movedAddr, movingAddr} {
		must(t, os.RemoveAll(f.folder))
		f.s.Poll(t, time.Minute, func() error {
			if strings.Count(f.s.Log(t), "the last good state stays") == round {
				return errors.New("nobody missed it")
			}
			return nil
		})
		f.moves(t, addr, func() {
			must(t, os.Mkdir(f.folder+"~", 0o755))
			put(t, filepath.Join(f.folder+"~", "x.yaml"), moving(addr))
			put(t, filepath.Join(f.folder+"~", "steady.yaml"), string(steady))
			must(t, os.Rename(f.folder+"~", f.folder))
		})
	}
	f.logs(t, "WARNING", f.folder, "no such file or directory")
	f.logs(t, "INFO", "good again", f.folder)
}

// A file removed from a folder takes its objects along, and brings them back.
func TestFileRemovedFromAFolder(t *testing.T) {
	f := prepare(t)
	x := filepath.Join(f.folder, "x.yaml")
	put(t, x, moving(movingAddr))
	f.start(t, steadyName, steadyAddr)
	f.moves(t, "", func() { must(t, os.Remove(x)) })
	f.moves(t, movedAddr, func() { put(t, x, moving(movedAddr)) })
	f.noWarnings(t)
}

func (f *fault) noWarnings(t *testing.T) {
	t.Helper()
	if log := f.s.Log(t); strings.Contains(log, "WARNING") {
		t.Errorf("log:\n%s", log)
	}
}
