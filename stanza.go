package headless

import (
	"github.com/coredns-headless/headless/plugin/config"
	"github.com/coredns-headless/headless/plugin/source"
	"github.com/coredns-headless/headless/plugin/tree"
	"github.com/coredns-headless/headless/plugin/zone"
)

// stanza is one stanza at work.
type stanza struct {
	config.Stanza
	source   *source.Source
	snapshot string // the file that keeps its state, empty for none
	tree     *tree.Tree
}

// zones are the stanza's, as plugin/zone has them.
func (s *stanza) zones() zone.Stanza {
	z := zone.Stanza{
		Tree: s.tree, Zones: s.Zones, Networks: s.Networks, NotReady: s.NotReady, PTRSuffix: s.PTRSuffix,
		Stale: s.source.Stale, TTL: s.TTL, ApexTTL: s.ApexTTL,
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
