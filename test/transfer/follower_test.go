package transfer

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/server"
)

// follower is a name server of another make, as a secondary of CoreDNS.
type follower struct {
	program, address, dir string
	process               *controlplane.Process
}

func newFollower(t *testing.T, program string) *follower {
	t.Helper()
	return &follower{program: program, address: "127.0.0.1:" + server.Free(t), dir: t.TempDir()}
}

func (f *follower) port() string { return strings.TrimPrefix(f.address, "127.0.0.1:") }

// start runs the name server, with a configuration file in which DIR stands for its folder.
func (f *follower) start(t *testing.T, file, conf string, args ...string) {
	t.Helper()
	path := filepath.Join(f.dir, file)
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(conf, "DIR", f.dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if f.process, err = controlplane.StartProcess(f.dir, f.program, append(args, path)...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.process.Stop()
		if t.Failed() {
			t.Logf("log of %s:\n%s", f.program, f.log(t))
		}
	})
}

func (f *follower) log(t *testing.T) string {
	t.Helper()
	text, err := f.process.Log()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// complaint is how Knot and NSD begin what they say of a zone that is not right, or of a transfer that failed.
var complaint = regexp.MustCompile(`(?i)\b(error|warning|critical|failed|bad|refused|invalid)\b`)

// accepted is what they say though nothing is wrong: Knot, that a zone has no file at the first start; NSD, where two
// transfers became one reload, that the first of them did not show.
var accepted = regexp.MustCompile(`\(not exists\)|soa serial \d+ update failed, restarting transfer \(notified zone\)`)

func (f *follower) wantNoComplaint(t *testing.T) {
	t.Helper()
	for line := range strings.Lines(f.log(t)) {
		if complaint.MatchString(line) && !accepted.MatchString(line) {
			t.Errorf("%s says: %s", f.program, line)
		}
	}
}

// knotConf makes Knot a secondary as its manual shows. NOTIFYs come from a port that CoreDNS gets from the kernel,
// which an ACL of addresses allows. Tests transfer the zones from it, to see what it has. It waits for a busy CoreDNS
// longer than its default of 5 s.
func knotConf(port, primary string) string {
	return `server:
    listen: 127.0.0.1@` + port + `
    rundir: DIR
    tcp-remote-io-timeout: 60000
log:
  - target: stderr
    any: info
database:
    storage: DIR
remote:
  - id: coredns
    address: 127.0.0.1@` + primary + `
acl:
  - id: loopback
    address: 127.0.0.1
    action: [notify, transfer]
template:
  - id: default
    storage: DIR
    semantic-checks: on
    master: coredns
    acl: loopback
zone:
  - domain: ` + strings.Join(zones, "\n  - domain: ") + "\n"
}

// nsdConf makes NSD a secondary as its manual shows: IXFR over TCP, as *transfer* refuses it over UDP.
func nsdConf(port, primary string) string {
	var conf strings.Builder
	conf.WriteString(`server:
    ip-address: 127.0.0.1@` + port + `
    server-count: 1
    username: ""
    chroot: ""
    zonesdir: "DIR"
    database: ""
    zonelistfile: "DIR/zone.list"
    xfrdfile: "DIR/xfrd.state"
    xfrdir: "DIR"
    pidfile: "DIR/nsd.pid"
    verbosity: 2
remote-control:
    control-enable: no
`)
	for _, z := range zones {
		conf.WriteString(`zone:
    name: "` + z + `"
    zonefile: "` + z + `zone"
    request-xfr: 127.0.0.1@` + primary + ` NOKEY
    allow-notify: 127.0.0.1 NOKEY
    provide-xfr: 127.0.0.1 NOKEY
`)
	}
	return conf.String()
}
