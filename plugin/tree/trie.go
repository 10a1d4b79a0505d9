package tree

import (
	"hash/maphash"
	"sync/atomic"
)

// A trie maps hashes to values. One writer at a time changes it, readers never wait: they follow atomic pointers to
// leaves that never change. A change copies one leaf, of leafMax entries at most as long as hashes differ, whatever the
// size of the whole.
//
// Several values may share a hash, on purpose (a name that several slices hold) or by accident: who reads compares.
type trie[E comparable] struct {
	root atomic.Pointer[node[E]]
}

const (
	leafMax = 16
	fanBits = 4
	fan     = 1 << fanBits
)

// A node is a leaf or a branch. Branches stay when what hangs below them goes: their number is bounded by the largest
// size that the trie ever had, and a namespace that empties takes its tries with it.
type node[E comparable] struct {
	leaf   []entry[E] // immutable
	branch *[fan]atomic.Pointer[node[E]]
}

type entry[E comparable] struct {
	hash uint64
	val  E
}

// seed is one for all tries, so that a hash is computed once per label.
var seed = maphash.MakeSeed()

func hashOf(s string) uint64        { return maphash.String(seed, s) }
func hashOfBytes(b []byte) uint64   { return maphash.Bytes(seed, b) }
func slotOf(h uint64, d int) uint64 { return h >> (d * fanBits) & (fan - 1) }

// at returns the leaf that holds all entries with hash h, and maybe others. The caller must not change it.
func (t *trie[E]) at(h uint64) []entry[E] {
	n := t.root.Load()
	for d := 0; n != nil && n.branch != nil; d++ {
		n = n.branch[slotOf(h, d)].Load()
	}
	if n == nil {
		return nil
	}
	return n.leaf
}

// swap puts now where was stood, in one step for readers. Either may be the zero E: then it only adds or removes.
func (t *trie[E]) swap(h uint64, was, now E) {
	var none E
	slot, depth := &t.root, 0
	n := slot.Load()
	for ; n != nil && n.branch != nil; depth++ {
		slot = &n.branch[slotOf(h, depth)]
		n = slot.Load()
	}
	var old []entry[E]
	if n != nil {
		old = n.leaf
	}
	leaf := make([]entry[E], 0, len(old)+1)
	for _, e := range old {
		switch {
		case e.hash != h || e.val != was:
			leaf = append(leaf, e)
		case now != none:
			leaf = append(leaf, entry[E]{h, now})
			now = none
		}
	}
	if now != none {
		leaf = append(leaf, entry[E]{h, now})
	}
	slot.Store(grow(leaf, depth))
}

// grow makes a node of leaf, which stands depth branches below the root: a branch where it is too large and can be split.
func grow[E comparable](leaf []entry[E], depth int) *node[E] {
	if len(leaf) == 0 {
		return nil
	}
	if len(leaf) <= leafMax || !splits(leaf) {
		return &node[E]{leaf: leaf}
	}
	var parts [fan][]entry[E]
	for _, e := range leaf {
		i := slotOf(e.hash, depth)
		parts[i] = append(parts[i], e)
	}
	b := new([fan]atomic.Pointer[node[E]])
	for i, part := range parts {
		b[i].Store(grow(part, depth+1))
	}
	return &node[E]{branch: b}
}

// splits reports whether hashes differ in leaf; if they do, some branch below separates them.
func splits[E comparable](leaf []entry[E]) bool {
	for _, e := range leaf {
		if e.hash != leaf[0].hash {
			return true
		}
	}
	return false
}

// all calls yield for every value, each once unless the trie changes meanwhile.
func (t *trie[E]) all(yield func(E) bool) { walk(t.root.Load(), yield) }

func walk[E comparable](n *node[E], yield func(E) bool) bool {
	switch {
	case n == nil:
		return true
	case n.branch != nil:
		for i := range n.branch {
			if !walk(n.branch[i].Load(), yield) {
				return false
			}
		}
		return true
	}
	for _, e := range n.leaf {
		if !yield(e.val) {
			return false
		}
	}
	return true
}
