package tree

import "sync/atomic"

// serials number states for SOA records, 64 bits wide: a zone's serial is one of them modulo 2^32, so that it only grows in RFC
// 1982's arithmetic. Every node that a zone can be grafted onto has its own, or a change anywhere in the cluster would send all
// secondaries for all zones. Those below a node are never higher than its own.
type serials struct {
	serial atomic.Uint64 // of the last change in the tree
	base   atomic.Uint64 // the highest version of what writers had when they synced: no serial is below it
	gone   atomic.Uint64 // the highest serial of a namespace that is no more
}

// Serial is the SOA serial of a zone that is grafted onto the node at p: a namespace, a Service, or the root.
func (t *Tree) Serial(p *Path) uint32 {
	base := t.base.Load()
	if p.N == 0 {
		return uint32(max(base, t.serial.Load())) // #nosec G115 -- modulo 2^32 is meant
	}
	for {
		gone := &t.gone
		highest := gone.Load()
		if ns := t.namespace(hashOfBytes(p.Labels[0]), p.Labels[0]); ns != nil {
			if p.N == 1 {
				return uint32(max(base, ns.serial.Load())) // #nosec G115 -- modulo 2^32 is meant
			}
			gone = &ns.gone
			highest = gone.Load()
			if svc := ns.service(hashOfBytes(p.Labels[1]), p.Labels[1]); svc != nil {
				return uint32(max(base, svc.serial.Load())) // #nosec G115 -- modulo 2^32 is meant
			}
		}
		// While another node went, this one may have come, with a serial below the other's.
		if gone.Load() == highest {
			return uint32(max(base, highest)) // #nosec G115 -- modulo 2^32 is meant
		}
	}
}

// rebase notes the version of what a writer had when it synced. The caller holds t.mu.
func (t *Tree) rebase(version uint64) {
	t.base.Store(max(t.base.Load(), version))
	t.serial.Store(max(t.serial.Load(), version))
}

// Renumber raises the serial of every node, for zones that say something else of the same objects from now on: a secondary takes
// nothing that it has the serial of already.
func (t *Tree) Renumber() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rebase(t.serial.Load() + 1)
}

// mark notes that a Service, or one of its slices, has changed. The caller holds t.mu.
func (t *Tree) mark(svc *service) { t.dirty = append(t.dirty, svc) }

// commit numbers what has been marked as one change, if it counts as one, and takes out nodes of which nothing is known any
// more. The caller holds t.mu.
func (t *Tree) commit(version uint64, counts bool) {
	if len(t.dirty) == 0 {
		return
	}
	if counts {
		done := make(map[*atomic.Uint64]bool)
		for _, svc := range t.dirty {
			for _, at := range []*atomic.Uint64{&t.serial, &svc.ns.serial, &svc.serial} {
				if !done[at] {
					done[at] = true
					at.Store(max(at.Load()+1, t.base.Load()+1, version))
				}
			}
		}
	}
	for _, svc := range t.dirty {
		t.prune(svc)
	}
	clear(t.dirty)
	t.dirty = t.dirty[:0]
}

// prune takes a Service's node out if nothing is known of it any more, and its namespace's with it.
func (t *Tree) prune(svc *service) {
	ns := svc.ns
	if svc.size > 0 || svc.spec.Load() != nil || ns.service(svc.hash, []byte(svc.name)) != svc {
		return
	}
	ns.gone.Store(max(ns.gone.Load(), svc.serial.Load())) // first: whoever misses the node finds its serial here
	if ns.size--; ns.size == 0 {
		t.gone.Store(max(t.gone.Load(), ns.serial.Load()))
		t.namespaces.swap(ns.hash, ns, nil)
	}
	ns.services.swap(svc.hash, svc, nil)
}
