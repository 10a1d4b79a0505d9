package headless

import (
	"context"
	"maps"
	"reflect"
	"slices"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/etcd/msg"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"
)

// backend is the part of plugin.ServiceBackend that this plugin asks of *kubernetes*, without the plugins behind that.
type backend interface {
	Serial(state request.Request) uint32
	MinTTL(state request.Request) uint32
	Reverse(ctx context.Context, state request.Request, exact bool, opt plugin.Options) ([]msg.Service, error)
}

// kubernetes implements zone.Behind.
type kubernetes struct{ backend }

// SOA implements zone.Behind.
func (k kubernetes) SOA(r *dns.Msg, zone string) (minTTL, serial uint32) {
	state := request.Request{W: new(localClient), Req: r, Zone: zone}
	return k.MinTTL(state), k.Serial(state)
}

// Names implements zone.Behind. An error is that it has none.
func (k kubernetes) Names(r *dns.Msg) []string {
	state := request.Request{W: new(localClient), Req: r}
	services, err := k.Reverse(context.Background(), state, true, plugin.Options{})
	if err != nil {
		return nil
	}
	names := make([]string, len(services))
	for i, s := range services {
		names[i] = s.Host
	}
	return names
}

// exposed lists the namespaces that *kubernetes* is limited to, sorted; none if it is not. Only a field of it says
// so, and importing *kubernetes* would register it.
func exposed(handler plugin.Handler) []string {
	v := reflect.Indirect(reflect.ValueOf(handler))
	if v.Kind() != reflect.Struct {
		return nil
	}
	f := v.FieldByName("Namespaces")
	if !f.IsValid() {
		return nil
	}
	namespaces, _ := reflect.TypeAssert[map[string]struct{}](f)
	return slices.Sorted(maps.Keys(namespaces))
}
