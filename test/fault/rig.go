// Package fault injects faults between a real CoreDNS and a real API server, and says what clients saw of them.
package fault

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/test/ask"
	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/parts"
	"github.com/coredns-headless/headless/test/server"
)

// Rate is how many questions a second are asked during a fault.
const Rate = 400

// hang is after how long a condition that has not come about counts as one that never will. No test judges how long
// anything took.
const hang = 5 * time.Minute

const (
	still, moving = "still", "moving" // namespaces: one in which nothing changes, and one whose peer moves
	stillPods     = 20
)

// Suffix is what the rigs' Corefile grafts onto the root.
const Suffix = "mgmt.example.org"

func stillCrowd() controlplane.Crowd {
	return controlplane.Crowd{Namespace: still, Service: "web", Pods: stillPods, First: netip.MustParseAddr("10.244.1.1")}
}

func movingCrowd() controlplane.Crowd {
	return controlplane.Crowd{Namespace: moving, Service: "kafka", Pods: 1, First: netip.MustParseAddr("10.244.2.1")}
}

// Fill makes what all faults are asked about.
func Fill(ctx context.Context, c *controlplane.ControlPlane) error {
	for _, w := range []controlplane.Crowd{stillCrowd(), movingCrowd()} {
		if err := fill(ctx, c, w); err != nil {
			return err
		}
	}
	api := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: still, Name: "api"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 80}}},
	}
	_, err := c.Client.CoreV1().Services(still).Create(ctx, api, metav1.CreateOptions{})
	return err
}

func fill(ctx context.Context, c *controlplane.ControlPlane, w controlplane.Crowd) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace}}
	if _, err := c.Client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
		return err
	}
	return w.Create(ctx, c)
}

// A Rig is a CoreDNS with *headless* and *kubernetes* that is asked all the time.
type Rig struct {
	Server  *server.Server
	Cluster *controlplane.ControlPlane

	corefile string
	reloads  int
	// rest is what was open before the first fault. Later is too late: after a fault *kubernetes* may still wait to
	// connect again, and has less open than at rest.
	rest opened

	moved *ask.Moves
}

// Options of a Rig.
type Options struct {
	// Kubeconfig is what *headless* connects with. *kubernetes* goes to the API server itself: the fault is not its
	// own.
	Kubeconfig string
	// Lines are more lines of the stanza.
	Lines []string
	// Part is the CoreDNS to run, if not the one with the race detector.
	Part *parts.Part
	// Env is what is special about CoreDNS's environment.
	Env []string
}

// whole has CoreDNS, on a machine that is so slow, not answer before it has synced: what is answered first is what
// later answers are compared with.
const whole = "startup_timeout 1m"

// Corefile is that of a rig, to start with or to reload.
func Corefile(c *controlplane.ControlPlane, o Options) string {
	return `.:PORT {
    bind 127.0.0.1
    errors
    ready READY
    prometheus METRICS
    headless cluster.local {
        kubeconfig ` + o.Kubeconfig + `
        suffix ` + Suffix + ` svc.cluster.local
        ` + strings.Join(append(slices.Clone(o.Lines), whole), "\n        ") + `
    }
    kubernetes cluster.local {
        kubeconfig ` + c.Kubeconfig + `
        ` + whole + `
    }
}
`
}

// Start runs CoreDNS and waits until it answers.
func Start(tb testing.TB, c *controlplane.ControlPlane, o Options) *Rig {
	tb.Helper()
	r := &Rig{Server: server.New(tb), Cluster: c, corefile: Corefile(c, o), moved: new(ask.Moves)}
	addresses, err := c.ReadyAddresses(tb.Context(), moving, "kafka")
	if err != nil {
		tb.Fatal(err)
	}
	r.moved.To(addresses[movingCrowd().Pod(0)])
	if o.Part != nil {
		r.Server.Part = *o.Part
	}
	r.Server.Env = o.Env
	r.Server.Start(tb, r.corefile)
	r.Server.WaitReady(tb)
	r.Stale(tb, false) // all reflectors watch
	r.rest = r.opened(tb)
	return r
}

// Orphan runs a CoreDNS that need not reach its API server. *kubernetes* is not ready without its own, so nobody
// waits for it.
func (r *Rig) Orphan(tb testing.TB, o Options) *Rig {
	tb.Helper()
	orphan := &Rig{Server: server.New(tb), Cluster: r.Cluster, moved: r.moved}
	orphan.Server.Start(tb, strings.ReplaceAll(Corefile(r.Cluster, o), whole, "startup_timeout 1s"))
	orphan.Server.Poll(tb, hang, func() error { return orphan.Server.Listens(tb) })
	return orphan
}

// Reload gives CoreDNS its Corefile with another ttl.
func (r *Rig) Reload(tb testing.TB) {
	tb.Helper()
	r.reloads++
	ttl := fmt.Sprintf("suffix %s svc.cluster.local\n        ttl %d", Suffix, 5+r.reloads%10)
	r.Server.Reload(tb, strings.Replace(r.corefile, "suffix "+Suffix+" svc.cluster.local", ttl, 1), server.Reloaded)
}

// Kubeconfig writes an administrator's kubeconfig for the API server as it is reached at address, such as through a
// proxy.
func Kubeconfig(tb testing.TB, c *controlplane.ControlPlane, address string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "kubeconfig")
	if err := c.WriteAdminKubeconfig(path, address); err != nil {
		tb.Fatal(err)
	}
	return path
}

// Halt stops CoreDNS (SIGSTOP) while something else is done, and continues it.
func (r *Rig) Halt(tb testing.TB, meanwhile func()) {
	tb.Helper()
	r.Server.Signal(tb, syscall.SIGSTOP)
	meanwhile()
	r.Server.Signal(tb, syscall.SIGCONT)
}

// Err says what clients must never have seen, whatever was broken: a wrong answer, or SERVFAIL. Queries that were
// lost it does not judge: a busy machine loses some of any server's.
func Err(report ask.Report) error {
	if sum := report.Total(); sum.Wrong > 0 || sum.Servfail > 0 {
		return fmt.Errorf("%d of %d answers were wrong, %d SERVFAIL", sum.Wrong, sum.Asked, sum.Servfail)
	}
	return nil
}

// Address is where CoreDNS answers.
func (r *Rig) Address() string { return "127.0.0.1:" + r.Server.Port }

// mover is the name of the peer that moves.
func mover(zone string) string { return movingCrowd().Pod(0) + "." + moving + "." + zone }

// bystanders are names that *kubernetes* answers, and one that nobody has.
var bystanders = []string{
	"api.still.svc.cluster.local", "web.still.svc.cluster.local", "web-1.web.still.svc.cluster.local", "nosuch.still.svc.cluster.local",
	"kubernetes.default.svc.cluster.local", "nosuch.still." + Suffix,
}

// Questions are what is asked all the time, each with what may be answered now. Their kinds are peer (short names),
// suffix, moving and bystander.
func (r *Rig) Questions(tb testing.TB) []ask.Question {
	tb.Helper()
	list := r.peers()
	for _, name := range bystanders {
		q := ask.Question{Kind: "bystander", Name: name}
		m, err := ask.Once(r.Address(), q)
		if err != nil {
			tb.Fatal(err)
		}
		q.Judge = ask.Same(m)
		list = append(list, q)
	}
	return list
}

// peers are the questions about peers.
func (r *Rig) peers() []ask.Question {
	var list []ask.Question
	crowd := stillCrowd()
	for n := range stillPods {
		judge := ask.Addresses(crowd.Addr(n).String())
		list = append(list,
			ask.Question{Kind: "peer", Name: crowd.Pod(n) + ".still.svc.cluster.local", Judge: judge},
			ask.Question{Kind: "suffix", Name: crowd.Pod(n) + ".still." + Suffix, Judge: judge},
			ask.Question{Kind: "suffix", Name: crowd.Pod(n) + ".web.still." + Suffix, Judge: judge})
	}
	return append(list,
		ask.Question{Kind: "moving", Name: mover("svc.cluster.local"), Sent: r.moved.Allowed},
		ask.Question{Kind: "moving", Name: mover(Suffix), Sent: r.moved.Allowed})
}

// Move gives the moving peer another address. It may be answered from now on.
func (r *Rig) Move(tb testing.TB) {
	tb.Helper()
	if err := r.move(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

func (r *Rig) move(ctx context.Context) error {
	client := r.Cluster.Client.DiscoveryV1().EndpointSlices(moving)
	list, err := client.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if len(list.Items) != 1 {
		return fmt.Errorf("%d slices in namespace %s", len(list.Items), moving)
	}
	s := &list.Items[0]
	a := netip.MustParseAddr(s.Endpoints[0].Addresses[0]).Next().String()
	s.Endpoints[0].Addresses[0] = a
	r.moved.To(a)
	_, err = client.Update(ctx, s, metav1.UpdateOptions{})
	return err
}

// Fresh waits until the address that the moving peer has now is answered, and returns how long that took. From then
// on no older one may be.
func (r *Rig) Fresh(tb testing.TB) time.Duration {
	tb.Helper()
	begun := time.Now()
	r.Server.Poll(tb, hang, func() error {
		_, err := r.moved.Show(r.Address(), 0, mover("svc.cluster.local"), mover(Suffix))
		return err
	})
	return time.Since(begun)
}

// Answers waits until each of the questions is answered rightly.
func (r *Rig) Answers(tb testing.TB, questions []ask.Question) {
	tb.Helper()
	for _, q := range questions {
		r.Server.Poll(tb, hang, func() error {
			_, err := ask.Until(r.Address(), 0, q)
			return err
		})
	}
}

// Row is what clients saw of a fault.
type Row struct {
	Fault string
	ask.Report
	// Fresh is how long after the fault's end a change showed that was made during it, or right after it where the
	// API server could not take one.
	Fresh time.Duration
}

// Fault asks all the time while during does its harm and mends it, then moves the peer and waits until that shows,
// and all names answer. It fails the test if clients saw what they must not see (Err).
func (r *Rig) Fault(tb testing.TB, name string, during func()) {
	tb.Helper()
	questions := r.Questions(tb)
	r.fault(tb, name, questions, during)
	r.Settles(tb, name)
}

func (r *Rig) fault(tb testing.TB, name string, questions []ask.Question, during func()) {
	tb.Helper()
	a, err := ask.Start(r.Address(), Rate, questions...)
	if err != nil {
		tb.Fatal(err)
	}
	during()
	r.Move(tb)
	row := Row{Fault: name, Fresh: r.Fresh(tb)}
	r.Answers(tb, questions)
	row.Report = a.Stop()
	tb.Logf("%s: fresh after %s\n%s", name, row.Fresh.Round(time.Millisecond), row.Report)
	if err := Err(row.Report); err != nil {
		tb.Errorf("%s: %v", name, err)
	}
	record(row)
	r.Stale(tb, false)
}

// Stale waits until the metrics say whether what is known may be out of date.
func (r *Rig) Stale(tb testing.TB, want bool) {
	tb.Helper()
	value := map[bool]string{true: "1", false: "0"}[want]
	r.Server.Poll(tb, hang, func() error {
		if m := r.Server.Metrics(tb); !regexp.MustCompile(`(?m)^coredns_headless_stale\{.*\} ` + value + `$`).MatchString(m) {
			return fmt.Errorf("metrics do not say that coredns_headless_stale is %s", value)
		}
		return nil
	})
}

// opened is what a process could leak.
type opened struct{ goroutines, files int }

// opened is what CoreDNS has open now.
func (r *Rig) opened(tb testing.TB) (o opened) {
	tb.Helper()
	m := regexp.MustCompile(`(?m)^go_goroutines (\d+)$`).FindStringSubmatch(r.Server.Metrics(tb))
	if m == nil {
		tb.Fatal("metrics lack go_goroutines")
	}
	o.goroutines, _ = strconv.Atoi(m[1]) // digits
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.Server.PID()))
	if err != nil {
		tb.Fatal(err)
	}
	o.files = len(files)
	return o
}

// slack is what may be open for a moment: queries under way, the connection that asks for metrics.
const slack = 5

// Settles fails the test if goroutines or connections that came with a fault do not go.
func (r *Rig) Settles(tb testing.TB, name string) {
	tb.Helper()
	r.Server.Poll(tb, hang, func() error {
		if now := r.opened(tb); now.goroutines > r.rest.goroutines+slack || now.files > r.rest.files+slack {
			return fmt.Errorf("%s: %d goroutines and %d open files, %d and %d before", name, now.goroutines, now.files, r.rest.goroutines, r.rest.files)
		}
		return nil
	})
}
