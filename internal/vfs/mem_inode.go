package vfs

import (
	"io"
	"sync"
	"syscall"
)

const (
	pageSize   = 4096
	sectorSize = 512 // what a disk writes whole or not at all
	sectors    = pageSize / sectorSize
)

// page is one page of a file. A shared page belongs to more than one map (the
// disk's, another Mem's) and is copied before it is written.
type page struct {
	shared bool
	data   [pageSize]byte
}

// share marks a page that gets a second owner. One that is marked already may
// be read by others at this moment and is left alone.
func (pg *page) share() *page {
	if !pg.shared {
		pg.shared = true
	}
	return pg
}

// inode is the content of a file: what programs read (pages) and what a power
// loss leaves for sure (disk). A page that is missing is all zeros, and a page
// that is missing in pages is missing in disk.
type inode struct {
	m *Mem

	mu       sync.RWMutex
	size     int64
	pages    map[int64]*page
	diskSize int64
	disk     map[int64]*page
	dirty    map[int64]*dirtyPage // what the next Sync writes
	sizes    []sizeChange         // sizes since the last Sync
	lost     bool                 // the next Sync has to tell of lost pages

	taken int64 // bytes of the account of m: whole pages to the end, holes too
	names int   // names in the current tree
	open  int   // handles
}

type sizeChange struct {
	seq  uint64
	size int64
}

// dirtyPage remembers, for each sector of a page, when it was written since the
// last Sync and what it held in between: the disk may have any of these.
type dirtyPage [sectors]dirtySector

type dirtySector struct {
	seq   uint64 // of the newest content; 0 = clean
	older []version
}

type version struct {
	seq  uint64
	data [sectorSize]byte
}

// maxVersions bounds the memory of a sector that is rewritten without Sync.
const maxVersions = 4

func newInode(m *Mem) *inode {
	return &inode{m: m, pages: map[int64]*page{}, disk: map[int64]*page{}, dirty: map[int64]*dirtyPage{}}
}

// drop adjusts the counts of names and handles, and gives the space back when
// the last of both is gone.
func (f *inode) drop(names, open int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.names += names
	f.open += open
	if f.names == 0 && f.open == 0 {
		f.m.space.take(-f.taken)
		f.taken = 0
	}
}

func (f *inode) length() int64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.size
}

// space returns the file's length and the bytes of its pages, those behind its end too.
func (f *inode) space() (size, taken int64) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.size, f.taken
}

// reserve takes the space for a file of size bytes, when there is so much.
func (f *inode) reserve(size int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.take(size)
}

func (f *inode) readAt(p []byte, off int64) (int, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	n := 0
	for n < len(p) && off < f.size {
		at := int(off % pageSize)
		chunk := min(len(p)-n, pageSize-at, int(min(f.size-off, pageSize)))
		if pg := f.pages[off/pageSize]; pg != nil {
			copy(p[n:n+chunk], pg.data[at:])
		} else {
			clear(p[n : n+chunk])
		}
		n += chunk
		off += int64(chunk)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *inode) writeAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var err error
	if !f.take(off + int64(len(p))) {
		// As much as there is room for, like a real disk.
		err = ErrNoSpace
		for f.take(f.taken + pageSize) {
		}
		p = p[:max(0, min(int64(len(p)), f.taken-off))]
	}
	seq := f.m.seq.Add(1)
	for n := 0; n < len(p); {
		at := int((off + int64(n)) % pageSize)
		chunk := p[n:min(len(p), n+pageSize-at)]
		f.put((off+int64(n))/pageSize, at, chunk, seq)
		n += len(chunk)
	}
	if end := off + int64(len(p)); len(p) > 0 && end > f.size {
		f.resize(end, seq)
	}
	return len(p), err
}

func pageEnd(size int64) int64 { return (size + pageSize - 1) / pageSize * pageSize }

// take takes the space for a file of size bytes, all of it or none.
func (f *inode) take(size int64) bool {
	more := pageEnd(size) - f.taken
	if more <= 0 {
		return true
	}
	if !f.m.space.take(more) {
		return false
	}
	f.taken += more
	return true
}

// put writes within one page that has its space.
func (f *inode) put(idx int64, at int, p []byte, seq uint64) {
	pg := f.pages[idx]
	if pg == nil {
		if allZero(p) {
			return // zeros over zeros: nothing that a crash could show
		}
		pg = new(page)
		f.pages[idx] = pg
	} else if pg.shared {
		pg = &page{data: pg.data}
		f.pages[idx] = pg
	}
	d := f.dirty[idx]
	if d == nil {
		d = new(dirtyPage)
		f.dirty[idx] = d
	}
	for s := at / sectorSize; s <= (at+len(p)-1)/sectorSize; s++ {
		d[s].supersede(pg.data[s*sectorSize:(s+1)*sectorSize], seq)
	}
	copy(pg.data[at:], p)
}

// supersede notes that the sector gets new content, and keeps the present one
// if only a cache holds it.
func (s *dirtySector) supersede(present []byte, seq uint64) {
	if s.seq != 0 {
		if len(s.older) == maxVersions {
			s.older = append(s.older[:1], s.older[2:]...)
		}
		s.older = append(s.older, version{s.seq, [sectorSize]byte(present)})
	}
	s.seq = seq
}

func (f *inode) resize(size int64, seq uint64) {
	f.size = size
	// A run of appends within one Sync keeps a few of the sizes in between.
	if len(f.sizes) > 64 {
		f.sizes = append(f.sizes[:32], f.sizes[33:]...)
	}
	f.sizes = append(f.sizes, sizeChange{seq, size})
}

// truncate cuts or extends. What is cut reads as zeros when the file grows
// again; until a Sync the disk may still have it.
func (f *inode) truncate(size int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	seq := f.m.seq.Add(1)
	if size < f.size {
		var zeros [pageSize]byte
		for idx := range f.pages {
			if from := max(size-idx*pageSize, 0); from < pageSize {
				f.put(idx, int(from), zeros[from:], seq)
			}
		}
	}
	if back := f.taken - pageEnd(size); size <= f.size && back > 0 {
		f.m.space.take(-back)
		f.taken -= back
	}
	if size != f.size {
		f.resize(size, seq)
	}
}

func (f *inode) allocate(size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.take(size) {
		return ErrNoSpace
	}
	if size > f.size {
		f.resize(size, f.m.seq.Add(1))
	}
	return nil
}

// tellLoss answers an error once after a sync of the whole volume has lost pages
// of the file.
func (f *inode) tellLoss() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.lost {
		return nil
	}
	f.lost = false
	return syscall.EIO
}

// sync makes the disk hold what programs read.
func (f *inode) sync() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for idx := range f.dirty {
		pg := f.pages[idx]
		if idx*pageSize >= f.size { // what Truncate left
			delete(f.pages, idx)
			delete(f.disk, idx)
			continue
		}
		f.disk[idx] = pg.share()
	}
	clear(f.dirty)
	f.diskSize, f.sizes = f.size, nil
}

// failSync is a sync that the disk refused, as Linux goes on after it: the
// pages are marked clean, programs still read them, the next sync has nothing
// to do and succeeds, and the disk never gets them.
func (f *inode) failSync() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.dirty)
	f.sizes = nil
}

// loseUnsynced is a failed write-back that nobody who has the file open was told of.
func (f *inode) loseUnsynced() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.dirty) > 0 || len(f.sizes) > 0 {
		f.lost = true
	}
	clear(f.dirty)
	f.sizes = nil
}

func allZero(p []byte) bool {
	for _, c := range p {
		if c != 0 {
			return false
		}
	}
	return true
}
