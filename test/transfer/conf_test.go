package transfer

import (
	"strings"
	"testing"

	"github.com/coredns-headless/headless/test/controlplane"
)

// knotConf makes Knot a secondary as its manual shows, DIR standing for a folder of its own. NOTIFYs come from a port that
// CoreDNS gets from the kernel, which an ACL of addresses allows. Tests transfer the zones from it, to see what it has.
func knotConf(port, primary string, zones []string) string {
	return `server:
    listen: 127.0.0.1@` + port + `
    rundir: DIR
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
` + knotZones(zones)
}

func knotZones(zones []string) string {
	return "zone:\n  - domain: " + strings.Join(zones, "\n  - domain: ") + "\n"
}

// nsdConf makes NSD a secondary as its manual shows: IXFR over TCP, as *transfer* refuses it over UDP. Its limit
// for answers to one network is off, since tests ask as much as they can.
func nsdConf(port, primary string, zones []string) string {
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
    rrl-ratelimit: 0
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

func freePort(t *testing.T) string {
	t.Helper()
	port, err := controlplane.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}
