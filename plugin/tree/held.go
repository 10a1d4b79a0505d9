package tree

import (
	"iter"
	"slices"

	"github.com/coredns-headless/headless/plugin/object"
)

// Held is the content of a tree at one time.
type Held struct {
	// Version is Tree.Version at that time.
	Version uint64
	// Namespaces are the namespaces that have synced. It is [""] if the tree has all namespaces and they have synced.
	Namespaces []string
	// Objects yields the objects of those namespaces with the writer that put them in. It takes no lock.
	Objects iter.Seq2[*Writer, object.Object]
}

// Version returns a number that grows with every change of the tree.
func (t *Tree) Version() uint64 { return max(t.base.Load(), t.serial.Load()) }

// Held returns the content of the tree. Writers wait for it, for a time in proportion to the number of Services and
// EndpointSlices.
func (t *Tree) Held() Held {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := Held{Version: t.Version()}
	type heldSlice struct {
		key     object.Key
		service string
		*content
	}
	type heldBy struct {
		*Writer
		services []*object.Service
		slices   []heldSlice
	}
	var all []heldBy
	for _, s := range t.writers {
		if s.scope.lacking.Load() > 0 {
			continue
		}
		if !slices.Contains(h.Namespaces, s.namespace) {
			h.Namespaces = append(h.Namespaces, s.namespace)
		}
		by := heldBy{Writer: s}
		for _, held := range s.services {
			by.services = append(by.services, held.spec)
		}
		for k, sl := range s.slices {
			by.slices = append(by.slices, heldSlice{k, sl.svc.name, sl.content.Load()})
		}
		all = append(all, by)
	}
	h.Objects = func(yield func(*Writer, object.Object) bool) {
		for _, by := range all {
			for _, s := range by.services {
				if !yield(by.Writer, s) {
					return
				}
			}
			for _, sl := range by.slices {
				endpoints := make([]object.Endpoint, len(sl.endpoints))
				for i, e := range sl.endpoints {
					endpoints[i] = e.object()
				}
				if !yield(by.Writer, object.NewEndpointSlice(sl.key, sl.service, sl.ports, endpoints)) {
					return
				}
			}
		}
	}
	return h
}
