package differential

import (
	"fmt"
	"math/rand/v2"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// home is the namespace that is never deleted.
const home = "differential"

// There are few words, so that a pod, a hostname, a Service and a namespace often have one name. Some are a dashed
// address, or the end of a public name.
var (
	words      = []string{"web", "web-0", "web-1", "a", "b", "com", "org", "www", "google", "10-1-2-3", "2001-db8--3", "xn--80ak6aa92e"}
	namespaces = []string{home, "web-0", "com", "svc"}
	v4         = []string{"10.1.2.1", "10.1.2.2", "10.1.2.3", "10.1.2.4", "10.1.2.5", "172.16.0.9"}
	v6         = []string{"2001:db8::", "2001:db8::3", "2001:db8::4", "2001:db8:1:2:3:4:5:6"}
	// domains stand in slices. Few of them lie in the cluster zone, since kubernetes follows each such, and what it
	// leads to, and so on.
	domains = []string{"www.example.org", "nowhere.example.org", "www.company.test", "web-0." + home + ".svc.cluster.local"}
	// externals are what Services stand for.
	externals = append([]string{
		"a." + home + ".svc.cluster.local", "a." + home + ".svc.cluster.local", "www." + home + ".svc.cluster.local", "www." + home + ".svc.cluster.local", "com." + home + ".svc.cluster.local", "web.com.svc.cluster.local",
		"web-0.web." + home + ".svc.cluster.local", "org.nowhere.svc.cluster.local", "10-1-2-3." + home + ".pod.cluster.local", "192.0.2.7",
	}, domains...)
	portNames = []string{"http", "web", "a"}
	protocols = []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP}
)

// generator makes objects. All that it makes follows from its seed; cluster IPs too, which the API server would
// choose at random.
type generator struct {
	*rand.Rand
	digits bool // Services' names may begin with one
	made   int  // numbers what it made
}

func pick[T any](g *generator, list []T) T { return list[g.IntN(len(list))] }

// percent is true p times of a hundred.
func (g *generator) percent(p int) bool { return g.IntN(100) < p }

func (g *generator) meta(namespace, name string) metav1.ObjectMeta {
	g.made++
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{madeBy: "true"}}
}

// service makes a Service of any kind.
func (g *generator) service(namespace, name string) *corev1.Service {
	s := &corev1.Service{ObjectMeta: g.meta(namespace, name)}
	s.Spec.PublishNotReadyAddresses = g.percent(10) // it matters to controllers only
	s.Spec.Ports = g.servicePorts()
	n := g.IntN(100)
	if (name == "a" || name == "www") && namespace == home && g.percent(60) {
		n = 60 // what others stand for stands for something else: a chain
	}
	switch {
	case n < 60:
		s.Spec.ClusterIP = corev1.ClusterIPNone
		if g.percent(40) {
			s.Spec.Ports = nil
		}
	case n < 75:
		s.Spec.Type, s.Spec.ExternalName = corev1.ServiceTypeExternalName, pick(g, externals)
		return s
	case n < 82:
		s.Spec.Type = corev1.ServiceTypeNodePort
	case n < 86:
		s.Spec.Type = corev1.ServiceTypeLoadBalancer
	}
	g.families(s)
	return s
}

func (g *generator) families(s *corev1.Service) {
	ips := []string{fmt.Sprintf("10.96.%d.%d", 1+g.made/250, 1+g.made%250), fmt.Sprintf("fd00:10:96::%x", 0x1000+g.made)}
	s.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}
	if g.percent(30) {
		ips[0], ips[1] = ips[1], ips[0]
		s.Spec.IPFamilies[0], s.Spec.IPFamilies[1] = s.Spec.IPFamilies[1], s.Spec.IPFamilies[0]
	}
	policy := corev1.IPFamilyPolicyRequireDualStack
	if g.percent(60) {
		policy = corev1.IPFamilyPolicySingleStack
		ips, s.Spec.IPFamilies = ips[:1], s.Spec.IPFamilies[:1]
	}
	s.Spec.IPFamilyPolicy = &policy
	if s.Spec.ClusterIP != corev1.ClusterIPNone {
		s.Spec.ClusterIP, s.Spec.ClusterIPs = ips[0], ips
	}
}

func (g *generator) servicePorts() []corev1.ServicePort {
	if g.percent(40) {
		return []corev1.ServicePort{{Port: 80, Protocol: pick(g, protocols)}}
	}
	ports := make([]corev1.ServicePort, 1+g.IntN(len(portNames)))
	for i := range ports {
		ports[i] = corev1.ServicePort{Name: portNames[i], Port: int32(80 + g.IntN(3)*1000 + i), Protocol: pick(g, protocols)}
	}
	return ports
}

// slice makes an EndpointSlice, mostly of one of the Services, with endpoints that may stand in others too.
func (g *generator) slice(namespace string, o objects) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{ObjectMeta: g.meta(namespace, "")}
	s.Name = fmt.Sprintf("slice-%d", g.made)
	s.AddressType = discoveryv1.AddressTypeIPv4
	switch n := g.IntN(100); {
	case n < 30:
		s.AddressType = discoveryv1.AddressTypeIPv6
	case n < 38:
		s.AddressType = discoveryv1.AddressTypeFQDN
	}
	g.label(s, o)
	g.fill(s, o)
	return s
}

// label says whose a slice is, and by which of the plugin's watches it is seen, if by any.
func (g *generator) label(s *discoveryv1.EndpointSlice, o objects) {
	s.Labels = map[string]string{madeBy: "true"}
	var names []string
	for _, svc := range o.services {
		if svc.Namespace == s.Namespace {
			names = append(names, svc.Name)
		}
	}
	switch n := g.IntN(100); {
	case n < 85 && len(names) > 0:
		s.Labels[discoveryv1.LabelServiceName] = pick(g, names)
	case n < 96:
		s.Labels[discoveryv1.LabelServiceName] = pick(g, words)
	case n < 98:
		s.Labels[discoveryv1.LabelServiceName] = pick(g, []string{"", "web.default", "a_b"})
	}
	if g.percent(55) {
		s.Labels[corev1.IsHeadlessService] = ""
	}
	switch n := g.IntN(100); {
	case n < 30:
		s.Labels[discoveryv1.LabelManagedBy] = controllerName
	case n < 45:
		s.Labels[discoveryv1.LabelManagedBy] = "mirroring.test"
	case n < 60:
		s.Labels[discoveryv1.LabelManagedBy] = "example.org"
	}
}

const controllerName = "endpointslice-controller.k8s.io"

// fill gives a slice new endpoints and ports.
func (g *generator) fill(s *discoveryv1.EndpointSlice, o objects) {
	s.Endpoints, s.Ports = nil, g.slicePorts()
	for range g.IntN(7) {
		if g.percent(20) {
			if e := g.other(s.AddressType, o); e != nil {
				s.Endpoints = append(s.Endpoints, *e)
				continue
			}
		}
		s.Endpoints = append(s.Endpoints, g.endpoint(s))
	}
}

// other is an endpoint that stands in a slice already: one may be in two for a moment, and a pod behind several
// Services.
func (g *generator) other(t discoveryv1.AddressType, o objects) *discoveryv1.Endpoint {
	var list []*discoveryv1.Endpoint
	for i := range o.slices {
		for j := range o.slices[i].Endpoints {
			if o.slices[i].AddressType == t {
				list = append(list, &o.slices[i].Endpoints[j])
			}
		}
	}
	if len(list) == 0 {
		return nil
	}
	return pick(g, list).DeepCopy()
}

func (g *generator) endpoint(s *discoveryv1.EndpointSlice) discoveryv1.Endpoint {
	pool := map[discoveryv1.AddressType][]string{
		discoveryv1.AddressTypeIPv4: v4, discoveryv1.AddressTypeIPv6: v6, discoveryv1.AddressTypeFQDN: domains,
	}[s.AddressType]
	e := discoveryv1.Endpoint{Addresses: []string{pick(g, pool)}}
	if g.percent(8) {
		e.Addresses = append(e.Addresses, pick(g, pool))
	}
	if g.percent(50) {
		e.Hostname = new(pick(g, words))
	}
	if g.percent(75) {
		e.TargetRef = g.target(s.Namespace)
		if g.percent(25) && e.Hostname != nil { // as in a StatefulSet
			e.TargetRef.Kind, e.TargetRef.Name = "Pod", *e.Hostname
		}
	}
	switch n := g.IntN(100); {
	case n < 60:
		e.Conditions.Ready = new(true)
	case n < 85:
		e.Conditions.Ready = new(false)
		e.Conditions.Serving, e.Conditions.Terminating = new(g.percent(50)), new(g.percent(50))
	}
	return e
}

// target is mostly a pod of the slice's namespace. The API server takes any name.
func (g *generator) target(namespace string) *corev1.ObjectReference {
	r := &corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: pick(g, words)}
	switch n := g.IntN(100); {
	case n < 8:
		r.Namespace = pick(g, namespaces)
	case n < 14:
		r.Namespace = ""
	case n < 20:
		r.Kind, r.Namespace = "Node", ""
	}
	switch n := g.IntN(100); {
	case n < 4:
		r.Name = pick(g, words) + "." + pick(g, words)
	case n < 8:
		r.Name = strings.Repeat("web-", 16)[:62+g.IntN(3)] + "x" // 63 to 65 octets
	case n < 10:
		r.Name = strings.ToUpper(r.Name)
	case n < 11:
		r.Name = ""
	case n < 12:
		r.Name = "_tcp"
	}
	return r
}

func (g *generator) slicePorts() []discoveryv1.EndpointPort {
	switch n := g.IntN(100); {
	case n < 25:
		return nil
	case n < 45:
		return []discoveryv1.EndpointPort{{Port: new(int32(80)), Protocol: new(pick(g, protocols))}}
	}
	ports := make([]discoveryv1.EndpointPort, 1+g.IntN(len(portNames)))
	for i := range ports {
		ports[i] = discoveryv1.EndpointPort{Name: new(portNames[i]), Port: new(int32(80 + g.IntN(3)*1000)), Protocol: new(pick(g, protocols))}
		if g.percent(10) {
			ports[i].Port = nil // all ports
		}
	}
	return ports
}
