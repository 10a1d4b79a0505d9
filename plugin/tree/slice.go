package tree

import (
	"slices"

	"github.com/coredns-headless/headless/plugin/object"
)

// set replaces the content of the slice, and reports whether it has changed. An endpoint that has not changed keeps
// its record and its place in the trie. If its address or readiness has changed, the new record replaces the old one
// in one step, so that readers always find the name.
func (sl *slice) set(list []object.Endpoint, ports []object.Port) bool {
	old := sl.content.Load()
	same := func(e *endpoint, o object.Endpoint) bool { return e.object() == o }
	if slices.EqualFunc(old.endpoints, list, same) && slices.Equal(old.ports, ports) {
		return false
	}
	doubled := doubles(list)
	now, fresh, spare := sl.reuse(list, doubled)
	for _, e := range now {
		if first, ok := doubled[e.pod]; ok {
			c := *e
			c.copied, c.next = true, first
			doubled[e.pod] = &c
		}
	}
	next := &content{endpoints: now, ports: ports}
	if len(old.endpoints) == 0 { // every slice of the first list: no need to compare
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

// doubles returns a map with a key for each pod that list has more than once, or nil if there is none. A valid
// EndpointSlice can have 1,000 endpoints of 100 addresses each, all of one pod. In the trie they are one chain of
// copies, because one entry for each would make a change take a minute.
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

// exchange replaces the spare records in the trie by the fresh ones, and the content by next.
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
		for _, e := range list { // add all of the name before any is removed
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

// reuse returns the records for list (now), those of them that are new (fresh), and the old records that list has no
// more use for (spare).
func (sl *slice) reuse(list []object.Endpoint, doubled map[string]*endpoint) (now, fresh, spare []*endpoint) {
	old := sl.content.Load().endpoints
	now = make([]*endpoint, len(list))
	left := make(map[object.Endpoint]*endpoint) // old endpoints that may be at another place in list
	for i, e := range old {
		_, twice := doubled[e.pod]
		switch {
		case e.chained(), twice, sl.doubled[e.pod] != nil: // its chain may change, and readers may be in it
			spare = append(spare, e)
		case i < len(list) && e.object() == list[i]:
			now[i] = e
		case left[e.object()] != nil:
			spare = append(spare, e)
		default:
			left[e.object()] = e
		}
	}
	chains := make(map[string]*endpoint)
	for i := range list {
		if now[i] != nil {
			continue
		}
		if now[i] = left[list[i]]; now[i] != nil {
			delete(left, list[i])
			continue
		}
		e := newEndpoint(&list[i], sl)
		if e.chained() {
			e.next = chains[e.host]
			chains[e.host] = e
		}
		now[i] = e
		fresh = append(fresh, e)
	}
	for _, e := range left {
		spare = append(spare, e)
	}
	return now, fresh, spare
}

// chained reports whether the endpoint is in the chain of its hostname. The trie has only the chain's first endpoint:
// a hostname that thousands of pods share is one entry for each slice, not for each pod.
func (e *endpoint) chained() bool { return e.host != "" && e.host != e.pod }

// entries yields the entries of the trie for list, endpoints of one slice in order: one for each pod, and one for each
// hostname. The last endpoint with a hostname is the first of its chain.
func entries(list []*endpoint, doubled map[string]*endpoint) func(yield func(string, *endpoint) bool) {
	return func(yield func(string, *endpoint) bool) {
		chains := make(map[string]*endpoint)
		for _, e := range list {
			if e.chained() {
				chains[e.host] = e
			}
			if e.pod != "" && doubled[e.pod] == nil && !yield(e.pod, e) {
				return
			}
		}
		for _, byName := range []map[string]*endpoint{chains, doubled} {
			for name, e := range byName {
				if !yield(name, e) {
					return
				}
			}
		}
	}
}
