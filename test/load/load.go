// Package load measures with dnsperf how many queries a second *headless* and others answer for the peers of a
// Service, on a real API server, and what CPU time each query costs.
package load

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/test/controlplane"
	"github.com/coredns-headless/headless/test/parts"
)

// Options say what is measured, and how long.
type Options struct {
	// Settings are UDP, Cache, TCP and DoT, in the order wanted.
	Settings []string
	// Contenders are names of Contenders(); nil is all of them.
	Contenders []string
	// Sizes are numbers of endpoints of Services, ascending.
	Sizes []int
	// Rounds of the setting UDP, in each of which every contender is measured once for Duration; 0 is until it was
	// asked for each name.
	Rounds   int
	Duration time.Duration
	// Patience, of whole seconds, is after how long a query is lost.
	Patience time.Duration
	// RecordSizes, some of Sizes, and RecordRounds are those of the other settings, which are for the record.
	RecordSizes  []int
	RecordRounds int
	// Folder is where load.csv and qps.svg go once all is measured.
	Folder string
	// Tables is where the tables go, as Markdown, and Progress what is being done.
	Tables, Progress io.Writer
}

// Defaults take ten minutes.
func Defaults() Options {
	return Options{
		Settings: []string{UDP, Cache, TCP, DoT}, Duration: time.Second, Patience: 2 * time.Second,
		Sizes: []int{1, 10, 100, 1000, 5000}, Rounds: 9, RecordSizes: []int{1, 100, 5000}, RecordRounds: 2,
		Tables: io.Discard, Progress: io.Discard,
	}
}

// Settings that contenders are measured in. Each has a CoreDNS of its own, in which all contenders are.
const (
	UDP   = "udp"
	Cache = "udp+cache" // every name is in *cache* already
	TCP   = "tcp"
	DoT   = "dot"
)

const (
	maxPods = 100_000 // so many addresses each Crowd has room for
	maxName = 5000    // names that a contender is asked for
)

func (o Options) check() error {
	for _, s := range o.Settings {
		if !slices.Contains(Defaults().Settings, s) {
			return fmt.Errorf("no setting %q: allowed are %s", s, strings.Join(Defaults().Settings, ", "))
		}
	}
	for _, name := range o.Contenders {
		if !slices.Contains(Contenders(), name) {
			return fmt.Errorf("no contender %q: allowed are %s", name, strings.Join(Contenders(), ", "))
		}
	}
	for i, n := range o.Sizes {
		if n < 1 || n > maxPods || i > 0 && n <= o.Sizes[i-1] {
			return fmt.Errorf("sizes %v: allowed are ascending ones of 1 to %d", o.Sizes, maxPods)
		}
	}
	for _, n := range o.RecordSizes {
		if !slices.Contains(o.Sizes, n) && !slices.Equal(o.Settings, []string{UDP}) {
			return fmt.Errorf("size %d for the record: allowed are %v", n, o.Sizes)
		}
	}
	if len(o.Settings) == 0 || len(o.Sizes) == 0 || len(o.RecordSizes) == 0 || o.Rounds < 1 || o.RecordRounds < 1 {
		return fmt.Errorf("nothing to measure: settings %v, sizes %v and %v, rounds %d and %d",
			o.Settings, o.Sizes, o.RecordSizes, o.Rounds, o.RecordRounds)
	}
	_, err := exec.LookPath("dnsperf")
	if err != nil {
		err = fmt.Errorf("%w (Debian package dnsperf)", err)
	}
	return err
}

// contenders are those wanted, in the order of Contenders.
func (o Options) contenders() []contender {
	if o.Contenders == nil {
		return contenders
	}
	return slices.DeleteFunc(slices.Clone(contenders), func(c contender) bool { return !slices.Contains(o.Contenders, c.name) })
}

// plan is what of the options a setting takes.
func (o Options) plan(setting string) (sizes []int, rounds int) {
	if setting == UDP {
		return o.Sizes, o.Rounds
	}
	return o.RecordSizes, o.RecordRounds
}

// Run measures. It starts an API server and CoreDNS on loopback ports, and ends them.
func Run(ctx context.Context, o Options) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	for _, p := range []parts.Part{parts.CoreDNSStatic, parts.Etcd, parts.APIServer} {
		if _, err := p.Path(); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "headless-load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // in the system's folder for such things
	fmt.Fprintln(o.Progress, "starting an API server with Services of", o.Sizes, "endpoints")
	c, err := controlplane.Start(controlplane.Options{Bare: true})
	if err != nil {
		return err
	}
	defer c.Stop()
	m := &measuring{Options: o, dir: dir, kubeconfig: c.Kubeconfig}
	if m.crowds, err = gather(ctx, c, o.Sizes); err != nil {
		return err
	}
	if err := m.writeFiles(); err != nil {
		return err
	}
	for _, setting := range o.Settings {
		if err := m.setting(ctx, setting); err != nil {
			return fmt.Errorf("%s: %w", setting, err)
		}
	}
	return m.report()
}

// gather makes a headless Service for each size, in a namespace of its own.
func gather(ctx context.Context, c *controlplane.ControlPlane, sizes []int) (map[int]controlplane.Crowd, error) {
	crowds := make(map[int]controlplane.Crowd, len(sizes))
	for i, n := range sizes {
		w := controlplane.Crowd{Namespace: fmt.Sprintf("load-%d", n), Service: "web", Pods: n, First: netip.AddrFrom4([4]byte{10, byte(64 + 2*i), 0, 1})}
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace}}
		if _, err := c.Client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
			return nil, fmt.Errorf("create namespace %s: %w", w.Namespace, err)
		}
		if err := w.Create(ctx, c); err != nil {
			return nil, err
		}
		crowds[n] = w
	}
	return crowds, nil
}

// measuring is a Run that goes on.
type measuring struct {
	Options
	dir, kubeconfig string
	crowds          map[int]controlplane.Crowd // by size
	figures         figures
}

// setting measures all contenders in one setting.
func (m *measuring) setting(ctx context.Context, setting string) error {
	sizes, rounds := m.plan(setting)
	fmt.Fprintf(m.Progress, "%s: starting CoreDNS and asking every contender for every name\n", setting)
	s, err := m.startCoreDNS(setting)
	if err != nil {
		return err
	}
	defer s.process.Stop()
	for _, c := range m.contenders() {
		for _, n := range m.sizesOf(c, sizes) {
			if err := s.checkAll(ctx, c, m.crowds[n]); err != nil {
				return fmt.Errorf("%s, %d endpoints: %w", c.name, n, err)
			}
		}
	}
	for _, n := range sizes {
		list := slices.DeleteFunc(slices.Clone(m.contenders()), func(c contender) bool { return !slices.Contains(m.sizesOf(c, sizes), n) })
		begun := time.Now()
		for round := range rounds {
			for i := range list {
				if round%2 == 1 { // to and fro, so that what changes slowly favours nobody
					i = len(list) - 1 - i
				}
				f, err := m.measure(ctx, s, list[i], n)
				if err != nil {
					return fmt.Errorf("%s, %d endpoints: %w", list[i].name, n, err)
				}
				f.setting, f.round = setting, round+1
				m.figures = append(m.figures, f)
			}
		}
		fmt.Fprintf(m.Progress, "%s: %d endpoints, %d contenders in %d rounds, %s\n", setting, n, len(list), rounds, time.Since(begun).Round(time.Second))
	}
	return nil
}

// sizesOf are those of sizes that a contender is measured with.
func (m *measuring) sizesOf(c contender, sizes []int) []int {
	if c.once {
		return sizes[:1]
	}
	return sizes
}

// quiet is what others may take of a machine's CPU time, the API server among them.
const quiet = 0.05

// report writes what was measured.
func (m *measuring) report() error {
	if err := os.MkdirAll(m.Folder, 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(m.Folder, "load.csv"), m.figures.csv(), 0o644); err != nil { // #nosec G306 -- to be read
		return err
	}
	if slices.Contains(m.Settings, UDP) {
		if err := os.WriteFile(filepath.Join(m.Folder, "qps.svg"), m.figures.plot(m.Sizes), 0o644); err != nil { // #nosec G306 -- to be read
			return err
		}
	}
	rest := median(m.figures.each(others))
	fmt.Fprintf(m.Tables, "%d CPUs for server and client together. Others took %.0f %% of their time, at most %.0f %% in one run.\n",
		runtime.NumCPU(), 100*rest, 100*slices.Max(m.figures.each(others)))
	if rest > quiet {
		fmt.Fprintln(m.Tables, "**That is too much: measure again on a machine that does nothing else.**")
	}
	m.figures.tables(m.Tables, m.Settings)
	return nil
}
