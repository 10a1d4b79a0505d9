package headless

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	clog "github.com/coredns/coredns/plugin/pkg/log"
	coreupstream "github.com/coredns/coredns/plugin/pkg/upstream"
	"github.com/coredns/coredns/plugin/transfer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/coredns-headless/headless/plugin/config"
	"github.com/coredns-headless/headless/plugin/tree"
	"github.com/coredns-headless/headless/plugin/watch"
	"github.com/coredns-headless/headless/plugin/zone"
)

var log = clog.NewWithPlugin(name)

// watches are all that run, shared by server blocks and by generations of the Corefile.
var watches watch.Registry

func init() { plugin.Register(name, setup) }

func setup(c *caddy.Controller) error {
	stanzas, err := config.Parse(c)
	if err != nil {
		return plugin.Error(name, err)
	}
	release(dead) // of a reload that failed while the plugin was not in the Corefile that stayed
	h := &Headless{generation: generationOf(c), upstream: &upstream{lookup: coreupstream.New().Lookup}}
	cfg := dnsserver.GetConfig(c)
	for _, s := range stanzas {
		st := &stanza{Stanza: s}
		if err := st.open(cfg.Root); err != nil {
			return plugin.Error(name, s.Source.At.Errorf("%w", err))
		}
		if err := h.generation.snapshot(st, cfg.Root); err != nil {
			return plugin.Error(name, s.Snapshot.At.Errorf("%w", err))
		}
		h.stanzas = append(h.stanzas, st)
	}
	h.serve(nil, nil)
	h.bypass = h.zones.Bypass() // *cache* asks before this plugin starts

	hook()
	h.generation.starting.Add(1)
	c.OnStartup(func() error {
		h.start()
		behind, _ := cfg.Handler("kubernetes").(backend)
		h.serve(hostAddrs(cfg.ListenHosts), behind)
		if t, ok := cfg.Handler("transfer").(*transfer.Transfer); ok {
			h.generation.serves = append(h.generation.serves, func() { h.notify(t.Notify) })
		}
		return h.explain(c)
	})
	c.OnShutdown(func() error {
		release(func(holder any) bool { return holder == h.generation })
		return nil
	})
	c.OnRestartFailed(func() error {
		release(dead)
		return nil
	})
	cfg.AddPlugin(func(next plugin.Handler) plugin.Handler {
		h.Next = next
		return h
	})
	return nil
}

// serve makes the zones of the stanzas. Behind is nil where the chain does not have *kubernetes*.
func (h *Headless) serve(listening []netip.Addr, behind backend) {
	stanzas := make([]zone.Stanza, len(h.stanzas))
	for i, s := range h.stanzas {
		stanzas[i] = s.zones()
	}
	if behind == nil {
		h.zones = zone.New(stanzas, listening, nil)
	} else {
		h.zones = zone.New(stanzas, listening, kubernetes{behind})
	}
	h.counts = nil
	for _, name := range h.zones.Names() {
		h.counts = append(h.counts, newCounters(name))
	}
}

// stanza is one stanza at work.
type stanza struct {
	config.Stanza
	fresh *watch.Watch // what to start, unless the same watch runs already
	keep  watch.Snapshot
	key   string     // names that same watch
	tree  *tree.Tree // set at start-up
}

func (s *stanza) zones() zone.Stanza {
	z := zone.Stanza{
		Tree: s.tree, Zones: s.Zones, Networks: s.Networks, NotReady: s.NotReady, TTL: s.TTL,
	}
	for _, x := range s.Suffixes {
		z.Suffixes = append(z.Suffixes, zone.Suffix{
			Name: x.Name, Namespace: x.Target.Namespace, Service: x.Target.Service, Shared: x.Shared,
		})
	}
	for _, n := range s.Nameservers {
		z.Nameservers = append(z.Nameservers, zone.Nameserver{Name: n.Name, Addrs: n.Addrs})
	}
	return z
}

// release ends what the generations selected by gone hold.
func release(gone func(generation any) bool) {
	watches.Release(gone)
	notifiers.release(gone)
	explains.Release(gone)
}

// start acquires the watches and waits for them, as *kubernetes* waits for its own.
func (h *Headless) start() {
	defer h.generation.starting.Add(-1)
	now := time.Now()
	var waits []wait
	if earlier := h.generation.waits.Load(); earlier != nil { // another server block's
		waits = *earlier
	}
	running := make([]*watch.Watch, len(h.stanzas))
	for i, s := range h.stanzas {
		w, shared := watches.Acquire(s.key, h.generation, s.fresh, s.keep)
		running[i], s.tree, s.fresh = w, w.Tree(), nil
		if shared { // this reading of the Corefile may have another ttl, or name server
			h.generation.serves = append(h.generation.serves, s.tree.Renumber)
		}
		if len(s.Networks) > 0 {
			s.tree.IndexAddresses()
		}
		waits = append(waits[:len(waits):len(waits)], wait{stanza: s, until: now.Add(s.StartupTimeout)})
	}
	h.generation.waits.Store(&waits)
	for i, s := range h.stanzas {
		if !running[i].Wait(time.Until(now.Add(s.StartupTimeout))) {
			until := "until then"
			if s.keep.Path != "" {
				until = "until then, or until the snapshot is served,"
			}
			log.Warningf("%s: starting before the first sync: %s queries below %s go on to the next plugin, and suffixes answer SERVFAIL",
				running[i].Name(), until, strings.Join(s.Zones, ", "))
		}
	}
}

// open makes the stanza's watch, without starting it, unless the same one runs already: what is wrong with its manifests now
// must not keep a reload from going on with what was good.
func (s *stanza) open(root string) error {
	src := s.Source
	only := "" // part of the source's name: what it does not see it cannot say
	if len(s.Namespaces) > 0 {
		only = ", namespaces " + strings.Join(s.Namespaces, " ")
	}
	if len(src.Manifests) > 0 {
		paths := make([]string, len(src.Manifests))
		for i, p := range src.Manifests {
			paths[i] = below(root, p)
		}
		s.key = "manifests " + strings.Join(paths, " ") + only
		return s.unlessRunning(func() (*watch.Watch, error) { return watch.Manifests(s.key, paths, s.Namespaces) })
	}
	var cfg *rest.Config
	var err error
	digest, label := "", "service account"+only
	if src.Kubeconfig == "" {
		if cfg, err = rest.InClusterConfig(); err != nil {
			return fmt.Errorf("no service account of a pod here (%w): allowed are kubeconfig KUBECONFIG, and manifests PATH", err)
		}
	} else {
		label = strings.TrimSpace("kubeconfig "+src.Kubeconfig+" "+src.Context) + only
		if cfg, digest, err = kubeconfig(src.Kubeconfig, src.Context); err != nil {
			return fmt.Errorf("kubeconfig %q: %w", src.Kubeconfig, err)
		}
	}
	cfg.UserAgent = fmt.Sprintf("%s/%s headless/%s", caddy.AppName, caddy.AppVersion, Version)
	s.key = label + digest
	return s.unlessRunning(func() (*watch.Watch, error) { return watch.Cluster(label, cfg, s.Namespaces) })
}

// snapshot sets where the stanza's state is kept, which is no file of another cluster's.
func (g *generation) snapshot(s *stanza, root string) error {
	if s.Snapshot.Path == "" {
		return nil
	}
	path := filepath.Clean(below(root, s.Snapshot.Path))
	if key, ok := g.snapshots[path]; ok && key != s.key {
		return fmt.Errorf("snapshot %q is another stanza's already: allowed is a file for each kubeconfig and set of namespaces", path)
	}
	g.snapshots[path] = s.key
	s.keep = watch.Snapshot{Path: path, After: s.StartupTimeout}
	return nil
}

// below is path as the Corefile means it: relative to CoreDNS's root.
func below(root, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(root, path)
}

func (s *stanza) unlessRunning(open func() (*watch.Watch, error)) (err error) {
	if !watches.Has(s.key) {
		s.fresh, err = open()
	}
	return err
}

// kubeconfig loads a kubeconfig, and a digest of it: a reload after it changed wants a new client.
func kubeconfig(path, context string) (*rest.Config, string, error) {
	text, err := os.ReadFile(path) // #nosec G304 -- the Corefile names it
	if err != nil {
		return nil, "", fmt.Errorf("%w: allowed is a kubeconfig file that can be read", err)
	}
	loaded, err := clientcmd.LoadFromFile(path)
	if err == nil {
		err = clientcmd.ResolveLocalPaths(loaded) // paths in it are relative to it
	}
	if err != nil {
		return nil, "", fmt.Errorf("%w: allowed is a kubeconfig file", err)
	}
	if context == "" {
		context = loaded.CurrentContext
	}
	if loaded.Contexts[context] == nil {
		return nil, "", fmt.Errorf("no context %q: allowed are those in it, %q", context, slices.Sorted(maps.Keys(loaded.Contexts)))
	}
	cfg, err := clientcmd.NewNonInteractiveClientConfig(*loaded, context, &clientcmd.ConfigOverrides{}, nil).ClientConfig()
	if err == nil {
		_, err = rest.TLSConfigFor(cfg) // certificates and addresses are read only now
	}
	if err != nil {
		return nil, "", fmt.Errorf("context %q: %w: allowed is what kubectl can use", context, err)
	}
	return cfg, fmt.Sprintf("\n%x", sha256.Sum256(text)), nil
}
