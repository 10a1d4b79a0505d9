package headless

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	_ "github.com/coredns/coredns/plugin/bind" // loopback is enough
	"github.com/coredns/coredns/plugin/etcd/msg"
	"github.com/coredns/coredns/plugin/transfer"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/source"
)

// Two plugins that stand behind headless in CoreDNS's order. In the tests kubernetes is the one that says what its
// zones' SOA is, and erratic is one that cannot start. Both call late before they are done.
func init() {
	plugin.Register("kubernetes", func(c *caddy.Controller) error {
		dnsserver.GetConfig(c).AddPlugin(func(plugin.Handler) plugin.Handler { return fakeKubernetes{} })
		c.OnStartup(func() error {
			h, _ := dnsserver.GetConfig(c).Handler(name).(*Headless)
			started = append(started, h)
			transfers, _ = dnsserver.GetConfig(c).Handler("transfer").(*transfer.Transfer)
			late()
			return nil
		})
		return nil
	})
	plugin.Register("erratic", func(c *caddy.Controller) error {
		c.OnStartup(func() error {
			late()
			return errors.New("erratic never starts")
		})
		return nil
	})
}

// started are the handlers of the server blocks that have kubernetes in them, as they come up.
var started []*Headless

// transfers is *transfer* in the last of these server blocks.
var transfers *transfer.Transfer

// late is what a start takes time with, after headless's.
var late = func() {}

type fakeKubernetes struct{ plugin.ServiceBackend }

func (fakeKubernetes) Name() string                  { return "kubernetes" }
func (fakeKubernetes) Serial(request.Request) uint32 { return 2026112100 }
func (fakeKubernetes) MinTTL(request.Request) uint32 { return 30 }

func (fakeKubernetes) Reverse(context.Context, request.Request, bool, plugin.Options) ([]msg.Service, error) {
	return nil, nil
}

func (fakeKubernetes) ServeDNS(_ context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	return dns.RcodeSuccess, w.WriteMsg(elsewhere(r))
}

func corefile(text string) caddy.Input {
	return caddy.CaddyfileInput{Contents: []byte(text), Filepath: "Corefile", ServerTypeName: "dns"}
}

// loopback is an address of this process's own: all of 127.0.0.0/8 is loopback, and a process's number has at most 22
// bits. CoreDNS binds port 0 with SO_REUSEPORT, and so Linux may give two tests that run at once one port of one
// address.
func loopback(net byte) string {
	pid := os.Getpid()
	return netip.AddrFrom4([4]byte{127, net | byte(pid>>16), byte(pid >> 8), byte(pid)}).String()
}

// home is where servers of the tests listen.
var home = loopback(0)

// block is a server block on a port of home that is free.
func block(zones, plugins string) string {
	return strings.ReplaceAll(zones, " ", ":0 ") + ":0 {\nbind " + home + "\n" + plugins + "\n}\n"
}

// run starts CoreDNS as its main program does.
func run(t *testing.T, text string) *caddy.Instance {
	t.Helper()
	started = nil
	i, err := caddy.Start(corefile(text))
	if err != nil {
		t.Fatal(err)
	}
	serves(t, i)
	return i
}

// serves waits until every server of i answers, since CoreDNS forgets a server that is stopped before it has begun.
// Its sockets are bound already: the query stays there until somebody reads it.
func serves(t *testing.T, i *caddy.Instance) {
	t.Helper()
	for _, s := range i.Servers() {
		for network, addr := range map[string]net.Addr{"udp": s.LocalAddr(), "tcp": s.Addr()} {
			client := &dns.Client{Net: network, Timeout: patient.Timeout}
			if _, _, err := client.Exchange(query("serves.test.", dns.TypeA), addr.String()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func stop(t *testing.T, i *caddy.Instance) {
	t.Helper()
	for _, err := range i.ShutdownCallbacks() {
		t.Error(err)
	}
	if err := i.Stop(); err != nil {
		t.Error(err)
	}
	i.Wait()
}

func reload(t *testing.T, i *caddy.Instance, text string) *caddy.Instance {
	t.Helper()
	started = nil
	i, err := i.Restart(corefile(text))
	if err != nil {
		t.Fatal(err)
	}
	serves(t, i)
	return i
}

func failToReload(t *testing.T, i *caddy.Instance, text string) {
	t.Helper()
	if _, err := i.Restart(corefile(text)); err == nil {
		t.Fatal("reloaded")
	}
}

// running checks that n sources run, and returns them by name.
func running(t *testing.T, when string, n int) map[string]*source.Source {
	t.Helper()
	list := sources.Running()
	if len(list) != n {
		t.Errorf("%s: %d sources, want %d", when, len(list), n)
	}
	byName := make(map[string]*source.Source)
	for _, w := range list {
		byName[w.Name()] = w
	}
	return byName
}

// patient is a client that waits for the answer, and not for a time.
var patient = &dns.Client{Timeout: 30 * time.Second}

// exchange asks the first server of i over UDP, as a stub resolver with EDNS does.
func exchange(t *testing.T, i *caddy.Instance, qname string, qtype uint16) *dns.Msg {
	t.Helper()
	r := query(qname, qtype)
	r.SetEdns0(1232, false)
	m, _, err := patient.Exchange(r, i.Servers()[0].LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestServerAnswersAndAddsOneOPT(t *testing.T) {
	i := run(t, block(".", "headless cluster.local {\nmanifests "+manifest(t, cluster)+"\nsuffix a.test default.svc.cluster.local\n}\nkubernetes"))
	defer stop(t, i)
	opts := func(m *dns.Msg) (n int) {
		for _, rr := range m.Extra {
			if rr.Header().Rrtype == dns.TypeOPT {
				n++
			}
		}
		return n
	}
	hit := exchange(t, i, "web-0.default.svc.cluster.local.", dns.TypeA)
	if len(hit.Answer) != 1 || hit.Answer[0].String() != "web-0.default.svc.cluster.local.\t5\tIN\tA\t10.244.0.10" || !hit.Authoritative || opts(hit) != 1 {
		t.Errorf("got %s", hit)
	}
	lack := exchange(t, i, "web-0.default.svc.cluster.local.", dns.TypeAAAA)
	if len(lack.Ns) != 1 || lack.Ns[0].(*dns.SOA).Serial != 2026112100 || lack.Ns[0].Header().Ttl != 30 || opts(lack) != 1 {
		t.Errorf("no SOA of *kubernetes*: %s", lack)
	}
	if miss := exchange(t, i, "x.a.test.", dns.TypeA); miss.Rcode != dns.RcodeNameError || opts(miss) != 1 || len(miss.Ns) != 1 {
		t.Errorf("got %s", miss)
	}
	if refused := exchange(t, i, "a.test.", dns.TypeIXFR); refused.Rcode != dns.RcodeRefused {
		t.Errorf("got %s", refused)
	}
	if other := exchange(t, i, "nginx.default.svc.cluster.local.", dns.TypeA); len(other.Ns) != 1 || other.Ns[0].Header().Name != "behind." {
		t.Errorf("a Service did not go on: %s", other)
	}
}

func TestServerBlocksAndReloadsShareASource(t *testing.T) {
	path := manifest(t, cluster)
	stanza := func(zone, options string) string {
		return fmt.Sprintf("headless %s {\nmanifests %s\n%s\n}\nkubernetes", zone, path, options)
	}
	two := block("a.local b.local", stanza("a.local", "")) + block("c.local", stanza("c.local", "not_ready"))
	i := run(t, two)
	first := running(t, "two server blocks", 1)["manifests "+path]
	if len(started) != 2 || started[0] == started[1] || started[0].generation != started[1].generation {
		t.Fatalf("started %v, want two handlers of one generation", started)
	}
	if !started[0].Ready() {
		t.Error("not ready")
	}
	answered := exchange(t, i, "web-0.default.svc.a.local.", dns.TypeA)
	if len(answered.Answer) != 1 {
		t.Errorf("got %s", answered)
	}

	before := started[0].generation
	i = reload(t, i, block("a.local", stanza("a.local", "ttl 77")))
	if w := running(t, "reloaded", 1)["manifests "+path]; w != first {
		t.Error("the reload began another source")
	}
	if started[0].generation == before {
		t.Error("the same generation")
	}
	if m := exchange(t, i, "web-0.default.svc.a.local.", dns.TypeA); len(m.Answer) != 1 || m.Answer[0].Header().Ttl != 77 {
		t.Errorf("the new ttl is not applied: %s", m)
	}

	i = reload(t, i, block("a.local", stanza("a.local", "namespaces default")))
	if w := running(t, "reloaded with other namespaces", 1); w["manifests "+path+", namespaces default"] == nil {
		t.Errorf("sources %v", w)
	}
	i = reload(t, i, block("a.local", "kubernetes"))
	running(t, "reloaded without the plugin", 0)
	i = reload(t, i, two)
	running(t, "reloaded with the plugin", 1)
	stop(t, i)
	running(t, "stopped", 0)
}

// What is wrong with a manifest now is no reason to refuse a reload: the source that runs has its last good state.
func TestReloadWithABadManifestGoesOnWithTheLastGoodState(t *testing.T) {
	path := manifest(t, cluster)
	text := block(".", "headless cluster.local {\nmanifests "+path+"\nsuffix a.test default.svc.cluster.local\n}\nkubernetes")
	i := run(t, text)
	if err := os.WriteFile(path, []byte("a: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	i = reload(t, i, text)
	if m := exchange(t, i, "web-1.a.test.", dns.TypeA); len(m.Answer) != 1 {
		t.Errorf("got %s", m)
	}
	stop(t, i)
}

func TestReloadThatFailsHoldsNothing(t *testing.T) {
	good, other := manifest(t, cluster), manifest(t, cluster)
	stanza := func(path string) string { return "headless a.local {\nmanifests " + path + "\n}\n" }
	i := run(t, block("a.local", stanza(good)+"kubernetes"))
	first := running(t, "started", 1)["manifests "+good]

	failToReload(t, i, block("a.local", stanza(other)+"erratic")) // after our OnStartup
	running(t, "failed to reload with other manifests", 1)
	failToReload(t, i, block("a.local", stanza(good)+"erratic"))
	failToReload(t, i, block("a.local", "headless a.local {\nttl 9000\n}"))
	if w := running(t, "failed to reload", 1)["manifests "+good]; w != first {
		t.Error("the source that serves was ended")
	}
	if m := exchange(t, i, "web-0.default.svc.a.local.", dns.TypeA); len(m.Answer) != 1 {
		t.Errorf("got %s", m)
	}
	i = reload(t, i, block("a.local", stanza(good)+"kubernetes"))
	if w := running(t, "reloaded", 1)["manifests "+good]; w != first {
		t.Error("the reload began another source")
	}
	stop(t, i)
	running(t, "stopped", 0)
}

// Nobody tells a generation that failed to start, where the one that stays does not have the plugin.
func TestSourceOfADeadGenerationEndsWithTheNextStart(t *testing.T) {
	one, two := manifest(t, cluster), manifest(t, cluster)
	i := run(t, block("a.local", "kubernetes"))
	failToReload(t, i, block("a.local", "headless a.local {\nmanifests "+one+"\n}\nerratic"))
	i = reload(t, i, block("a.local", "headless a.local {\nmanifests "+two+"\n}\nkubernetes"))
	if w := running(t, "reloaded", 1); w["manifests "+two] == nil {
		t.Errorf("sources %v", w)
	}
	stop(t, i)
	running(t, "stopped", 0)
}

// A reload with the same kubeconfig keeps the client; one whose text changed (another server, another token) wants a
// new one.
func TestReloadWithAChangedKubeconfigBeginsAnotherSource(t *testing.T) {
	path := kubeconfigFor(t, "here", "http://127.0.0.1:1")
	text := block("a.local", "headless a.local {\nkubeconfig "+path+"\nstartup_timeout 0s\n}\nkubernetes")
	i := run(t, text)
	first := running(t, "started", 1)["kubeconfig "+path]
	i = reload(t, i, text)
	if w := running(t, "reloaded", 1)["kubeconfig "+path]; w != first {
		t.Error("the reload began another source")
	}
	other, err := os.ReadFile(kubeconfigFor(t, "here", "http://127.0.0.1:2"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, other, 0o600); err != nil {
		t.Fatal(err)
	}
	i = reload(t, i, text)
	if w := running(t, "reloaded with a changed kubeconfig", 1)["kubeconfig "+path]; w == first {
		t.Error("the old client is in use")
	}
	stop(t, i)
	running(t, "stopped", 0)
}
