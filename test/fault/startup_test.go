package fault

import (
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/test/ask"
	"github.com/coredns-headless/headless/test/server"
)

// Until the first list is whole, suffixes are answered with SERVFAIL, never NXDOMAIN, and a cluster zone as without the plugin.
func TestFirstListHarmed(t *testing.T) {
	tests := []struct {
		name, toxic string
		attributes  map[string]int
		passes      bool // the list comes in the end
	}{
		{name: "first list slow: each answer 7 s late", toxic: "latency", attributes: map[string]int{"latency": 7000}, passes: true},
		{name: "first list cut after 3 kB", toxic: "limit_data", attributes: map[string]int{"bytes": 3000}},
		{name: "first list garbage", toxic: "garbage"},
		{name: "first list never comes", toxic: "timeout", attributes: map[string]int{"timeout": 0}},
	}
	without := answersWithout(t)
	var wg sync.WaitGroup
	for _, tt := range tests {
		wg.Go(func() { // they wait most of the time
			t.Run(tt.name, func(t *testing.T) {
				x := NewProxy(t, cluster.Address)
				mend := x.Harm(t, tt.toxic, tt.attributes)
				r := Start(t, cluster, Options{Kubeconfig: Kubeconfig(t, cluster, x.Address()), Lines: []string{"startup_timeout 1s"}})
				if tt.passes {
					mend = nil
				}
				r.unsynced(t, tt.name, without, mend)
			})
		})
	}
	wg.Wait()
}

// A CoreDNS that has no file descriptor left when it would list connects as soon as it can.
func TestFileDescriptorsShortAtStart(t *testing.T) {
	without := answersWithout(t)
	x := NewProxy(t, cluster.Address)
	speak := x.Harm(t, "timeout", map[string]int{"timeout": 0}) // so that nothing is listed before the limit is there
	r := Start(t, cluster, Options{Kubeconfig: Kubeconfig(t, cluster, x.Address()), Lines: []string{"startup_timeout 1s"}})
	allow := r.noFiles(t)
	x.Cut(t)
	speak()
	r.unsynced(t, "no file descriptor left at start", without, func() {
		r.lacksFiles(t)
		allow()
	})
}

// unsynced asks before the first list is whole, until it is. It comes by itself, or is kept away until mend is called.
func (r *Rig) unsynced(t *testing.T, name string, without map[string]*dns.Msg, mend func()) {
	t.Helper()
	begun := time.Now()
	a, err := ask.Start(r.Address(), Rate, r.early(without)...)
	if err != nil {
		t.Fatal(err)
	}
	if mend != nil {
		for _, owner := range []string{"nosuch.still." + Suffix, "nosuch." + Suffix, "still." + Suffix, Suffix} {
			if m, err := ask.Once(r.Address(), ask.Question{Name: owner}); err != nil || m.Rcode != dns.RcodeServerFailure {
				t.Errorf("%s: %v %v, want SERVFAIL", owner, m, err)
			}
		}
		time.Sleep(lasts(3 * time.Second)) // the fault's length
		if c := a.Report().Kinds["suffix"]; c.Right > 0 || c.Servfail == 0 {
			t.Errorf("nothing was listed, and of %d questions below a suffix %d were answered, %d SERVFAIL", c.Asked, c.Right, c.Servfail)
		}
		mend()
		begun = time.Now()
	}
	r.Fresh(t, 2*time.Minute)
	row := Row{Fault: name, Fresh: time.Since(begun), Report: a.Stop()}
	record(row)
	t.Logf("%s: synced after %s\n%s", name, row.Fresh.Round(time.Millisecond), row.Report)
	early := row.Report
	early.Silence, early.Kinds = 0, maps.Clone(early.Kinds)
	for _, kind := range []string{"suffix", "moving"} { // below suffixes SERVFAIL is right for as long as the first list takes
		c := *early.Kinds[kind]
		c.Right, c.Servfail = c.Right+c.Servfail, 0
		early.Kinds[kind] = &c
	}
	if err := r.Err(early); err != nil {
		t.Errorf("not synced yet, and %v", err)
	}
	if a, err = ask.Start(r.Address(), Rate, r.Questions(t)...); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second / 2) // of queries after the sync
	if err := r.Err(a.Stop()); err != nil {
		t.Errorf("synced, and %v", err)
	}
}

// early are the questions to ask before the first list is whole: names in a cluster zone may be answered as without the plugin, too.
func (r *Rig) early(without map[string]*dns.Msg) (list []ask.Question) {
	for _, q := range r.peers() {
		if m := without[q.Name]; m != nil {
			known, sent, guest := q.Judge, q.Sent, ask.Same(m)
			q.Sent = nil
			q.Judge = func(m *dns.Msg) error {
				switch {
				case guest(m) == nil:
					return nil
				case sent != nil:
					return sent()(m)
				}
				return known(m)
			}
		}
		list = append(list, q)
	}
	for _, name := range bystanders {
		list = append(list, ask.Question{Kind: "bystander", Name: name, Judge: ask.Same(without[name])})
	}
	return list
}

// answersWithout are what a CoreDNS without the plugin answers to all that is asked in cluster zones.
func answersWithout(t *testing.T) map[string]*dns.Msg {
	t.Helper()
	r := &Rig{Server: server.New(t), Cluster: cluster}
	r.Server.Start(t, `.:PORT {
    bind 127.0.0.1
    ready READY
    kubernetes cluster.local {
        kubeconfig `+cluster.Kubeconfig+`
        `+whole+`
    }
}
`)
	r.Server.WaitReady(t)
	answers := make(map[string]*dns.Msg)
	for _, q := range r.peers() {
		answers[q.Name] = nil
	}
	for _, name := range bystanders {
		answers[name] = nil
	}
	for name := range answers {
		if strings.HasSuffix(name, Suffix) {
			continue
		}
		m, err := ask.Once(r.Address(), ask.Question{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		answers[name] = m
	}
	return answers
}
