package headless

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coredns/caddy"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/coredns-headless/headless/plugin/source"
	clustersource "github.com/coredns-headless/headless/plugin/source/cluster"
	"github.com/coredns-headless/headless/plugin/source/manifests"
	"github.com/coredns-headless/headless/plugin/source/snapshot"
)

// The sources and snapshots of all server blocks and generations.
var (
	sources   source.Shared
	snapshots snapshot.Shared
)

// open acquires the source of a stanza, without starting it. A source that runs already is taken as it is: what is
// wrong with its manifests now must not keep a reload from going on with their last good state.
func (g *generation) open(s *stanza, root string) error {
	only := "" // part of the source's name
	if len(s.Namespaces) > 0 {
		only = ", namespaces " + strings.Join(s.Namespaces, " ")
	}
	if len(s.Manifests) > 0 {
		paths := make([]string, len(s.Manifests))
		for i, p := range s.Manifests {
			paths[i] = below(root, p)
		}
		name := "manifests " + strings.Join(paths, " ") + only
		return g.acquire(s, name, func() (*source.Source, error) { return manifests.Open(name, paths, s.Namespaces) })
	}
	var cfg *rest.Config
	var err error
	digest, name := "", "service account"+only
	if s.Kubeconfig == "" {
		if cfg, err = rest.InClusterConfig(); err != nil {
			return fmt.Errorf("not in a pod with a service account (%w): "+
				"give kubeconfig KUBECONFIG or manifests PATH", err)
		}
	} else {
		name = strings.TrimSpace("kubeconfig "+s.Kubeconfig+" "+s.Context) + only
		if cfg, digest, err = kubeconfig(s.Kubeconfig, s.Context); err != nil {
			return fmt.Errorf("kubeconfig %q: %w", s.Kubeconfig, err)
		}
	}
	cfg.UserAgent = fmt.Sprintf("%s/%s headless/%s", caddy.AppName, caddy.AppVersion, Version)
	return g.acquire(s, name+digest, func() (*source.Source, error) {
		return clustersource.Open(name, cfg, s.Namespaces)
	})
}

// acquire gives the stanza the source with that key.
func (g *generation) acquire(s *stanza, key string, open func() (*source.Source, error)) error {
	src, release, err := sources.Acquire(key, open)
	if err != nil {
		return err
	}
	g.onClose(release)
	if src.Running() { // this Corefile may have another ttl or name server for the same objects
		g.serves = append(g.serves, src.Tree().Renumber)
	}
	s.source, s.tree = src, src.Tree()
	return nil
}

// keep notes the file that the stanza's state is kept in. It must not be that of another source.
func (g *generation) keep(s *stanza, root string) error {
	if s.Snapshot.Path == "" {
		return nil
	}
	s.snapshot = filepath.Clean(below(root, s.Snapshot.Path))
	first := g.snapshots[s.snapshot]
	if first == nil {
		g.snapshots[s.snapshot] = s
	} else if first.source != s.source {
		return fmt.Errorf("snapshot %q is used by another stanza: "+
			"give each kubeconfig and set of namespaces its own file", s.snapshot)
	}
	return nil
}

// start starts the sources and waits for their first sync, as *kubernetes* does.
func (h *Headless) start() {
	g := h.generation
	defer g.starting.Add(-1)
	now := time.Now()
	for _, s := range h.stanzas {
		s.source.Start()
		if s.snapshot != "" {
			g.onClose(snapshots.Acquire(s.snapshot, s.StartupTimeout, s.source))
		}
		if len(s.Networks) > 0 {
			s.tree.IndexAddresses()
		}
		g.waits = append(g.waits, wait{stanza: s, until: now.Add(s.StartupTimeout)})
	}
	for _, s := range h.stanzas {
		if s.source.Wait(time.Until(now.Add(s.StartupTimeout))) {
			continue
		}
		until := "until then"
		if s.snapshot != "" {
			until = "until then, or until the snapshot is served,"
		}
		log.Warningf("%s: starting before the first sync: %s queries below %s go to the next plugin, "+
			"and suffixes answer SERVFAIL", s.source.Name(), until, strings.Join(s.Zones, ", "))
	}
}

// below returns path as the Corefile means it: relative to CoreDNS's root.
func below(root, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(root, path)
}

// kubeconfig loads a kubeconfig, and a digest of it: a reload after it changed needs a new client.
func kubeconfig(path, context string) (*rest.Config, string, error) {
	text, err := os.ReadFile(path) // #nosec G304 -- the Corefile names it
	if err != nil {
		return nil, "", err
	}
	loaded, err := clientcmd.LoadFromFile(path)
	if err == nil {
		err = clientcmd.ResolveLocalPaths(loaded) // paths in it are relative to it
	}
	if err != nil {
		return nil, "", err
	}
	if context == "" {
		context = loaded.CurrentContext
	}
	if loaded.Contexts[context] == nil {
		return nil, "", fmt.Errorf("no context %q; it has %q", context, slices.Sorted(maps.Keys(loaded.Contexts)))
	}
	overrides := new(clientcmd.ConfigOverrides)
	cfg, err := clientcmd.NewNonInteractiveClientConfig(*loaded, context, overrides, nil).ClientConfig()
	if err == nil {
		_, err = rest.TLSConfigFor(cfg) // reads certificates and addresses
	}
	if err != nil {
		return nil, "", fmt.Errorf("context %q: %w", context, err)
	}
	return cfg, fmt.Sprintf("\n%x", sha256.Sum256(text)), nil
}
