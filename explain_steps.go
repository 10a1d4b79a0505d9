package headless

import (
	"net/netip"
	"strings"

	"github.com/coredns-headless/headless/plugin/dnsname"
	"github.com/coredns-headless/headless/plugin/explain"
	"github.com/coredns-headless/headless/plugin/tree"
)

// steps says which origin a name lies in, where that leads, and what is on the way.
func (h *Headless) steps(r *explain.Report, n *dnsname.Name, qtype uint16) {
	o, labels := h.origin(n)
	if o == nil {
		h.reverseSteps(r, n)
		return
	}
	var p tree.Path
	if o.guest {
		r.Origin = "cluster zone " + o.zone
		r.Add("it lies in the cluster zone %s, where headless answers only names of peers that nobody else has", o.zone)
		if !o.guestPath(&p, n, labels) {
			r.Add("no name of a peer: these are PEER.NAMESPACE.svc.%s and POD.SERVICE.NAMESPACE.svc.%[1]s", o.zone)
			return
		}
		if isTransfer(qtype) {
			r.Add("transfers of the zone are others'")
			return
		}
	} else {
		r.Origin = "suffix " + o.zone
		r.Add("it lies in the suffix %s, which stands for %s", o.zone, nodeName(o.node()))
		if o.shared {
			r.Add("fallthrough: another plugin has the rest of the suffix")
		}
		switch ok := o.path(&p, n, labels); {
		case labels == 0:
			r.Add("the apex of the zone")
		case o.nameserver(n) != nil:
			r.Add("the name of a name server of the zone")
			return
		case labels == 1 && len(o.graft) == 0 && string(n.Label(0)) == "dns-version":
			r.Add("the version of the Kubernetes DNS specification")
			return
		case !ok:
			r.Add("it has more labels than any name there")
			return
		}
	}
	r.Node = nodeName(p)
	r.Add("it means %s", r.Node)
	for _, s := range o.stanza.tree.Explain(&p, o.guest, o.stanza.NotReady) {
		r.Add("%s", s)
	}
	if !o.guest && labels > 0 && h.above(n) {
		r.Add("the name exists: another suffix, or a name server's name, lies below it")
	}
}

// nodeName is the name of a node of the tree without the cluster's zone.
func nodeName(p tree.Path) string {
	labels := make([]string, 0, len(p.Labels))
	for _, l := range p.Labels[:p.N] {
		labels = append(labels, string(l))
	}
	text, _ := dnsname.Join("svc.", labels...) // it came out of a name
	return strings.TrimSuffix(text, ".")
}

func (h *Headless) reverseSteps(r *explain.Report, n *dnsname.Name) {
	whole, ok := n.Network()
	if !ok || !whole.IsSingleIP() {
		r.Add("it lies in no cluster zone and in no suffix")
		return
	}
	a := whole.Addr()
	for _, nw := range h.networks {
		if nw.prefix.Contains(a) {
			r.Origin = "pod network " + nw.prefix.String()
			r.Add("it means the address %s, in the pod network %s", a, nw.prefix)
			h.explainHolders(r, nw.stanza, a)
			return
		}
	}
	r.Add("it means the address %s, which is in no pod network of the Corefile", a)
}

func (h *Headless) explainHolders(r *explain.Report, s *stanza, a netip.Addr) {
	holders := s.tree.Holders(a)
	several := false
	for _, x := range holders {
		r.Add("%q of Service %q in namespace %q has it", x.Label, x.Service, x.Namespace)
		several = several || x.Namespace != holders[0].Namespace
	}
	_, named := h.pointer(s, a)
	switch {
	case len(holders) == 0 && !s.tree.AllSynced():
		r.Add("not synced yet: nobody can say who has it")
	case len(holders) == 0:
		r.Add("no such peer: no ready endpoint has it")
	case several:
		r.Add("ambiguous: peers of several namespaces have it, so nobody's name is told")
	case !named:
		r.Add("none of these names leads to this address, and to no other, so none is told")
	}
}
