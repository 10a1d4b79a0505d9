package headless

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	coreupstream "github.com/coredns/coredns/plugin/pkg/upstream"
	"github.com/coredns/coredns/plugin/transfer"

	"github.com/coredns-headless/headless/plugin/config"
	"github.com/coredns-headless/headless/plugin/zone"
)

func init() { plugin.Register(name, setup) }

func setup(c *caddy.Controller) error {
	stanzas, err := config.Parse(c)
	if err != nil {
		return plugin.Error(name, err)
	}
	g := generationOf(c)
	h := &Headless{generation: g, upstream: &upstream{lookup: coreupstream.New().Lookup}}
	cfg := dnsserver.GetConfig(c)
	for _, s := range stanzas {
		st := &stanza{Stanza: s}
		if err := g.open(st, cfg.Root); err != nil {
			return plugin.Error(name, s.SourceAt.Errorf("%w", err))
		}
		if err := g.keep(st, cfg.Root); err != nil {
			return plugin.Error(name, s.Snapshot.At.Errorf("%w", err))
		}
		h.stanzas = append(h.stanzas, st)
	}
	h.bypass = zone.New(h.zoneStanzas(), nil, nil).Bypass() // *cache* asks before this plugin starts

	hook(name)
	g.starting.Add(1)
	c.OnStartup(func() error {
		h.start()
		h.warn(exposed(cfg.Handler("kubernetes")))
		h.serve(hostAddrs(cfg.ListenHosts), newChain(cfg.Handler))
		if t, ok := cfg.Handler("transfer").(*transfer.Transfer); ok {
			g.serves = append(g.serves, func() { h.notify(t.Notify) })
		}
		return h.explain(c)
	})
	c.OnShutdown(func() error {
		g.close()
		return nil
	})
	c.OnRestartFailed(func() error {
		closeDead()
		return nil
	})
	cfg.AddPlugin(func(next plugin.Handler) plugin.Handler {
		h.Next = next
		return h
	})
	return nil
}

// zoneStanzas are the stanzas, as plugin/zone has them.
func (h *Headless) zoneStanzas() []zone.Stanza {
	stanzas := make([]zone.Stanza, len(h.stanzas))
	for i, s := range h.stanzas {
		stanzas[i] = s.zones()
	}
	return stanzas
}

// serve makes the zones of the stanzas.
func (h *Headless) serve(listening []netip.Addr, behind zone.Behind) {
	h.zones = zone.New(h.zoneStanzas(), listening, behind)
	h.counts = nil
	for _, name := range h.zones.Names() {
		h.counts = append(h.counts, newCounters(name))
	}
}

// warn warns of stanzas that answer for namespaces which *kubernetes* does not. It answers for those given, or for
// all.
func (h *Headless) warn(namespaces []string) {
	for _, s := range h.stanzas {
		other := func(ns string) bool { return !slices.Contains(namespaces, ns) }
		if len(namespaces) > 0 && (len(s.Namespaces) == 0 || slices.ContainsFunc(s.Namespaces, other)) {
			log.Warningf("%s: kubernetes answers only for the namespaces %s, and headless for others, too; "+
				"use the same option namespaces", s.At, strings.Join(namespaces, " "))
		}
		if len(s.Networks) > 0 && len(s.Suffixes) > 0 && !s.PTRSuffix {
			log.Infof("%s: PTR records have the names that pods call themselves, before names under suffixes; "+
				"\"ptr suffix\" prefers the latter, as version 0.1 did", s.At)
		}
	}
}
