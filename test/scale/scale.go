// Package scale measures what the plugin costs in a large cluster on a real API server, beside *kubernetes*: memory,
// start, a full re-list, changes. The same cluster has four instances of CoreDNS: with *kubernetes*, with *headless*,
// with both, and idle.
package scale

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	clientset "k8s.io/client-go/kubernetes"

	"github.com/coredns-headless/headless/test/controlplane"
)

// Options say how large the cluster is, and how long it is measured. Where a number or a time is 0, that is left out.
type Options struct {
	// The cluster: headless Services of as many endpoints each.
	Endpoints, Services, Namespaces int
	// BigService and BigNamespace are the endpoints of a Service, and of a namespace's Services of 100, that come on
	// top when memory has been measured.
	BigService, BigNamespace int
	// Starts and Relists are how often each instance is started, and made to list again: in one way, then in the
	// other.
	Starts, Relists int
	// Rate is the changes a second. They last for Steady, once unwatched for the processor time, once watched for the
	// latency; ten times as many, and those in the big Service and the big namespace, for Other each.
	Rate          int
	Steady, Other time.Duration
	// Lookups is how long look-ups are timed: at rest, and while there are as many changes as the API server takes.
	Lookups time.Duration
	// CSV is the file that all figures are written to, Profiles a folder for heap profiles; "" for none.
	CSV, Profiles string
	// Progress is where to say what goes on.
	Progress io.Writer
}

// Default is the size that the bars are for: the limits of Kubernetes.
func Default() Options {
	return Options{
		Endpoints: 150_000, Services: 1_500, Namespaces: 30, BigService: 5_000, BigNamespace: 30_000, Starts: 5, Relists: 6,
		Rate: 20, Steady: 2 * time.Minute, Other: 30 * time.Second, Lookups: 20 * time.Second, Progress: os.Stderr,
	}
}

// bench is a run.
type bench struct {
	Options
	plane  *controlplane.ControlPlane
	client clientset.Interface

	instances []*instance
	cluster   *group
	service   *group // the big one
	namespace *group // the big one
	result    *Result
}

// Run measures. It ends what it started, also when ctx ends.
func Run(ctx context.Context, o Options) (_ *Result, err error) {
	dir, err := os.MkdirTemp("", "headless-scale-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // in the system's folder for such things
	b := &bench{Options: o, result: &Result{options: o}}
	b.cluster = newGroup("base", o.Endpoints, o.Services, o.Namespaces, netip.MustParseAddr("10.0.0.1"))
	b.service = newGroup("big-service", o.BigService, 1, 1, netip.MustParseAddr("10.100.0.1"))
	b.namespace = newGroup("big-namespace", o.BigNamespace, max(1, o.BigNamespace/perSlice), 1, netip.MustParseAddr("10.110.0.1"))

	b.say("starting etcd and an API server")
	if b.plane, err = controlplane.Start(controlplane.Options{Bare: true, Tokens: tokens()}); err != nil {
		return nil, err
	}
	defer b.plane.Stop()
	if b.client, err = newClient(b.plane); err != nil {
		return nil, err
	}
	for _, name := range []string{idle, kubernetes, headless, both} {
		i, err := newInstance(b.plane, name, dir)
		if err != nil {
			return nil, err
		}
		defer i.proxy.stop()
		defer i.stop()
		b.instances = append(b.instances, i)
	}
	for _, step := range []func(context.Context) error{b.populate, b.starts, b.relists, b.changes, b.bigOnes, b.lookups} {
		if err := step(ctx); err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return b.result, b.result.write(o.CSV)
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.Progress, time.Now().Format(time.TimeOnly)+" "+format+"\n", args...)
}

func (b *bench) populate(ctx context.Context) error {
	b.say("making %d endpoints in %d headless Services, %d namespaces", b.cluster.endpoints(), b.Services, b.Namespaces)
	return b.cluster.create(ctx, b.plane)
}

// targets are those of all instances.
func (b *bench) targets() (list []*target) {
	for _, i := range b.instances {
		list = append(list, i.targets...)
	}
	return list
}

// settle is the time in which an instance comes to rest after it has got all it asked for.
const settle = 500 * time.Millisecond

// pause waits unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
