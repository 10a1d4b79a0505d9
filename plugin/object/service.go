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
	head
	Type ServiceType `json:"type,omitempty"`
	// ClusterIPs are spec.clusterIPs, of a ClusterIP Service only.
	ClusterIPs []netip.Addr `json:"clusterIPs,omitempty"`
	// Ports are spec.ports, of all but ExternalName Services.
	Ports []Port `json:"ports,omitempty"`
	// ExternalName is spec.externalName fully qualified, of an ExternalName Service only.
	ExternalName string `json:"externalName,omitempty"`
}

// Same reports whether s and o have the same names and records.
func (s *Service) Same(o *Service) bool {
	return s.Type == o.Type && s.ExternalName == o.ExternalName && slices.Equal(s.ClusterIPs, o.ClusterIPs) && slices.Equal(s.Ports, o.Ports)
}

// ServiceType says where a Service's addresses come from.
type ServiceType uint8

// The types of Services that differ in DNS; snapshots have these numbers. NodePort and LoadBalancer are ClusterIP here.
const (
	ClusterIP ServiceType = iota
	Headless
	ExternalName
)

// FromService slims o. The error says why o, or a part of it, is left out; the Service is nil where all of it is.
func FromService(o *corev1.Service) (*Service, error) {
	h, err := newHead(KindService, &o.ObjectMeta)
	if err != nil {
		return nil, err
	}
	s := &Service{head: h}
	if o.Spec.Type == corev1.ServiceTypeExternalName {
		s.Type = ExternalName
		s.ExternalName, err = externalName(o.Spec.ExternalName)
		return s, err
	}
	for _, p := range o.Spec.Ports {
		if port, ok := newPort(p.Name, p.Protocol, p.Port); ok {
			s.Ports = append(s.Ports, port)
		}
	}
	switch {
	case o.Spec.ClusterIP == corev1.ClusterIPNone, len(o.Spec.ClusterIPs) > 0 && o.Spec.ClusterIPs[0] == corev1.ClusterIPNone:
		s.Type = Headless
		return s, nil
	}
	ips := o.Spec.ClusterIPs
	if len(ips) == 0 && o.Spec.ClusterIP != "" {
		ips = []string{o.Spec.ClusterIP}
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

// externalName is name fully qualified and in lower case, if a CNAME record can point there. The API also allows what reads as an
// address, which DNS would take for a name that cannot exist.
func externalName(name string) (string, error) {
	host := strings.TrimSuffix(dnsname.Lower(name), ".")
	if _, err := netip.ParseAddr(host); err == nil {
		return "", fmt.Errorf("spec.externalName: %q is an address", name)
	}
	long := func(label string) bool { return !IsLabel(label) } // the API bounds only the whole
	if len(validation.IsDNS1123Subdomain(host)) > 0 || slices.ContainsFunc(strings.Split(host, "."), long) {
		return "", fmt.Errorf("spec.externalName: %q is no domain name", name)
	}
	return host + ".", nil
}

// parseAddr reads an address as DNS can carry it: without a zone, and an IPv4 address mapped into IPv6 as IPv4.
func parseAddr(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%q is no address", s)
	}
	if a.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%q has a zone", s)
	}
	return a.Unmap(), nil
}
