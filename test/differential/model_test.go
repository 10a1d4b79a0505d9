package differential

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/miekg/dns"
)

// model answers as docs/reference.md says, by looking at every object for every query.
type model struct {
	objects
	variation
}

// endpoint is one address of an endpoint of a headless Service.
type endpoint struct {
	service string
	pod     string // empty: none, or none that is a label
	host    string // hostname or, where there is neither pod nor hostname, the dashed address
	own     bool   // host is a hostname
	addr    netip.Addr
	ready   bool
	leaving int // of one that is not ready: 1 if it terminates and serves still, 2 if it does not serve
	ports   []discoveryv1.EndpointPort
}

// peers are the endpoints of a namespace's headless Services.
func (m *model) peers(namespace string) (list []endpoint) {
	for i := range m.slices {
		s := &m.slices[i]
		svc := m.service(s.Namespace, s.Labels[discoveryv1.LabelServiceName])
		if s.Namespace != namespace || !m.known(s) || svc == nil || svc.Spec.ClusterIP != corev1.ClusterIPNone {
			continue
		}
		for j := range s.Endpoints {
			e := &s.Endpoints[j]
			for _, text := range e.Addresses {
				addr, err := netip.ParseAddr(text)
				if err != nil {
					continue // an FQDN
				}
				p := endpoint{
					service: svc.Name, pod: pod(e, namespace), addr: addr, ready: ready(e), leaving: leaving(e), ports: s.Ports,
				}
				if e.Hostname != nil {
					p.host, p.own = *e.Hostname, true
				}
				if p.pod == "" && p.host == "" {
					p.host = dashed(text)
				}
				list = append(list, p)
			}
		}
	}
	return list
}

// known reports whether the plugin knows a slice: one that its two selectors take, or that of a Service which has none
// of those.
func (m *model) known(s *discoveryv1.EndpointSlice) bool {
	return watched(s) || m.isLeftover(s.Namespace, s.Labels[discoveryv1.LabelServiceName])
}

// isLeftover reports whether a Service has slices that the two selectors do not take, and no others.
func (m *model) isLeftover(namespace, service string) bool {
	left := false
	for i := range m.slices {
		s := &m.slices[i]
		if s.Namespace != namespace || s.Labels[discoveryv1.LabelServiceName] != service || s.AddressType == discoveryv1.AddressTypeFQDN {
			continue
		}
		if watched(s) {
			return false
		}
		left = true
	}
	return left
}

// leaving ranks an endpoint that is not ready.
func leaving(e *discoveryv1.Endpoint) int {
	c := e.Conditions
	switch {
	case ready(e) || c.Terminating == nil || !*c.Terminating:
		return 0
	case c.Serving == nil || *c.Serving:
		return 1
	}
	return 2
}

// watched reports whether one of the plugin's two selectors takes a slice: not one that the EndpointSlice controller
// made and did not label as a headless Service's.
func watched(s *discoveryv1.EndpointSlice) bool {
	_, labelled := s.Labels[corev1.IsHeadlessService]
	return labelled || s.Labels[discoveryv1.LabelManagedBy] != controllerName
}

func ready(e *discoveryv1.Endpoint) bool { return e.Conditions.Ready == nil || *e.Conditions.Ready }

// pod is the name of an endpoint's pod where it is one label, empty where not: the API server does not look at
// targetRef.name.
func pod(e *discoveryv1.Endpoint, namespace string) string {
	r := e.TargetRef
	if r == nil || r.Kind != "Pod" || r.Namespace != namespace && r.Namespace != "" {
		return ""
	}
	name := strings.ToLower(r.Name)
	if len(validation.IsDNS1123Label(name)) > 0 {
		return ""
	}
	return name
}

func where(list []endpoint, has func(endpoint) bool) []endpoint {
	return slices.DeleteFunc(slices.Clone(list), func(e endpoint) bool { return !has(e) })
}

func isReady(e endpoint) bool { return e.ready }

// counting are those of the endpoints of a name that it answers with.
func (m *model) counting(list []endpoint) []endpoint {
	if now := where(list, isReady); len(now) > 0 || !m.notReady {
		return now
	}
	for rank := range 3 {
		if those := where(list, func(e endpoint) bool { return e.leaving == rank }); len(those) > 0 {
			return those
		}
	}
	return nil
}

// short is who <x>.<namespace> means, none where it is no peer's. In a cluster zone a name of two pods is nobody's.
func (m *model) short(namespace, x string, guest bool) []endpoint {
	if m.service(namespace, x) != nil {
		return nil // a Service always wins
	}
	peers := m.peers(namespace)
	list := where(peers, func(e endpoint) bool { return e.pod == x })
	if len(list) == 0 {
		list = where(peers, func(e endpoint) bool { return e.host == x })
	}
	hosts := where(peers, func(e endpoint) bool { return e.host == x })
	switch {
	case len(list) == 0 || list[0].pod != x && ambiguous(list):
		return nil
	case list[0].pod != x:
		if one := where(hosts, func(e endpoint) bool { return e.pod == hosts[0].pod && e.pod != "" }); len(one) == len(hosts) {
			list = at(where(peers, func(e endpoint) bool { return e.pod == hosts[0].pod }), hosts)
		}
	case guest && len(where(hosts, func(e endpoint) bool { return e.own && e.pod != x })) > 0:
		return nil
	default:
		governing := make(map[string]bool)
		for _, e := range where(list, func(e endpoint) bool { return e.own }) {
			governing[e.service] = true
		}
		if len(governing) == 1 {
			list = at(list, where(list, func(e endpoint) bool { return governing[e.service] }))
		}
	}
	return m.counting(list)
}

// at are those of the endpoints that have the address of one of others.
func at(list, others []endpoint) []endpoint {
	return where(list, func(e endpoint) bool {
		return slices.ContainsFunc(others, func(o endpoint) bool { return o.addr == e.addr })
	})
}

// ambiguous reports whether different pods of different Services have a hostname. Where no pod is known, an address
// stands for it; one of each family may be one pod's.
func ambiguous(list []endpoint) bool {
	services, pods := false, false
	for _, a := range list {
		for _, b := range list {
			services = services || a.service != b.service
			pods = pods || a.pod != b.pod || a.pod == "" && a.addr.Is4() == b.addr.Is4() && a.addr != b.addr
		}
	}
	return services && pods
}

// long is who <x>.<service>.<namespace> means as far as it is the plugin's own in a cluster zone: the pod x, unless
// kubernetes has a name for x there.
func (m *model) long(namespace, service, x string) []endpoint {
	if m.hostname(namespace, service, x, false) {
		return nil
	}
	return m.counting(where(m.peers(namespace), func(e endpoint) bool { return e.service == service && e.pod == x }))
}

// hostname reports whether x is a ready endpoint's hostname or dashed address to kubernetes, in slices that the
// plugin knows or in those that it does not.
func (m *model) hostname(namespace, service, x string, unseen bool) bool {
	return m.anyReady(namespace, service, func(s *discoveryv1.EndpointSlice, e *discoveryv1.Endpoint) bool {
		if m.blind(s) != unseen {
			return false
		}
		if e.Hostname != nil {
			return *e.Hostname == x
		}
		return slices.ContainsFunc(e.Addresses, func(a string) bool { return dashed(a) == x })
	})
}

// podName reports whether kubernetes with endpoint_pod_names has x as the name of an endpoint without a hostname. It
// takes any kind of target, in any namespace.
func (m *model) podName(namespace, service, x string) bool {
	return m.anyReady(namespace, service, func(_ *discoveryv1.EndpointSlice, e *discoveryv1.Endpoint) bool {
		return e.Hostname == nil && e.TargetRef != nil && len(e.TargetRef.Name) <= 63 && strings.EqualFold(e.TargetRef.Name, x)
	})
}

func (m *model) anyReady(namespace, service string, has func(*discoveryv1.EndpointSlice, *discoveryv1.Endpoint) bool) bool {
	for i := range m.slices {
		s := &m.slices[i]
		if s.Namespace != namespace || s.Labels[discoveryv1.LabelServiceName] != service {
			continue
		}
		for j := range s.Endpoints {
			if e := &s.Endpoints[j]; ready(e) && has(s, e) {
				return true
			}
		}
	}
	return false
}

// below splits a name that lies below origin, in lower case.
func below(origin, name string) (labels []string, ok bool) {
	name = strings.ToLower(name)
	if !dns.IsSubDomain(origin, name) {
		return nil, false
	}
	labels = dns.SplitDomainName(name)
	return labels[:len(labels)-dns.CountLabel(origin)], true
}

// guest is the reply to a query in the cluster zone; nil where it is none of the plugin's business. Denied says that
// the same query is denied without the plugin.
func (m *model) guest(q query) (r *dns.Msg, denied bool) {
	labels, ok := below(tree, q.name)
	if !ok || len(labels) < 2 || len(labels) > 3 || q.odd() || isTransfer(q.qtype) {
		return nil, false
	}
	namespace := labels[len(labels)-1]
	var list []endpoint
	denied = true
	if len(labels) == 2 {
		list = m.short(namespace, labels[0], true)
	} else {
		list = m.long(namespace, labels[1], labels[0])
		denied = !m.podNames || !m.podName(namespace, labels[1], labels[0])
	}
	if len(list) == 0 {
		return nil, false
	}
	return m.reply(q, labels, list), denied
}

// waiting is the reply to a query for a hostname that is not ready, if the same query is NXDOMAIN without the plugin;
// nil for any other.
func (m *model) waiting(q query) *dns.Msg {
	labels, ok := below(tree, q.name)
	if !ok || len(labels) != 3 || q.odd() || isTransfer(q.qtype) || !m.notReady {
		return nil
	}
	list := where(m.peers(labels[2]), func(e endpoint) bool { return e.service == labels[1] && e.host == labels[0] })
	if len(list) == 0 || len(where(list, func(e endpoint) bool { return e.ready || !e.own })) > 0 {
		return nil
	}
	return m.reply(q, labels, m.counting(list))
}

// reply is the one for a peer in the cluster zone.
func (m *model) reply(q query, labels []string, list []endpoint) *dns.Msg {
	r := answer(q)
	if q.qtype == dns.TypeSRV && len(labels) == 3 {
		r.Answer, r.Extra = srvOf(q, list)
	} else {
		r.Answer = addressRecords(q.name, q.qtype, list)
	}
	if len(r.Answer) == 0 {
		origin := dns.SplitDomainName(q.name)
		r.Ns = []dns.RR{soa(strings.Join(origin[len(labels)+1:], ".")+".", kubernetesTTL)}
	}
	return r
}

// blind reports whether the plugin knows nothing of a slice that kubernetes serves.
func (m *model) blind(s *discoveryv1.EndpointSlice) bool {
	return !m.known(s) || s.AddressType == discoveryv1.AddressTypeFQDN
}

// mistakable reports whether a name of the second shape may be taken from kubernetes, which is a known limitation: a
// pod has it, and an endpoint in a slice that the plugin knows nothing of has it as its hostname.
func (m *model) mistakable(q query) bool {
	labels, ok := below(tree, q.name)
	return ok && len(labels) == 3 && m.hostname(labels[2], labels[1], labels[0], true)
}

func isTransfer(qtype uint16) bool { return qtype == dns.TypeAXFR || qtype == dns.TypeIXFR }

func answer(q query) *dns.Msg {
	r := new(dns.Msg).SetReply(q.msg())
	r.Authoritative = true
	return r
}

// addressRecords are one record for each address of the family asked for.
func addressRecords(name string, qtype uint16, list []endpoint) []dns.RR {
	return records(name, qtype, addrsOf(list))
}

func addrsOf(list []endpoint) (addrs []netip.Addr) {
	for _, e := range list {
		addrs = append(addrs, e.addr)
	}
	return addrs
}

func records(name string, qtype uint16, addrs []netip.Addr) (rrs []dns.RR) {
	hdr := dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET, Ttl: headlessTTL}
	seen := make(map[netip.Addr]bool)
	for _, a := range addrs {
		switch {
		case seen[a]:
		case qtype == dns.TypeA && a.Is4():
			rrs = append(rrs, &dns.A{Hdr: hdr, A: a.AsSlice()})
		case qtype == dns.TypeAAAA && a.Is6():
			rrs = append(rrs, &dns.AAAA{Hdr: hdr, AAAA: a.AsSlice()})
		}
		seen[a] = true
	}
	return rrs
}

// srvOf is one SRV for each port number of the slices that the endpoints stand in, and their addresses.
func srvOf(q query, list []endpoint) (answer, extra []dns.RR) {
	var ports []uint16
	for _, e := range list {
		for _, p := range e.ports {
			if p.Port != nil && !slices.Contains(ports, uint16(*p.Port)) {
				ports = append(ports, uint16(*p.Port))
			}
		}
	}
	for _, p := range ports {
		answer = append(answer, srv(q.name, p, q.name, len(ports)))
	}
	if len(answer) == 0 {
		return nil, nil
	}
	return answer, append(addressRecords(q.name, dns.TypeA, list), addressRecords(q.name, dns.TypeAAAA, list)...)
}

func srv(name string, port uint16, target string, n int) dns.RR {
	return &dns.SRV{
		Hdr:    dns.RR_Header{Name: name, Rrtype: dns.TypeSRV, Class: dns.ClassINET, Ttl: headlessTTL},
		Weight: uint16(max(1, 100/n)), Port: port, Target: target,
	}
}

// soa is what kubernetes and headless both put into negative replies, but for the serial.
func soa(origin string, ttl uint32) dns.RR {
	return &dns.SOA{
		Hdr: dns.RR_Header{Name: origin, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: ttl},
		Ns:  "ns.dns." + origin, Mbox: "hostmaster." + origin, Refresh: 7200, Retry: 1800, Expire: 86400, Minttl: ttl,
	}
}
