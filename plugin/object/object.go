// Package object turns Kubernetes objects into slim ones that hold nothing but what a name needs.
//
// It is pure: no clients, no clocks. What it returns keeps no reference to the object it was given but for its strings.
package object

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/plugin/dnsname"
)

// Kind tells the slim objects apart.
type Kind uint8

// The kinds of slim objects.
const (
	KindService Kind = iota
	KindEndpointSlice
)

func (k Kind) String() string {
	if k == KindService {
		return "Service"
	}
	return "EndpointSlice"
}

// Key names an object. It is unique in one watch.
type Key struct {
	Kind            Kind
	Namespace, Name string
}

// NewKey is the key of the object that the API server calls namespace/name.
func NewKey(k Kind, namespace, name string) Key {
	return Key{Kind: k, Namespace: dnsname.Lower(namespace), Name: dnsname.Lower(name)}
}

// Object is a slim object: *Service or *EndpointSlice.
type Object interface {
	Key() Key
	// Version is metadata.resourceVersion, 0 where there is none (manifests). It compares only within one kind.
	Version() uint64
}

// From slims a Kubernetes object. The error says why it, or a part of it, is left out; nil is returned where all of it is.
func From(o any) (Object, error) {
	switch o := o.(type) {
	case *corev1.Service:
		s, err := FromService(o)
		if s == nil {
			return nil, err
		}
		return s, err
	case *discoveryv1.EndpointSlice:
		s, err := FromEndpointSlice(o)
		if s == nil {
			return nil, err
		}
		return s, err
	}
	return nil, fmt.Errorf("%T is neither a Service nor an EndpointSlice", o)
}

// KindOf is the kind of slim object that o becomes.
func KindOf(o any) Kind {
	if _, ok := o.(*corev1.Service); ok {
		return KindService
	}
	return KindEndpointSlice
}

var (
	errFQDN      = errors.New("addressType FQDN carries no addresses")
	errNoService = errors.New("no label " + discoveryv1.LabelServiceName + ": it belongs to no Service")
)

// IsExpected reports whether err says of an object only that it is not the plugin's business.
func IsExpected(err error) bool { return errors.Is(err, errFQDN) || errors.Is(err, errNoService) }

// head is what all slim objects have in common.
type head struct {
	key     Key
	version uint64
}

// Key implements Object.
func (h *head) Key() Key { return h.key }

// Version implements Object.
func (h *head) Version() uint64 { return h.version }

func newHead(k Kind, o *metav1.ObjectMeta) (head, error) {
	if o.Namespace == "" {
		return head{}, errors.New("no namespace")
	}
	if !IsLabel(o.Namespace) {
		return head{}, fmt.Errorf("namespace %q is no DNS label", o.Namespace)
	}
	if k == KindService && !IsLabel(o.Name) { // a slice's name is never a label
		return head{}, fmt.Errorf("name %q is no DNS label", o.Name)
	}
	return head{key: NewKey(k, o.Namespace, o.Name), version: ParseVersion(o.ResourceVersion)}, nil
}

// Port is a port of a Service or an EndpointSlice. Its names are in lower case.
type Port struct {
	// Name is empty for an unnamed port, and for one that is no DNS label, or whose Protocol is none.
	Name string `json:"name,omitempty"`
	// Protocol is tcp, udp or another.
	Protocol string `json:"protocol"`
	Port     uint16 `json:"port"`
}

// newPort slims a port. The empty protocol is TCP, as the API defaults it.
func newPort(name string, protocol corev1.Protocol, number int32) (Port, bool) {
	if number < 1 || number > 65535 {
		return Port{}, false
	}
	p := Port{Port: uint16(number)}
	switch protocol {
	case corev1.ProtocolTCP, "":
		p.Protocol = "tcp"
	case corev1.ProtocolUDP:
		p.Protocol = "udp"
	default:
		p.Protocol = dnsname.Lower(string(protocol))
	}
	if IsLabel("_"+name) && IsLabel("_"+p.Protocol) { // both are labels of a SRV record
		p.Name = dnsname.Lower(name)
	}
	return p, true
}

// ParseVersion reads a resourceVersion as the number that API servers make it (KEP-5504); 0 where it is none.
func ParseVersion(s string) uint64 {
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0
	}
	return v
}

// IsLabel reports whether s can be one label of a domain name: 1 to 63 octets (RFC 1035 section 2.3.4), none of them a dot.
func IsLabel(s string) bool {
	return len(s) >= 1 && len(s) <= 63 && !strings.Contains(s, ".")
}
