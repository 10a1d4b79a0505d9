// Package config parses the headless stanzas of a Corefile. It opens no file and makes no request.
package config

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/plugin"
	"github.com/miekg/dns"
)

// Stanza is one valid headless stanza. Domain names in it are fully qualified and in lower case.
type Stanza struct {
	// Zones are the cluster zones, at least one.
	Zones []string
	// Networks are the pod networks whose reverse zones are served.
	Networks []netip.Prefix
	Suffixes []Suffix
	// Nameservers are the name servers of the suffixes. If there are none, the plugin uses ns.dns.SUFFIX and the
	// addresses it listens on.
	Nameservers []Nameserver
	// NotReady is the option not_ready, PTRSuffix the option ptr suffix.
	NotReady, PTRSuffix bool
	// Namespaces are the namespaces to watch, sorted. If there are none, all are watched.
	Namespaces []string
	// TTL is the TTL of records, in seconds. ApexTTL is that of SOA and NS records, and of the addresses of name servers.
	TTL, ApexTTL uint32
	// Kubeconfig and its Context, or Manifests (files and directories), are where the objects come from. If neither is
	// set, it is the API server of the cluster that the pod runs in.
	Kubeconfig, Context string
	Manifests           []string
	// SourceAt is where that option is, or where the stanza begins if neither is set.
	SourceAt Position
	Snapshot Snapshot
	Explain  Explain
	// StartupTimeout is how long the plugin waits for the first sync before it reports ready without it.
	StartupTimeout time.Duration
	// At is where the stanza begins.
	At Position
}

// Snapshot is the option snapshot.
type Snapshot struct {
	Path string // of a file; empty if the option is not set
	At   Position
}

// Explain is the option explain.
type Explain struct {
	Address string // IP:port to listen on; empty if the option is not set
	At      Position
}

// Suffix is a domain that the plugin is authoritative for.
type Suffix struct {
	Name   string
	Target Target
	// Shared is set by fallthrough: another plugin serves the other names of the domain.
	Shared bool
	At     Position
}

// Nameserver is a name server of the suffixes.
type Nameserver struct {
	Name string
	// Addrs are the glue addresses. A name inside a suffix that is not shared has at least one, any other name has
	// none.
	Addrs []netip.Addr
	At    Position
}

// Target is what a suffix is grafted onto: a Service, a namespace if Service is empty, or the root if both are.
type Target struct {
	Namespace, Service string
}

// Position is a line of a Corefile.
type Position struct {
	File string
	Line int
}

// Errorf returns an error in the form of caddy's Dispenser.Errf, for a position that the parser has passed.
func (p Position) Errorf(format string, args ...any) error {
	return fmt.Errorf("%s:%d - Error during parsing: %w", p.File, p.Line, fmt.Errorf(format, args...))
}

func (p Position) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

func position(c *caddy.Controller) Position { return Position{File: c.File(), Line: c.Line()} }

const (
	// The plugin kubernetes has the same defaults and the same maximum.
	defaultTTL     = 5    // seconds
	maxTTL         = 3600 // seconds
	defaultApexTTL = 3600 // seconds
	maxApexTTL     = 86400
	defaultTimeout = 5 * time.Second

	defaultExplain = "127.0.0.1:8053"

	// maxZone is the maximum length of a zone or suffix. It leaves room for a label of 63 octets, and for the
	// hostmaster.ZONE of the SOA record.
	maxZone = 190 // octets
)

// Parse parses all headless stanzas of a server block.
func Parse(c *caddy.Controller) ([]Stanza, error) {
	served := plugin.OriginsFromArgsOrServerBlock(nil, c.ServerBlockKeys)
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

// checkTogether checks the last stanza of list against the ones before it.
func checkTogether(list []Stanza) error {
	last := list[len(list)-1]
	for _, s := range list[:len(list)-1] {
		for _, z := range s.Zones {
			if slices.Contains(last.Zones, z) {
				return last.At.Errorf("cluster zone %s already has a stanza at %s; set all its options there",
					quote(z), s.At)
			}
		}
		for _, n := range s.Networks {
			if slices.Contains(last.Networks, n) {
				return last.At.Errorf("network '%s' is already listed at %s; a pod network has one cluster", n, s.At)
			}
		}
		for _, x := range last.Suffixes {
			if err := checkSuffix(x, s.Zones, s.Suffixes); err != nil {
				return err
			}
		}
		for _, x := range s.Suffixes {
			if err := checkSuffix(x, last.Zones, nil); err != nil {
				return err
			}
		}
	}
	return checkShared(list)
}

// checkShared checks that no shared suffix lies in one that is not: a transfer of that could not have its names.
func checkShared(list []Stanza) error {
	var all []Suffix
	for _, s := range list {
		all = append(all, s.Suffixes...)
	}
	for _, s := range all {
		for _, o := range all {
			if s.Shared && !o.Shared && dns.IsSubDomain(o.Name, s.Name) {
				return s.At.Errorf("suffix %s is shared by fallthrough, and lies in %s of %s, which is not; "+
					"share both or neither", quote(s.Name), quote(o.Name), o.At)
			}
		}
	}
	return nil
}
