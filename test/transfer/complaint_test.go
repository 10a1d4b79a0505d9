package transfer

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/server"
)

// complaint is how Knot and NSD begin what they say of a zone that is not right, or of a transfer that failed.
var complaint = regexp.MustCompile(`(?i)\b(error|warning|critical|failed|bad|refused|invalid)\b`)

// accepted is what they say though nothing is wrong: Knot, that a zone has no file at the first start; NSD, where two transfers
// became one reload, that the first of them did not show.
var accepted = regexp.MustCompile(`\(not exists\)|soa serial \d+ update failed, restarting transfer \(notified zone\)`)

func (f *follower) wantNoComplaint(t *testing.T) {
	t.Helper()
	for line := range strings.Lines(f.log(t)) {
		if complaint.MatchString(line) && !accepted.MatchString(line) {
			t.Errorf("%s says: %s", f.name, line)
		}
	}
}

// Knot's extra checks, which it does not apply to transfers, find nothing in the zones either.
func passesKnotsChecks(t *testing.T, s *server.Server) {
	server.Need(t, "knotd", "knot")
	dir := t.TempDir()
	zones := []string{mgmt, root, service, changing}
	for _, apex := range zones {
		text := mustAXFR(t, address(s), apex).rrsets.String()
		if err := os.WriteFile(filepath.Join(dir, apex+"zone"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	port := freePort(t)
	conf := "server:\n    listen: 127.0.0.1@" + port + "\n    rundir: DIR\nlog:\n  - target: stderr\n    any: info\n" +
		"database:\n    storage: DIR\ntemplate:\n  - id: default\n    storage: " + dir + "\n    semantic-checks: on\n" + knotZones(zones)
	knot := startFollower(t, port, "knotd", "knot.conf", conf, "-c")
	for _, apex := range zones {
		loaded := "[" + apex + "] loaded, serial none -> "
		poll(t, patience, func() error {
			if log := knot.log(t); !strings.Contains(log, loaded) {
				return errors.New("Knot does not say that it loaded " + apex)
			}
			return knot.process.Exited()
		})
	}
	knot.wantNoComplaint(t)
}
