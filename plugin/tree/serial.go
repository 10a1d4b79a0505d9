package tree

import "sync/atomic"

// serials are the serials of the root. A serial has 64 bits and only grows. A SOA record has it modulo 2^32, which
// grows in the arithmetic of RFC 1982. Every node that a suffix can be grafted onto has a serial: with one for the
// whole cluster, every change would make the secondaries of all suffixes transfer. The serial of a node is never below
// those of its children.
type serials struct {
	serial atomic.Uint64 // of the last change in the tree
	base   atomic.Uint64 // the highest version that a writer had when it synced; no serial is below it
	gone   atomic.Uint64 // the highest serial of a removed namespace
}

// Serial returns the SOA serial of a suffix that is grafted onto the node at p: the root, a namespace or a Service.
func (t *Tree) Serial(p *Path) uint32 {
	return uint32(max(t.base.Load(), t.last(p))) // #nosec G115 -- modulo 2^32 is meant
}

// last returns the serial of the last change at or below p.
func (t *Tree) last(p *Path) uint64 {
	if p.N == 0 {
		return t.serial.Load()
	}
	for {
		gone := &t.gone
		highest := gone.Load()
		if ns := child(&t.namespaces, p.Labels[0]); ns != nil {
			if p.N == 1 {
				return ns.serial.Load()
			}
			gone = &ns.gone
			highest = gone.Load()
			if svc := child(&ns.services, p.Labels[1]); svc != nil {
				return svc.serial.Load()
			}
		}
		// If another node was removed meanwhile, this one may have been added before that, with a lower serial.
		if gone.Load() == highest {
			return highest
		}
	}
}

// rebase raises all serials to the version that a writer has when it syncs. The caller holds t.mu.
func (t *Tree) rebase(version uint64) {
	t.base.Store(max(t.base.Load(), version))
	t.serial.Store(max(t.serial.Load(), version))
}

// Renumber raises the serial of every node. It is for a change of the Corefile, which can change the records of a zone
// without a change of its objects: a secondary transfers only a higher serial.
func (t *Tree) Renumber() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rebase(t.serial.Load() + 1)
}

// mark records that a Service, or one of its slices, has changed. The caller holds t.mu.
func (t *Tree) mark(svc *service) { t.dirty = append(t.dirty, svc) }

// commit gives all that is marked one new serial if counts is set, and removes nodes that have become empty. The
// caller holds t.mu.
func (t *Tree) commit(version uint64, counts bool) {
	if len(t.dirty) == 0 {
		return
	}
	if counts {
		next := max(t.serial.Load()+1, t.base.Load()+1, version)
		t.serial.Store(next)
		for _, svc := range t.dirty {
			svc.ns.serial.Store(next)
			svc.serial.Store(next)
		}
	}
	for _, svc := range t.dirty {
		t.prune(svc)
	}
	clear(t.dirty)
	t.dirty = t.dirty[:0]
}

// prune removes the node of a Service that has neither an object nor slices, and its namespace if that becomes empty.
func (t *Tree) prune(svc *service) {
	ns := svc.ns
	if svc.size > 0 || svc.spec.Load() != nil || child(&ns.services, []byte(svc.name)) != svc {
		return
	}
	ns.gone.Store(max(ns.gone.Load(), svc.serial.Load())) // first, for a reader that no longer finds the node
	if ns.size--; ns.size == 0 {
		t.gone.Store(max(t.gone.Load(), ns.serial.Load()))
		t.namespaces.swap(hashOf(ns.name), ns, nil)
	}
	ns.services.swap(hashOf(svc.name), svc, nil)
}
