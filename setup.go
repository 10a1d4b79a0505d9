package headless

import (
	"slices"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	clog "github.com/coredns/coredns/plugin/pkg/log"
	"github.com/coredns/coredns/plugin/pkg/upstream"
	"github.com/coredns/coredns/plugin/transfer"

	"github.com/coredns-headless/headless/plugin/config"
)

var log = clog.NewWithPlugin(name)

func init() { plugin.Register(name, setup) }

func setup(c *caddy.Controller) error {
	stanzas, err := config.Parse(c)
	if err != nil {
		return plugin.Error(name, err)
	}
	g := generationOf(c)
	h := &Headless{generation: g, upstream: upstream.New().Lookup}
	root := dnsserver.GetConfig(c).Root
	for _, s := range stanzas {
		st := &stanza{Stanza: s}
		if err := g.open(st, root); err != nil {
			return plugin.Error(name, s.SourceAt.Errorf("%w", err))
		}
		if err := g.keep(st, root); err != nil {
			return plugin.Error(name, s.Snapshot.At.Errorf("%w", err))
		}
		h.stanzas = append(h.stanzas, st)
		h.origins = append(h.origins, newOrigins(st)...)
		for _, n := range st.Networks {
			h.networks = append(h.networks, newNetwork(st, n))
		}
	}
	slices.SortStableFunc(h.origins, func(a, b *origin) int { return b.name.Labels() - a.name.Labels() })
	slices.SortStableFunc(h.networks, func(a, b *network) int { return b.prefix.Bits() - a.prefix.Bits() })

	hook()
	g.starting.Add(1)
	c.OnStartup(func() error {
		h.zoneSOA, _ = dnsserver.GetConfig(c).Handler("kubernetes").(soaSource)
		h.listening(dnsserver.GetConfig(c).ListenHosts)
		h.start()
		if t, ok := dnsserver.GetConfig(c).Handler("transfer").(*transfer.Transfer); ok {
			h.tell = t.Notify
			g.serves = append(g.serves, h.notify)
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
	dnsserver.GetConfig(c).AddPlugin(func(next plugin.Handler) plugin.Handler {
		h.Next = next
		return h
	})
	return nil
}
