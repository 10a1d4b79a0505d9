// Package tree holds the names of one cluster. Writers put slim objects into it, and queries look up names.
//
// The root of the tree is svc.<cluster zone>. Below it are namespaces, their Services, and the endpoints of the
// headless Services, which are called peers. Each peer is also directly below its namespace. The package does no I/O
// and knows no DNS messages. Readers take no lock and never wait for a writer. The cost of a change is in proportion
// to the object that has changed.
package tree

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/coredns-headless/headless/plugin/object"
)

// Tree has the names of one cluster.
type Tree struct {
	namespaces trie[*namespace]

	serials
	// addrs has each slice under the hashes of its addresses. It is nil without IndexAddresses.
	addrs atomic.Pointer[trie[*slice]]

	// scopes has each namespace that is watched, or only "" if all are. The map never changes.
	scopes map[string]*scope
	synced chan struct{} // closed when the last writer has synced

	lacking  atomic.Int32 // writers that have neither synced nor presumed
	presumed atomic.Int32 // writers that have presumed and not synced

	mu      sync.Mutex // serializes writers; guards the fields below, and all fields marked "writer"
	writers []*Writer
	dirty   []*service // changed since the last commit
}

// scope is a namespace that is watched, or all of them.
type scope struct {
	lacking atomic.Int32 // writers that have neither synced nor presumed
}

// namespace is a namespace with at least one Service or slice.
type namespace struct {
	tree     *Tree
	name     string
	services trie[*service]
	// peers has one endpoint of each slice under the hash of each pod's name, and one under that of each hostname.
	peers trie[*endpoint]

	specs  atomic.Int32  // Services that exist; without one the namespace's name does not exist
	serial atomic.Uint64 // of the last change in the namespace
	gone   atomic.Uint64 // the highest serial of a removed Service
	size   int           // number of services; writer
}

// service is a Service. It may have slices before it has an object.
type service struct {
	ns     *namespace
	name   string
	spec   atomic.Pointer[object.Service] // nil if the Service does not exist
	slices trie[*slice]

	serial atomic.Uint64 // of the last change in the Service
	size   int           // number of slices; writer
}

// slice is a writer's EndpointSlice.
type slice struct {
	svc     *service
	hash    uint64
	content atomic.Pointer[content]
}

// content is the content of a slice. It is immutable.
type content struct {
	endpoints []*endpoint
	ports     []object.Port
}

// endpoint is an object.Endpoint of a slice. It is immutable. A cluster may have 150,000 of 80 bytes each, which is
// most of the plugin's memory: count before you add a field.
type endpoint struct {
	pod, host     string
	addr          netip.Addr
	ready, dashed bool
	leaving       uint8 // object.Endpoint.Leaving
	in            *slice
	// group has all endpoints of a label that several of the slice have. It is set only in a copy of the first of
	// them, which the trie has for all.
	group *[]*endpoint
}

func newEndpoint(o *object.Endpoint, in *slice) *endpoint {
	return &endpoint{
		pod: o.Pod, host: o.Host, addr: o.Addr, ready: o.Ready, leaving: o.Leaving, dashed: o.Dashed, in: in,
	}
}

func (e *endpoint) isReady() bool { return e.ready }

// rank is 0 for an endpoint that is ready. Of others those with the lowest rank count.
func (e *endpoint) rank() uint8 {
	if e.ready {
		return 0
	}
	return 1 + e.leaving
}

// owns reports whether host is the hostname of the endpoint's pod, and its Service the pod's governing Service:
// Kubernetes sets EndpointSlice.endpoints.hostname only where the pod's spec.subdomain is the name of the Service.
func (e *endpoint) owns() bool { return e.host != "" && !e.dashed }

// object returns the object.Endpoint that e was made from.
func (e *endpoint) object() object.Endpoint {
	return object.Endpoint{
		Pod: e.pod, Host: e.host, Addr: e.addr, Ready: e.ready, Leaving: e.leaving, Dashed: e.dashed,
	}
}

// New returns an empty tree of these namespaces, or of all namespaces if there are none.
func New(namespaces ...string) *Tree {
	t := &Tree{scopes: make(map[string]*scope), synced: make(chan struct{})}
	if len(namespaces) == 0 {
		namespaces = []string{""}
	}
	for _, ns := range namespaces {
		t.scopes[ns] = new(scope)
	}
	return t
}

// Synced reports whether all writers of the namespace ns have synced or presumed. A namespace that is not watched has
// no names, and counts as synced.
func (t *Tree) Synced(ns []byte) bool {
	s, ok := t.scopes[""]
	if !ok {
		s, ok = t.scopes[string(ns)]
	}
	return !ok || s.lacking.Load() == 0
}

// AllSynced reports whether every namespace is Synced.
func (t *Tree) AllSynced() bool { return t.lacking.Load() == 0 }

// Presumed reports whether a writer has presumed its objects and not synced yet.
func (t *Tree) Presumed() bool { return t.presumed.Load() > 0 }

// Done returns a channel that is closed when all writers have synced. Presumed objects do not count.
func (t *Tree) Done() <-chan struct{} { return t.synced }

// IsDone reports whether the channel of Done is closed.
func (t *Tree) IsDone() bool {
	select {
	case <-t.synced:
		return true
	default:
		return false
	}
}

// Size returns the number of Services, and of endpoints of headless Services.
func (t *Tree) Size() (services, peers int) {
	for ns := range t.namespaces.all {
		for s := range ns.services.all {
			spec := s.spec.Load()
			if spec == nil {
				continue
			}
			services++
			if spec.Type == object.Headless {
				for sl := range s.slices.all {
					peers += len(sl.content.Load().endpoints)
				}
			}
		}
	}
	return services, peers
}

// isHeadless reports whether the Service is headless, which makes its endpoints peers. The label
// service.kubernetes.io/headless of a slice does not tell: no controller removes it when the Service changes, and
// mirrored slices exist for Services of every type.
func (s *service) isHeadless() bool {
	spec := s.spec.Load()
	return spec != nil && spec.Type == object.Headless
}

// called is a node with a name.
type called interface {
	comparable
	called() string
}

func (n *namespace) called() string { return n.name }
func (s *service) called() string   { return s.name }

// child returns the node with this name, or nil.
func child[E called](of *trie[E], name []byte) (none E) {
	h := hashOfBytes(name)
	for _, e := range of.at(h) {
		if e.hash == h && e.val.called() == string(name) {
			return e.val
		}
	}
	return none
}

// sorted returns the nodes in the order of their names.
func sorted[E called](of *trie[E]) []E {
	return slices.SortedFunc(of.all, func(a, b E) int { return strings.Compare(a.called(), b.called()) })
}
