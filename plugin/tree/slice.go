package tree

import (
	"slices"

	"github.com/coredns-headless/headless/plugin/object"
)

// label is a name of endpoints: their hostname if host is set, else that of their pod.
type label struct {
	name string
	host bool
}

// labels yields the labels that the trie has e under.
func (e *endpoint) labels(yield func(label) bool) {
	if e.pod != "" && !yield(label{e.pod, false}) {
		return
	}
	if e.host != "" && e.host != e.pod {
		yield(label{e.host, true})
	}
}

// set replaces the content of the slice. An endpoint that has not changed keeps its record and its place in the trie.
// What a label leads to changes in one step, and goes last, so that readers always find the name.
func (sl *slice) set(list []object.Endpoint, ports []object.Port) {
	old := sl.content.Load()
	same := func(e *endpoint, o object.Endpoint) bool { return e.object() == o }
	if slices.EqualFunc(old.endpoints, list, same) && slices.Equal(old.ports, ports) {
		return
	}
	now, entries := sl.reuse(list)
	peers := &sl.svc.ns.peers
	for l, e := range entries {
		var was *endpoint
		if len(old.endpoints) > 0 {
			was = sl.entry(l)
		}
		if e != nil && e != was {
			peers.swap(hashOf(l.name), was, e)
		}
	}
	sl.content.Store(&content{endpoints: now, ports: ports})
	for l, e := range entries {
		if e == nil {
			peers.swap(hashOf(l.name), sl.entry(l), nil)
		}
	}
	t := sl.svc.ns.tree
	if index := t.addrs.Load(); index != nil {
		sl.reindex(index, old.endpoints, now)
	}
	t.mark(sl.svc)
}

// reuse returns the records for list, and the new entries of the trie for the labels of those that come, go or move:
// nil for a label that goes.
func (sl *slice) reuse(list []object.Endpoint) (now []*endpoint, entries map[label]*endpoint) {
	old := sl.content.Load().endpoints
	now, entries = make([]*endpoint, len(list)), make(map[label]*endpoint, max(0, len(list)-len(old)))
	touch := func(e *endpoint) {
		for l := range e.labels {
			entries[l] = nil
		}
	}
	left := make(map[object.Endpoint]*endpoint) // old endpoints that may be at another place in list
	for i, e := range old {
		if i < len(list) && e.object() == list[i] {
			now[i] = e
			continue
		}
		left[e.object()] = e
		touch(e)
	}
	for i := range list {
		if now[i] != nil {
			continue
		}
		if now[i] = left[list[i]]; now[i] == nil {
			now[i] = newEndpoint(&list[i], sl)
		}
		touch(now[i])
	}
	for _, e := range now {
		for l := range e.labels {
			if first, touched := entries[l]; touched {
				entries[l] = first.with(e)
			}
		}
	}
	return now, entries
}

// with returns the entry of the trie for what e is the entry for, and another endpoint. A hostname that thousands of
// pods share is one entry for each slice, and so is a pod of thousands of addresses: every change copies a leaf.
func (e *endpoint) with(other *endpoint) *endpoint {
	switch {
	case e == nil:
		return other
	case e.group == nil:
		first := *e
		first.group = &[]*endpoint{e, other}
		return &first
	}
	*e.group = append(*e.group, other)
	return e
}

// entry returns what the trie has of the slice under a label, or nil.
func (sl *slice) entry(l label) *endpoint {
	h := hashOf(l.name)
	for _, en := range sl.svc.ns.peers.at(h) {
		if e := en.val; en.hash == h && e.in == sl && (e.pod == l.name) != l.host {
			return e
		}
	}
	return nil
}
