package tree

import (
	"github.com/coredns-headless/headless/plugin/object"
)

// Writer puts the objects of one watch into the tree. It changes only the objects that it has put there itself: an
// EndpointSlice whose labels change can move from one watch to another, as a deletion in the one and an addition in
// the other, in any order.
type Writer struct {
	t         *Tree
	scope     *scope
	namespace string
	synced    bool
	presumed  bool // and not synced
	held      map[object.Key]held
}

// held is an object that a writer has: a Service or an EndpointSlice.
type held struct {
	version uint64
	at      *service        // of a Service
	spec    *object.Service // of a Service
	slice   *slice          // of an EndpointSlice
	trigger int64           // EndpointSlice.Trigger
}

// Writer adds a writer for one of the namespaces of New, or for "" if the tree has all. The namespace is not synced
// until the writer's first Replace or Presume. All writers must be added before the first object.
func (t *Tree) Writer(namespace string) *Writer {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := &Writer{t: t, scope: t.scopes[namespace], namespace: namespace, held: make(map[object.Key]held)}
	w.scope.lacking.Add(1)
	t.lacking.Add(1)
	t.writers = append(t.writers, w)
	return w
}

// Set adds o, or replaces its old version. It has no effect if the writer has this version or a newer one: an event
// may come twice or late. Only Replace goes back, for an API server whose data was restored. It reports whether o is
// an EndpointSlice with a Trigger other than that of its old version.
func (w *Writer) Set(o object.Object) (triggered bool) {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	if v := o.Version(); v != 0 && w.held[o.Key()].version >= v {
		return false
	}
	if sl, ok := o.(*object.EndpointSlice); ok {
		triggered = sl.Trigger != 0 && sl.Trigger != w.held[o.Key()].trigger
	}
	w.set(o)
	w.t.commit(o.Version(), true)
	return triggered
}

// Delete removes the object with that key. It has no effect if the writer has a version newer than the deletion's.
func (w *Writer) Delete(k object.Key, version uint64) {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	if version != 0 && w.held[k].version > version { // 0 is not known
		return
	}
	w.remove(k)
	w.t.commit(version, true)
}

// Replace replaces all objects of the writer by list, which has this version: their content counts, even if their own
// versions are known. It marks the writer as synced.
func (w *Writer) Replace(list []object.Object, version uint64) {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	kept := make(map[object.Key]bool, len(list))
	for _, o := range list {
		kept[o.Key()] = true
		w.set(o)
	}
	for k := range w.held {
		if !kept[k] {
			w.remove(k)
		}
	}
	w.t.commit(version, w.synced || w.presumed)
	if w.synced {
		return
	}
	w.synced = true
	w.t.rebase(version)
	if w.presumed {
		w.presumed = false
		w.t.presumed.Add(-1)
	} else {
		w.t.lacking.Add(-1)
		w.scope.lacking.Add(-1)
	}
	if w.t.lacking.Load() == 0 && w.t.presumed.Load() == 0 {
		close(w.t.synced)
	}
}

// Presume puts in list, and raises the tree's serial to serial, until the first Replace. It is for objects of a
// snapshot. It has no effect and reports false if the writer has presumed or synced before.
func (w *Writer) Presume(list []object.Object, serial uint64) bool {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	if w.synced || w.presumed {
		return false
	}
	for _, o := range list {
		w.set(o)
	}
	w.t.commit(serial, false)
	w.t.rebase(serial)
	w.presumed = true
	w.t.presumed.Add(1)
	w.t.lacking.Add(-1)
	w.scope.lacking.Add(-1)
	return true
}

// set puts o into the tree. The caller of this and of all functions below holds t.mu, and commits.
func (w *Writer) set(o object.Object) {
	k := o.Key()
	h := w.held[k]
	h.version = o.Version()
	switch o := o.(type) {
	case *object.Service:
		if h.at == nil {
			h.at = w.t.service(k.Namespace, k.Name)
		}
		h.spec = o
		was := h.at.spec.Swap(o)
		if was == nil {
			h.at.ns.specs.Add(1)
		}
		if was == nil || !was.Same(o) {
			w.t.mark(h.at)
		}
	case *object.EndpointSlice:
		was := h.slice
		if was == nil || was.svc.name != o.Service {
			h.slice = w.t.service(k.Namespace, o.Service).add(k.Name)
		}
		h.slice.set(o.Endpoints, o.Ports)
		if was != nil && was != h.slice { // it belonged to another Service until now
			was.drop()
		}
		h.trigger = o.Trigger
	}
	w.held[k] = h
}

// remove removes the object with that key, if the writer has it.
func (w *Writer) remove(k object.Key) {
	h := w.held[k]
	delete(w.held, k)
	if h.spec != nil {
		h.at.spec.Store(w.t.other(k))
		if h.at.spec.Load() == nil {
			h.at.ns.specs.Add(-1)
		}
		w.t.mark(h.at)
	}
	if h.slice != nil {
		h.slice.drop()
	}
}

// other returns a Service that any writer has, or nil.
func (t *Tree) other(k object.Key) *object.Service {
	for _, w := range t.writers {
		if h, ok := w.held[k]; ok {
			return h.spec
		}
	}
	return nil
}

// add adds an empty slice to the Service.
func (s *service) add(name string) *slice {
	sl := &slice{svc: s, hash: hashOf(name)}
	sl.content.Store(new(content))
	s.slices.swap(sl.hash, nil, sl)
	s.size++
	s.ns.tree.mark(s)
	return sl
}

// drop removes the slice and its endpoints from the tree.
func (sl *slice) drop() {
	sl.set(nil, nil)
	sl.svc.slices.swap(sl.hash, sl, nil)
	sl.svc.size--
	sl.svc.ns.tree.mark(sl.svc)
}

// service returns the node of a Service. It adds the node, and its namespace's, if there is none.
func (t *Tree) service(ns, name string) *service {
	n := child(&t.namespaces, []byte(ns))
	if n == nil {
		n = &namespace{name: ns, tree: t}
		n.serial.Store(t.gone.Load())
		n.gone.Store(t.gone.Load())
		t.namespaces.swap(hashOf(ns), nil, n)
	}
	svc := child(&n.services, []byte(name))
	if svc == nil {
		svc = &service{ns: n, name: name}
		svc.serial.Store(n.gone.Load())
		n.services.swap(hashOf(name), nil, svc)
		n.size++
	}
	return svc
}
