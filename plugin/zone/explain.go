package zone

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/dnsname"
	"github.com/coredns-headless/headless/plugin/tree"
)

// Steps say why a name is decided as it is.
type Steps struct {
	// Origin is the cluster zone, suffix or pod network that the name lies in, and Node what it means there; empty
	// where it lies in none.
	Origin, Node string
	List         []string
}

func (s *Steps) add(format string, args ...any) {
	s.List = append(s.List, fmt.Sprintf(format, args...))
}

// Explain says which origin the name of a question lies in, where that leads, and what is on the way. It decides
// nothing.
func (s *Set) Explain(q dns.Question) (steps Steps) {
	n := new(dnsname.Name)
	if !n.Parse(q.Name) {
		return steps
	}
	o, labels := s.origin(n)
	if o == nil {
		s.explainReverse(&steps, n, question(new(dns.Msg), q.Name, dns.TypePTR))
		return steps
	}
	var p tree.Path
	if !o.explain(&steps, &p, n, labels, isTransfer(q.Qtype)) {
		return steps
	}
	steps.Node = treeName(p)
	steps.add("it means %s", steps.Node)
	for _, line := range o.stanza.Tree.Explain(&p, o.guest, o.stanza.NotReady) {
		steps.add("%s", line)
	}
	if !o.guest && labels > 0 && s.above(n) {
		steps.add("the name exists, because another suffix or a name server's name is below it")
	}
	return steps
}

// explain sets p to where in the tree the name leads, and reports false for a name that it leads nowhere.
func (o *Origin) explain(s *Steps, p *tree.Path, n *dnsname.Name, labels int, transfer bool) bool {
	if o.guest {
		s.Origin = "cluster zone " + o.zone
		s.add("the name is in the cluster zone %s, where headless answers only names of peers "+
			"that no other plugin has", o.zone)
		switch {
		case !o.guestPath(p, n, labels):
			s.add("it is not a peer's name: those are PEER.NAMESPACE.svc.%s and POD.SERVICE.NAMESPACE.svc.%[1]s",
				o.zone)
			return false
		case transfer:
			s.add("headless does not transfer the zone")
			return false
		}
		return true
	}
	s.Origin = "suffix " + o.zone
	s.add("the name is in the suffix %s, whose target is %s", o.zone, treeName(o.targetPath()))
	if o.shared {
		s.add("fallthrough: another plugin serves the rest of the suffix")
	}
	switch ok := o.path(p, n, labels); {
	case labels == 0:
		s.add("it is the apex of the zone")
	case o.nameserver(n) != nil:
		s.add("it is the name of a name server of the zone")
		return false
	case labels == 1 && len(o.target) == 0 && string(n.Label(0)) == "dns-version":
		s.add("it has the version of the Kubernetes DNS specification")
		return false
	case !ok:
		s.add("it has more labels than any name there")
		return false
	}
	return true
}

// treeName is the name of a node of the tree without the cluster's zone.
func treeName(p tree.Path) string {
	labels := make([]string, 0, len(p.Labels))
	for _, l := range p.Labels[:p.N] {
		labels = append(labels, string(l))
	}
	text, _ := dnsname.Join("svc.", labels...) // it came out of a name
	return strings.TrimSuffix(text, ".")
}

func (s *Set) explainReverse(steps *Steps, n *dnsname.Name, r *dns.Msg) {
	addr, ok := n.Addr()
	if !ok {
		steps.add("the name is in no cluster zone and in no suffix")
		return
	}
	nw := s.network(addr)
	if nw == nil {
		steps.add("it means the address %s, which is in no pod network of the Corefile", addr)
		return
	}
	steps.Origin = "pod network " + nw.prefix.String()
	steps.add("it means the address %s, in the pod network %s", addr, nw.prefix)
	s.explainHolders(steps, nw.stanza, addr, r)
}

func (s *Set) explainHolders(steps *Steps, st *stanza, addr netip.Addr, r *dns.Msg) {
	holders := st.Tree.Holders(addr)
	for _, x := range holders {
		steps.add("%q of Service %q in namespace %q has this address", x.Label, x.Service, x.Namespace)
	}
	_, named := s.pointer(st, addr, r)
	switch {
	case len(holders) == 0 && !st.Tree.AllSynced():
		steps.add("not synced yet: headless does not know which peer has it")
	case len(holders) == 0:
		steps.add("no ready endpoint has this address")
	case severalNamespaces(holders):
		steps.add("ambiguous: peers in several namespaces have it, so there is no PTR record")
	case s.isOfAnother(st, holders[0].Namespace, r):
		steps.add("the next plugins have a name of another namespace for it, which stands")
	case !named:
		steps.add("none of these names resolves to this address alone, so there is no PTR record")
	}
}
