package transfer

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/server"
)

// Knot and NSD follow whatever changes a zone, and have then what CoreDNS has. NOTIFYs alone tell them: by the SOA
// they would ask again after two hours.
func TestSecondaries(t *testing.T) {
	server.Need(t, "knotd", "knot")
	server.Need(t, "nsd", "nsd")
	s := server.New(t)
	knot, nsd := newFollower(t, "knotd"), newFollower(t, "nsd")
	both := knot.address + " " + nsd.address
	s.Start(t, corefile(both, "", ""))
	s.WaitReady(t)
	knot.start(t, "knot.conf", knotConf(knot.port(), s.Port), "-c")
	nsd.start(t, "nsd.conf", nsdConf(nsd.port(), s.Port), "-d", "-c")
	t.Cleanup(func() { scale(t, 2) })
	for _, step := range []struct {
		what string
		do   func()
		pods int // that there are then
	}{
		{"the start", func() {}, 2},
		{"a StatefulSet that grows", func() { scale(t, 5) }, 5},
		{"one that shrinks", func() { scale(t, 1) }, 1},
		{"a restart of CoreDNS, with no older serial", func() {
			restart(t, s, corefile(both, "", ""))
			scale(t, 3)
		}, 3},
	} {
		step.do()
		for _, apex := range zones {
			last := fmt.Sprintf("web-%d.%s ", step.pods-1, ofNginx(apex))
			next := fmt.Sprintf("web-%d.%s ", step.pods, ofNginx(apex))
			for _, f := range []*follower{knot, nsd} {
				f.follows(t, s, step.what, apex, last, next)
			}
		}
	}
	changeQueue(t, "10.151.31.2")
	t.Cleanup(func() { changeQueue(t, "10.151.31.1") })
	s.Reload(t, corefile(both, "ttl 60", ""), server.Reloaded)
	for _, f := range []*follower{knot, nsd} {
		f.follows(t, s, "a change where an ExternalName leads", mgmt, "elsewhere."+mgmt+" 60 IN A 10.151.31.2", " 5 IN ")
	}
	// Whom the Corefile has no longer is told nothing. The second change tells Knot a second after the first one would
	// have told NSD.
	s.Reload(t, corefile(knot.address, "ttl 60", ""), server.Reloaded)
	for _, replicas := range []int{4, 5} {
		scale(t, replicas)
		knot.follows(t, s, "a secondary taken away", service, fmt.Sprintf("web-%d.%s ", replicas-1, service), " 5 IN ")
	}
	lines, err := axfr(nsd.address, service)
	if err != nil || strings.Contains(strings.Join(lines, "\n"), "web-3."+service) {
		t.Errorf("NSD is told of changes still, or not there: %v, %q", err, lines)
	}
	if log := knot.log(t); !strings.Contains(log, "AXFR-style IXFR") {
		t.Error("Knot asked for no IXFR")
	}
	conf := filepath.Join(knot.dir, "knot.conf")
	out, err := exec.CommandContext(t.Context(), "knotc", "-c", conf, "zone-check").CombinedOutput()
	if err != nil || complaint.Match(out) {
		t.Errorf("Knot's checks, which it does not apply to transfers: %v: %s", err, out)
	}
	for _, f := range []*follower{knot, nsd} {
		f.wantNoComplaint(t)
	}
}

// ofNginx is the name of the StatefulSet's Service in a zone.
func ofNginx(apex string) string {
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

// changeQueue gives the peer in namespace other an address.
func changeQueue(t *testing.T, addr string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	client := cluster.Client.DiscoveryV1().EndpointSlices("other")
	slice, err := client.Get(ctx, "queue-1", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	slice.Endpoints[0].Addresses = []string{addr}
	if _, err := client.Update(ctx, slice, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// restart kills CoreDNS, and starts another one in its place.
func restart(t *testing.T, s *server.Server, corefile string) {
	t.Helper()
	was := s.PID()
	s.Signal(t, syscall.SIGKILL)
	if err := controlplane.Poll(patience, nil, func() error {
		if syscall.Kill(was, 0) == nil {
			return errors.New("CoreDNS runs")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	s.Start(t, corefile)
	s.WaitReady(t)
}

// follows waits until CoreDNS's zone has a text and lacks another, and the secondary's zone is the same.
func (f *follower) follows(t *testing.T, s *server.Server, what, apex, has, not string) {
	t.Helper()
	err := controlplane.Poll(patience, f.process, func() error {
		want, err := axfr(address(s), apex)
		if err != nil {
			return err
		}
		if text := strings.Join(want, "\n"); !strings.Contains(text, has) || strings.Contains(text, not) {
			return fmt.Errorf("want %q and no %q in CoreDNS's zone\n%s", has, not, text)
		}
		got, err := axfr(f.address, apex)
		if err == nil && !slices.Equal(got, want) {
			err = errors.New(cmp.Diff(want, got))
		}
		return err
	})
	if err != nil {
		t.Fatalf("%s, %s at %s: %v", what, apex, f.program, err)
	}
}
