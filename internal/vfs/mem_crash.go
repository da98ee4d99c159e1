package vfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// Keep says what of the unsynced changes a power loss leaves.
type Keep int

const (
	// KeepSome leaves some of it, as the seed draws: a prefix in the order of
	// the changes, or single sectors, pages and names without any order.
	KeepSome Keep = iota
	// KeepNone leaves what was synced and nothing else.
	KeepNone
	// KeepAll leaves everything, as if the disk had just finished.
	KeepAll
)

// Crash returns the file system as the disk is after a loss of power at this
// moment; equal seeds give equal disks. What Sync and SyncDir covered is there.
// Of the rest each sector of 512 bytes has one of the contents it was given
// since, or the synced one; a file has one of its sizes since, zeros where no
// sector came; each create, rename, link, remove happened or not, a rename
// never by half. Locks are free.
//
// The receiver goes on untouched, so that a test can take many crashes of one
// moment; its open files belong to it and not to the new one.
func (m *Mem) Crash(keep Keep, seed uint64) *Mem {
	m.whole.Lock()
	defer m.whole.Unlock()
	c := crash{m: m, rng: rand.New(rand.NewPCG(seed, 0x1ea7))}
	switch {
	case keep == KeepAll:
		c.cut = m.seq.Load()
	case keep == KeepNone:
	case c.rng.IntN(2) == 0:
		if open := m.unsynced(); len(open) > 0 {
			c.cut = open[c.rng.IntN(len(open))]
		}
	default:
		// Anything in between nearly all and nearly nothing.
		c.odds = []float64{0.02, 0.1, 0.5, 0.9, 0.98}[c.rng.IntN(5)]
	}
	return c.run()
}

// run makes the disk that the choices leave. m.whole is held.
func (c *crash) run() *Mem {
	m := c.m
	c.to, c.nodes = NewMem(), map[*node]*node{}
	// The tree as it will be.
	c.entries = map[*node]map[string]*node{}
	for _, op := range m.pending {
		if !c.survives(Change{Seq: op.seq, Kind: ChangeNames}) {
			continue
		}
		for _, ch := range op.changes {
			if c.entries[ch.dir] == nil {
				c.entries[ch.dir] = maps.Clone(ch.dir.durable)
			}
			setEntry(c.entries[ch.dir], ch.name, ch.node)
		}
	}
	c.look = func(n *node) map[string]*node {
		if e := c.entries[n]; e != nil {
			return e
		}
		return n.durable
	}
	c.content = c.crashed
	c.to.root = c.node(m.root)
	for _, n := range c.order {
		if n.isDir() {
			c.nodes[n].durable = maps.Clone(c.nodes[n].entries)
		}
	}
	c.to.space.capacity.Store(m.space.capacity.Load())
	return c.to
}

// Kill returns the file system as a new process finds it after kill -9: all
// that was written and named is there, locks are free, and what was not synced
// can still be lost by a Crash.
func (m *Mem) Kill() *Mem {
	m.whole.Lock()
	defer m.whole.Unlock()
	c := crash{m: m, to: NewMem(), nodes: map[*node]*node{}}
	c.look = func(n *node) map[string]*node { return n.entries }
	c.content = c.same
	c.to.root = c.node(m.root)
	for _, op := range m.pending {
		moved := nameOp{seq: op.seq}
		for _, ch := range op.changes {
			to := nameChange{dir: c.node(ch.dir), name: ch.name}
			if ch.node != nil {
				to.node = c.node(ch.node)
			}
			moved.changes = append(moved.changes, to)
		}
		c.to.pending = append(c.to.pending, moved)
	}
	for i := 0; i < len(c.order); i++ { // what only the disk still names is found on the way
		n := c.order[i]
		for _, name := range sortedNames(n.durable) {
			c.nodes[n].durable[name] = c.node(n.durable[name])
		}
	}
	for _, n := range c.order {
		if !n.isDir() {
			c.nodes[n].file.drop(0, 0) // one without a name takes no space
		}
	}
	c.to.seq.Store(m.seq.Load())
	c.to.space.capacity.Store(m.space.capacity.Load())
	return c.to
}

// unsynced are the numbers of all changes that the disk may not have, sorted.
func (m *Mem) unsynced() []uint64 {
	var seqs []uint64
	for _, ch := range m.changes(true) {
		seqs = append(seqs, ch.Seq)
	}
	return slices.Compact(seqs)
}

// crash copies one Mem into another.
type crash struct {
	m, to   *Mem
	rng     *rand.Rand
	cut     uint64            // changes up to here survive
	odds    float64           // or each of them, with these odds
	keep    func(Change) bool // or those that somebody chooses
	entries map[*node]map[string]*node
	look    func(*node) map[string]*node // the names in a directory
	content func(*inode) *inode
	nodes   map[*node]*node // from the old to the new
	order   []*node         // keys of nodes as they were found
}

// survives says whether a change that no sync covered is on the disk.
func (c *crash) survives(ch Change) bool {
	switch {
	case c.keep != nil:
		return c.keep(ch)
	case c.odds > 0:
		return c.rng.Float64() < c.odds
	}
	return ch.Seq <= c.cut
}

// node copies a node and what is below it; a node with several names stays one.
func (c *crash) node(n *node) *node {
	if to := c.nodes[n]; to != nil {
		return to
	}
	c.order = append(c.order, n)
	if !n.isDir() {
		to := &node{file: c.content(n.file)}
		c.nodes[n] = to
		return to
	}
	to := newDir()
	c.nodes[n] = to
	entries := c.look(n)
	for _, name := range sortedNames(entries) {
		child := c.node(entries[name])
		to.entries[name] = child
		if !child.isDir() {
			child.file.names++
		}
	}
	return to
}

// crashed is a file's content after the power loss.
func (c *crash) crashed(f *inode) *inode {
	to := newInode(c.to)
	to.size = f.diskSize
	for _, s := range f.sizes {
		if c.survives(Change{Seq: s.seq, Kind: ChangeSize}) {
			to.size = s.size
		}
	}
	for idx, pg := range f.disk {
		to.pages[idx] = pg.share()
	}
	// In the order of the pages, or equal seeds would draw differently.
	idxs := slices.Sorted(maps.Keys(f.dirty))
	for _, idx := range idxs {
		if pg := c.page(f, idx); pg != nil {
			to.pages[idx] = pg
		}
	}
	for idx, pg := range to.pages {
		end := to.size - idx*pageSize
		switch {
		case end <= 0:
			delete(to.pages, idx)
		case end < pageSize && !allZero(pg.data[end:]):
			cut := &page{data: pg.data}
			clear(cut.data[end:])
			to.pages[idx] = cut
		}
	}
	maps.Copy(to.disk, to.pages)
	for _, pg := range to.pages {
		pg.share()
	}
	to.diskSize = to.size
	c.account(to, f.taken)
	return to
}

// page is what the disk holds of a dirty page; nil when it is as it was.
func (c *crash) page(f *inode, idx int64) *page {
	var out *page
	wholePage := c.odds > 0 && c.rng.IntN(2) == 0 // pages are written back whole more often than not
	wholeKept := wholePage && c.survives(Change{})
	for s := range f.dirty[idx] {
		sec := &f.dirty[idx][s]
		if sec.seq == 0 {
			continue
		}
		present := f.pages[idx].data[s*sectorSize : (s+1)*sectorSize]
		var content []byte
		if wholePage {
			if wholeKept {
				content = present
			}
		} else {
			for i := range sec.older {
				if c.survives(Change{sec.older[i].seq, ChangeSector, idx, s}) {
					content = sec.older[i].data[:]
				}
			}
			if c.survives(Change{sec.seq, ChangeSector, idx, s}) {
				content = present
			}
		}
		if content == nil {
			continue
		}
		if out == nil {
			out = new(page)
			if old := f.disk[idx]; old != nil {
				out.data = old.data
			}
		}
		copy(out.data[s*sectorSize:], content)
	}
	return out
}

// same is a file's content as another process finds it.
func (c *crash) same(f *inode) *inode {
	to := newInode(c.to)
	to.size, to.diskSize, to.sizes, to.lost = f.size, f.diskSize, slices.Clone(f.sizes), f.lost
	for idx, pg := range f.pages {
		to.pages[idx] = pg.share()
	}
	for idx, pg := range f.disk {
		to.disk[idx] = pg.share()
	}
	for idx, d := range f.dirty {
		moved := *d
		for s := range moved {
			moved[s].older = slices.Clone(moved[s].older)
		}
		to.dirty[idx] = &moved
	}
	c.account(to, f.taken)
	return to
}

// account takes the space of a copied file, which may have more allocated than
// its size.
func (c *crash) account(to *inode, taken int64) {
	to.taken = max(pageEnd(to.size), taken)
	c.to.space.used.Add(to.taken)
}
