package config

import (
	"slices"
	"strings"

	"github.com/miekg/dns"
	"k8s.io/apimachinery/pkg/util/validation"
)

// finish checks what can only be checked once the whole stanza is read.
func (p *parser) finish() error {
	if p.s.Snapshot.Path != "" && len(p.s.Manifests) > 0 {
		return p.s.Snapshot.At.Errorf("snapshot and manifests stand together: allowed is one of them, manifests are files already")
	}
	for i := range p.s.Suffixes {
		s := &p.s.Suffixes[i]
		if err := p.target(s, p.targets[i]); err != nil {
			return err
		}
		for _, z := range p.s.Zones {
			if err := checkSuffixZone(*s, z); err != nil {
				return err
			}
		}
		for _, other := range p.s.Suffixes[:i] {
			if err := checkTwice(*s, other); err != nil {
				return err
			}
		}
		inside := func(zone string) bool { return dns.IsSubDomain(zone, s.Name) }
		if len(p.served) > 0 && !slices.ContainsFunc(p.served, inside) {
			return s.At.Errorf("suffix %q lies outside the server block's zones, no query for it comes here: allowed is what lies in %s",
				s.Name, strings.Join(p.served, ", "))
		}
	}
	if err := p.share(); err != nil {
		return err
	}
	return p.checkNameservers()
}

// target reads where the suffix s is grafted.
func (p *parser) target(s *Suffix, target string) error {
	name, err := zoneName(target)
	if err == nil {
		for _, z := range p.s.Zones {
			labels, ok := strings.CutSuffix(name, "svc."+z)
			path := strings.Split(strings.TrimSuffix(labels, "."), ".")
			if !ok || labels != "" && !strings.HasSuffix(labels, ".") || len(path) > 2 || labels != "" && slices.ContainsFunc(path, noLabel) {
				continue
			}
			slices.Reverse(path)
			s.Target.Namespace = path[0]
			if len(path) == 2 {
				s.Target.Service = path[1]
			}
			return p.targetWatched(s)
		}
	}
	return s.At.Errorf("target %q: allowed are svc.ZONE, NAMESPACE.svc.ZONE and SERVICE.NAMESPACE.svc.ZONE, where ZONE is one of %s",
		target, strings.Join(p.s.Zones, ", "))
}

// noLabel reports whether s can be no name of a namespace or a Service.
func noLabel(s string) bool { return len(validation.IsDNS1123Label(s)) > 0 }

func (p *parser) targetWatched(s *Suffix) error {
	ns := s.Target.Namespace
	if ns == "" || len(p.s.Namespaces) == 0 || slices.Contains(p.s.Namespaces, ns) {
		return nil
	}
	return s.At.Errorf("namespace %q is not among the namespaces watched: allowed are %s", ns, strings.Join(p.s.Namespaces, ", "))
}

// share marks the suffixes that fallthrough covers. In cluster zones every miss goes on anyway.
func (p *parser) share() error {
	if p.shared == nil {
		return nil
	}
	for i := range p.s.Suffixes {
		s := &p.s.Suffixes[i]
		s.Shared = len(p.shared.zones) == 0
	}
	for _, z := range p.shared.zones {
		covers := false
		for i := range p.s.Suffixes {
			if s := &p.s.Suffixes[i]; dns.IsSubDomain(z, s.Name) {
				s.Shared, covers = true, true
			}
		}
		if !covers {
			return p.shared.at.Errorf("fallthrough %q covers no suffix of this stanza: allowed are its suffixes and domains above them", z)
		}
	}
	return nil
}

func checkSuffixZone(s Suffix, zone string) error {
	if dns.IsSubDomain(zone, s.Name) {
		return s.At.Errorf("suffix %q lies inside the cluster zone %q, whose names belong to the cluster: allowed is a domain outside", s.Name, zone)
	}
	return nil
}

func checkTwice(s, other Suffix) error {
	if s.Name == other.Name {
		return s.At.Errorf("suffix %q stands at %s already: allowed is one target for a suffix", s.Name, other.At)
	}
	return nil
}
