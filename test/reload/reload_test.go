package reload

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/ask"
	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/server"
)

var reloads = flag.Int("reloads", 0, "how often each CoreDNS is reloaded (default 40, and 200 in make test-all)")

// cycle is after how many reloads all kinds of Corefiles were there.
const cycle = 10

// A contender is a CoreDNS, with or without *headless*, that is asked all the time.
type contender struct {
	*server.Server
	headless bool
	asker    *asker
	now      generation // the one that serves
}

func start(t *testing.T, headless bool) *contender {
	t.Helper()
	c := &contender{Server: server.New(t), headless: headless, now: of(0, "")}
	c.Start(t, c.now.corefile(headless))
	c.WaitReady(t)
	c.asker = startAsker(c.address(), questions(headless))
	return c
}

func (c *contender) address() string { return "127.0.0.1:" + c.Port }

// reload reloads, and checks that just what the Corefile that serves now says is answered.
func (c *contender) reload(t *testing.T, g generation) {
	t.Helper()
	c.Reload(t, g.corefile(c.headless), g.outcome)
	c.Poll(t, time.Minute, c.asker.more())
	if g.outcome == server.Reloaded {
		c.now = g
	}
	if !c.headless {
		c.serves(t, "www.static.test", ask.Addresses("192.0.2.1"))
		return
	}
	want := crowd.Addr(7).String()
	for _, suffix := range append([]string{stays, "block.test"}, comes...) {
		addrs := []string{want}
		if suffix != stays && !slices.Contains(c.now.suffixes, suffix) && !strings.HasPrefix(c.now.block, suffix) {
			addrs = nil
		}
		c.serves(t, crowd.Pod(7)+"."+suffix, ask.Addresses(addrs...))
	}
	c.serves(t, crowd.Pod(7)+"."+stays, func(m *dns.Msg) error {
		if len(m.Answer) == 0 {
			return errors.New("no answer")
		}
		if ttl := m.Answer[0].Header().Ttl; ttl != uint32(c.now.ttl) { // #nosec G115 -- at most 60
			return fmt.Errorf("ttl %d, want %d", ttl, c.now.ttl)
		}
		return nil
	})
}

// serves checks an answer over UDP and TCP: CoreDNS forgets a server that is to stop before it has begun, so the next
// reload must not come sooner.
func (c *contender) serves(t *testing.T, name string, judge func(*dns.Msg) error) {
	t.Helper()
	for _, network := range []string{"udp", "tcp"} {
		query := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA)
		m, err := ask.Exchange(dns.Client{Net: network, Timeout: lost}, query, c.address())
		if err == nil {
			err = judge(m)
		}
		if err != nil {
			t.Errorf("%s of %+v over %s: %v", name, c.now, network, err)
		}
	}
}

// Reloads under load cost no more answers than without the plugin, none that is wrong, no list, and no memory. Both
// CoreDNSes are reloaded in turn, so that a busy machine is busy for both.
func TestReloadsUnderLoad(t *testing.T) {
	if *reloads == 0 {
		if *reloads = 40; os.Getenv("HEADLESS_ALL") != "" {
			*reloads = 200
		}
	}
	for _, a := range []*account{&watcher, &other} {
		var err error
		a.kubeconfig = filepath.Join(t.TempDir(), a.name)
		if a.user, err = cluster.Account(t.Context(), crowd.Namespace, a.name, a.kubeconfig); err != nil {
			t.Fatal(err)
		}
	}
	taken := listen(t)
	watched := time.Now()
	ours, stock := start(t, true), start(t, false)
	both := []*contender{ours, stock}
	reload := func(g generation) {
		slices.Reverse(both)
		for _, c := range both {
			c.reload(t, g)
		}
	}
	for n := range cycle {
		reload(of(n, taken))
	}
	before, beforeStock := ours.rest(t), stock.rest(t)
	known := len(requests(t))
	for n := cycle; n < *reloads; n++ {
		reload(of(n, taken))
	}
	wantNoList(t, requests(t)[known:], time.Since(watched))
	t.Logf("after %d reloads, with headless %s, without %s", cycle, before, beforeStock)
	t.Logf("after %d reloads, with headless %s, without %s", *reloads, ours.rest(t), stock.rest(t))

	// Another watch each time: the old instance answers until the new one is synced.
	for n := range cycle {
		reload(generation{ttl: 5, another: n%2 == 0, outcome: server.Reloaded})
	}
	// Old and new instance share the socket, and the old one answers what it has taken, so there is nothing to lose.
	if a, b := ours.asker.stop(t), stock.asker.stop(t); a > 2*b+5 {
		t.Errorf("%d queries lost, %d without headless", a, b)
	}
	if m := ours.Metrics(t); strings.Count(m, "coredns_headless_synced{") != 1 {
		t.Errorf("not one watch is left:\n%s", m)
	}
	ours.wantFlat(t, before)
}

// listen takes a port.
func listen(t *testing.T) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// requests are those of the watch that stays.
func requests(t *testing.T) []controlplane.Request {
	t.Helper()
	list, err := cluster.Requests("headless/")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(list, func(r controlplane.Request) bool { return r.User.Username != watcher.user })
}

// wantNoList checks that there are no more requests than those which continue the watch, after 5 to 10 minutes.
func wantNoList(t *testing.T, list []controlplane.Request, took time.Duration) {
	t.Helper()
	if slices.ContainsFunc(list, controlplane.Request.Lists) || len(list) > 3*int(took/(5*time.Minute)) {
		t.Errorf("%d requests of the shared watch: %v", len(list), list)
	}
}
