package config

import (
	"slices"
	"strings"

	"github.com/miekg/dns"
	"k8s.io/apimachinery/pkg/util/validation"
)

// finish makes the checks that need the whole stanza.
func (p *parser) finish() error {
	if p.s.Snapshot.Path != "" && len(p.s.Manifests) > 0 {
		return p.s.Snapshot.At.Errorf("snapshot and manifests cannot both be set")
	}
	for i := range p.s.Suffixes {
		s := &p.s.Suffixes[i]
		if err := p.target(s, p.targets[i]); err != nil {
			return err
		}
		if err := checkSuffix(*s, p.s.Zones, p.s.Suffixes[:i]); err != nil {
			return err
		}
		if len(p.s.Networks) > 0 && isNetwork(s.Name) {
			return s.At.Errorf("suffix %s is a reverse zone, and headless answers pod networks there", quote(s.Name))
		}
		inside := func(zone string) bool { return dns.IsSubDomain(zone, s.Name) }
		if len(p.served) > 0 && !slices.ContainsFunc(p.served, inside) {
			return s.At.Errorf("suffix %s is not in the server block's zones (%s)", quote(s.Name),
				strings.Join(p.served, ", "))
		}
	}
	if err := p.share(); err != nil {
		return err
	}
	return p.checkNameservers()
}

// target parses the target of the suffix s.
func (p *parser) target(s *Suffix, target string) error {
	name, err := zoneName(target)
	if err == nil {
		for _, z := range p.s.Zones {
			labels, ok := strings.CutSuffix(name, "svc."+z)
			path := strings.Split(strings.TrimSuffix(labels, "."), ".")
			if !ok || len(path) > 2 || labels != "" &&
				(!strings.HasSuffix(labels, ".") || slices.ContainsFunc(path, notLabel)) {
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
	return s.At.Errorf("invalid target %s: must be svc.ZONE, NAMESPACE.svc.ZONE or SERVICE.NAMESPACE.svc.ZONE, "+
		"where ZONE is %s", quote(target), strings.Join(p.s.Zones, " or "))
}

// notLabel reports whether s is not a valid name of a namespace or a Service.
func notLabel(s string) bool { return len(validation.IsDNS1123Label(s)) > 0 }

// targetWatched checks that the namespace of a target is watched.
func (p *parser) targetWatched(s *Suffix) error {
	ns := s.Target.Namespace
	if ns == "" || len(p.s.Namespaces) == 0 || slices.Contains(p.s.Namespaces, ns) {
		return nil
	}
	return s.At.Errorf("namespace '%s' of the target is not watched; namespaces has only %s",
		ns, strings.Join(p.s.Namespaces, ", "))
}

// share marks the suffixes that fallthrough covers. It has no effect on cluster zones: there the plugin always
// passes on a query for a name that it does not own.
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
			return p.shared.at.Errorf("fallthrough zone %s must be a suffix of this stanza, or a parent domain of one",
				quote(z))
		}
	}
	return nil
}

// checkSuffix checks that s is outside the cluster zones, and that no other suffix has its name.
func checkSuffix(s Suffix, zones []string, others []Suffix) error {
	for _, z := range zones {
		if dns.IsSubDomain(z, s.Name) {
			return s.At.Errorf("suffix %s must be outside the cluster zone %s", quote(s.Name), quote(z))
		}
	}
	for _, o := range others {
		if o.Name == s.Name {
			return s.At.Errorf("suffix %s is already set at %s", quote(s.Name), o.At)
		}
	}
	return nil
}
