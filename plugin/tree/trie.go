package tree

import (
	"hash/maphash"
	"sync/atomic"
)

// trie maps hashes to values. One writer at a time may change it. Readers never wait: they follow atomic pointers to
// leaves, which are immutable. A change copies one leaf, however large the trie is. A leaf has at most leafMax entries
// unless more values have one hash.
//
// Several values may have one hash, because several slices have a name or by accident. Readers compare the names.
type trie[E comparable] struct {
	root atomic.Pointer[node[E]]
}

const (
	leafMax = 16
	fanBits = 4
	fan     = 1 << fanBits
)

// node is a leaf or a branch. A branch stays when everything below it is removed. The largest size that the trie has
// had bounds their number, and the tries of a namespace are removed with it.
type node[E comparable] struct {
	leaf   []entry[E] // immutable
	branch *[fan]atomic.Pointer[node[E]]
}

// entry is a value under its hash.
type entry[E comparable] struct {
	hash uint64
	val  E
}

// seed is the seed of all tries, so that a look-up computes the hash of a label only once.
var seed = maphash.MakeSeed()

func hashOf(s string) uint64        { return maphash.String(seed, s) }
func hashOfBytes(b []byte) uint64   { return maphash.Bytes(seed, b) }
func slotOf(h uint64, d int) uint64 { return h >> (d * fanBits) & (fan - 1) }

// at returns the leaf with all entries of hash h, and perhaps others. The caller must not change it.
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

// swap replaces was by now, in one step for readers. If was or now is the zero E, it only adds or removes.
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

// grow returns a node with the entries of leaf, at depth branches below the root. The node is a branch if leaf is too
// large and can be split.
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

// splits reports whether leaf has different hashes. If it has, a branch at some depth separates them.
func splits[E comparable](leaf []entry[E]) bool {
	for _, e := range leaf {
		if e.hash != leaf[0].hash {
			return true
		}
	}
	return false
}

// all yields every value. It yields a value twice, or not at all, only if the trie changes meanwhile.
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
