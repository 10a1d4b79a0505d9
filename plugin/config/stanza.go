package config

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/plugin"
	"github.com/miekg/dns"
	"golang.org/x/net/idna"
)

// parser parses one stanza.
type parser struct {
	*caddy.Controller
	served []string // zones of the server block
	s      Stanza

	seen    map[string]Position // options so far
	shared  *fallThrough        // nil without the option
	targets []string            // of s.Suffixes, as written
}

// fallThrough is the option fallthrough.
type fallThrough struct {
	zones []string
	at    Position
}

// option describes one option of a stanza.
type option struct {
	usage    string
	min, max int  // number of arguments; max < 0 means any
	repeats  bool // the option may be set more than once
	names    bool // the arguments are domain names
	read     func(*parser, []string) error
}

// options are all options by name.
var options = map[string]option{
	"suffix": {
		usage: "suffix SUFFIX TARGET", min: 2, max: 2, repeats: true, names: true, read: (*parser).suffix,
	},
	"nameserver": {
		usage: "nameserver NAME [ADDRESS...]", min: 1, max: -1, repeats: true, names: true, read: (*parser).nameserver,
	},
	"ptr":             {usage: "ptr suffix", min: 1, max: 1, read: (*parser).ptr},
	"not_ready":       {usage: "not_ready", read: (*parser).notReady},
	"namespaces":      {usage: "namespaces NAMESPACE...", min: 1, max: -1, repeats: true, read: (*parser).namespaces},
	"ttl":             {usage: "ttl TTL", min: 1, max: 1, read: (*parser).ttl},
	"apex_ttl":        {usage: "apex_ttl TTL", min: 1, max: 1, read: (*parser).apexTTL},
	"fallthrough":     {usage: "fallthrough [ZONES...]", max: -1, names: true, read: (*parser).fallthroughTo},
	"kubeconfig":      {usage: "kubeconfig KUBECONFIG [CONTEXT]", min: 1, max: 2, read: (*parser).kubeconfig},
	"manifests":       {usage: "manifests PATH...", min: 1, max: -1, repeats: true, read: (*parser).manifests},
	"snapshot":        {usage: "snapshot FILE", min: 1, max: 1, read: (*parser).snapshot},
	"explain":         {usage: "explain [ADDRESS]", max: 1, read: (*parser).explain},
	"startup_timeout": {usage: "startup_timeout DURATION", min: 1, max: 1, read: (*parser).startupTimeout},
}

// stanza parses the whole stanza into p.s.
func (p *parser) stanza() error {
	p.s = Stanza{TTL: defaultTTL, ApexTTL: defaultApexTTL, StartupTimeout: defaultTimeout, At: position(p.Controller)}
	p.s.SourceAt = p.s.At
	p.seen = make(map[string]Position)
	if err := p.zones(p.RemainingArgs()); err != nil {
		return err
	}
	for p.NextBlock() {
		name := p.Val()
		o, ok := options[name]
		if !ok {
			return p.Errf("unknown property %s", quote(name))
		}
		at := position(p.Controller)
		if first, twice := p.seen[name]; twice && !o.repeats {
			return at.Errorf("%s is already set at %s", name, first)
		}
		p.seen[name] = at
		args := p.RemainingArgs()
		if len(args) < o.min || o.max >= 0 && len(args) > o.max {
			return at.Errorf("wrong argument count for '%s'; usage: %s", name, o.usage)
		}
		if o.names {
			if err := p.ascii(args); err != nil {
				return err
			}
		}
		if err := o.read(p, args); err != nil {
			return err
		}
	}
	return p.finish()
}

// zones parses the cluster zones and pod networks, which are the zones of the server block if there are no arguments.
func (p *parser) zones(args []string) error {
	const usage = "name the cluster zone, such as cluster.local"
	if err := p.ascii(args); err != nil {
		return err
	}
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
			return p.Errf("invalid cluster zone %s: must be a domain name, such as cluster.local", quote(z))
		case len(name) > maxZone:
			return p.Errf("cluster zone %s must have at most %d octets: %d", quote(z), maxZone, len(name))
		case name == ".":
			return p.Errf("cluster zone cannot be the root; %s", usage)
		case slices.Contains(p.s.Zones, name):
			return p.Errf("cluster zone %s is listed twice", quote(z))
		}
		p.s.Zones = append(p.s.Zones, name)
	}
	if len(p.s.Zones) == 0 {
		return p.Errf("no cluster zone; %s", usage)
	}
	return nil
}

// suffix parses the option suffix, except for the target, which may name any zone of the stanza.
func (p *parser) suffix(args []string) error {
	name, err := zoneName(args[0])
	if err != nil || name == "." || strings.Contains(args[0], "/") || len(name) > maxZone {
		return p.Errf("invalid suffix %s: must be a domain name of at most %d octets, such as example.org",
			quote(args[0]), maxZone)
	}
	p.s.Suffixes = append(p.s.Suffixes, Suffix{Name: name, At: position(p.Controller)})
	p.targets = append(p.targets, args[1])
	return nil
}

func (p *parser) notReady([]string) error {
	p.s.NotReady = true
	return nil
}

func (p *parser) ptr(args []string) error {
	if args[0] != "suffix" {
		return p.Errf("invalid ptr %s: must be suffix", quote(args[0]))
	}
	p.s.PTRSuffix = true
	return nil
}

func (p *parser) namespaces(args []string) error {
	for _, ns := range args {
		if notLabel(ns) {
			return p.Errf("invalid namespace %s: must be a label of at most 63 lower case letters, digits and dashes",
				quote(ns))
		}
		if !slices.Contains(p.s.Namespaces, ns) {
			p.s.Namespaces = append(p.s.Namespaces, ns)
		}
	}
	slices.Sort(p.s.Namespaces)
	return nil
}

func (p *parser) ttl(args []string) (err error) {
	p.s.TTL, err = p.seconds("ttl", args[0], maxTTL)
	return err
}

func (p *parser) apexTTL(args []string) (err error) {
	p.s.ApexTTL, err = p.seconds("apex_ttl", args[0], maxApexTTL)
	return err
}

func (p *parser) seconds(option, arg string, limit uint32) (uint32, error) {
	n, err := strconv.ParseInt(arg, 10, 64)
	switch {
	case err != nil:
		return 0, p.Errf("invalid %s %s: must be a number of seconds in range [0, %d]", option, quote(arg), limit)
	case n < 0 || n > int64(limit):
		return 0, p.Errf("%s must be in range [0, %d]: %d", option, limit, n)
	}
	return uint32(n), nil // #nosec G115 -- in range
}

func (p *parser) fallthroughTo(args []string) error {
	p.shared = &fallThrough{at: position(p.Controller)}
	for _, z := range args {
		name, err := zoneName(z)
		if err != nil {
			return p.Errf("invalid fallthrough zone %s: must be a domain name", quote(z))
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
	return p.source("kubeconfig", args[0])
}

func (p *parser) manifests(args []string) error {
	p.s.Manifests = append(p.s.Manifests, args...)
	return p.source("manifests", args...)
}

// source checks the paths of kubeconfig or manifests, and keeps where the option is.
func (p *parser) source(option string, paths ...string) error {
	if p.s.Kubeconfig != "" && len(p.s.Manifests) > 0 {
		return p.Errf("kubeconfig and manifests cannot both be set")
	}
	if slices.Contains(paths, "") {
		return p.Errf("%s path cannot be empty", option)
	}
	p.s.SourceAt = position(p.Controller)
	return nil
}

func (p *parser) snapshot(args []string) error {
	if args[0] == "" || strings.HasSuffix(args[0], "/") {
		return p.Errf("invalid snapshot %s: must be a file, in a directory that CoreDNS can write to", quote(args[0]))
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
		return p.Errf("invalid explain address %s: must be IP:port, such as %s", quote(args[0]), defaultExplain)
	}
	p.s.Explain.Address = a.String()
	return nil
}

func (p *parser) startupTimeout(args []string) error {
	d, err := time.ParseDuration(args[0])
	if err != nil || d < 0 {
		return p.Errf("invalid startup_timeout %s: must be a duration of at least 0s, such as 5s", quote(args[0]))
	}
	p.s.StartupTimeout = d
	return nil
}

// ascii refuses names with other letters: queries have the A-labels of RFC 5890 for them, and would never match.
func (p *parser) ascii(names []string) error {
	for _, name := range names {
		if !strings.ContainsFunc(name, func(r rune) bool { return r > unicode.MaxASCII }) {
			continue
		}
		if a, err := idna.Lookup.ToASCII(name); err == nil {
			return p.Errf("name %s is not ASCII; use %s", quote(name), a)
		}
		return p.Errf("name %s is not ASCII", quote(name))
	}
	return nil
}

// zoneName returns s fully qualified and in lower case. It returns an error if s is not a domain name.
func zoneName(s string) (string, error) {
	hosts := plugin.Host(s).NormalizeExact()
	if len(hosts) != 1 || strings.Contains(s, ":") {
		return "", strconv.ErrSyntax
	}
	// IsFqdn is false if the last dot is escaped.
	if n, ok := dns.IsDomainName(hosts[0]); !ok || n == 0 && hosts[0] != "." || !dns.IsFqdn(hosts[0]) {
		return "", strconv.ErrSyntax
	}
	return hosts[0], nil
}

// quote puts s in the quotes of CoreDNS's error messages, and escapes what would not be one printable line.
func quote(s string) string {
	q := strconv.Quote(s)
	return "'" + q[1:len(q)-1] + "'"
}
