package headless

import (
	"context"
	"sync"

	"github.com/coredns/coredns/plugin/metadata"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"
)

// Metadata implements metadata.Provider: the namespace, the Service and the pod behind a name that is answered here.
// Nothing is looked up unless somebody asks for one of them, and then once.
func (h *Headless) Metadata(ctx context.Context, state request.Request) context.Context {
	if state.Req.Opcode != dns.OpcodeQuery || state.QClass() != dns.ClassINET {
		return ctx
	}
	object, ok := h.zones.Object(state.QName())
	if !ok {
		return ctx
	}
	var namespace, service, pod string
	find := sync.OnceFunc(func() { namespace, service, pod = object() })
	for label, value := range map[string]*string{"namespace": &namespace, "service": &service, "pod": &pod} {
		metadata.SetValueFunc(ctx, name+"/"+label, func() string {
			find()
			return *value
		})
	}
	return ctx
}
