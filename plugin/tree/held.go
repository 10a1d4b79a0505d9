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
	type copied struct {
		by  *Writer
		key object.Key
		held
		content *content // of a slice, which may change
	}
	var all []copied
	for _, w := range t.writers {
		if w.scope.lacking.Load() > 0 {
			continue
		}
		if !slices.Contains(h.Namespaces, w.namespace) {
			h.Namespaces = append(h.Namespaces, w.namespace)
		}
		for k, o := range w.held {
			c := copied{by: w, key: k, held: o}
			if o.slice != nil {
				c.content = o.slice.content.Load()
			}
			all = append(all, c)
		}
	}
	h.Objects = func(yield func(*Writer, object.Object) bool) {
		for _, c := range all {
			var o object.Object = c.spec
			if c.slice != nil {
				endpoints := make([]object.Endpoint, len(c.content.endpoints))
				for i, e := range c.content.endpoints {
					endpoints[i] = e.object()
				}
				o = object.NewEndpointSlice(c.key, c.slice.svc.name, c.content.ports, endpoints)
			}
			if !yield(c.by, o) {
				return
			}
		}
	}
	return h
}
