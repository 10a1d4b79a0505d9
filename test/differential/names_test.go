package differential

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/miekg/dns"
)

const tree = "svc." + zone

// existing lists every name that somebody could think exists, in order: of all objects, whether or not they count.
func existing(o objects) []string {
	set := make(map[string]bool)
	add := func(labels ...string) { set[strings.Join(labels, ".")] = true }
	for _, name := range []string{".", zone, tree, "pod." + zone, "ns.dns." + zone, "dns-version." + zone, "in-addr.arpa.", "ip6.arpa.", "example.org.", "www.example.org."} {
		add(name)
	}
	for _, ns := range namespaces {
		add(ns, tree)
		add(ns, "pod", zone)
	}
	for _, s := range o.services {
		add(s.Name, s.Namespace, tree)
		for _, p := range s.Spec.Ports {
			add("_"+p.Name, "_"+string(p.Protocol), s.Name, s.Namespace, tree)
			add("_"+string(p.Protocol), s.Name, s.Namespace, tree)
		}
		for _, ip := range s.Spec.ClusterIPs {
			addReverse(set, ip)
		}
	}
	for i := range o.slices {
		addSlice(set, &o.slices[i])
	}
	return known(set)
}

func addSlice(set map[string]bool, s *discoveryv1.EndpointSlice) {
	svc := s.Labels[discoveryv1.LabelServiceName]
	add := func(labels ...string) { set[strings.Join(labels, ".")] = true }
	for _, p := range s.Ports {
		add("_"+*p.Name, "_"+string(*p.Protocol), svc, s.Namespace, tree)
	}
	for _, e := range s.Endpoints {
		var names []string
		if e.Hostname != nil {
			names = append(names, *e.Hostname)
		}
		if e.TargetRef != nil {
			names = append(names, e.TargetRef.Name)
		}
		for _, a := range e.Addresses {
			names = append(names, dashed(a))
			addReverse(set, a)
			add(dashed(a), s.Namespace, "pod", zone)
		}
		for _, n := range names {
			add(n, svc, s.Namespace, tree)
			add(n, s.Namespace, tree)
		}
	}
}

// dashed is the label that kubernetes gives an address without a hostname.
func dashed(address string) string {
	if strings.Contains(address, ".") {
		return strings.ReplaceAll(address, ".", "-")
	}
	label := strings.ReplaceAll(address, ":", "-")
	if strings.HasSuffix(label, "-") {
		label += "0"
	}
	return label
}

func addReverse(set map[string]bool, address string) {
	if a, err := netip.ParseAddr(address); err == nil {
		name, err := dns.ReverseAddr(a.String())
		if err == nil {
			set[name] = true
		}
	}
}

// known is what of the set can be sent, in order and as it comes off the wire.
func known(set map[string]bool) []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if name, ok := wire(name); ok {
			list = append(list, name)
		}
	}
	return slices.Compact(list)
}

// wire is a name as it comes off the wire, and whether it can go there.
func wire(name string) (string, bool) {
	buf := make([]byte, 256)
	n, err := dns.PackDomainName(name, buf, 0, nil, false)
	if err != nil {
		return "", false
	}
	name, _, err = dns.UnpackDomainName(buf[:n], 0)
	return name, err == nil
}

// inTree are those of names that have one of the two shapes of a peer's.
func inTree(names []string) (list []string) {
	for _, name := range names {
		if labels, ok := below(tree, name); ok && (len(labels) == 2 || len(labels) == 3) {
			list = append(list, name)
		}
	}
	return list
}

// name makes up a name, mostly one close to one of names, and rather to one of those near to a peer's.
func (g *generator) name(names, near []string) string {
	for {
		var name string
		switch n := g.IntN(100); {
		case n < 15:
			name = pick(g, names)
		case n < 32:
			name = pick(g, near)
		case n < 50:
			name = g.misspelt(pick(g, names))
		case n < 62:
			name = g.relabelled(pick(g, names))
		case n < 75: // a public name, as a pod's search list makes it
			name = g.public() + pick(g, []string{pick(g, namespaces) + "." + tree, tree, zone, ""})
		case n < 92:
			name = pick(g, words) + "." + pick(g, words) + "." + pick(g, namespaces) + "." + tree
			if g.percent(50) {
				name = name[strings.Index(name, ".")+1:]
			}
		default:
			var labels []string
			for range 1 + g.IntN(4) {
				labels = append(labels, g.octets())
			}
			name = strings.Join(labels, ".") + "." + pick(g, []string{pick(g, namespaces) + "." + tree, tree, zone, "", "in-addr.arpa.", "pod." + zone})
		}
		if name, ok := wire(name); ok {
			return name
		}
	}
}

func (g *generator) public() string {
	if g.percent(50) {
		return pick(g, []string{"www.example.org.", "example.org.", "google.com.", "www.google.com.", "com.", "web-0.com.", "nowhere.test."})
	}
	return pick(g, words) + "." + pick(g, words) + "."
}

// misspelt is one edit away from name.
func (g *generator) misspelt(name string) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-_.*"
	i, c := g.IntN(len(name)), string(letters[g.IntN(len(letters))])
	switch g.IntN(4) {
	case 0:
		return name[:i] + c + name[i:]
	case 1:
		return name[:i] + name[i+1:]
	case 2:
		return name[:i] + c + name[i+1:]
	}
	if i+1 < len(name) {
		return name[:i] + name[i+1:i+2] + name[i:i+1] + name[i+2:]
	}
	return name
}

// relabelled is one label away from name.
func (g *generator) relabelled(name string) string {
	labels := dns.SplitDomainName(name)
	if len(labels) == 0 {
		return pick(g, words) + "."
	}
	i := g.IntN(len(labels))
	switch g.IntN(4) {
	case 0:
		labels = slices.Delete(labels, i, i+1)
	case 1:
		labels = slices.Insert(labels, i, pick(g, append([]string{"svc", "pod", "_tcp", "_udp", "_http", "*", "dns"}, words...)))
	case 2:
		labels[i] = pick(g, words)
	default:
		j := g.IntN(len(labels))
		labels[i], labels[j] = labels[j], labels[i]
	}
	return dns.Fqdn(strings.Join(labels, "."))
}

// octets is a label of random octets, most of them letters.
func (g *generator) octets() string {
	b := make([]byte, 1+g.IntN(12))
	if g.percent(10) {
		b = make([]byte, 63)
	}
	for i := range b {
		b[i] = byte('a' + g.IntN(26))
		if g.percent(8) {
			b[i] = byte(g.IntN(256))
		}
	}
	var text strings.Builder
	for _, c := range b {
		if 'a' <= c && c <= 'z' {
			text.WriteByte(c)
			continue
		}
		text.WriteString("\\" + string([]byte{'0' + c/100, '0' + c/10%10, '0' + c%10}))
	}
	return text.String()
}
