package tree

import (
	"cmp"
	"slices"
	"strings"

	"github.com/coredns-headless/headless/plugin/object"
)

// Late adds a writer for one namespace to a tree that is in use. Nothing waits for its first Replace.
func (t *Tree) Late(namespace string) *Writer {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.scopes[""] != nil {
		namespace = ""
	}
	w := &Writer{
		t: t, scope: t.scopes[namespace], namespace: namespace, synced: true, held: make(map[object.Key]held),
	}
	t.writers = append(t.writers, w)
	return w
}

// Close removes the writer and its objects.
func (w *Writer) Close() {
	w.Replace(nil, 0)
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	w.t.writers = slices.DeleteFunc(w.t.writers, func(other *Writer) bool { return other == w })
}

// Sliceless returns the keys of the headless Services that have no EndpointSlice, sorted.
func (t *Tree) Sliceless() (list []object.Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for ns := range t.namespaces.all {
		for svc := range ns.services.all {
			if svc.size == 0 && svc.isHeadless() {
				list = append(list, object.NewKey(object.KindService, ns.name, svc.name))
			}
		}
	}
	slices.SortFunc(list, func(a, b object.Key) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return list
}

// Alone reports whether a Service is headless and has no EndpointSlice of another writer.
func (w *Writer) Alone(k object.Key) bool {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	ns := child(&w.t.namespaces, []byte(k.Namespace))
	if ns == nil {
		return false
	}
	svc := child(&ns.services, []byte(k.Name))
	own := 0
	for _, h := range w.held {
		if h.slice != nil && h.slice.svc == svc {
			own++
		}
	}
	return svc != nil && svc.isHeadless() && svc.size == own
}
