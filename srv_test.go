package headless

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// ported has Services with ports of every sort.
var ported = []string{
	svc("default/db", none+", ports: [{name: sql, port: 5432}, {name: idle, port: 1}]"),
	eps("default/db", "v4", "{name: sql, port: 5432, protocol: TCP}, {name: gossip, port: 7000, protocol: UDP}, {port: 9100, protocol: TCP}",
		"10.244.0.1 host=db-0 pod=db-0", "10.244.0.2 host=db-1 pod=db-1", "10.244.0.3 pod=db-2", "10.244.0.4", "10.244.0.9 host=db-9 pod=db-9 unready"),
	eps("default/db", "v6", "{name: sql, port: 5432, protocol: TCP}, {port: 9100, protocol: TCP}", "fd00::1 host=db-0 pod=db-0", "fd00::7 host=db-7 pod=db-7"),
	// One hostname of two pods, and a pod with the name of another's hostname.
	svc("default/mix", none),
	eps("default/mix", "v4", web, "10.244.2.1 host=x pod=p", "10.244.2.2 host=x pod=q", "10.244.2.3 pod=x"),
	svc("default/api", `clusterIP: 10.96.0.10, clusterIPs: [10.96.0.10, "fd00:96::a"], ports: [{name: HTTP, port: 80}, {name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53}, {port: 9}]`),
	svc("default/numberless", "clusterIP: \"\", ports: [{name: web, port: 80}]"),
	svc("default/starting", none+", ports: [{name: web, port: 80}]"),
	eps("default/starting", "v4", "{name: web, port: 80}, {name: hidden, port: 81}", "10.244.3.1 host=late pod=late unready"),
}

const portedSuffixes = "suffix m.test default.svc.cluster.local\nsuffix db.test db.default.svc.cluster.local\n" +
	"suffix api.test api.default.svc.cluster.local\nsuffix k.test svc.cluster.local\nsuffix shared.test default.svc.cluster.local\nfallthrough shared.test"

// database is the reply to SRV of db's port sql, as it is named under a suffix.
func database(under string) string {
	return strings.ReplaceAll(`
		@ $ SRV 0 20 5432 10-244-0-4.^
		@ $ SRV 0 20 5432 db-0.^
		@ $ SRV 0 20 5432 db-1.^
		@ $ SRV 0 20 5432 db-2.^
		@ $ SRV 0 20 5432 db-7.^
		additional:
		10-244-0-4.^ $ A 10.244.0.4
		db-0.^ $ A 10.244.0.1
		db-0.^ $ AAAA fd00::1
		db-1.^ $ A 10.244.0.2
		db-2.^ $ A 10.244.0.3
		db-7.^ $ AAAA fd00::7`, "^", under)
}

const apiAddresses = "\nadditional:\n> $ A 10.96.0.10\n> $ AAAA fd00:96::a"

func TestSRVUnderASuffix(t *testing.T) {
	h := openFor(t, "cluster.local", portedSuffixes, ported...)
	checkAll(t, h, []row{
		{"both families, dashed addresses and pods", "_sql._tcp.db.m.test.", dns.TypeSRV, database("db.m.test.")},
		{"a port of one family's slice only", "_gossip._udp.db.m.test.", dns.TypeSRV, strings.ReplaceAll(`
			@ $ SRV 0 25 7000 10-244-0-4.^
			@ $ SRV 0 25 7000 db-0.^
			@ $ SRV 0 25 7000 db-1.^
			@ $ SRV 0 25 7000 db-2.^
			additional:
			10-244-0-4.^ $ A 10.244.0.4
			db-0.^ $ A 10.244.0.1
			db-0.^ $ AAAA fd00::1
			db-1.^ $ A 10.244.0.2
			db-2.^ $ A 10.244.0.3`, "^", "db.m.test.")},
		{"under the root", "_sql._tcp.db.default.k.test.", dns.TypeSRV, database("db.default.k.test.")},
		{"under a suffix grafted on the Service", "_sql._tcp.db.test.", dns.TypeSRV, database("db.test.")},
		{"under a shared suffix", "_sql._tcp.db.shared.test.", dns.TypeSRV, database("db.shared.test.")},
		{"ANY", "_sql._tcp.db.m.test.", dns.TypeANY, database("db.m.test.")},
		{"spelled by a 0x20 client", "_SQL._tcp.Db.M.test.", dns.TypeSRV, database("Db.M.test.")},
		{"ClusterIP", "_http._tcp.api.m.test.", dns.TypeSRV, "@ $ SRV 0 100 80 api.m.test." + apiAddresses},
		{"ClusterIP, grafted on", "_dns-tcp._tcp.api.test.", dns.TypeSRV, "@ $ SRV 0 100 53 api.test." + apiAddresses},
		{"ClusterIP without an address yet", "_web._tcp.numberless.m.test.", dns.TypeSRV, noData("m.test.")},
	})
}

func TestSRVNamesThatExistWithoutIt(t *testing.T) {
	h := openFor(t, "cluster.local", portedSuffixes, ported...)
	checkAll(t, h, []row{
		{"another type", "_sql._tcp.db.m.test.", dns.TypeA, noData("m.test.")},
		{"a port that only the Service has", "_idle._tcp.db.m.test.", dns.TypeSRV, noData("m.test.")},
		{"nothing ready", "_web._tcp.starting.m.test.", dns.TypeSRV, noData("m.test.")},
		{"a port of what is not ready only", "_hidden._tcp.starting.m.test.", dns.TypeSRV, nxDomain("m.test.")},
		{"a protocol", "_tcp.db.m.test.", dns.TypeSRV, noData("m.test.")},
		{"a protocol, grafted on", "_tcp.db.test.", dns.TypeSRV, noData("db.test.")},
		{"a port of another protocol", "_sql._udp.db.m.test.", dns.TypeSRV, nxDomain("m.test.")},
		{"a peer's port", "_sql._tcp.db-0.db.m.test.", dns.TypeSRV, nxDomain("m.test.")},
		{"below a port", "x._sql._tcp.db.m.test.", dns.TypeSRV, nxDomain("m.test.")},
		{"the Service", "db.m.test.", dns.TypeSRV, noData("m.test.")},
		{"the Service, grafted on", "db.test.", dns.TypeSRV, noData("db.test.")},
		{"a peer", "db-0.db.m.test.", dns.TypeSRV, noData("m.test.")},
		{"a short peer", "db-0.m.test.", dns.TypeSRV, noData("m.test.")},
		{"a shared suffix: nothing ready", "_web._tcp.starting.shared.test.", dns.TypeSRV, "NODATA, with their SOA"},
		{"a shared suffix: a protocol", "_tcp.db.shared.test.", dns.TypeSRV, "NODATA, with their SOA"},
		{"a shared suffix: no port", "_x._tcp.db.shared.test.", dns.TypeSRV, "next"},
	})
	unsync(h)
	checkAll(t, h, []row{{"before the first sync", "_sql._tcp.db.m.test.", dns.TypeSRV, "SERVFAIL"}})
}

// A guest answers SRV where *kubernetes* would for a hostname: all ports, named or not.
func TestSRVOfAGuest(t *testing.T) {
	h := openFor(t, "cluster.local", "", ported...)
	const zone = "default.svc.cluster.local."
	checkAll(t, h, []row{
		{
			"a pod without hostname", "db-2.db." + zone, dns.TypeSRV,
			"@ $ SRV 0 33 5432 @\n@ $ SRV 0 33 7000 @\n@ $ SRV 0 33 9100 @\nadditional:\n@ $ A 10.244.0.3",
		},
		{
			"for a 0x20 client", "DB-2.db." + zone, dns.TypeSRV,
			"@ $ SRV 0 33 5432 @\n@ $ SRV 0 33 7000 @\n@ $ SRV 0 33 9100 @\nadditional:\n@ $ A 10.244.0.3",
		},
		{"a pod of a hostname shared", "p.mix." + zone, dns.TypeSRV, "@ $ SRV 0 100 80 @\nadditional:\n@ $ A 10.244.2.1"},
		{"a pod named like another's hostname", "x.mix." + zone, dns.TypeSRV, "next"},
		{"a hostname", "db-0.db." + zone, dns.TypeSRV, "next"},
		{"a dashed address", "10-244-0-4.db." + zone, dns.TypeSRV, "next"},
		{"a short name", "db-2." + zone, dns.TypeSRV, "authority:\nSOA cluster.local."},
		{"a port", "_sql._tcp.db." + zone, dns.TypeSRV, "next"},
		{"not ready", "late.starting." + zone, dns.TypeSRV, "next"},
	})
	unsync(h)
	checkAll(t, h, []row{{"before the first sync", "db-2.db." + zone, dns.TypeSRV, "next"}})
	h = openFor(t, "cluster.local", "not_ready", svc("default/db", none),
		eps("default/db", "v4", web, "10.0.0.1 pod=p", "10.0.0.3 pod=late unready"), eps("default/db", "v6", web, "fd00::1 pod=p", "fd00::2 pod=p unready"))
	checkAll(t, h, []row{
		{"two families", "p.db." + zone, dns.TypeSRV, "@ $ SRV 0 100 80 @\nadditional:\n@ $ A 10.0.0.1\n@ $ AAAA fd00::1"},
		{"not_ready", "late.db." + zone, dns.TypeSRV, "@ $ SRV 0 100 80 @\nadditional:\n@ $ A 10.0.0.3"},
	})
}

// Of a suffix as long as they may be, some names do not fit in a message (RFC 1035 section 2.3.4). Nothing points at
// them.
func TestSRVLeavesOutWhatNoMessageCanCarry(t *testing.T) {
	long := strings.Repeat("a.", 92) + "zone." // 189 octets as written, 190 on the wire
	fits, over := strings.Repeat("f", 61), strings.Repeat("o", 62)
	h := openFor(t, "cluster.local", "suffix "+long+" default.svc.cluster.local\nsuffix m.test default.svc.cluster.local", svc("default/db", none),
		eps("default/db", "v4", web, "10.0.0.1 pod="+fits, "10.0.0.2 pod="+over, "10.0.0.3 pod=p"),
		svc("default/big", none), eps("default/big", "v4", web, "10.0.1.1 pod="+over+"o"))
	checkAll(t, h, []row{
		{"some", "_web._tcp.db." + long, dns.TypeSRV, "@ $ SRV 0 50 80 " + fits + ".db." + long + "\n@ $ SRV 0 50 80 p.db." + long +
			"\nadditional:\n" + fits + ".db." + long + " $ A 10.0.0.1\np.db." + long + " $ A 10.0.0.3"},
		{"all", "_web._tcp.big." + long, dns.TypeSRV, noData(long)},
		{"elsewhere", "_web._tcp.big.m.test.", dns.TypeSRV, "@ $ SRV 0 100 80 " + over + "o.big.m.test.\nadditional:\n> $ A 10.0.1.1"},
	})
	m, _, _ := ask(h, query("_web._tcp.db."+long, dns.TypeSRV))
	if wire, err := m.Pack(); err != nil || new(dns.Msg).Unpack(wire) != nil {
		t.Errorf("no message: %v", err)
	}
}
