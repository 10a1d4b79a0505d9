// Package object converts Kubernetes objects into slim objects, which hold only what their names and records need.
//
// The package is pure: it has no clients and no clocks. A slim object shares strings with the Kubernetes object that
// it was made from, and nothing else.
package object

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coredns-headless/headless/plugin/dnsname"
)

// Kind is the kind of a slim object.
type Kind uint8

// The kinds of slim objects.
const (
	KindService Kind = iota
	KindEndpointSlice
)

// String returns the Kubernetes kind.
func (k Kind) String() string {
	if k == KindService {
		return "Service"
	}
	return "EndpointSlice"
}

// Key identifies an object in a cluster. Namespace and Name are in lower case.
type Key struct {
	Kind            Kind
	Namespace, Name string
}

// NewKey returns the key of the object namespace/name.
func NewKey(k Kind, namespace, name string) Key {
	return Key{Kind: k, Namespace: dnsname.Lower(namespace), Name: dnsname.Lower(name)}
}

// Object is a slim object: *Service or *EndpointSlice.
type Object interface {
	Key() Key
	// Version is metadata.resourceVersion, or 0 if there is none, as in manifests. Versions of different kinds do not
	// compare.
	Version() uint64
}

// From converts a Kubernetes object. If it returns an error and an object, a part is left out. If it returns an error
// and nil, the whole object is.
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

// KindOf returns the kind of the slim object that From makes of o.
func KindOf(o any) Kind {
	if _, ok := o.(*corev1.Service); ok {
		return KindService
	}
	return KindEndpointSlice
}

var (
	errFQDN      = errors.New("addressType FQDN carries no addresses")
	errNoService = errors.New("no label " + discoveryv1.LabelServiceName)
	// errRestore says that a slim object is none that From makes: it comes from a file that somebody changed.
	errRestore = errors.New("not a valid object")
)

// IsExpected reports whether err is about a valid object that has no names: an EndpointSlice without a Service, or one
// whose addresses are host names.
func IsExpected(err error) bool { return errors.Is(err, errFQDN) || errors.Is(err, errNoService) }

// meta is the metadata of a slim object.
type meta struct {
	key     Key
	version uint64
}

func (m *meta) Key() Key        { return m.key }
func (m *meta) Version() uint64 { return m.version }

// newMeta returns the metadata of an object whose namespace, and name if it is a Service, can be labels of a domain
// name.
func newMeta(k Kind, o *metav1.ObjectMeta) (meta, error) {
	if o.Namespace == "" {
		return meta{}, errors.New("no namespace")
	}
	if !IsLabel(o.Namespace) {
		return meta{}, fmt.Errorf("namespace %q is not a DNS label", o.Namespace)
	}
	if k == KindService && !IsLabel(o.Name) { // the name of an EndpointSlice is not in DNS
		return meta{}, fmt.Errorf("name %q is not a DNS label", o.Name)
	}
	return meta{key: NewKey(k, o.Namespace, o.Name), version: ParseVersion(o.ResourceVersion)}, nil
}

// Port is a port of a Service or an EndpointSlice. Its names are in lower case.
type Port struct {
	// Name is empty if the port is unnamed, or if its name or Protocol cannot be a label of a SRV record.
	Name string `json:"name,omitempty"`
	// Protocol is "tcp", "udp" or another protocol.
	Protocol string `json:"protocol"`
	Port     uint16 `json:"port"`
}

// newPort converts a port. An empty protocol is TCP, the API's default. It reports false for a number out of range.
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
	if IsLabel("_"+name) && IsLabel("_"+p.Protocol) { // as in a SRV record
		p.Name = dnsname.Lower(name)
	}
	return p, true
}

// arePorts reports whether newPort makes these ports.
func arePorts(ports []Port) bool {
	return !slices.ContainsFunc(ports, func(p Port) bool {
		made, ok := newPort(p.Name, corev1.Protocol(p.Protocol), int32(p.Port))
		return !ok || made != p
	})
}

// ParseVersion parses a resourceVersion, which API servers make a number (KEP-5504). It returns 0 for anything else.
func ParseVersion(s string) uint64 {
	if v, err := strconv.ParseUint(s, 10, 64); err == nil {
		return v
	}
	return 0
}

// IsLabel reports whether s can be a label of a domain name: it has 1 to 63 octets (RFC 1035 section 2.3.4) and no
// dot.
func IsLabel(s string) bool {
	return len(s) >= 1 && len(s) <= 63 && !strings.Contains(s, ".")
}

// isLower reports whether s is a label in lower case.
func isLower(s string) bool { return IsLabel(s) && s == dnsname.Lower(s) }
