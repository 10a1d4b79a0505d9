package tree

import (
	"github.com/coredns-headless/headless/plugin/object"
)

// A Source is one watch's way into the tree. It knows what it put there and touches nothing else, since an EndpointSlice
// that crosses from one label selector to the other shows as deleted in one watch and added in the other, in any order.
type Source struct {
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

// Source adds a source for one of the namespaces that New was given, or for "". The scope counts as unsynced until the
// source's first Replace. All sources are made before any object is put in.
func (t *Tree) Source(namespace string) *Source {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &Source{
		t: t, scope: t.scopes[namespace], namespace: namespace,
		slices: make(map[object.Key]*slice), services: make(map[object.Key]heldService),
	}
	s.scope.lacking.Add(1)
	t.lacking.Add(1)
	t.waiting++
	t.sources = append(t.sources, s)
	return s
}

// Set adds o or puts it in its older version's place. A newer one stays. It reports whether o is an EndpointSlice that follows another change
// than the version before, as Trigger tells.
func (s *Source) Set(o object.Object) (triggered bool) {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	if s.newer(o.Key(), o.Version()) {
		return false
	}
	if sl, ok := o.(*object.EndpointSlice); ok {
		held := s.slices[o.Key()]
		triggered = sl.Trigger != 0 && (held == nil || held.trigger != sl.Trigger)
	}
	s.set(o)
	s.t.commit(o.Version(), true)
	return triggered
}

// Delete removes the object with that key. Version is the deletion's own; what came after it stays.
func (s *Source) Delete(k object.Key, version uint64) {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	if s.newer(k, version) {
		return
	}
	s.remove(k)
	s.t.commit(version, true)
}

// newer reports whether the source holds a version of k that is newer than an event's: one that came twice, or late. Only Replace goes back,
// as after an API server's data were restored. The caller holds t.mu.
func (s *Source) newer(k object.Key, version uint64) bool {
	if version == 0 { // unknown
		return false
	}
	if held, ok := s.services[k]; ok {
		return held.spec.Version() > version
	}
	sl, ok := s.slices[k]
	return ok && sl.version > version
}

// Replace makes list all that the source holds, as it was at version, and marks the source synced.
func (s *Source) Replace(list []object.Object, version uint64) {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	kept := make(map[object.Key]bool, len(list))
	for _, o := range list {
		kept[o.Key()] = true
		s.set(o)
	}
	for k := range s.services {
		if !kept[k] {
			s.remove(k)
		}
	}
	for k := range s.slices {
		if !kept[k] {
			s.remove(k)
		}
	}
	s.t.commit(version, s.synced || s.presumed)
	if s.synced {
		return
	}
	s.synced = true
	s.t.rebase(version)
	if s.presumed {
		s.presumed = false
		s.t.presumed.Add(-1)
	} else {
		s.t.lacking.Add(-1)
		s.scope.lacking.Add(-1)
	}
	if s.t.waiting--; s.t.waiting == 0 {
		close(s.t.synced)
	}
}

// Presume takes list for what the source holds, and serial for the tree's, until the first Replace says better. It reports false, and
// does nothing, where that has been.
func (s *Source) Presume(list []object.Object, serial uint64) bool {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	if s.synced || s.presumed {
		return false
	}
	for _, o := range list {
		s.set(o)
	}
	s.t.commit(serial, false)
	s.t.rebase(serial)
	s.presumed = true
	s.t.presumed.Add(1)
	s.t.lacking.Add(-1)
	s.scope.lacking.Add(-1)
	return true
}

// set puts o into the tree. The caller holds t.mu and commits, as for all below.
func (s *Source) set(o object.Object) {
	switch o := o.(type) {
	case *object.Service:
		s.setService(o)
	case *object.EndpointSlice:
		s.setSlice(o)
	}
}

func (s *Source) remove(k object.Key) {
	if held, ok := s.services[k]; ok {
		delete(s.services, k)
		held.at.spec.Store(s.t.other(k))
		if held.at.spec.Load() == nil {
			held.at.ns.specs.Add(-1)
		}
		s.t.mark(held.at)
	}
	if sl, ok := s.slices[k]; ok {
		delete(s.slices, k)
		s.drop(sl)
	}
}

// other returns some source's copy of a Service, nil where no source has one (any more).
func (t *Tree) other(k object.Key) *object.Service {
	for _, s := range t.sources {
		if held, ok := s.services[k]; ok {
			return held.spec
		}
	}
	return nil
}

func (s *Source) setService(o *object.Service) {
	k := o.Key()
	held := s.services[k]
	if v := o.Version(); held.at != nil && v != 0 && v == held.spec.Version() {
		return
	}
	if held.at == nil {
		held.at = s.t.service(k.Namespace, k.Name)
	}
	held.spec = o
	s.services[k] = held
	was := held.at.spec.Swap(o)
	if was == nil {
		held.at.ns.specs.Add(1)
	}
	if was == nil || !was.Same(o) {
		s.t.mark(held.at)
	}
}

func (s *Source) setSlice(o *object.EndpointSlice) {
	k := o.Key()
	sl := s.slices[k]
	if sl != nil && sl.svc.name == o.Service {
		if v := o.Version(); v != 0 && v == sl.version {
			return
		}
		sl.version, sl.trigger = o.Version(), o.Trigger
		if sl.set(o.Endpoints, o.Ports) {
			s.t.mark(sl.svc)
		}
		return
	}
	svc := s.t.service(k.Namespace, o.Service)
	now := &slice{svc: svc, hash: hashOf(k.Name), version: o.Version(), trigger: o.Trigger}
	now.content.Store(new(content))
	now.set(o.Endpoints, o.Ports)
	svc.slices.swap(now.hash, nil, now)
	svc.size++
	s.slices[k] = now
	s.t.mark(svc)
	if sl != nil { // it belonged to another Service until now
		s.drop(sl)
	}
}

// drop takes the slice and its endpoints out of the tree.
func (s *Source) drop(sl *slice) {
	sl.set(nil, nil)
	sl.svc.slices.swap(sl.hash, sl, nil)
	sl.svc.size--
	s.t.mark(sl.svc)
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
