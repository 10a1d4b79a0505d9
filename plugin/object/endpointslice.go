package object

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/coredns-headless/headless/plugin/dnsname"
)

// EndpointSlice is a slim EndpointSlice. A snapshot has its fields in JSON.
type EndpointSlice struct {
	meta
	// Service is the name of the Service, in the slice's namespace (label kubernetes.io/service-name).
	Service   string     `json:"service"`
	Ports     []Port     `json:"ports,omitempty"`
	Endpoints []Endpoint `json:"endpoints,omitempty"`
	// Trigger is the time of the change to a pod or Service that this version of the slice reflects, in Unix
	// nanoseconds (annotation endpoints.kubernetes.io/last-change-trigger-time). It is 0 if there is none.
	Trigger int64 `json:"-"`
}

// Endpoint is one address of an endpoint. An endpoint with several addresses becomes several Endpoints. Names are in
// lower case.
type Endpoint struct {
	// Pod is the name of the pod, from targetRef. It is empty if there is no pod, or if the name is not a valid label.
	Pod string `json:"pod,omitempty"`
	// Host is the hostname. If the endpoint has neither a hostname nor a Pod, it is the dashed address.
	Host string     `json:"host,omitempty"`
	Addr netip.Addr `json:"addr"`
	// Ready is conditions.ready, or true if that is absent.
	Ready bool `json:"ready,omitempty"`
	// Leaving is 0 if Ready, or if conditions.terminating is false or absent. Else it is 1 while the endpoint still
	// serves (conditions.serving is true or absent), and 2 after that.
	Leaving uint8 `json:"leaving,omitempty"`
	// Dashed is set if Host is the dashed address.
	Dashed bool `json:"dashed,omitempty"`
}

// NewEndpointSlice returns an EndpointSlice without a version.
func NewEndpointSlice(k Key, service string, ports []Port, endpoints []Endpoint) *EndpointSlice {
	return &EndpointSlice{meta: meta{key: k}, Service: service, Ports: ports, Endpoints: endpoints}
}

// FromEndpointSlice converts o. Its results are like those of From.
func FromEndpointSlice(o *discoveryv1.EndpointSlice) (*EndpointSlice, error) {
	m, err := newMeta(KindEndpointSlice, &o.ObjectMeta)
	if err != nil {
		return nil, err
	}
	svc, ok := o.Labels[discoveryv1.LabelServiceName]
	switch {
	case !ok:
		return nil, errNoService
	case !IsLabel(svc):
		return nil, fmt.Errorf("label %s: %q is not the name of a Service", discoveryv1.LabelServiceName, svc)
	case o.AddressType == discoveryv1.AddressTypeFQDN:
		return nil, errFQDN
	}
	s := &EndpointSlice{
		meta: m, Service: dnsname.Lower(svc), Endpoints: make([]Endpoint, 0, len(o.Endpoints)),
		Trigger: trigger(&o.ObjectMeta),
	}
	for _, p := range o.Ports {
		if p.Port == nil { // all ports (EndpointPort.port), so there is no number for a SRV record
			continue
		}
		if port, ok := newPort(ptr.Deref(p.Name, ""), ptr.Deref(p.Protocol, ""), *p.Port); ok {
			s.Ports = append(s.Ports, port)
		}
	}
	for i := range o.Endpoints {
		if eerr := s.add(&o.Endpoints[i]); eerr != nil && err == nil {
			err = fmt.Errorf("endpoints[%d]: %w", i, eerr)
		}
	}
	return s, err
}

// trigger returns EndpointSlice.Trigger.
func trigger(o *metav1.ObjectMeta) int64 {
	t, err := time.Parse(time.RFC3339Nano, o.Annotations[corev1.EndpointsLastChangeTriggerTime])
	if err != nil || t.Year() < 1970 || t.Year() > 2261 { // out of UnixNano's range
		return 0
	}
	return t.UnixNano()
}

// add appends an Endpoint for each address of e. It leaves out invalid addresses, and returns an error for the last of
// them.
func (s *EndpointSlice) add(e *discoveryv1.Endpoint) (err error) {
	ep := Endpoint{Ready: ptr.Deref(e.Conditions.Ready, true)}
	if !ep.Ready && ptr.Deref(e.Conditions.Terminating, false) {
		ep.Leaving = 2
		if ptr.Deref(e.Conditions.Serving, true) {
			ep.Leaving = 1
		}
	}
	if r := e.TargetRef; r != nil && r.Kind == "Pod" && isPodName(r.Name) &&
		(r.Namespace == "" || r.Namespace == s.key.Namespace) {
		ep.Pod = dnsname.Lower(r.Name)
	}
	if e.Hostname != nil && IsLabel(*e.Hostname) {
		ep.Host = dnsname.Lower(*e.Hostname)
		if ep.Host == ep.Pod {
			ep.Host = ep.Pod // one string in memory, not two
		}
	}
	named := ep.Pod != "" || ep.Host != ""
	for _, text := range e.Addresses {
		a, aerr := parseAddr(text)
		if aerr != nil {
			err = aerr
			continue
		}
		ep.Addr = a
		if !named {
			ep.Host, ep.Dashed = dashed(text), true
		}
		s.Endpoints = append(s.Endpoints, ep)
	}
	return err
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

// isPodName reports whether name can be the name of a pod and one label: letters, digits and dashes, with no dash at
// an end (RFC 1123 section 2.1). The API server validates the names of pods, but not targetRef.name. Without this
// check, a user who can write EndpointSlices could put "*" into zone transfers, where a secondary takes it for a
// wildcard, or line breaks into logs.
func isPodName(name string) bool {
	invalid := func(r rune) bool { return (r < '0' || '9' < r) && (r < 'a' || 'z' < r) && r != '-' }
	return IsLabel(name) && !strings.ContainsFunc(dnsname.Lower(name), invalid) &&
		!strings.HasPrefix(name, "-") && !strings.HasSuffix(name, "-")
}

// dashed returns the label that the plugin kubernetes gives to an endpoint without a hostname: its address as written
// in the slice, with dashes for dots and colons. It appends a 0 to a label that would end in a dash.
func dashed(text string) string {
	separator := ":"
	if strings.Contains(text, ".") {
		separator = "."
	}
	d := dnsname.Lower(strings.ReplaceAll(text, separator, "-"))
	if strings.HasSuffix(d, "-") {
		d += "0"
	}
	return d
}

// ParseDashed returns the address that label is the dashed form of. It reports false if there is none.
func ParseDashed(label []byte) (netip.Addr, bool) {
	dashes := 0
	for _, c := range label {
		switch {
		case c == '-':
			dashes++
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f':
		default:
			return netip.Addr{}, false // most names of pods, before anything is allocated
		}
	}
	if dashes == 3 {
		if a, err := netip.ParseAddr(strings.ReplaceAll(string(label), "-", ".")); err == nil {
			return a, true
		}
	}
	if dashes < 2 {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(strings.ReplaceAll(string(label), "-", ":"))
	return a.Unmap(), err == nil
}
