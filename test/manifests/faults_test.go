// Package manifests runs CoreDNS with manifests and asks it all the time: what a large file costs, and what happens
// to a file that CoreDNS may not read, which root may in the tests beside the code.
package manifests

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coredns-headless/headless/test/ask"
	"github.com/coredns-headless/headless/test/parts"
	"github.com/coredns-headless/headless/test/server"
)

// A fault is a CoreDNS that follows manifests, and a client that asks it all the time while something happens to a
// file. It has two Services: the steady one stands in a file that nothing happens to.
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

// moving is a dump of web-0 alone; its first peer is at that address.
func moving(addr string) string {
	return dump{format: "yaml", services: 1, first: addr}.String()
}

// follow starts CoreDNS and the client, with the steady Service in the folder and the peer that moves in the file.
func follow(t *testing.T) *fault {
	t.Helper()
	dir := t.TempDir()
	f := &fault{s: server.New(t), folder: filepath.Join(dir, "folder"), file: filepath.Join(dir, "file.yaml")}
	must(t, os.Mkdir(f.folder, 0o755))
	steady := strings.ReplaceAll(dump{format: "yaml", services: 1, first: steadyAddr}.String(), "web-0", "steady")
	put(t, filepath.Join(f.folder, "steady.yaml"), steady)
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

// A good file that CoreDNS may no longer read, and then may again.
func TestFileMadeUnreadable(t *testing.T) {
	withoutRightToAllFiles(t)
	f := follow(t)
	const reason = "permission denied"
	must(t, os.Chmod(f.file, 0))
	must(t, os.Chtimes(f.file, time.Time{}, time.Now())) // nobody reads again what is as it was
	f.logs(t, "WARNING", "keeping the last good state", f.file, reason)
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

// withoutRightToAllFiles takes from CoreDNS, when this test starts it, what lets root read every file: as root in CI
// it would otherwise not feel a file's mode. The test's thread alone loses it, for what it starts (capabilities(7)),
// and ends with the test.
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
