package tree

import (
	"slices"

	"github.com/coredns-headless/headless/plugin/object"
)

// set makes list and ports the content of the slice, and reports whether that is news. An endpoint that did not change keeps its
// record and its place in the trie; one whose address or readiness changed takes its predecessor's place in one step, so that no
// reader finds the name gone.
func (sl *slice) set(list []object.Endpoint, ports []object.Port) bool {
	old := sl.content.Load()
	same := func(e *endpoint, o object.Endpoint) bool { return e.Endpoint == o }
	if slices.EqualFunc(old.endpoints, list, same) && slices.Equal(old.ports, ports) {
		return false
	}
	doubled := doubles(list)
	now, fresh, spare := sl.reuse(list, doubled)
	for _, e := range now {
		if head, ok := doubled[e.Pod]; ok {
			c := &endpoint{Endpoint: e.Endpoint, in: sl, next: head}
			c.Dashed = true
			doubled[e.Pod] = c
		}
	}
	next := &content{endpoints: now, ports: ports}
	if len(old.endpoints) == 0 { // as all are while the first list is put in
		for name, e := range entries(fresh, doubled) {
			sl.svc.ns.peers.swap(hashOf(name), nil, e)
		}
		sl.content.Store(next)
	} else {
		sl.exchange(spare, fresh, next, doubled)
	}
	sl.doubled = doubled
	if index := sl.svc.ns.tree.addrs.Load(); index != nil {
		sl.reindex(index, old.endpoints, now)
	}
	return true
}

// doubles has a key for each pod that list has more than once, and is nil where there is none. A thousand endpoints with a hundred
// addresses each, all of one pod, are a valid EndpointSlice: in peers it is one chain of copies, or each of its changes would take a minute.
func doubles(list []object.Endpoint) map[string]*endpoint {
	var d map[string]*endpoint
	seen := make(map[string]struct{}, len(list))
	for i := range list {
		pod := list[i].Pod
		if _, ok := seen[pod]; ok && pod != "" {
			if d == nil {
				d = make(map[string]*endpoint)
			}
			d[pod] = nil
		}
		seen[pod] = struct{}{}
	}
	return d
}

// exchange puts fresh records where spare ones stood.
func (sl *slice) exchange(spare, fresh []*endpoint, next *content, doubled map[string]*endpoint) {
	peers := &sl.svc.ns.peers
	was, will := make(map[string][]*endpoint), make(map[string][]*endpoint)
	for name, e := range entries(spare, sl.doubled) {
		was[name] = append(was[name], e)
	}
	for name, e := range entries(fresh, doubled) {
		will[name] = append(will[name], e)
	}
	for name, list := range will {
		if len(list) == 1 && len(was[name]) == 1 {
			peers.swap(hashOf(name), was[name][0], list[0])
			delete(was, name)
			continue
		}
		for _, e := range list { // a name that one slice has twice: first all come, then all go
			peers.swap(hashOf(name), nil, e)
		}
	}
	sl.content.Store(next)
	for name, list := range was {
		for _, e := range list {
			peers.swap(hashOf(name), e, nil)
		}
	}
}

// reuse returns the records for list, those of them that are new, and the old ones that are not among them.
func (sl *slice) reuse(list []object.Endpoint, doubled map[string]*endpoint) (now, fresh, spare []*endpoint) {
	old := sl.content.Load().endpoints
	now = make([]*endpoint, len(list))
	left := make(map[object.Endpoint]*endpoint) // unchanged endpoints at another place
	for i, e := range old {
		_, twice := doubled[e.Pod]
		switch {
		case e.chained(), twice, sl.doubled[e.Pod] != nil: // its next, or its copy's, may change, and readers may be at it
			spare = append(spare, e)
		case i < len(list) && e.Endpoint == list[i]:
			now[i] = e
		case left[e.Endpoint] != nil:
			spare = append(spare, e)
		default:
			left[e.Endpoint] = e
		}
	}
	heads := make(map[string]*endpoint)
	for i := range list {
		if now[i] != nil {
			continue
		}
		if now[i] = left[list[i]]; now[i] != nil {
			delete(left, list[i])
			continue
		}
		e := &endpoint{Endpoint: list[i], in: sl}
		if e.chained() {
			e.next = heads[e.Host]
			heads[e.Host] = e
		}
		now[i] = e
		fresh = append(fresh, e)
	}
	for _, e := range left {
		spare = append(spare, e)
	}
	return now, fresh, spare
}

// copied reports whether the endpoint is a copy that stands in peers for a pod that the slice has more than once. No other is dashed and
// has a pod.
func (e *endpoint) copied() bool { return e.Dashed && e.Pod != "" }

// chained reports whether the endpoint is found by its Host through the first one of the slice that has it. A hostname that
// thousands of pods share is thereby one entry a slice, not one a pod.
func (e *endpoint) chained() bool { return e.Host != "" && e.Host != e.Pod }

// entries yields what the trie holds for list, endpoints of one slice in order: by each pod, and by each hostname the
// head of the chain, which is the last in order.
func entries(list []*endpoint, doubled map[string]*endpoint) func(yield func(string, *endpoint) bool) {
	return func(yield func(string, *endpoint) bool) {
		heads := make(map[string]*endpoint)
		for _, e := range list {
			if e.chained() {
				heads[e.Host] = e
			}
			if e.Pod != "" && doubled[e.Pod] == nil && !yield(e.Pod, e) {
				return
			}
		}
		for _, chains := range []map[string]*endpoint{heads, doubled} {
			for name, e := range chains {
				if !yield(name, e) {
					return
				}
			}
		}
	}
}
