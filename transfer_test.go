package headless

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coredns/coredns/plugin/transfer"
	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/object"
	"github.com/coredns-headless/headless/plugin/tree"
)

// moved is a zone of every sort of record.
var moved = []string{
	svc("default/nginx", none+", ports: [{name: web, port: 80}]"),
	eps("default/nginx", "v4", web, "10.244.0.10 host=web-0 pod=web-0", "10.244.0.11 host=h pod=p", "10.244.0.12 pod=late unready"),
	eps("default/nginx", "v6", web, "fd00::a host=web-0 pod=web-0"),
	svc("default/api", "clusterIP: 10.96.0.10, ports: [{name: http, port: 80}, {port: 81}]"),
	aliasTo("default/out", "www.example.com"), aliasTo("default/in", "web-0.default.svc.cluster.local"), aliasTo("default/hidden", "nimbus.worker.svc.cluster.local"),
	svc("default/dns", none), eps("default/dns", "v4", "", "10.244.0.53 host=ns pod=dns-0"),
	svc("worker/nimbus", none), eps("worker/nimbus", "v4", web, "10.244.1.1 host=nimbus-0 pod=nimbus-0"),
}

// sent is a whole transfer, as text without the SOA records around it, which it returns.
func sent(t *testing.T, h *Headless, zone string, serial uint32) (first, last *dns.SOA, lines []string) {
	t.Helper()
	ch, err := h.Transfer(zone, serial)
	if err != nil {
		t.Fatal(err)
	}
	var rrs []dns.RR
	for list := range ch {
		rrs = append(rrs, list...)
	}
	first, last = rrs[0].(*dns.SOA), rrs[len(rrs)-1].(*dns.SOA)
	for _, rr := range rrs[1:max(1, len(rrs)-1)] {
		lines = append(lines, strings.Join(strings.Fields(rr.String()), " "))
	}
	return first, last, lines
}

func TestTransferOfAWholeZone(t *testing.T) {
	h := openFor(t, "cluster.local", "suffix m.test default.svc.cluster.local\nsuffix deep.m.test worker.svc.cluster.local\n"+
		"suffix x.deep.m.test worker.svc.cluster.local", moved...)
	h.serve(hostAddrs([]string{"192.0.2.1"}), nil)
	first, last, got := sent(t, h, "m.test.", 0)
	want := []string{
		"m.test. 7 IN NS ns.dns.m.test.",
		"ns.dns.m.test. 7 IN A 192.0.2.1",
		"deep.m.test. 7 IN NS ns.dns.deep.m.test.",
		"ns.dns.deep.m.test. 7 IN A 192.0.2.1",
		"api.m.test. 7 IN A 10.96.0.10",
		"_http._tcp.api.m.test. 7 IN SRV 0 100 80 api.m.test.",
		"dns.m.test. 7 IN A 10.244.0.53",
		"dns-0.dns.m.test. 7 IN A 10.244.0.53",
		"hidden.m.test. 7 IN A 10.244.1.1",
		"in.m.test. 7 IN CNAME web-0.m.test.",
		"nginx.m.test. 7 IN A 10.244.0.10",
		"nginx.m.test. 7 IN A 10.244.0.11",
		"nginx.m.test. 7 IN AAAA fd00::a",
		"h.nginx.m.test. 7 IN A 10.244.0.11",
		"p.nginx.m.test. 7 IN A 10.244.0.11",
		"web-0.nginx.m.test. 7 IN A 10.244.0.10",
		"web-0.nginx.m.test. 7 IN AAAA fd00::a",
		"_web._tcp.nginx.m.test. 7 IN SRV 0 50 80 h.nginx.m.test.",
		"_web._tcp.nginx.m.test. 7 IN SRV 0 50 80 web-0.nginx.m.test.",
		"out.m.test. 7 IN CNAME www.example.com.",
		"dns-0.m.test. 7 IN A 10.244.0.53",
		"h.m.test. 7 IN A 10.244.0.11",
		"ns.m.test. 7 IN A 10.244.0.53",
		"p.m.test. 7 IN A 10.244.0.11",
		"web-0.m.test. 7 IN A 10.244.0.10",
		"web-0.m.test. 7 IN AAAA fd00::a",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(soa(h, "m.test."), strings.Join(strings.Fields(first.String()), " ")); diff != "" || first.String() != last.String() {
		t.Errorf("SOA (-want +got):\n%s\nand %s", diff, last)
	}
}

func TestTransferOfSmallZones(t *testing.T) {
	h := openFor(t, "cluster.local", `suffix n.test nginx.default.svc.cluster.local
		suffix x.test in.default.svc.cluster.local
		suffix none.test gone.default.svc.cluster.local
		nameserver ns.n.test 192.0.2.1 2001:db8::1
		nameserver ns.example.org`, moved...)
	for zone, want := range map[string][]string{
		"n.test.": {
			"ns.n.test. 7 IN A 192.0.2.1", "ns.n.test. 7 IN AAAA 2001:db8::1", "n.test. 7 IN A 10.244.0.10", "n.test. 7 IN A 10.244.0.11", "n.test. 7 IN AAAA fd00::a",
			"h.n.test. 7 IN A 10.244.0.11", "p.n.test. 7 IN A 10.244.0.11", "web-0.n.test. 7 IN A 10.244.0.10", "web-0.n.test. 7 IN AAAA fd00::a",
			"_web._tcp.n.test. 7 IN SRV 0 50 80 h.n.test.", "_web._tcp.n.test. 7 IN SRV 0 50 80 web-0.n.test.",
		},
		"x.test.":    {"x.test. 7 IN A 10.244.0.10", "x.test. 7 IN AAAA fd00::a"}, // a CNAME cannot stand at an apex
		"none.test.": nil,
	} {
		want = append([]string{zone + " 7 IN NS ns.n.test.", zone + " 7 IN NS ns.example.org."}, want...)
		first, last, got := sent(t, h, zone, 0)
		if diff := cmp.Diff(want, got); diff != "" || first.Ns != "ns.n.test." || first.String() != last.String() {
			t.Errorf("%s of %s, %s (-want +got):\n%s", zone, first, last, diff)
		}
	}
}

func TestTransferIsTheAuthoritys(t *testing.T) {
	h := openFor(t, "cluster.local 10.0.0.0/8", "suffix m.test default.svc.cluster.local\nsuffix s.test worker.svc.cluster.local\nfallthrough s.test", moved...)
	for _, zone := range []string{"cluster.local.", "s.test.", "web-0.m.test.", "test.", ".", "m.test", "M.test.", "10.in-addr.arpa.", "default.svc.cluster.local."} {
		if ch, err := h.Transfer(zone, 0); err != transfer.ErrNotAuthoritative || ch != nil { //nolint:errorlint // *transfer* compares
			t.Errorf("%s: %v, %v", zone, ch, err)
		}
	}
	_, _, lines := sent(t, h, "m.test.", 0)
	if i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "s.m.test.") || strings.Contains(l, ".s.m.test.") }); i >= 0 {
		t.Errorf("a shared suffix below it has %s", lines[i])
	}
	unsync(h)
	if ch, err := h.Transfer("m.test.", 0); err == nil || errors.Is(err, transfer.ErrNotAuthoritative) || ch != nil {
		t.Errorf("before the first sync: %v, %v", ch, err)
	}
}

func TestTransferNeedsItsOwnNamespaceOnly(t *testing.T) {
	h := openFor(t, "cluster.local", "suffix m.test default.svc.cluster.local\nsuffix w.test worker.svc.cluster.local\nsuffix k.test svc.cluster.local", moved...)
	tr := tree.New("default", "worker")
	h.plant(tr)
	tr.Writer("worker")
	tr.Writer("default").Replace(objectsOf(t, moved...), 42)
	sent(t, h, "m.test.", 0)
	for _, zone := range []string{"w.test.", "k.test."} {
		if _, err := h.Transfer(zone, 0); err == nil {
			t.Errorf("%s is not synced", zone)
		}
	}
}

// RFC 1995 section 4: whoever is up to date gets the SOA alone. Serials compare as RFC 1982 section 3.2 has it.
func TestIncrementalTransfers(t *testing.T) {
	h := openFor(t, "cluster.local", "suffix m.test default.svc.cluster.local", moved...)
	for _, tt := range []struct {
		name    string
		version uint64 // of the watches
		serial  uint32 // the client's
		whole   bool
	}{
		{name: "current", version: 100, serial: 100},
		{name: "later", version: 100, serial: 101},
		{name: "earlier", version: 100, serial: 99, whole: true},
		{name: "none: a full transfer", version: 100, serial: 0, whole: true},
		{name: "before the wrap", version: 1<<32 + 5, serial: 0xffffffff, whole: true},
		{name: "current after the wrap", version: 1<<32 + 5, serial: 5},
		{name: "later, by the wrap", version: 1<<32 - 1, serial: 3},
		{name: "as late as can be", version: 100, serial: 100 + 1<<31 - 1},
		{name: "undefined: better all than nothing", version: 100, serial: 100 + 1<<31, whole: true},
		{name: "as early as can be", version: 100, serial: 101 + 1<<31, whole: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := tree.New()
			tr.Writer("").Replace(objectsOf(t, moved...), tt.version)
			h.plant(tr)
			first, last, lines := sent(t, h, "m.test.", tt.serial)
			if first.Serial != uint32(tt.version) || last.Serial != first.Serial || tt.whole != (len(lines) > 0) {
				t.Errorf("serial %d and %d around %d records", first.Serial, last.Serial, len(lines))
			}
		})
	}
}

// notices are what secondaries hear, as the seconds since begun and the zone.
type notices struct {
	begun time.Time

	mu    sync.Mutex
	lines []string
	err   error // what the secondaries say to it
}

func (n *notices) send(zone string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, fmt.Sprintf("%gs %s", time.Since(n.begun).Seconds(), zone))
	return n.err
}

// take returns what was told since, and makes what is told from now on fail with err.
func (n *notices) take(err error) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := slices.Sorted(slices.Values(n.lines))
	n.begun, n.lines, n.err = time.Now(), nil, err
	return list
}

func TestSecondariesAreToldOfTheirZonesChanges(t *testing.T) {
	log := hear(t)
	h := openFor(t, "cluster.local", "suffix m.test default.svc.cluster.local\nsuffix w.test worker.svc.cluster.local\nsuffix k.test svc.cluster.local\n"+
		"suffix s.test svc.cluster.local\nfallthrough s.test", moved...)
	synctest.Test(t, func(t *testing.T) { tellsSecondaries(t, h) })
	for zone, want := range map[string]int{"m.test.": 1, "w.test.": 1, "k.test.": 1, "s.test.": 0} {
		if got := log.with("NOTIFY for "+zone+" failed", errUpstream.Error()); got != want {
			t.Errorf("%d warnings of %s, want %d", got, zone, want)
		}
	}
}

func tellsSecondaries(t *testing.T, h *Headless) {
	tr := tree.New("default", "worker")
	h.plant(tr)
	ofDefault, ofWorker := tr.Writer("default"), tr.Writer("worker")
	service := func(key string) object.Object { return objectsOf(t, svc(key, "clusterIP: 10.96.0.9"))[0] }
	ofDefault.Replace([]object.Object{service("default/a")}, 1000)
	n := new(notices)
	h.notify(n.send)
	for _, step := range []struct {
		what string
		do   func()
		fail error // of what is told then
		want []string
	}{
		{what: "one namespace is synced", do: func() {}, fail: errUpstream, want: []string{"1s m.test."}},
		{what: "many changes, and all is synced", fail: errUpstream, want: []string{"1s k.test.", "1s m.test.", "1s w.test."}, do: func() {
			for i := range 50 {
				ofDefault.Set(service(fmt.Sprintf("default/s%d", i)))
			}
			ofWorker.Replace(nil, 900)
		}},
		{what: "nothing that shows", do: func() { ofDefault.Set(service("default/a")) }},
		{what: "a change of the other", do: func() { ofWorker.Set(service("worker/a")) }, want: []string{"1s k.test.", "1s w.test."}},
		{what: "the end", do: func() {
			h.generation.close()
			ofWorker.Set(service("worker/b"))
		}},
	} {
		n.take(step.fail)
		step.do()
		time.Sleep(10 * notifyEvery)
		synctest.Wait()
		if diff := cmp.Diff(step.want, n.take(nil)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.what, diff)
		}
	}
}

// A secondary that was slow once is not told twice within a second then.
func TestSecondariesAreToldAtMostOnceASecond(t *testing.T) {
	h := openFor(t, "cluster.local", "suffix m.test default.svc.cluster.local", moved...)
	synctest.Test(t, func(t *testing.T) {
		tr := tree.New()
		h.plant(tr)
		source := tr.Writer("")
		source.Replace(nil, 1)
		n := &notices{begun: time.Now()}
		slow := sync.OnceFunc(func() { time.Sleep(notifyEvery * 19 / 10) })
		h.notify(func(zone string) error {
			slow()
			return n.send(zone)
		})
		for i := range 60 {
			source.Set(objectsOf(t, svc(fmt.Sprintf("default/s%d", i), none))[0])
			time.Sleep(notifyEvery / 10)
		}
		h.generation.close()
		if diff := cmp.Diff([]string{"2.9s m.test.", "3.9s m.test.", "4.9s m.test.", "5.9s m.test."}, n.take(nil)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// A secondary that does not answer holds up its own zone alone.
func TestSilentSecondaryHoldsUpNoOtherZone(t *testing.T) {
	h := openFor(t, "cluster.local", "suffix m.test default.svc.cluster.local\nsuffix w.test worker.svc.cluster.local", moved...)
	synctest.Test(t, func(t *testing.T) {
		tr := tree.New()
		h.plant(tr)
		tr.Writer("").Replace(objectsOf(t, moved...), 1)
		n, silent := &notices{begun: time.Now()}, make(chan struct{})
		h.notify(func(zone string) error {
			if zone == "m.test." {
				<-silent
			}
			return n.send(zone)
		})
		time.Sleep(2 * notifyEvery)
		synctest.Wait()
		if diff := cmp.Diff([]string{"1s w.test."}, n.take(nil)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		h.generation.close()
		close(silent)
	})
}

// secondary is a server that a zone's transfers go to, and the zones of which it is told.
func secondary(t *testing.T) (addr string, told <-chan string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", home+":0")
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, 1)
	s := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
		select {
		case heard <- dns.OpcodeToString[r.Opcode] + " " + r.Question[0].Name:
		default:
		}
		_ = w.WriteMsg(new(dns.Msg).SetReply(r))
	})}
	begun, done := make(chan struct{}), make(chan error, 1)
	s.NotifyStartedFunc = func() { close(begun) }
	go func() { done <- s.ActivateAndServe() }()
	<-begun
	t.Cleanup(func() {
		if err := errors.Join(s.Shutdown(), <-done); err != nil {
			t.Error(err)
		}
	})
	return conn.LocalAddr().String(), heard
}

// notifying counts the goroutines that tell secondaries of a zone's changes.
func notifying() int {
	stacks := make([]byte, 1<<20)
	return bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte("created by github.com/coredns-headless/headless.(*Headless).notify "))
}

// Only what serves speaks to secondaries, which then come and ask it: neither an instance that starts, nor one that
// cannot.
func TestServerFeedsSecondaries(t *testing.T) {
	addr, told := secondary(t)
	path := manifest(t, strings.Join(moved, ""))
	text := func(more string) string {
		return block(".", "transfer a.test {\nto * "+addr+"\n}\nheadless cluster.local {\nmanifests "+path+"\nsuffix a.test default.svc.cluster.local\n}\n"+more)
	}
	var before []int
	late = func() { before = append(before, notifying()) }
	defer func() { late = func() {} }()
	i := run(t, text("kubernetes"))
	serial := func() uint32 { return exchange(t, i, "a.test.", dns.TypeSOA).Answer[0].(*dns.SOA).Serial }
	first := serial()
	failToReload(t, i, text("erratic"))
	if n, now := notifying(), serial(); n != 1 || now != first {
		t.Errorf("after a reload that failed %d tell secondaries, want 1; serial %d, want %d", n, now, first)
	}
	i = reload(t, i, text("kubernetes"))
	for notifying() > 1 { // the old one's end by themselves
		runtime.Gosched()
	}
	if n, now := notifying(), serial(); n != 1 || now != first+1 { // it may say something else of the same objects
		t.Errorf("after a reload %d tell secondaries, want 1; serial %d, want %d", n, now, first+1)
	}
	if diff := cmp.Diff([]int{0, 1, 1}, before); diff != "" {
		t.Errorf("who tells secondaries while an instance starts (-want +got):\n%s", diff)
	}
	err := transfers.Notify("a.test.")
	if got := <-told; got != "NOTIFY a.test." {
		t.Errorf("the secondary got %s, %v", got, err)
	}
	for _, qtype := range []uint16{dns.TypeAXFR, dns.TypeIXFR} {
		r := query("A.test.", qtype)
		if qtype == dns.TypeIXFR {
			r.Ns = records("a.test. 0 IN SOA . . 7 0 0 0 0")
		}
		ch, err := (&dns.Transfer{DialTimeout: patient.Timeout, ReadTimeout: patient.Timeout}).In(r, i.Servers()[0].Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		var rrs []dns.RR
		for e := range ch {
			if e.Error != nil {
				t.Fatal(e.Error)
			}
			rrs = append(rrs, e.RR...)
		}
		if len(rrs) < 10 || rrs[0].String() != rrs[len(rrs)-1].String() {
			t.Errorf("%s: %v", dns.TypeToString[qtype], rrs)
		}
	}
	stop(t, i)
	for notifying() > 0 { // they end by themselves
		runtime.Gosched()
	}
}
