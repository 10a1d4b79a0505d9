package object

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/coredns-headless/headless/plugin/dnsname"
)

// Service is a slim Service. A snapshot has its fields in JSON.
type Service struct {
	meta
	Type ServiceType `json:"type,omitempty"`
	// ClusterIPs are spec.clusterIPs of a ClusterIP Service, and the address of an ExternalName Service whose
	// spec.externalName is one.
	ClusterIPs []netip.Addr `json:"clusterIPs,omitempty"`
	// Ports are spec.ports of a ClusterIP or headless Service.
	Ports []Port `json:"ports,omitempty"`
	// ExternalName is spec.externalName of an ExternalName Service, fully qualified, if it is a domain name.
	ExternalName string `json:"externalName,omitempty"`
}

// Same reports whether s and o have the same names and records.
func (s *Service) Same(o *Service) bool {
	return s.Type == o.Type && s.ExternalName == o.ExternalName &&
		slices.Equal(s.ClusterIPs, o.ClusterIPs) && slices.Equal(s.Ports, o.Ports)
}

// ServiceType is the type of a Service, as far as DNS depends on it.
type ServiceType uint8

// The types of Services; snapshots have these numbers. NodePort and LoadBalancer are ClusterIP here.
const (
	ClusterIP ServiceType = iota
	Headless
	ExternalName
)

// FromService converts o. Its results are like those of From.
func FromService(o *corev1.Service) (*Service, error) {
	m, err := newMeta(KindService, &o.ObjectMeta)
	if err != nil {
		return nil, err
	}
	s := &Service{meta: m}
	if o.Spec.Type == corev1.ServiceTypeExternalName {
		s.Type = ExternalName
		if a, aerr := parseAddr(strings.TrimSuffix(o.Spec.ExternalName, ".")); aerr == nil {
			s.ClusterIPs = []netip.Addr{a}
			return s, nil
		}
		s.ExternalName, err = externalName(o.Spec.ExternalName)
		return s, err
	}
	for _, p := range o.Spec.Ports {
		if port, ok := newPort(p.Name, p.Protocol, p.Port); ok {
			s.Ports = append(s.Ports, port)
		}
	}
	ips := o.Spec.ClusterIPs
	if len(ips) == 0 && o.Spec.ClusterIP != "" {
		ips = []string{o.Spec.ClusterIP}
	}
	if o.Spec.ClusterIP == corev1.ClusterIPNone || len(ips) > 0 && ips[0] == corev1.ClusterIPNone {
		s.Type = Headless
		return s, nil
	}
	for _, ip := range ips {
		a, aerr := parseAddr(ip)
		if aerr != nil {
			err = fmt.Errorf("spec.clusterIPs: %w", aerr)
			continue
		}
		s.ClusterIPs = append(s.ClusterIPs, a)
	}
	return s, err
}

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

// externalName returns name fully qualified and in lower case. It returns an error if a CNAME record cannot point at
// it. An address with a zone is one that no record can have.
func externalName(name string) (string, error) {
	host := strings.TrimSuffix(dnsname.Lower(name), ".")
	if _, err := netip.ParseAddr(host); err == nil {
		return "", fmt.Errorf("spec.externalName: %q is an address, not a domain name", name)
	}
	tooLong := func(label string) bool { return !IsLabel(label) } // the API limits only the length of the whole name
	if len(validation.IsDNS1123Subdomain(host)) > 0 || slices.ContainsFunc(strings.Split(host, "."), tooLong) {
		return "", fmt.Errorf("spec.externalName: %q is not a domain name", name)
	}
	return host + ".", nil
}

// parseAddr parses an address for an A or AAAA record. It rejects a zone, and returns an IPv4-mapped IPv6 address as
// IPv4.
func parseAddr(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%q is not an IP address", s)
	}
	if a.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%q has a zone", s)
	}
	return a.Unmap(), nil
}

// notAddr reports whether parseAddr returns no such address.
func notAddr(a netip.Addr) bool { return !a.IsValid() || a.Zone() != "" || a != a.Unmap() }
