package object

import (
	"errors"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/coredns-headless/headless/plugin/dnsname"
)

// errRestore says that a slim object is none that From makes: it comes from a file that somebody changed.
var errRestore = errors.New("not a valid object")

// Restore gives a Service whose fields were read from JSON its key, and checks it.
func (s *Service) Restore(namespace, name string) error {
	s.meta = meta{key: NewKey(KindService, namespace, name)}
	if s.ExternalName != "" {
		if target, err := externalName(s.ExternalName); err != nil || target != s.ExternalName {
			return errRestore
		}
	}
	if !isLower(namespace) || !isLower(name) || s.Type > ExternalName || !arePorts(s.Ports) ||
		slices.ContainsFunc(s.ClusterIPs, notAddr) {
		return errRestore
	}
	return nil
}

// Restore gives an EndpointSlice whose fields were read from JSON its key, and checks it.
func (s *EndpointSlice) Restore(namespace, name string) error {
	s.meta = meta{key: NewKey(KindEndpointSlice, namespace, name)}
	if !isLower(namespace) || !isLower(s.Service) || !arePorts(s.Ports) {
		return errRestore
	}
	for i := range s.Endpoints {
		e := &s.Endpoints[i]
		if e.Pod != "" && (!isPodName(e.Pod) || !isLower(e.Pod) || e.Dashed) || e.Host != "" && !isLower(e.Host) ||
			e.Pod == "" && e.Host == "" || notAddr(e.Addr) {
			return errRestore
		}
		if e.Host == e.Pod {
			e.Host = e.Pod // one string in memory, not two
		}
	}
	return nil
}

// isLower reports whether s is a label in lower case.
func isLower(s string) bool { return IsLabel(s) && s == dnsname.Lower(s) }

// arePorts reports whether newPort makes these ports.
func arePorts(ports []Port) bool {
	return !slices.ContainsFunc(ports, func(p Port) bool {
		made, ok := newPort(p.Name, corev1.Protocol(p.Protocol), int32(p.Port))
		return !ok || made != p
	})
}

// notAddr reports whether parseAddr returns no such address.
func notAddr(a netip.Addr) bool { return !a.IsValid() || a.Zone() != "" || a != a.Unmap() }
