package differential

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/miekg/dns"
)

// authority answers below a suffix.
type authority struct {
	*model
	q      query
	r      *dns.Msg
	origin string // as the query spells it
	graft  []string
	// resolve asks CoreDNS without the plugin for what is not in the tree.
	resolve func(name string, qtype uint16) *dns.Msg
}

// answer is the reply to a query whose labels below the suffix are given.
func (a *authority) answer(labels []string) *dns.Msg {
	path := slices.Clone(labels)
	slices.Reverse(path)
	path = append(slices.Clone(a.graft), path...)
	q, r := a.q, a.r
	exists := true
	whatever := q.qtype == dns.TypeANY
	switch name := strings.Join(labels, "."); {
	case name == "" && (q.qtype == dns.TypeSOA || whatever):
		r.Answer = []dns.RR{soa(a.origin, headlessTTL)}
		r.Answer[0].Header().Ttl = apexTTL
	case name == "" && q.qtype == dns.TypeNS:
		r.Answer = []dns.RR{&dns.NS{Hdr: a.hdr(dns.TypeNS), Ns: "ns.dns." + a.origin}}
		r.Answer[0].Header().Ttl = apexTTL
		r.Extra = records("ns.dns."+a.origin, dns.TypeA, listener)
	case name == "ns.dns":
		r.Answer = a.records(q.name, listener)
	case name == "dns":
	case name == "dns-version" && len(a.graft) == 0:
		if q.qtype == dns.TypeTXT || whatever {
			r.Answer = []dns.RR{&dns.TXT{Hdr: a.hdr(dns.TypeTXT), Txt: []string{"1.1.0"}}}
		}
	default:
		exists = a.node(path) || name == ""
	}
	if !exists {
		r.Rcode = dns.RcodeNameError
	}
	if len(r.Answer) == 0 && len(r.Ns) == 0 && r.Rcode != dns.RcodeServerFailure {
		r.Ns = []dns.RR{soa(a.origin, headlessTTL)}
	}
	return r
}

func (a *authority) hdr(qtype uint16) dns.RR_Header {
	return dns.RR_Header{Name: a.q.name, Rrtype: qtype, Class: dns.ClassINET, Ttl: headlessTTL}
}

// records are those of the type asked for; of ANY, all.
func (a *authority) records(name string, addrs []netip.Addr) []dns.RR {
	if a.q.qtype == dns.TypeANY {
		return append(records(name, dns.TypeA, addrs), records(name, dns.TypeAAAA, addrs)...)
	}
	return records(name, a.q.qtype, addrs)
}

// listener is what both CoreDNS are bound to.
var listener = []netip.Addr{netip.MustParseAddr("127.0.0.1")}

// node answers for a node of the tree, and reports whether there is one.
func (a *authority) node(path []string) (exists bool) {
	switch len(path) {
	case 0:
		return true
	case 1:
		return slices.ContainsFunc(a.services, func(s corev1.Service) bool { return s.Namespace == path[0] })
	}
	svc := a.service(path[0], path[1])
	apex := len(path) == len(a.graft)
	switch {
	case len(path) == 2 && svc != nil && svc.Spec.Type == corev1.ServiceTypeExternalName:
		a.external(svc.Spec.ExternalName, apex)
		return a.r.Rcode != dns.RcodeNameError
	case len(path) == 2 && svc != nil:
		a.r.Answer = a.records(a.q.name, a.addresses(svc))
		return true
	case len(path) == 2 && apex:
		return false // what it is grafted onto is gone, and a peer of that name is no Service
	case len(path) == 2:
		list := a.short(path[0], path[1], false)
		a.r.Answer = a.records(a.q.name, addrsOf(list))
		return len(list) > 0
	case svc == nil:
		return false
	case len(path) == 3:
		list := a.peer(svc, path[2])
		a.r.Answer = a.records(a.q.name, addrsOf(list))
		return len(list) > 0 || a.protocol(svc, path[2])
	case len(path) == 4:
		return a.port(svc, path[2], path[3])
	}
	return false
}

// addresses are a Service's own: never those of endpoints that are not ready.
func (m *model) addresses(svc *corev1.Service) (addrs []netip.Addr) {
	if svc.Spec.ClusterIP == corev1.ClusterIPNone {
		for _, e := range where(m.peers(svc.Namespace), isReady) {
			if e.service == svc.Name {
				addrs = append(addrs, e.addr)
			}
		}
		return addrs
	}
	for _, ip := range svc.Spec.ClusterIPs {
		addrs = append(addrs, netip.MustParseAddr(ip))
	}
	return addrs
}

// peer is who x means below a Service: the ready endpoints with that hostname, as in kubernetes, else the pod, else
// the endpoints with the hostname that are not ready.
func (m *model) peer(svc *corev1.Service, x string) []endpoint {
	of := where(m.peers(svc.Namespace), func(e endpoint) bool { return e.service == svc.Name })
	hosts := where(of, func(e endpoint) bool { return e.host == x })
	if now := where(hosts, isReady); len(now) > 0 {
		return now
	}
	if pods := m.counting(where(of, func(e endpoint) bool { return e.pod == x })); len(pods) > 0 {
		return pods
	}
	return m.counting(hosts)
}

// named is a port that has a name.
type named struct {
	name, protocol string
	number         uint16
	peer           *endpoint // nil: a Service's
}

// ports are the ports of a Service by which its SRV names are known, and the ready endpoints' that answer there.
func (m *model) ports(svc *corev1.Service) (list []named) {
	for _, p := range svc.Spec.Ports {
		list = append(list, named{p.Name, strings.ToLower(string(p.Protocol)), uint16(p.Port), nil})
	}
	if svc.Spec.ClusterIP == corev1.ClusterIPNone {
		for _, e := range where(m.peers(svc.Namespace), isReady) {
			if e.service != svc.Name {
				continue
			}
			for _, p := range e.ports {
				if p.Port != nil { // else it means all ports, which DNS has no word for
					list = append(list, named{*p.Name, strings.ToLower(string(*p.Protocol)), uint16(*p.Port), &e})
				}
			}
		}
	}
	if svc.Spec.Type == corev1.ServiceTypeExternalName {
		list = nil
	}
	return slices.DeleteFunc(list, func(p named) bool { return p.name == "" })
}

func (m *model) protocol(svc *corev1.Service, label string) bool {
	return slices.ContainsFunc(m.ports(svc), func(p named) bool { return "_"+p.protocol == label })
}

// port answers for _port._proto.<svc>.
func (a *authority) port(svc *corev1.Service, protocol, port string) (exists bool) {
	list := slices.DeleteFunc(a.ports(svc), func(p named) bool { return "_"+p.protocol != protocol || "_"+p.name != port })
	if a.q.qtype != dns.TypeSRV && a.q.qtype != dns.TypeANY {
		return len(list) > 0
	}
	at := strings.Join(dns.SplitDomainName(a.q.name)[2:], ".") + "." // the Service, as the query spells it
	type target struct {
		name string
		port uint16
	}
	var targets []target
	glue := make(map[string][]netip.Addr)
	for _, p := range list {
		switch {
		case p.peer == nil && svc.Spec.ClusterIP != corev1.ClusterIPNone:
			targets = append(targets, target{at, p.number})
			glue[at] = a.addresses(svc)
		case p.peer != nil:
			addrs := addrsOf(a.peer(svc, p.peer.label()))
			t := target{p.peer.label() + "." + at, p.number}
			// The label may lead to another peer: to one whose hostname is this one's pod.
			if slices.Contains(addrs, p.peer.addr) && !slices.Contains(targets, t) {
				targets = append(targets, t)
				glue[t.name] = addrs
			}
		}
	}
	for _, t := range targets {
		a.r.Answer = append(a.r.Answer, srv(a.q.name, t.port, t.name, len(targets)))
	}
	for name, addrs := range glue {
		a.r.Extra = append(a.r.Extra, records(name, dns.TypeA, addrs)...)
		a.r.Extra = append(a.r.Extra, records(name, dns.TypeAAAA, addrs)...)
	}
	return len(list) > 0
}

// external answers at the name of an ExternalName Service.
func (a *authority) external(target string, flat bool) {
	owner := a.q.name
	address := a.q.qtype == dns.TypeA || a.q.qtype == dns.TypeAAAA
	var seen []string
	for {
		if addr, err := netip.ParseAddr(strings.TrimSuffix(target, ".")); err == nil { // no domain name
			rrs := a.records(owner, []netip.Addr{addr})
			if a.r.Answer = append(a.r.Answer, rrs...); len(rrs) == 0 {
				a.r.Ns = []dns.RR{soa(a.origin, headlessTTL)}
			}
			return
		}
		path, inTree := below(tree, target+".")
		slices.Reverse(path)
		under := inTree && len(path) >= len(a.graft) && slices.Equal(path[:len(a.graft)], a.graft)
		flat = flat || !under && dns.IsSubDomain(zone, target+".")
		if slices.Contains(seen, target) {
			a.r.Rcode, a.r.Authoritative, a.r.Answer = dns.RcodeServerFailure, false, nil
			return
		}
		seen = append(seen, target)
		name := target + "."
		if under {
			labels := slices.Clone(path[len(a.graft):])
			slices.Reverse(labels)
			name = strings.Join(append(labels, a.origin), ".")
		}
		if !flat {
			hdr := a.hdr(dns.TypeCNAME)
			hdr.Name = owner
			a.r.Answer = append(a.r.Answer, &dns.CNAME{Hdr: hdr, Target: name})
			owner = name
		}
		if !address {
			return
		}
		if inTree && len(path) == 2 {
			if svc := a.service(path[0], path[1]); svc != nil && svc.Spec.Type == corev1.ServiceTypeExternalName {
				target = svc.Spec.ExternalName
				continue
			}
		}
		a.end(owner, target, path, inTree, flat)
		return
	}
}

// end answers with the addresses at the end of a chain.
func (a *authority) end(owner, target string, path []string, inTree, flat bool) {
	sub := &authority{model: a.model, q: a.q, r: new(dns.Msg), origin: a.origin}
	if inTree && sub.node(path) {
		for _, rr := range sub.r.Answer {
			rr.Header().Name = owner
			a.r.Answer = append(a.r.Answer, rr)
		}
		if len(sub.r.Answer) == 0 {
			a.r.Ns = []dns.RR{soa(a.origin, headlessTTL)}
		}
		return
	}
	if inTree && !flat {
		a.r.Rcode, a.r.Ns = dns.RcodeNameError, []dns.RR{soa(a.origin, headlessTTL)}
		return
	}
	m := a.resolve(target+".", a.q.qtype)
	ttl, found := uint32(headlessTTL), false
	for _, rr := range m.Answer {
		ttl = min(ttl, rr.Header().Ttl)
	}
	for _, rr := range m.Answer {
		wanted := rr.Header().Rrtype == a.q.qtype
		found = found || wanted
		switch {
		case !flat:
			a.r.Answer = append(a.r.Answer, rr)
		case wanted:
			rr.Header().Name, rr.Header().Ttl = owner, ttl
			a.r.Answer = append(a.r.Answer, rr)
		}
	}
	switch {
	case found:
	case flat:
		a.r.Ns = []dns.RR{soa(a.origin, headlessTTL)}
	default:
		a.r.Rcode, a.r.Ns = m.Rcode, m.Ns
	}
}

// label is the label that SRV records call an endpoint by.
func (e *endpoint) label() string {
	if e.host != "" {
		return e.host
	}
	return e.pod
}
