package transfer

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/server"
)

// follower is a name server of another make, as a secondary of CoreDNS.
type follower struct {
	name, address string
	process       *controlplane.Process
}

// A StatefulSet that is scaled from 2 to 5 and to 1 is followed by Knot and NSD, which have all that CoreDNS has.
func TestSecondaries(t *testing.T) {
	server.Need(t, "knotd", "knot")
	server.Need(t, "nsd", "nsd")
	ports := [2]string{freePort(t), freePort(t)}
	s := server.New(t)
	s.Start(t, settings{to: []string{"127.0.0.1:" + ports[0], "127.0.0.1:" + ports[1]}}.corefile(server.Stub(t)))
	s.WaitReady(t)
	zones := []string{mgmt, root, service}
	followers := []*follower{
		startFollower(t, ports[0], "knotd", "knot.conf", knotConf(ports[0], s.Port, zones), "-c"),
		startFollower(t, ports[1], "nsd", "nsd.conf", nsdConf(ports[1], s.Port, zones), "-d", "-c"),
	}
	t.Cleanup(func() { scale(t, 2) })
	for _, replicas := range []int{2, 5, 1} {
		scale(t, replicas)
		begun := time.Now()
		for _, apex := range zones {
			poll(t, patience, func() error {
				m, err := ask(address(s), countedIn(apex), dns.TypeA)
				if err == nil && len(m.Answer) != replicas {
					err = fmt.Errorf("%d addresses at CoreDNS, want %d", len(m.Answer), replicas)
				}
				return err
			})
			for _, f := range followers {
				poll(t, patience, func() error { return f.caughtUp(s, apex) })
			}
		}
		t.Logf("%d replicas: followed after %s", replicas, time.Since(begun).Round(time.Millisecond))
		for _, apex := range zones {
			z := wantSame(t, s, followers, apex)
			if apex != root { // its names are those of the others, and many
				wantSameAnswers(t, s, followers, z)
			}
		}
	}
	for _, f := range followers {
		f.wantNoComplaint(t)
	}
}

// countedIn is the name of the StatefulSet's Service in a zone.
func countedIn(apex string) string {
	switch apex {
	case root:
		return "nginx.default." + root
	case service:
		return service
	}
	return "nginx." + apex
}

func scale(t *testing.T, replicas int) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // it has ended when the test cleans up
	client := cluster.Client.AppsV1().StatefulSets("default")
	now, err := client.GetScale(ctx, "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	now.Spec.Replicas, now.ResourceVersion = int32(replicas), "" // the controller writes its status meanwhile
	if _, err := client.UpdateScale(ctx, "web", now, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := cluster.WaitReady(ctx, "default", "nginx", replicas); err != nil {
		t.Fatal(err)
	}
}

// caughtUp tells whether the secondary has the serial that CoreDNS has.
func (f *follower) caughtUp(s *server.Server, apex string) error {
	if err := f.process.Exited(); err != nil {
		return err
	}
	want, err := serial(address(s), apex)
	if err != nil {
		return err
	}
	got, err := serial(f.address, apex)
	if err == nil && got != want {
		err = fmt.Errorf("%s: %s has serial %d, CoreDNS %d", apex, f.name, got, want)
	}
	return err
}

// wantSame checks that the secondaries have the same zone as CoreDNS.
func wantSame(t *testing.T, s *server.Server, followers []*follower, apex string) *zone {
	t.Helper()
	want := mustAXFR(t, address(s), apex)
	delete(want.rrsets, key{apex, dns.TypeSOA}) // the serial may move on without another change, as what is not ready comes and goes
	for _, f := range followers {
		got := mustAXFR(t, f.address, apex)
		delete(got.rrsets, key{apex, dns.TypeSOA})
		if d := diff(want.rrsets, got.rrsets); d != "" {
			t.Errorf("%s has another %s than CoreDNS:\n%s", f.name, apex, d)
		}
	}
	return want
}

// wantSameAnswers checks that the secondaries answer as CoreDNS does: all names of the zone, those only on the way to one, and
// those of pods that are gone.
func wantSameAnswers(t *testing.T, s *server.Server, followers []*follower, z *zone) {
	t.Helper()
	set := make(map[string]bool)
	for _, owner := range z.rrsets.owners() {
		for name := owner; dns.IsSubDomain(z.apex, name); name = name[strings.Index(name, ".")+1:] {
			set[name] = true
		}
	}
	for i := range 6 {
		set[fmt.Sprintf("web-%d.%s", i, countedIn(z.apex))] = true
	}
	for _, name := range []string{"idle.", "_idle._tcp.idle.", "nobody."} {
		set[name+z.apex] = true
	}
	for name := range set {
		for _, qtype := range asked {
			m, err := ask(address(s), name, qtype)
			if err != nil {
				t.Fatal(err)
			}
			want := atSecondary(m, z)
			for _, f := range followers {
				if m, err = ask(f.address, name, qtype); err != nil {
					t.Fatal(err)
				}
				if got := shape(m, z.apex); got != want {
					t.Errorf("%s %s: %s says\n%s\nwant\n%s", name, dns.TypeToString[qtype], f.name, got, want)
				}
			}
		}
	}
}

// atSecondary is the shape of what a secondary must say where CoreDNS says m. The two differ in what no zone can tell: that a
// name exists though nothing is there or below, such as a Service without endpoints; and in what an alias leads to, which
// CoreDNS follows for addresses only.
func atSecondary(m *dns.Msg, z *zone) string {
	m = m.Copy()
	q := m.Question[0]
	known := slices.ContainsFunc(z.rrsets.owners(), func(owner string) bool { return dns.IsSubDomain(q.Name, owner) })
	if !known && len(m.Answer) == 0 {
		m.Rcode = dns.RcodeNameError
	}
	if len(m.Answer) == 1 && q.Qtype != dns.TypeCNAME {
		if c, ok := m.Answer[0].(*dns.CNAME); ok && dns.IsSubDomain(z.apex, c.Target) && z.rrsets[key{c.Target, dns.TypeA}] == nil {
			m.Rcode = dns.RcodeNameError
		}
	}
	return shape(m, z.apex)
}

// shape is what an authority says of a zone: rcode, AA, and the answer's records as far as they are in the zone, but for the serial.
func shape(m *dns.Msg, apex string) string {
	list := []string{dns.RcodeToString[m.Rcode], fmt.Sprint("aa ", m.Authoritative)}
	for _, rr := range m.Answer {
		if dns.IsSubDomain(apex, rr.Header().Name) {
			if soa, ok := rr.(*dns.SOA); ok {
				soa.Serial = 0
			}
			list = append(list, rr.String())
		}
	}
	slices.Sort(list[2:])
	return strings.Join(list, "\n")
}

// startFollower runs a name server with a configuration file in a folder of its own.
func startFollower(t *testing.T, port, program, file, conf string, args ...string) *follower {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, file)
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(conf, "DIR", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &follower{name: program, address: "127.0.0.1:" + port}
	var err error
	if f.process, err = controlplane.StartProcess(dir, program, append(args, path)...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.process.Stop()
		if t.Failed() {
			t.Logf("log of %s:\n%s", program, f.log(t))
		}
	})
	return f
}

func (f *follower) log(t *testing.T) string {
	t.Helper()
	text, err := f.process.Log()
	if err != nil {
		t.Fatal(err)
	}
	return text
}
