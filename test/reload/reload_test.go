package reload

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/ask"
	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/server"
)

var reloads = flag.Int("reloads", 200, "how often each CoreDNS is reloaded")

const (
	// rate is how many questions a second each CoreDNS is asked.
	rate = 400
	// most is how many queries one may lose and the other not: as many as are asked within ask.Patience.
	most = rate * int(ask.Patience/time.Second)
	// cycle is after how many reloads all kinds of Corefiles were there.
	cycle = 10
)

// A contender is a CoreDNS, with or without *headless*, that is asked all the time.
type contender struct {
	*server.Server
	headless bool
	asker    *ask.Asker
	now      generation // the one that serves
}

func start(t *testing.T, headless bool) *contender {
	t.Helper()
	c := &contender{Server: server.New(t), headless: headless, now: of(0, "")}
	c.Start(t, c.now.corefile(headless))
	c.WaitReady(t)
	asker, err := ask.Start(c.address(), rate, questions(headless)...)
	if err != nil {
		t.Fatal(err)
	}
	c.asker = asker
	return c
}

func (c *contender) address() string { return "127.0.0.1:" + c.Port }

// reload reloads, and checks that just what the Corefile that serves now says is answered.
func (c *contender) reload(t *testing.T, g generation) {
	t.Helper()
	c.Reload(t, g.corefile(c.headless), g.outcome)
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

// serves checks an answer over UDP and TCP: CoreDNS forgets a server that is to stop before it has begun, so the next reload must not
// come sooner.
func (c *contender) serves(t *testing.T, name string, judge func(*dns.Msg) error) {
	t.Helper()
	for _, network := range []string{"udp", "tcp"} {
		m, err := ask.Exchange(dns.Client{Net: network, Timeout: 5 * time.Second}, new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA), c.address())
		if err == nil {
			err = judge(m)
		}
		if err != nil {
			t.Errorf("%s of %+v over %s: %v", name, c.now, network, err)
		}
	}
}

// Reloads under load cost no more answers than without the plugin, none that is wrong, no list, and no memory. Both CoreDNSes are
// reloaded in turn, so that a busy machine is busy for both.
func TestReloadsUnderLoad(t *testing.T) {
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
	begun := time.Now()
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
		reload(generation{ttl: 5, line: []string{"namespaces crowd", ""}[n%2], outcome: server.Reloaded})
	}
	took := time.Since(begun)
	a, b := ours.asker.Stop(), stock.asker.Stop()
	t.Logf("all in %s\nwith headless, slowest answer %s:\n%swithout, slowest answer %s:\n%s", took.Round(time.Second), a.Slowest, a, b.Slowest, b)
	for _, r := range []ask.Report{a, b} {
		if sum := r.Total(); sum.Wrong > 0 || sum.Servfail > 0 || sum.Asked < int(200*took.Seconds()) {
			t.Errorf("wrong, SERVFAIL, or too little asked:\n%s", r)
		}
	}
	// Old and new instance share the socket, and the old one answers what it has taken, so there is nothing to lose; a machine that stands
	// still for ask.Patience loses from both, and one that does for less, many of one. A query lost by one reload in forty would be these five of 200.
	if ours, stock := a.Total().Lost, b.Total().Lost; a.Losses > 2*b.Losses+5 || ours > 2*stock+most {
		t.Errorf("%d queries lost on %d occasions, %d on %d without headless, want %d more at most", ours, a.Losses, stock, b.Losses, most)
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

func requests(t *testing.T) []controlplane.Request {
	t.Helper()
	list, err := cluster.Requests("headless/")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// wantNoList checks that of the shared watch there are no more requests than those which continue it, after 5 to 10 minutes.
func wantNoList(t *testing.T, list []controlplane.Request, took time.Duration) {
	t.Helper()
	list = slices.DeleteFunc(list, func(r controlplane.Request) bool { return strings.Contains(r.RequestURI, "/namespaces/") })
	if slices.ContainsFunc(list, controlplane.Request.Lists) || len(list) > 3*int(took/(5*time.Minute)) {
		t.Errorf("%d requests of the shared watch: %v", len(list), list)
	}
}
