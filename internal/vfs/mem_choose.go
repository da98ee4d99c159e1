package vfs

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"maps"
	"slices"
)

// Change is the smallest thing that a loss of power leaves or loses as a whole:
// a change of names, a new size of a file, or what one write put into one sector.
type Change struct {
	Seq  uint64 // numbers the operations that changed something, in their order
	Kind ChangeKind
	// Page and Sector (0 to 7) tell the sectors of one write apart.
	Page   int64
	Sector int
}

// ChangeKind says what a Change is.
type ChangeKind uint8

// The kinds of changes.
const (
	ChangeNames ChangeKind = iota
	ChangeSize
	ChangeSector
)

// Changes returns all that the disk may not have yet, in the order of the
// operations: what CrashKeeping can decide about. What was overwritten with the
// same bytes is not among them: nobody could tell.
func (m *Mem) Changes() []Change {
	m.whole.Lock()
	defer m.whole.Unlock()
	return m.changes(false)
}

// changes is called with m.whole held. all says to tell of those, too, that make
// no difference.
func (m *Mem) changes(all bool) []Change {
	var out []Change
	seen := map[*node]bool{}
	var visit func(n *node)
	visit = func(n *node) {
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		if !n.isDir() {
			out = append(out, n.file.changes(all)...)
			return
		}
		for _, child := range n.entries {
			visit(child)
		}
		for _, child := range n.durable {
			visit(child)
		}
	}
	visit(m.root)
	for _, op := range m.pending {
		out = append(out, Change{Seq: op.seq, Kind: ChangeNames})
		for _, ch := range op.changes {
			visit(ch.node)
		}
	}
	slices.SortFunc(out, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Page, b.Page), cmp.Compare(a.Sector, b.Sector))
	})
	return out
}

func (f *inode) changes(all bool) (out []Change) {
	for _, s := range f.sizes {
		out = append(out, Change{Seq: s.seq, Kind: ChangeSize})
	}
	for idx, d := range f.dirty {
		for s := range d {
			if d[s].seq == 0 || !all && len(d[s].older) == 0 && f.same(idx, s) {
				continue
			}
			for _, v := range d[s].older {
				out = append(out, Change{v.seq, ChangeSector, idx, s})
			}
			out = append(out, Change{d[s].seq, ChangeSector, idx, s})
		}
	}
	return out
}

// same says whether a sector holds what the disk has.
func (f *inode) same(idx int64, sector int) bool {
	at := sector * sectorSize
	now := f.pages[idx].data[at : at+sectorSize]
	if disk := f.disk[idx]; disk != nil {
		return bytes.Equal(now, disk.data[at:at+sectorSize])
	}
	return allZero(now)
}

// CrashKeeping is Crash with every choice made by keep, which is asked about
// each of Changes and maybe about changes that nobody could tell, maybe more than
// once, and must not change its mind: for a search that tries them all.
func (m *Mem) CrashKeeping(keep func(Change) bool) *Mem {
	m.whole.Lock()
	defer m.whole.Unlock()
	return (&crash{m: m, keep: keep}).run()
}

var digestSeed = maphash.MakeSeed()

// Digest tells file systems apart by what a program sees of them: names, sizes
// and bytes. It is the same for the same content within one process, and no
// promise beyond that.
func (m *Mem) Digest() uint64 {
	m.whole.Lock()
	defer m.whole.Unlock()
	var h maphash.Hash
	h.SetSeed(digestSeed)
	m.root.digest(&h)
	return h.Sum64()
}

func (n *node) digest(h *maphash.Hash) {
	number := func(v int64) {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(v))
		h.Write(b[:])
	}
	if n.isDir() {
		number(-1 - int64(len(n.entries)))
		for _, name := range sortedNames(n.entries) {
			number(int64(len(name)))
			h.WriteString(name)
			n.entries[name].digest(h)
		}
		return
	}
	number(n.file.size)
	for _, idx := range slices.Sorted(maps.Keys(n.file.pages)) {
		if data := &n.file.pages[idx].data; !allZero(data[:]) && idx*pageSize < n.file.size {
			number(idx)
			h.Write(data[:])
		}
	}
	number(-1)
}
