package tree

import (
	"github.com/coredns-headless/headless/plugin/object"
)

// A Writer is one watch's way into the tree. It knows what it put there and touches nothing else, since an EndpointSlice
// that crosses from one label selector to the other shows as deleted in one watch and added in the other, in any order.
type Writer struct {
	t         *Tree
	scope     *scope
	namespace string
	synced    bool
	presumed  bool // until synced
	slices    map[object.Key]*slice
	services  map[object.Key]heldService
}

// heldService is one watch's copy of a Service.
type heldService struct {
	at   *service
	spec *object.Service
}

// Writer adds a writer for one of the namespaces that New was given, or for "". The scope counts as unsynced until the
// writer's first Replace. All writers are made before any object is put in.
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

// Set adds o or puts it in its older version's place. A newer one stays. It reports whether o is an EndpointSlice that follows another change
// than the version before, as Trigger tells.
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

// Delete removes the object with that key. Version is the deletion's own; what came after it stays.
func (w *Writer) Delete(k object.Key, version uint64) {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	if w.newer(k, version) {
		return
	}
	w.remove(k)
	w.t.commit(version, true)
}

// newer reports whether the writer holds a version of k that is newer than an event's: one that came twice, or late. Only Replace goes back,
// as after an API server's data were restored. The caller holds t.mu.
func (w *Writer) newer(k object.Key, version uint64) bool {
	if version == 0 { // unknown
		return false
	}
	if held, ok := w.services[k]; ok {
		return held.spec.Version() > version
	}
	sl, ok := w.slices[k]
	return ok && sl.version > version
}

// Replace makes list all that the writer holds, as it was at version, and marks the writer synced.
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

// Presume takes list for what the writer holds, and serial for the tree's, until the first Replace says better. It reports false, and
// does nothing, where that has been.
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

// set puts o into the tree. The caller holds t.mu and commits, as for all below.
func (w *Writer) set(o object.Object) {
	switch o := o.(type) {
	case *object.Service:
		w.setService(o)
	case *object.EndpointSlice:
		w.setSlice(o)
	}
}

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

// other returns some writer's copy of a Service, nil where no writer has one (any more).
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

// drop takes the slice and its endpoints out of the tree.
func (w *Writer) drop(sl *slice) {
	sl.set(nil, nil)
	sl.svc.slices.swap(sl.hash, sl, nil)
	sl.svc.size--
	w.t.mark(sl.svc)
}

// service returns the node for a Service, made if need be.
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
