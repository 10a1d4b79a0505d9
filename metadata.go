package headless

import (
	"context"
	"sync"

	"github.com/coredns/coredns/plugin/metadata"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/coredns-headless/headless/plugin/dnsname"
	"github.com/coredns-headless/headless/plugin/tree"
)

// Metadata implements metadata.Provider: the namespace, the Service and the pod behind a name that is answered here. Nothing is
// looked up unless somebody asks for one of them, and then once.
func (h *Headless) Metadata(ctx context.Context, state request.Request) context.Context {
	n := new(dnsname.Name)
	if state.Req.Opcode != dns.OpcodeQuery || state.QClass() != dns.ClassINET || !n.Parse(state.QName()) {
		return ctx
	}
	o, labels := h.origin(n)
	if o == nil {
		return ctx
	}
	var namespace, service, pod string
	find := sync.OnceFunc(func() {
		if a := o.find(n, labels, tree.Query{NotReady: o.stanza.NotReady}); a.Status != tree.None {
			namespace, service, pod = a.Object()
		}
	})
	for label, value := range map[string]*string{"namespace": &namespace, "service": &service, "pod": &pod} {
		metadata.SetValueFunc(ctx, name+"/"+label, func() string {
			find()
			return *value
		})
	}
	return ctx
}
