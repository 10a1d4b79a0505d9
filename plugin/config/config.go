// Package config reads the stanzas of a Corefile. It is pure: it opens no file and asks nobody.
package config

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/coredns/caddy"
)

// Stanza is one headless stanza of a Corefile, checked. Names of zones are fully qualified and in lower case.
type Stanza struct {
	// Zones are the cluster zones.
	Zones []string
	// Networks are the pod networks whose reverse names are answered.
	Networks []netip.Prefix
	Suffixes []Suffix
	// Nameservers are those of the suffixes; none means ns.dns.SUFFIX with the listener's addresses.
	Nameservers []Nameserver
	NotReady    bool
	// Namespaces are the only ones watched, sorted; none means all.
	Namespaces []string
	// TTL of every record, in seconds.
	TTL uint32
	// Kubeconfig and its Context, or Manifests, are where the objects come from; else it is the service account.
	Kubeconfig, Context string
	Manifests           []string
	// SourceAt is where the option for that is, or the stanza.
	SourceAt       Position
	Snapshot       Snapshot
	Explain        Explain
	StartupTimeout time.Duration
	// At is where the stanza begins.
	At Position
}

// Snapshot is the file that keeps what is known of a cluster; none has an empty Path.
type Snapshot struct {
	Path string
	At   Position
}

// Explain is where to say why names resolve; nowhere has an empty Address.
type Explain struct {
	Address string
	At      Position
}

// Suffix is a domain that the plugin answers under.
type Suffix struct {
	Name   string
	Target Target
	// Shared says that a later plugin serves the rest of the domain (fallthrough).
	Shared bool
	At     Position
}

// Nameserver is a name server of the suffixes.
type Nameserver struct {
	Name string
	// Addrs are given for a name inside a suffix, and for no other.
	Addrs []netip.Addr
	At    Position
}

// Target is a node of the tree of names: the root, a namespace or a Service.
type Target struct {
	Namespace, Service string
}

// Position is a place in a Corefile.
type Position struct {
	File string
	Line int
}

// Errorf makes an error of the form that caddy's Dispenser makes, for a place that was read before.
func (p Position) Errorf(format string, args ...any) error {
	return fmt.Errorf("%s:%d - Error during parsing: %w", p.File, p.Line, fmt.Errorf(format, args...))
}

func (p Position) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

func position(c *caddy.Controller) Position { return Position{File: c.File(), Line: c.Line()} }

const (
	defaultTTL     = 5               // seconds, as *kubernetes*
	maxTTL         = 3600            // seconds, as *kubernetes*
	defaultTimeout = 5 * time.Second // as *kubernetes*
	defaultExplain = "127.0.0.1:8053"
	// maxSuffix leaves room for hostmaster.SUFFIX in a SOA record, and for a peer's name.
	maxSuffix = 190
)

// Parse reads all headless stanzas of a server block.
func Parse(c *caddy.Controller) ([]Stanza, error) {
	served := origins(c.ServerBlockKeys)
	var list []Stanza
	for c.Next() {
		p := parser{Controller: c, served: served}
		if err := p.stanza(); err != nil {
			return nil, err
		}
		list = append(list, p.s)
		if err := checkTogether(list); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// checkTogether checks the last stanza of list against those before it.
func checkTogether(list []Stanza) error {
	last := list[len(list)-1]
	for _, s := range list[:len(list)-1] {
		for _, z := range s.Zones {
			for _, mine := range last.Zones {
				if z == mine {
					return last.At.Errorf("cluster zone %q is served by the stanza at %s already: it belongs to one cluster, put all options there", z, s.At)
				}
			}
			for _, mine := range last.Suffixes {
				if err := checkSuffixZone(mine, z); err != nil {
					return err
				}
			}
		}
		for _, n := range s.Networks {
			if slices.Contains(last.Networks, n) {
				return last.At.Errorf("pod network %q is served by the stanza at %s already: it belongs to one cluster", n, s.At)
			}
		}
		for _, theirs := range s.Suffixes {
			for _, z := range last.Zones {
				if err := checkSuffixZone(theirs, z); err != nil {
					return err
				}
			}
			for _, mine := range last.Suffixes {
				if err := checkTwice(mine, theirs); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
