package object

import (
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
)

// Service is a slim Service.
type Service struct {
	head
	Type ServiceType
	// ClusterIPs are spec.clusterIPs, of a ClusterIP Service only.
	ClusterIPs []netip.Addr
	// ExternalName is spec.externalName, of an ExternalName Service only.
	ExternalName string
}

// ServiceType says where a Service's addresses come from.
type ServiceType uint8

// The types of Services that differ in DNS. NodePort and LoadBalancer are ClusterIP here.
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
	switch {
	case o.Spec.Type == corev1.ServiceTypeExternalName:
		s.Type, s.ExternalName = ExternalName, o.Spec.ExternalName
		return s, nil
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
