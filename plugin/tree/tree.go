// Package tree is the tree of names: slim objects go in, what a name means comes out.
//
// It hangs under svc.<cluster zone>: namespaces, their Services, the endpoints of those ("peers"), and the same peers once
// more directly below the namespace. It does no I/O and knows no DNS messages. Readers take no lock and never wait for the
// writer; a change costs in proportion to the object that changed.
package tree

import (
	"sync"
	"sync/atomic"

	"github.com/coredns-headless/headless/plugin/object"
)

// Tree holds every name of one cluster.
type Tree struct {
	namespaces trie[*namespace]

	serials
	// addrs finds the slices that have an address, each once; nil as long as nobody asked for it.
	addrs atomic.Pointer[trie[*slice]]

	// scopes are the namespaces that are watched one by one, or one for "" that stands for all. The map never changes.
	scopes map[string]*scope
	synced chan struct{} // closed when the last writer has synced

	lacking  atomic.Int32 // writers that have nothing yet, not even presumed
	presumed atomic.Int32 // writers that have nothing but what is presumed

	mu      sync.Mutex // serialises writers; guards all below it, and every field marked "writer"
	waiting int        // writers that have not synced
	writers []*Writer
	dirty   []*service // changed since the last commit
}

// scope is a part of the cluster that syncs by itself.
type scope struct {
	lacking atomic.Int32 // writers that have nothing yet, not even presumed
}

// namespace is a namespace that some object known here is in.
type namespace struct {
	tree     *Tree
	name     string
	hash     uint64
	services trie[*service]
	// peers holds one endpoint of each slice by the hash of each pod's name, and one by the hash of each hostname.
	peers trie[*endpoint]

	specs  atomic.Int32  // Services whose object is known: names hang below this one
	serial atomic.Uint64 // of the last change in it
	gone   atomic.Uint64 // the highest serial of a Service that it has no more
	size   int           // writer: entries of services
}

// service is a Service, or what slices say of one whose object is not known (yet).
type service struct {
	ns     *namespace
	name   string
	hash   uint64
	spec   atomic.Pointer[object.Service] // nil: no such Service
	slices trie[*slice]

	serial atomic.Uint64 // of the last change in it
	size   int           // writer: entries of slices
}

// slice is one watch's copy of an EndpointSlice.
type slice struct {
	svc     *service
	hash    uint64
	version uint64 // writer
	trigger int64  // of EndpointSlice; writer
	content atomic.Pointer[content]
	// doubled has the heads of chains of those pods that the slice has more than once; nil as for almost every slice. Writer.
	doubled map[string]*endpoint
}

// content is immutable.
type content struct {
	endpoints []*endpoint
	ports     []object.Port
}

// endpoint is immutable. 150,000 of them are the plugin's memory: 80 bytes each, count before you add a field.
type endpoint struct {
	object.Endpoint
	in *slice
	// next is the next endpoint of the same slice with the same Host, where that is not its Pod too; of a copy, with the same Pod.
	next *endpoint
}

// New returns an empty tree of the namespaces given, or of all.
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

// Synced reports whether all there is in namespace ns has been seen once, or is presumed. A namespace that is not watched is: empty.
func (t *Tree) Synced(ns []byte) bool {
	s, ok := t.scopes[""]
	if !ok {
		s, ok = t.scopes[string(ns)]
	}
	return !ok || s.lacking.Load() == 0
}

// AllSynced is Synced for every namespace.
func (t *Tree) AllSynced() bool { return t.lacking.Load() == 0 }

// Presumed reports whether some of what the tree has is only presumed.
func (t *Tree) Presumed() bool { return t.presumed.Load() > 0 }

// Done is closed when everything has synced, and nothing is presumed any more.
func (t *Tree) Done() <-chan struct{} { return t.synced }

// IsDone reports whether everything has synced.
func (t *Tree) IsDone() bool {
	select {
	case <-t.synced:
		return true
	default:
		return false
	}
}

// Size counts what has names.
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

// headless reports whether the endpoint is one of a headless Service, which is what makes it a peer. A slice can outlive
// that: nobody takes the headless label off it, and mirrored slices exist for every type of Service.
func (e *endpoint) headless() bool {
	spec := e.in.svc.spec.Load()
	return spec != nil && spec.Type == object.Headless
}
