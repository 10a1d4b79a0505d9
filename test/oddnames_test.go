package test

import (
	"encoding/binary"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/server"
)

// With *chaos* all classes reach the plugins, not only IN.
const odd = `.:PORT {
    bind 127.0.0.1
    ready READY
    chaos
HEADLESS
    kubernetes cluster.local {
       kubeconfig KUBECONFIG
    }
    forward . STUB
}
`

const oddHeadless = `    headless cluster.local {
       kubeconfig KUBECONFIG
       suffix mgmt.example.com NAMESPACE.svc.cluster.local
       suffix queue.example.com queue.NAMESPACE.svc.cluster.local
       suffix k8s.example.com svc.cluster.local
    }`

// longest is a name of 255 octets that ends in domain.
func longest(domain string) string {
	const most = 254 // without the root's octet; a label of n characters takes n+1
	left := most - len(domain)
	full := strings.Repeat(strings.Repeat("a", 63)+".", left/64)
	if rest := left % 64; rest > 1 {
		return full + strings.Repeat("b", rest-1) + "." + domain
	}
	return full + domain
}

// What looks like a query for a peer, and is none, is answered as without the plugin, octet for octet but for SOA serials.
func TestOddQueriesGoOn(t *testing.T) {
	ns := makeNamespace(t, "odd")
	makeService(t, ns, "queue", rabbits...)
	stub := server.Stub(t)
	with := runCorefile(t, odd, "HEADLESS", strings.NewReplacer("KUBECONFIG", cluster.Kubeconfig, "NAMESPACE", ns).Replace(oddHeadless), "STUB", stub)
	plain := runCorefile(t, odd, "HEADLESS", "", "STUB", stub)
	zone := ns + ".svc.cluster.local."

	for _, name := range []string{"rabbit-0." + zone, "rabbit-0.mgmt.example.com.", "mgmt.example.com."} {
		for _, opcode := range []int{dns.OpcodeNotify, dns.OpcodeStatus, dns.OpcodeUpdate, 15} {
			q := new(dns.Msg).SetQuestion(name, dns.TypeA)
			q.Opcode = opcode
			goesOn(t, plain, with, q)
		}
		for _, class := range []uint16{dns.ClassCHAOS, dns.ClassHESIOD, dns.ClassANY, dns.ClassNONE, 77} {
			q := new(dns.Msg).SetQuestion(name, dns.TypeA)
			q.Question[0].Qclass = class
			goesOn(t, plain, with, q)
		}
		none, two := new(dns.Msg).SetQuestion(name, dns.TypeA), new(dns.Msg).SetQuestion(name, dns.TypeA)
		none.Question = nil
		two.Question = append(two.Question, two.Question[0])
		goesOn(t, plain, with, none)
		goesOn(t, plain, with, two)
	}
	for _, name := range []string{
		".", "svc.cluster.local.", zone, "x.rabbit-0.queue." + zone, "x.rabbit-0." + zone, "rabbit-0." + zone + "cluster.local.",
		`rabbit-0\000.` + zone, `\000rabbit-0.` + zone, `rabbit-0\..` + zone, `rabbit\ 0.` + zone, `rabbit-0\ .` + zone, `\255\254.` + zone, `\..` + zone,
		`rabbit-0\.` + zone, `rabbit-0.queue\.` + zone, `rabbit-0.` + ns + `\.svc.cluster.local.`, `rabbit-0.` + ns + `.svc\.cluster.local.`,
		"_amqp._tcp.rabbit-0." + zone, "_tcp.rabbit-0." + zone, "_rabbit-0." + zone, "_amqp._tcp.queue." + zone, "_tcp.queue." + zone,
		"*." + zone, "*.queue." + zone, "rabbit-*." + zone, "any." + zone, strings.Repeat("a", 63) + "." + zone, longest(zone), longest("queue." + zone), longest("cluster.local."),
		longest("example.org."), `rabbit-0\.mgmt.example.com.`, `mgmt\.example.com.`, "xmgmt.example.com.",
	} {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeSRV, dns.TypeANY} {
			goesOn(t, plain, with, new(dns.Msg).SetQuestion(name, qtype))
		}
	}
}

// goesOn sends the same octets to both and compares.
func goesOn(t *testing.T, plain, with *server.Server, q *dns.Msg) {
	t.Helper()
	for _, network := range []string{"udp", "tcp"} {
		without, now := exchange(t, plain, network, q), exchange(t, with, network, q)
		for _, m := range []message{without, now} {
			for _, rr := range m.Ns {
				if soa, ok := rr.(*dns.SOA); ok {
					soa.Serial = 0 // *kubernetes* has the time of its last change there
				}
			}
		}
		if a, b := without.String(), now.String(); a != b {
			t.Errorf("over %s: with the plugin\n%s\nwithout\n%s", network, b, a)
		}
	}
}

// Below a suffix every name that can be written is one that exists or does not.
func TestOddNamesBelowASuffix(t *testing.T) {
	longPod, longerPod := strings.Repeat("p", 63), strings.Repeat("q", 64)
	ns := makeNamespace(t, "odd")
	makeService(t, ns, "queue", append([]endpoint{{pod: longPod, addr: "10.77.0.63"}, {pod: longerPod, addr: "10.77.0.64"}}, rabbits...)...)
	s := runCorefile(t, odd, "HEADLESS", strings.NewReplacer("KUBECONFIG", cluster.Kubeconfig, "NAMESPACE", ns).Replace(oddHeadless), "STUB", server.Stub(t))
	const nxdomain, nodata = "NXDOMAIN", "NODATA"
	for name, want := range map[string]string{
		"RaBbIt-0.mGmT.ExAmPlE.cOm.": "10.77.0.1", "rabbit-0.QUEUE.Mgmt.example.com.": "10.77.0.1", "rAbbit-0.queue.exaMple.com.": "10.77.0.1",
		"Mgmt.eXample.com.": nodata, "rabbit-9.mGmT.ExAmPlE.cOm.": nxdomain, strings.ToUpper(ns) + ".k8S.example.com.": nodata,

		longPod + ".mgmt.example.com.": "10.77.0.63", longPod + ".queue." + ns + ".k8s.example.com.": "10.77.0.63",
		"10-77-0-64.mgmt.example.com.": "10.77.0.64", longerPod[:63] + ".mgmt.example.com.": nxdomain, "10-77-0-63.mgmt.example.com.": nxdomain,

		`rabbit-0\000.mgmt.example.com.`: nxdomain, `rabbit-0\..mgmt.example.com.`: nxdomain, `rabbit\ 0.mgmt.example.com.`: nxdomain, `\255.mgmt.example.com.`: nxdomain,
		`\..mgmt.example.com.`: nxdomain, `rabbit-0\.queue.mgmt.example.com.`: nxdomain, `rabbit-0.queue\.` + ns + `.k8s.example.com.`: nxdomain,

		"x.rabbit-0.mgmt.example.com.": nxdomain, "x.rabbit-0.queue.mgmt.example.com.": nxdomain, "rabbit-0.queue.queue.example.com.": nxdomain,
		"rabbit-0.k8s.example.com.": nxdomain, "rabbit-0.queue.k8s.example.com.": nxdomain, "x.rabbit-0.queue." + ns + ".k8s.example.com.": nxdomain,
		"_tcp.mgmt.example.com.": nxdomain, "_amqp._tcp.mgmt.example.com.": nxdomain, "_tcp.rabbit-0.mgmt.example.com.": nxdomain,
		"_amqp._tcp.rabbit-0.queue.mgmt.example.com.": nxdomain, "_amqp._udp.queue.mgmt.example.com.": nxdomain, "_udp.queue.mgmt.example.com.": nxdomain,
		"_.queue.mgmt.example.com.": nxdomain, "x._amqp._tcp.queue.mgmt.example.com.": nxdomain, "_smtp._tcp.queue.mgmt.example.com.": nxdomain,
		"amqp.tcp.queue.mgmt.example.com.": nxdomain, "_tcp._amqp.queue.mgmt.example.com.": nxdomain, "*.mgmt.example.com.": nxdomain, "*.queue.example.com.": nxdomain,
		"_TCP.queue.mgmt.example.com.": nodata, "_AMQP._tcp.queue.mgmt.example.com.": nodata, "_tcp.queue.example.com.": nodata,
		longest("mgmt.example.com."): nxdomain, longest("k8s.example.com."): nxdomain, longest("queue.example.com."): nxdomain,
	} {
		wantsSpelled(t, ask(t, s, name, dns.TypeA), name, want)
	}
	r := ask(t, s, "_aMqp._tCp.queue.mGmt.example.com.", dns.TypeSRV)
	if len(r.Answer) != 5 {
		t.Errorf("SRV in another spelling:\n%s", r)
	}
	for _, rr := range r.Answer {
		if srv, ok := rr.(*dns.SRV); !ok || srv.Hdr.Name != r.Question[0].Name || !dns.IsSubDomain("queue.mgmt.example.com.", srv.Target) {
			t.Errorf("%s", rr)
		}
	}
}

// wantsSpelled checks a reply, and that its names are spelled as the query's, which clients compare that vary their case.
func wantsSpelled(t *testing.T, r message, name, want string) {
	t.Helper()
	got := strings.Join(r.addrs(), " ")
	switch {
	case len(r.Answer) > 0:
	case r.Rcode == dns.RcodeSuccess:
		got = "NODATA"
	default:
		got = dns.RcodeToString[r.Rcode]
	}
	if got != want || r.Question[0].Name != name {
		t.Errorf("%s: want %s\n%s", name, want, r)
	}
	for _, rr := range r.Answer {
		if rr.Header().Name != name {
			t.Errorf("%s is answered as %s", name, rr.Header().Name)
		}
	}
	for _, rr := range r.Ns {
		if !strings.HasSuffix(name, rr.Header().Name) {
			t.Errorf("%s has the SOA of %s", name, rr.Header().Name)
		}
	}
}

// malformed are questions that no library writes: behind a header, which says that there is one.
var malformed = map[string]string{
	"a label of 64 octets":        "\x40" + strings.Repeat("a", 64) + "\x04mgmt\x07example\x03com\x00\x00\x01\x00\x01",
	"a reserved label type":       "\x80rabbit-0\x04mgmt\x07example\x03com\x00\x00\x01\x00\x01",
	"a pointer to itself":         "\xc0\x0c\x00\x01\x00\x01",
	"a pointer behind":            "\x08rabbit-0\xc0\xff\x00\x01\x00\x01",
	"a name that does not end":    "\x08rabbit-0\x04mgmt",
	"a label that does not end":   "\x3frabbit-0",
	"a name of 256 octets":        strings.Repeat("\x3f"+strings.Repeat("a", 63), 3) + "\x2e" + strings.Repeat("b", 46) + "\x04mgmt\x07example\x03com\x00\x00\x01\x00\x01",
	"a name without type":         "\x08rabbit-0\x04mgmt\x07example\x03com\x00",
	"no question at all":          "",
	"an empty label in the midst": "\x08rabbit-0\x00\x04mgmt\x07example\x03com\x00\x00\x01\x00\x01",
	"octets to spare":             "\x08rabbit-0\x04mgmt\x07example\x03com\x00\x00\x01\x00\x01\xff\xff\xff",
}

// What is malformed is refused or dropped, and the next query is answered as ever.
func TestMalformedQueries(t *testing.T) {
	s, _ := runWith(t, "")
	good, err := new(dns.Msg).SetQuestion("rabbit-0.mgmt.example.com.", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	const id, goodID = 0xbad, 0x900d
	binary.BigEndian.PutUint16(good, goodID)
	for _, network := range []string{"tcp", "udp"} {
		for name, question := range malformed {
			header := []byte{id >> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
			replies := exchangeAll(t, s, network, goodID, append(header, question...), good)
			for i, r := range replies {
				last := i == len(replies)-1
				if addrs := strings.Join((message{Msg: r}).addrs(), " "); last && addrs != "10.77.0.1" || !last && (r.Id != id || addrs != "" && name != "octets to spare") {
					t.Errorf("%s over %s: reply %d is\n%s", name, network, i+1, r)
				}
			}
		}
	}
}

// exchangeAll sends messages over one connection, and reads replies up to that with that id.
func exchangeAll(t *testing.T, s *server.Server, network string, lastID uint16, messages ...[]byte) (replies []*dns.Msg) {
	t.Helper()
	conn, err := net.Dial(network, "127.0.0.1:"+s.Port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	c := &dns.Conn{Conn: conn, UDPSize: dns.MaxMsgSize}
	for _, octets := range messages {
		if _, err := c.Write(octets); err != nil {
			t.Fatal(err)
		}
	}
	for {
		r, err := c.ReadMsg()
		if err != nil {
			t.Fatalf("over %s, after %v: %v", network, replies, err)
		}
		replies = append(replies, r)
		if r.Id == lastID {
			return replies
		}
	}
}
