package headless

import (
	"context"
	"errors"
	golog "log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/pkg/dnstest"
	"github.com/coredns/coredns/plugin/test"
	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"

	"github.com/coredns-headless/headless/plugin/tree"
)

func TestMain(m *testing.M) {
	golog.SetOutput(logSink{})
	// They sleep on one clock for the whole process, and bubbles have their own.
	utilruntime.ErrorHandlers = nil
	caddy.AppName, caddy.AppVersion = "CoreDNS", "1.15.0" // as its main program does
	caddy.Quiet, dnsserver.Quiet = true, true
	dnsserver.Directives = slices.Insert(dnsserver.Directives, slices.Index(dnsserver.Directives, "k8s_external"), name)
	os.Exit(m.Run())
}

// logSink keeps CoreDNS's log out of the tests' unless one hears it.
type logSink struct{}

var ear atomic.Pointer[heard]

func (logSink) Write(b []byte) (int, error) {
	if h := ear.Load(); h != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.lines = append(h.lines, string(b))
	}
	return len(b), nil
}

// heard is what CoreDNS's log says while a test runs.
type heard struct {
	mu    sync.Mutex
	lines []string
}

func hear(t *testing.T) *heard {
	h := new(heard)
	ear.Store(h)
	t.Cleanup(func() { ear.Store(nil) })
	return h
}

// with counts the lines that hold all of parts.
func (h *heard) with(parts ...string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, line := range h.lines {
		all := true
		for _, p := range parts {
			all = all && strings.Contains(line, p)
		}
		if all {
			n++
		}
	}
	return n
}

// cluster is what the handler's tests serve.
var cluster = strings.Join([]string{
	svc("default/nginx", none), svc("default/ws", none), svc("default/kafka", none), svc("default/same", none), svc("worker/nimbus", none),
	svc("default/api", `clusterIP: 10.96.0.10, clusterIPs: [10.96.0.10, "fd00:96::a"]`), aliasTo("default/external", "www.example.com"),
	eps("default/nginx", "v4", web, "10.244.0.10 host=web-0 pod=web-0", "10.244.0.11 host=web-1 pod=web-1", "10.244.0.12 host=web-2 pod=web-2 unready"),
	eps("default/nginx", "v6", "", "fd00::b host=web-1 pod=web-1"),
	eps("default/ws", "v4", "", "10.244.0.21 pod=ws-777779bd59-ftn4j", "10.244.0.22"),
	eps("default/kafka", "v4", "", "10.244.0.31,10.244.0.30 host=broker pod=kafka-0"),
	eps("default/same", "v4", "", "10.244.0.40 host=same pod=same"),
	eps("worker/nimbus", "v4", "", "10.244.1.1 host=nimbus-0 pod=nimbus-0"),
}, "")

// manifest writes text to a file of the test's own.
func manifest(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cluster.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// controller reads stanzas as a server block for the root has them. In them $CLUSTER is the file with the test's
// cluster.
func controller(t testing.TB, stanzas string) *caddy.Controller {
	t.Helper()
	if strings.Contains(stanzas, "$CLUSTER") {
		stanzas = strings.ReplaceAll(stanzas, "$CLUSTER", manifest(t, cluster))
	}
	c := caddy.NewTestController("dns", stanzas)
	c.ServerBlockKeys = []string{"dns://.:53"}
	return c
}

// open brings stanzas to life as CoreDNS does, in front of next.
func open(t testing.TB, stanzas string, next plugin.Handler) *Headless {
	t.Helper()
	c := controller(t, stanzas)
	if err := setup(c); err != nil {
		t.Fatal(err)
	}
	h, ok := dnsserver.GetConfig(c).Plugin[0](next).(*Headless)
	if !ok {
		t.Fatal("setup added another plugin")
	}
	h.start()
	h.serve(nil, nil)
	t.Cleanup(h.generation.close)
	return h
}

// unsync makes h forget all it has seen, as before the first sync.
func unsync(h *Headless) {
	tr := tree.New()
	tr.Writer("")
	h.plant(tr)
}

// plant gives the stanzas of h another tree.
func (h *Headless) plant(tr *tree.Tree) {
	for _, s := range h.stanzas {
		s.tree = tr
	}
	h.serve(nil, nil)
}

// behind is the plugin behind: it says NXDOMAIN in a way that no other does, or what answer makes of the query.
type behind struct {
	asked  int
	answer func(r *dns.Msg) *dns.Msg
	rcode  int // returned; nothing is written unless it is 0
}

func (b *behind) Name() string { return "behind" }

func (b *behind) ServeDNS(_ context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	b.asked++
	if b.rcode != dns.RcodeSuccess {
		return b.rcode, errBehind
	}
	m := elsewhere(r)
	if b.answer != nil {
		m = b.answer(r)
	}
	return dns.RcodeSuccess, w.WriteMsg(m)
}

var errBehind = errors.New("behind has had it")

// elsewhere is the reply of the plugin behind.
func elsewhere(r *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetRcode(r, dns.RcodeNameError)
	m.Ns = records("behind. 77 IN SOA ns.behind. hostmaster.behind. 1 2 3 4 5")
	return m
}

// records reads records in presentation format.
func records(lines ...string) []dns.RR {
	rrs := make([]dns.RR, 0, len(lines))
	for _, line := range lines {
		rr, err := dns.NewRR(line)
		if err != nil {
			panic(err)
		}
		rrs = append(rrs, rr)
	}
	return rrs
}

// query is a stub resolver's.
func query(name string, qtype uint16) *dns.Msg {
	m := new(dns.Msg).SetQuestion(name, qtype)
	m.Id = 4711
	return m
}

// ask returns what h writes, nil for nothing, and what it returns.
func ask(h plugin.Handler, r *dns.Msg) (reply *dns.Msg, rcode int, err error) {
	rec := dnstest.NewRecorder(&test.ResponseWriter{})
	rcode, err = h.ServeDNS(context.Background(), rec, r)
	return rec.Msg, rcode, err
}

// authoritative is the reply to r that the plugin should make: rcode, answer and authority.
func authoritative(r *dns.Msg, rcode int, answer, authority []dns.RR) *dns.Msg {
	m := new(dns.Msg).SetRcode(r, rcode)
	m.Authoritative = true
	m.Answer, m.Ns = answer, authority
	return m
}

// same compares whole messages, as text.
func same(t *testing.T, want, got *dns.Msg) {
	t.Helper()
	if got == nil {
		t.Errorf("nothing written, want:\n%s", want)
		return
	}
	if diff := cmp.Diff(want.String(), got.String()); diff != "" {
		t.Errorf("reply (-want +got):\n%s", diff)
	}
}

// answers checks that the plugin writes want by itself. Whatever it writes, it returns success: else the server would
// write another reply.
func answers(t *testing.T, h *Headless, r, want *dns.Msg) {
	t.Helper()
	b := h.Next.(*behind)
	b.asked = 0
	got, rcode, err := ask(h, r)
	same(t, want, got)
	if rcode != dns.RcodeSuccess || err != nil || b.asked != 0 {
		t.Errorf("returned %s, %v; asked behind %d times", dns.RcodeToString[rcode], err, b.asked)
	}
}

// goesOn checks that the plugin behind gets the query and has the last word.
func goesOn(t *testing.T, h *Headless, r *dns.Msg) {
	t.Helper()
	b := h.Next.(*behind)
	b.asked = 0
	got, rcode, err := ask(h, r)
	same(t, elsewhere(r), got)
	if rcode != dns.RcodeSuccess || err != nil || b.asked != 1 {
		t.Errorf("returned %s, %v; asked behind %d times", dns.RcodeToString[rcode], err, b.asked)
	}
	b.asked, b.rcode = 0, dns.RcodeRefused
	defer func() { b.rcode = 0 }()
	if got, rcode, err = ask(h, r); got != nil || rcode != dns.RcodeRefused || !errors.Is(err, errBehind) {
		t.Errorf("what behind returns is lost: %v, %s, %v", got, dns.RcodeToString[rcode], err)
	}
}

// handlerOf returns the handler of a server block of c's Corefile.
func handlerOf(c *caddy.Controller, block int) *Headless {
	defer func(was int) { c.ServerBlockIndex = was }(c.ServerBlockIndex)
	c.ServerBlockIndex = block
	h, _ := dnsserver.GetConfig(c).Plugin[0](new(behind)).(*Headless)
	return h
}
