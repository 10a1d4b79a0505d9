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
		// If another node was removed meanwhile, this one may have been added before that, with a lower serial.
		if gone.Load() == highest {
			return uint32(max(base, highest)) // #nosec G115 -- modulo 2^32 is meant
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

// prune removes the node of a Service that has neither an object nor slices, and its namespace if that becomes empty.
func (t *Tree) prune(svc *service) {
	ns := svc.ns
	if svc.size > 0 || svc.spec.Load() != nil || ns.service(svc.hash, []byte(svc.name)) != svc {
		return
	}
	ns.gone.Store(max(ns.gone.Load(), svc.serial.Load())) // first, for a reader that no longer finds the node
	if ns.size--; ns.size == 0 {
		t.gone.Store(max(t.gone.Load(), ns.serial.Load()))
		t.namespaces.swap(ns.hash, ns, nil)
	}
	ns.services.swap(svc.hash, svc, nil)
}
