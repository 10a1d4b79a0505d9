package config

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/plugin"
	"github.com/miekg/dns"
)

// parser reads one stanza.
type parser struct {
	*caddy.Controller
	served []string // the server block's zones
	s      Stanza

	seen    map[string]Position // options that may stand once
	shared  *fallThrough
	targets []string // of s.Suffixes, as written
}

type fallThrough struct {
	zones []string
	at    Position
}

// option is one option of a stanza.
type option struct {
	usage string
	// min and max are numbers of arguments; max < 0 is any.
	min, max int
	repeats  bool
	read     func(*parser, []string) error
}

var options map[string]option

func init() { // not a literal: the readers refer to it
	options = map[string]option{
		"suffix":          {usage: "suffix SUFFIX TARGET", min: 2, max: 2, repeats: true, read: (*parser).suffix},
		"nameserver":      {usage: "nameserver NAME [ADDRESS...]", min: 1, max: -1, repeats: true, read: (*parser).nameserver},
		"not_ready":       {usage: "not_ready, without arguments", read: (*parser).notReady},
		"namespaces":      {usage: "namespaces NAMESPACE...", min: 1, max: -1, repeats: true, read: (*parser).namespaces},
		"ttl":             {usage: "ttl SECONDS", min: 1, max: 1, read: (*parser).ttl},
		"fallthrough":     {usage: "fallthrough [ZONES...]", max: -1, read: (*parser).fallthroughTo},
		"kubeconfig":      {usage: "kubeconfig KUBECONFIG [CONTEXT]", min: 1, max: 2, read: (*parser).kubeconfig},
		"manifests":       {usage: "manifests PATH...", min: 1, max: -1, repeats: true, read: (*parser).manifests},
		"snapshot":        {usage: "snapshot FILE", min: 1, max: 1, read: (*parser).snapshot},
		"explain":         {usage: "explain [ADDRESS]", max: 1, read: (*parser).explain},
		"startup_timeout": {usage: "startup_timeout DURATION, such as 5s", min: 1, max: 1, read: (*parser).startupTimeout},
	}
}

func (p *parser) stanza() error {
	p.s = Stanza{TTL: defaultTTL, StartupTimeout: defaultTimeout, At: position(p.Controller)}
	p.s.SourceAt = p.s.At
	p.seen = make(map[string]Position)
	if err := p.zones(p.RemainingArgs()); err != nil {
		return err
	}
	for p.NextBlock() {
		name := p.Val()
		o, ok := options[name]
		if !ok {
			return p.Errf("unknown option %q: allowed are %s", name, strings.Join(slices.Sorted(maps.Keys(options)), ", "))
		}
		at := position(p.Controller)
		if first, twice := p.seen[name]; twice && !o.repeats {
			return at.Errorf("%s stands in line %d already: it is allowed once", name, first.Line)
		}
		p.seen[name] = at
		args := p.RemainingArgs()
		if len(args) < o.min || o.max >= 0 && len(args) > o.max {
			return at.Errorf("%s has %d arguments: allowed is %s", name, len(args), o.usage)
		}
		if err := o.read(p, args); err != nil {
			return err
		}
	}
	return p.finish()
}

// zones reads the cluster zones and pod networks, or takes the server block's.
func (p *parser) zones(args []string) error {
	zones := args
	if len(args) == 0 {
		zones = p.served
	}
	for _, z := range zones {
		if isNetwork(z) {
			if err := p.network(z); err != nil {
				return err
			}
			continue
		}
		name, err := zoneName(z)
		switch {
		case err != nil || strings.ContainsAny(z, "/"):
			return p.Errf("%q is no cluster zone: name the cluster zone, such as cluster.local", z)
		case len(name) > maxSuffix:
			return p.Errf("zone %q has %d octets: allowed are %d", z, len(name), maxSuffix)
		case name == ".":
			return p.Errf("zone %q is all of DNS: name the cluster zone, such as cluster.local", z)
		case slices.Contains(p.s.Zones, name):
			return p.Errf("zone %q stands twice", z)
		}
		p.s.Zones = append(p.s.Zones, name)
	}
	if len(p.s.Zones) == 0 {
		return p.Errf("no zone given: name the cluster zone, such as cluster.local")
	}
	return nil
}

func (p *parser) suffix(args []string) error {
	name, err := zoneName(args[0])
	if err != nil || name == "." || strings.Contains(args[0], "/") || len(name) > maxSuffix {
		return p.Errf("%q is no suffix: allowed is a domain name of 1 to %d octets, such as mgmt.example.org", args[0], maxSuffix)
	}
	p.s.Suffixes = append(p.s.Suffixes, Suffix{Name: name, At: position(p.Controller)})
	p.targets = append(p.targets, args[1])
	return nil
}

func (p *parser) notReady([]string) error {
	p.s.NotReady = true
	return nil
}

func (p *parser) namespaces(args []string) error {
	for _, ns := range args {
		if noLabel(ns) {
			return p.Errf("%q is no namespace: allowed are lower case letters, digits and -, 63 at most", ns)
		}
		if !slices.Contains(p.s.Namespaces, ns) {
			p.s.Namespaces = append(p.s.Namespaces, ns)
		}
	}
	slices.Sort(p.s.Namespaces)
	return nil
}

func (p *parser) ttl(args []string) error {
	ttl, err := strconv.ParseUint(args[0], 10, 32)
	if err != nil || ttl > maxTTL {
		return p.Errf("ttl %q: allowed are 0 to %d seconds", args[0], maxTTL)
	}
	p.s.TTL = uint32(ttl)
	return nil
}

func (p *parser) fallthroughTo(args []string) error {
	p.shared = &fallThrough{at: position(p.Controller)}
	for _, z := range args {
		name, err := zoneName(z)
		if err != nil {
			return p.Errf("fallthrough %q is no domain name", z)
		}
		p.shared.zones = append(p.shared.zones, name)
	}
	return nil
}

func (p *parser) kubeconfig(args []string) error {
	p.s.Kubeconfig = args[0]
	if len(args) == 2 {
		p.s.Context = args[1]
	}
	return p.source(args[0])
}

func (p *parser) manifests(args []string) error {
	p.s.Manifests = append(p.s.Manifests, args...)
	return p.source()
}

// source checks the paths and notes where the option stands, and that it is the only one of its kind.
func (p *parser) source(paths ...string) error {
	if p.s.Kubeconfig != "" && len(p.s.Manifests) > 0 {
		return p.Errf("kubeconfig and manifests stand together: allowed is one of them, for one cluster")
	}
	if slices.Contains(append(paths, p.s.Manifests...), "") {
		return p.Errf("a path is empty: allowed are names of files, and for manifests of folders")
	}
	p.s.SourceAt = position(p.Controller)
	return nil
}

func (p *parser) snapshot(args []string) error {
	if args[0] == "" || strings.HasSuffix(args[0], "/") {
		return p.Errf("snapshot %q is no file: allowed is the name of a file in a folder that CoreDNS may write to", args[0])
	}
	p.s.Snapshot = Snapshot{Path: args[0], At: position(p.Controller)}
	return nil
}

func (p *parser) explain(args []string) error {
	p.s.Explain = Explain{Address: defaultExplain, At: position(p.Controller)}
	if len(args) == 0 {
		return nil
	}
	a, err := netip.ParseAddrPort(args[0])
	if err != nil || a.Port() == 0 {
		return p.Errf("explain %q: allowed is an IP address with a port, such as %s", args[0], defaultExplain)
	}
	p.s.Explain.Address = a.String()
	return nil
}

func (p *parser) startupTimeout(args []string) error {
	d, err := time.ParseDuration(args[0])
	if err != nil || d < 0 {
		return p.Errf("startup_timeout %q: allowed is a duration of 0s or more, such as 5s", args[0])
	}
	p.s.StartupTimeout = d
	return nil
}

// zoneName is s fully qualified and in lower case.
func zoneName(s string) (string, error) {
	hosts := plugin.Host(s).NormalizeExact()
	if len(hosts) != 1 || strings.Contains(s, ":") {
		return "", strconv.ErrSyntax
	}
	if n, ok := dns.IsDomainName(hosts[0]); !ok || n == 0 && hosts[0] != "." || !dns.IsFqdn(hosts[0]) { // the last dot may be escaped
		return "", strconv.ErrSyntax
	}
	return hosts[0], nil
}

// origins are the zones of a server block's keys, such as dns://example.org.:53.
func origins(keys []string) []string {
	return plugin.OriginsFromArgsOrServerBlock(nil, keys)
}
