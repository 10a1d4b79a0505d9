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
	slices    map[object.Key]*slice
	services  map[object.Key]heldService
}

// heldService is a writer's Service.
type heldService struct {
	at   *service
	spec *object.Service
}

// Writer adds a writer for one of the namespaces of New, or for "" if the tree has all. The namespace is not synced
// until the writer's first Replace or Presume. All writers must be added before the first object.
func (t *Tree) Writer(namespace string) *Writer {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := &Writer{
		t: t, scope: t.scopes[namespace], namespace: namespace,
		slices: make(map[object.Key]*slice), services: make(map[object.Key]heldService),
	}
	w.scope.lacking.Add(1)
	t.lacking.Add(1)
	t.waiting++
	t.writers = append(t.writers, w)
	return w
}

// Set adds o, or replaces its old version. It has no effect if the writer has a newer version. It reports whether o is
// an EndpointSlice with a Trigger other than that of its old version.
func (w *Writer) Set(o object.Object) (triggered bool) {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	if w.newer(o.Key(), o.Version()) {
		return false
	}
	if sl, ok := o.(*object.EndpointSlice); ok {
		held := w.slices[o.Key()]
		triggered = sl.Trigger != 0 && (held == nil || held.trigger != sl.Trigger)
	}
	w.set(o)
	w.t.commit(o.Version(), true)
	return triggered
}

// Delete removes the object with that key. It has no effect if the writer has a version newer than the deletion's.
func (w *Writer) Delete(k object.Key, version uint64) {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	if w.newer(k, version) {
		return
	}
	w.remove(k)
	w.t.commit(version, true)
}

// newer reports whether the writer has a version of k that is newer than an event's, which came twice or late. Only
// Replace goes back to an older version, for an API server whose data was restored. The caller holds t.mu.
func (w *Writer) newer(k object.Key, version uint64) bool {
	if version == 0 { // not known
		return false
	}
	if held, ok := w.services[k]; ok {
		return held.spec.Version() > version
	}
	sl, ok := w.slices[k]
	return ok && sl.version > version
}

// Replace replaces all objects of the writer by list, which has this version. It marks the writer as synced.
func (w *Writer) Replace(list []object.Object, version uint64) {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	kept := make(map[object.Key]bool, len(list))
	for _, o := range list {
		kept[o.Key()] = true
		w.set(o)
	}
	for k := range w.services {
		if !kept[k] {
			w.remove(k)
		}
	}
	for k := range w.slices {
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
	if w.t.waiting--; w.t.waiting == 0 {
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
	switch o := o.(type) {
	case *object.Service:
		w.setService(o)
	case *object.EndpointSlice:
		w.setSlice(o)
	}
}

// remove removes the object with that key, if the writer has it.
func (w *Writer) remove(k object.Key) {
	if held, ok := w.services[k]; ok {
		delete(w.services, k)
		held.at.spec.Store(w.t.other(k))
		if held.at.spec.Load() == nil {
			held.at.ns.specs.Add(-1)
		}
		w.t.mark(held.at)
	}
	if sl, ok := w.slices[k]; ok {
		delete(w.slices, k)
		w.drop(sl)
	}
}

// other returns a Service that any writer has, or nil.
func (t *Tree) other(k object.Key) *object.Service {
	for _, s := range t.writers {
		if held, ok := s.services[k]; ok {
			return held.spec
		}
	}
	return nil
}

func (w *Writer) setService(o *object.Service) {
	k := o.Key()
	held := w.services[k]
	if v := o.Version(); held.at != nil && v != 0 && v == held.spec.Version() {
		return
	}
	if held.at == nil {
		held.at = w.t.service(k.Namespace, k.Name)
	}
	held.spec = o
	w.services[k] = held
	was := held.at.spec.Swap(o)
	if was == nil {
		held.at.ns.specs.Add(1)
	}
	if was == nil || !was.Same(o) {
		w.t.mark(held.at)
	}
}

func (w *Writer) setSlice(o *object.EndpointSlice) {
	k := o.Key()
	sl := w.slices[k]
	if sl != nil && sl.svc.name == o.Service {
		if v := o.Version(); v != 0 && v == sl.version {
			return
		}
		sl.version, sl.trigger = o.Version(), o.Trigger
		if sl.set(o.Endpoints, o.Ports) {
			w.t.mark(sl.svc)
		}
		return
	}
	svc := w.t.service(k.Namespace, o.Service)
	now := &slice{svc: svc, hash: hashOf(k.Name), version: o.Version(), trigger: o.Trigger}
	now.content.Store(new(content))
	now.set(o.Endpoints, o.Ports)
	svc.slices.swap(now.hash, nil, now)
	svc.size++
	w.slices[k] = now
	w.t.mark(svc)
	if sl != nil { // it belonged to another Service until now
		w.drop(sl)
	}
}

// drop removes the slice and its endpoints from the tree.
func (w *Writer) drop(sl *slice) {
	sl.set(nil, nil)
	sl.svc.slices.swap(sl.hash, sl, nil)
	sl.svc.size--
	w.t.mark(sl.svc)
}

// service returns the node of a Service. It adds the node, and its namespace's, if there is none.
func (t *Tree) service(ns, name string) *service {
	h := hashOf(ns)
	n := t.namespace(h, []byte(ns))
	if n == nil {
		n = &namespace{name: ns, hash: h, tree: t}
		n.serial.Store(t.gone.Load())
		n.gone.Store(t.gone.Load())
		t.namespaces.swap(h, nil, n)
	}
	h = hashOf(name)
	svc := n.service(h, []byte(name))
	if svc == nil {
		svc = &service{ns: n, name: name, hash: h}
		svc.serial.Store(n.gone.Load())
		n.services.swap(h, nil, svc)
		n.size++
	}
	return svc
}
