package transfer

import (
	"testing"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/server"
)

// RFC 1995: who has the current serial, or a newer one, gets the SOA alone; who has an older one gets the zone, since no
// differences are kept.
func asIXFR(t *testing.T, s *server.Server) {
	z := mustAXFR(t, address(s), mgmt)
	for _, tt := range []struct {
		name   string
		serial uint32
		whole  bool
	}{
		{"current", z.soa.Serial, false},
		{"next", z.soa.Serial + 1, false},
		{"as new as can be", z.soa.Serial + 1<<31 - 1, false},
		{"previous", z.soa.Serial - 1, true},
		{"as old as can be", z.soa.Serial - (1<<31 - 1), true},
		{"none", 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !tt.whole {
				wantSOA(t, s.Port, z, tt.serial)
				return
			}
			records, err := receive(new(dns.Msg).SetIxfr(mgmt, tt.serial, z.soa.Ns, z.soa.Mbox), address(s))
			if err != nil {
				t.Fatal(err)
			}
			got, err := whole(mgmt, records)
			if err != nil {
				t.Fatal(err)
			}
			if d := diff(z.rrsets, got.rrsets); d != "" {
				t.Errorf("not as AXFR:\n%s", d)
			}
		})
	}
}

func wantSOA(t *testing.T, port string, z *zone, have uint32) {
	t.Helper()
	m, err := exchangeTCP(new(dns.Msg).SetIxfr(z.apex, have, z.soa.Ns, z.soa.Mbox), "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	if m.Rcode != dns.RcodeSuccess || len(m.Answer) != 1 || m.Answer[0].String() != z.soa.String() {
		t.Errorf("IXFR with serial %d: got\n%s\nwant nothing but %s", have, m, z.soa)
	}
}

// A change makes the serial that was current an older one.
func asIXFRAfterAChange(t *testing.T, s *server.Server) {
	before := mustAXFR(t, address(s), changing)
	state := change(t, 3)
	poll(t, patience, func() error { return shows(address(s), changing, state, 3) })
	records, err := receive(new(dns.Msg).SetIxfr(changing, before.soa.Serial, before.soa.Ns, before.soa.Mbox), address(s))
	if err != nil {
		t.Fatal(err)
	}
	after, err := whole(changing, records)
	if err != nil {
		t.Fatal(err)
	}
	if !newer(after.soa.Serial, before.soa.Serial) {
		t.Errorf("serial %d after %d", after.soa.Serial, before.soa.Serial)
	}
	if got, err := stateOf(after, changing, 3); got != state {
		t.Errorf("IXFR shows state %d, want %d: %v", got, state, err)
	}
	wantSOA(t, s.Port, after, after.soa.Serial)
}
