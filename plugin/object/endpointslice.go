package object

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/plugin/dnsname"
)

// EndpointSlice is a slim EndpointSlice. A snapshot has its fields in JSON.
type EndpointSlice struct {
	head
	// Service is the Service it belongs to, in its own namespace.
	Service   string     `json:"service"`
	Ports     []Port     `json:"ports,omitempty"`
	Endpoints []Endpoint `json:"endpoints,omitempty"`
	// Trigger is when the change of a pod or Service that it follows was made, in Unix nanoseconds; 0 where nobody says so.
	Trigger int64 `json:"-"`
}

// Endpoint is one address of an endpoint of an EndpointSlice. Its names are in lower case.
type Endpoint struct {
	// Pod is the name of the pod behind it, empty where there is none or its name is no label of a host name.
	Pod string `json:"pod,omitempty"`
	// Host is its hostname or, where it has neither hostname nor Pod, its dashed address.
	Host string     `json:"host,omitempty"`
	Addr netip.Addr `json:"addr"`
	// Ready is conditions.ready, true where absent.
	Ready bool `json:"ready,omitempty"`
	// Dashed says that Host is the dashed address.
	Dashed bool `json:"dashed,omitempty"`
}

// NewEndpointSlice makes an EndpointSlice of its parts, without a version.
func NewEndpointSlice(k Key, service string, ports []Port, endpoints []Endpoint) *EndpointSlice {
	return &EndpointSlice{head: head{key: k}, Service: service, Ports: ports, Endpoints: endpoints}
}

// FromEndpointSlice slims o. The error says why o, or a part of it, is left out; the slice is nil where all of it is.
func FromEndpointSlice(o *discoveryv1.EndpointSlice) (*EndpointSlice, error) {
	h, err := newHead(KindEndpointSlice, &o.ObjectMeta)
	if err != nil {
		return nil, err
	}
	svc, ok := o.Labels[discoveryv1.LabelServiceName]
	switch {
	case !ok:
		return nil, errNoService
	case !IsLabel(svc):
		return nil, fmt.Errorf("label %s: %q is no Service's name", discoveryv1.LabelServiceName, svc)
	case o.AddressType == discoveryv1.AddressTypeFQDN:
		return nil, errFQDN
	}
	s := &EndpointSlice{head: h, Service: dnsname.Lower(svc), Endpoints: make([]Endpoint, 0, len(o.Endpoints)), Trigger: trigger(&o.ObjectMeta)}
	for _, p := range o.Ports {
		if p.Port == nil { // all ports (EndpointPort.port): there is no number to tell
			continue
		}
		var name string
		if p.Name != nil {
			name = *p.Name
		}
		var protocol corev1.Protocol
		if p.Protocol != nil {
			protocol = *p.Protocol
		}
		if port, ok := newPort(name, protocol, *p.Port); ok {
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

// trigger reads the annotation that Kubernetes' controllers tell it by.
func trigger(o *metav1.ObjectMeta) int64 {
	t, err := time.Parse(time.RFC3339Nano, o.Annotations[corev1.EndpointsLastChangeTriggerTime])
	if err != nil || t.Year() < 1970 || t.Year() > 2261 { // UnixNano has no other
		return 0
	}
	return t.UnixNano()
}

// add appends one Endpoint for each address of e, and says what is wrong with those it leaves out.
func (s *EndpointSlice) add(e *discoveryv1.Endpoint) (err error) {
	ep := Endpoint{Ready: e.Conditions.Ready == nil || *e.Conditions.Ready}
	if r := e.TargetRef; r != nil && r.Kind == "Pod" && (r.Namespace == "" || r.Namespace == s.key.Namespace) && canBePod(r.Name) {
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

// canBePod reports whether name can be a pod's, and one label: letters, digits and dashes, none at an end (RFC 1123 section 2.1). The API
// server wants that of pods, and nothing of targetRef.name: whoever may write slices could put "*" into zone transfers, where a
// secondary takes it for a wildcard, or line breaks into logs.
func canBePod(name string) bool {
	other := func(r rune) bool { return (r < '0' || '9' < r) && (r < 'a' || 'z' < r) && r != '-' }
	return IsLabel(name) && !strings.ContainsFunc(dnsname.Lower(name), other) && name[0] != '-' && name[len(name)-1] != '-'
}

// dashed is the label that *kubernetes* gives an address without a hostname: the address as it stands in the slice, with
// dashes, and a 0 behind a dash at the end, where a label may not have one.
func dashed(text string) string {
	if strings.Contains(text, ".") {
		return dnsname.Lower(strings.ReplaceAll(text, ".", "-"))
	}
	d := dnsname.Lower(strings.ReplaceAll(text, ":", "-"))
	if strings.HasSuffix(d, "-") {
		d += "0"
	}
	return d
}

// UnDashed reads a dashed address back, where label is one.
func UnDashed(label []byte) (netip.Addr, bool) {
	dashes := 0
	for _, c := range label {
		switch {
		case c == '-':
			dashes++
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f':
		default:
			return netip.Addr{}, false // pods' names end here, before anything is allocated
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
