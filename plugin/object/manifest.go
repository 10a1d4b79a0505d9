package object

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// manifest has those fields of Services and EndpointSlices that slim objects are made of. The API's own types would
// also write what is empty.
type manifest struct {
	APIVersion  string             `json:"apiVersion"`
	Kind        string             `json:"kind"`
	Metadata    manifestMeta       `json:"metadata"`
	Spec        *manifestSpec      `json:"spec,omitempty"`
	AddressType string             `json:"addressType,omitempty"`
	Ports       []manifestPort     `json:"ports,omitempty"`
	Endpoints   []manifestEndpoint `json:"endpoints,omitempty"`
}

type manifestMeta struct {
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	Labels    map[string]string `json:"labels,omitempty"`
}

type manifestSpec struct {
	Type         corev1.ServiceType `json:"type,omitempty"`
	ClusterIP    string             `json:"clusterIP,omitempty"`
	ClusterIPs   []string           `json:"clusterIPs,omitempty"`
	ExternalName string             `json:"externalName,omitempty"`
	Ports        []manifestPort     `json:"ports,omitempty"`
}

type manifestPort struct {
	Name     string `json:"name,omitempty"`
	Protocol string `json:"protocol"`
	Port     uint16 `json:"port"`
}

type manifestEndpoint struct {
	Addresses  []string           `json:"addresses"`
	Hostname   string             `json:"hostname,omitempty"`
	Conditions manifestConditions `json:"conditions"`
	TargetRef  *manifestRef       `json:"targetRef,omitempty"`
}

type manifestConditions struct {
	Ready bool `json:"ready"`
}

type manifestRef struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// Manifest is an object in JSON, in one line, as the API server would have it with no fields but those that count
// here. What comes of it equals o. The labels are added to an EndpointSlice's own.
func Manifest(o Object, labels map[string]string) ([]byte, error) {
	k := o.Key()
	m := manifest{Kind: k.Kind.String(), Metadata: manifestMeta{Namespace: k.Namespace, Name: k.Name}}
	switch o := o.(type) {
	case *Service:
		m.APIVersion = corev1.SchemeGroupVersion.String()
		m.Spec = o.manifest()
	case *EndpointSlice:
		m.APIVersion = discoveryv1.SchemeGroupVersion.String()
		m.Metadata.Labels = map[string]string{discoveryv1.LabelServiceName: o.Service}
		maps.Copy(m.Metadata.Labels, labels)
		m.AddressType = string(discoveryv1.AddressTypeIPv4)
		m.Ports = manifestPorts(o.Ports)
		for i := range o.Endpoints {
			e := &o.Endpoints[i]
			if e.Addr.Is6() {
				m.AddressType = string(discoveryv1.AddressTypeIPv6)
			}
			m.Endpoints = append(m.Endpoints, e.manifest(k.Namespace))
		}
	default:
		return nil, fmt.Errorf("%T is neither a Service nor an EndpointSlice", o)
	}
	return json.Marshal(m)
}

func (s *Service) manifest() *manifestSpec {
	spec := &manifestSpec{Ports: manifestPorts(s.Ports)}
	switch s.Type {
	case ExternalName:
		spec.Type, spec.ExternalName = corev1.ServiceTypeExternalName, strings.TrimSuffix(s.ExternalName, ".")
	case Headless:
		spec.ClusterIP = corev1.ClusterIPNone
	case ClusterIP:
		for _, a := range s.ClusterIPs {
			spec.ClusterIPs = append(spec.ClusterIPs, a.String())
		}
	}
	return spec
}

func (e *Endpoint) manifest(namespace string) manifestEndpoint {
	m := manifestEndpoint{Addresses: []string{e.Addr.String()}, Conditions: manifestConditions{e.Ready}}
	if e.Pod != "" {
		m.TargetRef = &manifestRef{Kind: "Pod", Namespace: namespace, Name: e.Pod}
	}
	if !e.Dashed {
		m.Hostname = e.Host
		return m
	}
	// The label depends on how the address was written, so it is written so again.
	text := strings.ReplaceAll(e.Host, "-", ":")
	if strings.Contains(e.Host, ":") { // ::ffff:192.0.2.1
		text = strings.ReplaceAll(e.Host, "-", ".")
	}
	if _, err := netip.ParseAddr(text); err == nil {
		m.Addresses[0] = text
	}
	return m
}

func manifestPorts(ports []Port) []manifestPort {
	list := make([]manifestPort, 0, len(ports))
	for _, p := range ports {
		list = append(list, manifestPort{Name: p.Name, Protocol: strings.Map(upper, p.Protocol), Port: p.Port})
	}
	return list
}

// upper undoes lower, and no more than that.
func upper(r rune) rune {
	if 'a' <= r && r <= 'z' {
		return r - 'a' + 'A'
	}
	return r
}
