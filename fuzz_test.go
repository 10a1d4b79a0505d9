package headless

import (
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// fuzzed has suffixes on the root, a namespace and Services, one below another, and one that is shared.
const fuzzed = externalSuffixes + `
suffix a.b.k.test worker.svc.cluster.local
suffix shared.test default.svc.cluster.local
fallthrough shared.test`

// FuzzQuery asks whatever a message can ask. What the plugin writes is whole and true to the query, denies only what
// is its own to deny, and tells nothing of the cluster zone elsewhere.
func FuzzQuery(f *testing.F) {
	h, blind := fuzzedHandler(f), fuzzedHandler(f)
	unsync(blind)
	for _, name := range []string{
		"web-1.m.test.", "WEB-1.nginx.M.test.", "_web._tcp.nginx.m.test.", "_tcp.nginx.m.test.", "nginx.default.k.test.", "dns-version.k.test.",
		"ns.dns.m.test.", "dns.m.test.", "b.k.test.", "nimbus-0.a.b.k.test.", "out.test.", "loop.test.", "short.m.test.", "hidden.m.test.", "away.m.test.",
		"x.m.test.", "m.test.", "web-1.shared.test.", "x.shared.test.", "short.shared.test.", "10-244-0-22.ws.m.test.", "web-9.default.svc.cluster.local.m.test.",
		"web-1.default.svc.cluster.local.", "kafka-0.kafka.default.svc.cluster.local.", "nginx.default.svc.cluster.local.", "svc.cluster.local.", "cluster.local.",
		"11.0.244.10.in-addr.arpa.", "0.244.10.in-addr.arpa.", "b.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.",
		"www.example.com.", ".", `a\.b.\000\032.m.test.`, strings.Repeat("a.", 123) + "m.test.",
	} {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeSRV, dns.TypeANY} {
			f.Add(wire(f, query(name, qtype)))
		}
	}
	for _, qtype := range []uint16{dns.TypeSOA, dns.TypeNS, dns.TypeAXFR, dns.TypeAAAA} {
		r := query("k.test.", qtype).SetEdns0(4096, true)
		r.CheckingDisabled = true
		r.Ns = records("k.test. 0 IN SOA . . 1 2 3 4 5")
		f.Add(wire(f, r))
	}
	notify, chaos, two := query("m.test.", dns.TypeSOA), query("m.test.", dns.TypeTXT), query("web-1.m.test.", dns.TypeA)
	notify.Opcode, chaos.Question[0].Qclass, two.Question = dns.OpcodeNotify, dns.ClassCHAOS, append(two.Question, two.Question[0])
	for _, r := range []*dns.Msg{notify, chaos, two, {}} {
		f.Add(wire(f, r))
	}

	f.Fuzz(func(t *testing.T, octets []byte) {
		r := new(dns.Msg)
		if r.Unpack(octets) != nil {
			return
		}
		was := r.String()
		m := own(t, h, r)
		if m != nil {
			checkWhole(t, r, m)
			checkTrue(t, h, r, m)
		}
		if early := own(t, blind, r); early != nil && (m == nil || early.Rcode != dns.RcodeNameError || m.Rcode != early.Rcode) {
			t.Errorf("answered before the first sync:\n%s", early)
		}
		if m != nil && m.Rcode == dns.RcodeNameError && blind.Next.(*behind).asked > 0 {
			t.Error("handed on before the first sync, and denied after it")
		}
		if now := r.String(); now != was {
			t.Errorf("the query was\n%s\nand is\n%s", was, now)
		}
	})
}

func fuzzedHandler(f *testing.F) *Headless {
	h := openFor(f, "cluster.local 10.244.0.0/16 fd00::/64", fuzzed, append(externals(),
		svc("default/kafka", none), eps("default/kafka", "v4", web, "10.244.0.31,10.244.0.30 host=broker pod=kafka-0"),
		svc("default/ws", none), eps("default/ws", "v4", "", "10.244.0.21 pod=ws-777779bd59-ftn4j", "10.244.0.22"))...)
	h.upstream.lookup = upstreamOf(resolvable)
	h.serve(hostAddrs([]string{"192.0.2.53", "2001:db8::53"}), nil)
	return h
}

func wire(tb testing.TB, m *dns.Msg) []byte {
	tb.Helper()
	octets, err := m.Pack()
	if err != nil {
		tb.Fatal(err)
	}
	return octets
}

// own is what h says by itself, nil where it leaves the query to the plugin behind or the reply to the server above.
func own(t *testing.T, h *Headless, r *dns.Msg) *dns.Msg {
	t.Helper()
	b := h.Next.(*behind)
	b.asked = 0
	m, rcode, err := ask(h, r)
	left := b.asked == 0 && m == nil
	if err != nil || b.asked > 1 || left != (rcode == dns.RcodeServerFailure || rcode == dns.RcodeRefused) || !left && rcode != dns.RcodeSuccess {
		t.Errorf("wrote %v, returned %s, %v; asked behind %d times", m, dns.RcodeToString[rcode], err, b.asked)
	}
	if b.asked > 0 {
		return nil
	}
	return m
}

// checkWhole wants a message that any client takes for the reply to r, and that plugins before this one may append to.
func checkWhole(t *testing.T, r, m *dns.Msg) {
	t.Helper()
	again := new(dns.Msg)
	if err := again.Unpack(wire(t, m)); err != nil || again.String() != m.String() {
		t.Errorf("%s\nis on the wire, %v\n%s", m, err, again)
	}
	if len(r.Question) != 1 || !slices.Equal(m.Question, r.Question) || m.Id != r.Id {
		t.Fatalf("%s\nis no reply to\n%s", m, r)
	}
	if !m.Response || !m.Authoritative || m.Truncated || m.RecursionAvailable || m.Opcode != dns.OpcodeQuery || m.IsEdns0() != nil {
		t.Errorf("header of\n%s", m)
	}
	for _, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		if cap(section) != len(section) {
			t.Errorf("a section of %d records with room for %d", len(section), cap(section))
		}
	}
	if len(m.Answer) > 0 && m.Answer[0].Header().Name != r.Question[0].Name {
		t.Errorf("the answer begins elsewhere:\n%s", m)
	}
	soas := 0
	for _, rr := range m.Ns {
		if soa, ok := rr.(*dns.SOA); ok && soa.Minttl == soa.Hdr.Ttl && dns.IsSubDomain(soa.Hdr.Name, r.Question[0].Name) {
			soas++
		}
	}
	if negative := m.Rcode == dns.RcodeNameError || len(m.Answer) == 0; negative && soas != 1 || len(m.Ns) != soas {
		t.Errorf("%d SOA records (RFC 2308 section 5):\n%s", soas, m)
	}
}

// checkTrue wants a reply that says nothing of what is another's.
func checkTrue(t *testing.T, h *Headless, r, m *dns.Msg) {
	t.Helper()
	qname := r.Question[0].Name
	x := suffixOf(h, qname)
	if x.Name == "" {
		if m.Rcode != dns.RcodeSuccess {
			t.Errorf("denied as a guest:\n%s", m)
		}
		return
	}
	for _, rr := range slices.Concat(m.Answer, m.Ns, m.Extra) {
		for _, field := range strings.Fields(rr.String()) {
			if dns.IsSubDomain("cluster.local.", field) {
				t.Errorf("tells a name of the cluster zone: %s", rr)
			}
		}
	}
	alias := slices.ContainsFunc(m.Answer, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeCNAME })
	switch {
	case m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError:
		t.Errorf("rcode of\n%s", m)
	case alias: // then the rcode is that of the chain's end (RFC 6604)
	case (m.Rcode == dns.RcodeNameError) != denied(t, h, qname):
		t.Errorf("whether the name exists depends on the type:\n%s", m)
	case m.Rcode == dns.RcodeNameError && x.Shared:
		t.Errorf("denied in a shared suffix:\n%s", m)
	}
	at, end := dns.NextLabel(qname, 0)
	if m.Rcode == dns.RcodeSuccess && !end && denied(t, h, qname[at:]) {
		t.Errorf("it exists below a name that does not (RFC 8020):\n%s", m)
	}
}

// denied reports whether h says that a name does not exist.
func denied(t *testing.T, h *Headless, name string) bool {
	t.Helper()
	m := own(t, h, query(name, dns.TypeTXT))
	return m != nil && m.Rcode == dns.RcodeNameError
}
