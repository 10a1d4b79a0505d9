package tree

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// hashing draws hashes. The fewer bits differ, and the later they do, the deeper is the trie.
var hashings = []struct {
	name string
	draw func(*rand.Rand) uint64
}{
	{name: "any", draw: func(r *rand.Rand) uint64 { return r.Uint64() }},
	{name: "all equal", draw: func(*rand.Rand) uint64 { return 42 }},
	{name: "few", draw: func(r *rand.Rand) uint64 { return r.Uint64N(4) }},
	{
		name: "few that differ in the last bits looked at",
		draw: func(r *rand.Rand) uint64 { return r.Uint64N(8) << 61 },
	},
	{name: "equal ones among others", draw: func(r *rand.Rand) uint64 { return r.Uint64N(200) * (r.Uint64N(3) + 1) }},
}

func TestTrieAgreesWithAMap(t *testing.T) {
	for _, h := range hashings {
		t.Run(h.name, func(t *testing.T) {
			for seed := range uint64(4) {
				trieRun(t, seed, h.draw)
			}
		})
	}
}

// trieRun adds, swaps and removes at random. It adds more in the beginning, and removes more at the end.
func trieRun(t *testing.T, seed uint64, draw func(*rand.Rand) uint64) {
	t.Helper()
	const ops = 500
	r := rand.New(rand.NewPCG(seed, 0))
	var tr trie[int]
	model := make(map[uint64][]int) // values by hash, sorted
	var there []entry[int]
	for op := range ops {
		h, was, now := draw(r), 0, 0
		if i := r.IntN(len(there) + 1); i < len(there) && r.IntN(ops) < op {
			h, was = there[i].hash, there[i].val
			there = slices.Delete(there, i, i+1)
			model[h] = slices.DeleteFunc(model[h], func(v int) bool { return v == was })
		}
		if was == 0 || r.IntN(2) == 0 {
			now = op + 1 // above all before
			there = append(there, entry[int]{h, now})
			model[h] = append(model[h], now)
		}
		seen := tr.at(h)
		copied := slices.Clone(seen)
		tr.swap(h, was, now)
		if !slices.Equal(seen, copied) {
			t.Fatalf("seed %d, step %d: swap changed the leaf of a reader", seed, op)
		}
		if !slices.Equal(under(&tr, h), model[h]) {
			t.Fatalf("seed %d, step %d: hash %x has %v, want %v", seed, op, h, under(&tr, h), model[h])
		}
		if op%50 == 49 {
			checkTrie(t, seed, &tr, model)
		}
	}
	for _, e := range there {
		tr.swap(e.hash, e.val, 0)
	}
	checkTrie(t, seed, &tr, nil)
}

// under returns the values with hash h, sorted.
func under(tr *trie[int], h uint64) (vals []int) {
	for _, e := range tr.at(h) {
		if e.hash == h {
			vals = append(vals, e.val)
		}
	}
	slices.Sort(vals)
	return vals
}

func checkTrie(t *testing.T, seed uint64, tr *trie[int], model map[uint64][]int) {
	t.Helper()
	var found, want []int
	for v := range tr.all {
		found = append(found, v)
	}
	for h, vals := range model {
		want = append(want, vals...)
		if !slices.Equal(under(tr, h), vals) {
			t.Fatalf("seed %d: hash %x has %v, want %v", seed, h, under(tr, h), vals)
		}
	}
	slices.Sort(found)
	slices.Sort(want)
	if !slices.Equal(found, want) {
		t.Fatalf("seed %d: all yields %v, want %v", seed, found, want)
	}
	checkLeaves(t, tr.root.Load(), 0, 0)
}

// checkLeaves checks that each leaf is where its hashes lead, and that none above leafMax can be split.
func checkLeaves[E comparable](t *testing.T, n *node[E], path uint64, depth int) {
	t.Helper()
	switch {
	case n == nil:
		return
	case n.branch != nil:
		for i := range n.branch {
			checkLeaves(t, n.branch[i].Load(), path|uint64(i)<<(depth*fanBits), depth+1)
		}
		return
	}
	if len(n.leaf) == 0 {
		t.Error("an empty leaf is held")
	}
	if len(n.leaf) > leafMax && splits(n.leaf) {
		t.Errorf("a leaf of %d entries with different hashes", len(n.leaf))
	}
	for _, e := range n.leaf {
		if mask := uint64(1)<<(depth*fanBits) - 1; depth < 16 && e.hash&mask != path {
			t.Errorf("hash %x stands under %x", e.hash, path)
		}
	}
}

func TestSwapKeepsThePlace(t *testing.T) {
	var tr trie[int]
	for v := range leafMax {
		tr.swap(7, 0, v+1)
	}
	tr.swap(7, 5, 99)
	tr.swap(7, 1000, 0) // was never there
	tr.swap(8, 3, 0)    // is there under another hash
	if leaf := tr.at(7); len(leaf) != leafMax || leaf[4].val != 99 {
		t.Errorf("got %v", leaf)
	}
}

func TestAllEndsWhenTold(t *testing.T) {
	var tr trie[int]
	for v := range 100 {
		tr.swap(uint64(v), 0, v+1)
	}
	n := 0
	for range tr.all {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("got %d values after 3", n)
	}
}

func TestHashIsOfOctets(t *testing.T) {
	if hashOf("web-0") != hashOfBytes([]byte("web-0")) {
		t.Error("a label's hash depends on its type")
	}
}
