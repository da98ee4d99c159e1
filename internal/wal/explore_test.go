package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

var exploreDepth = flag.Int("explore.depth", 3, "how many steps long the sequences of TestExplore are")

// exploredFile is the size of a file: eight blocks, so that a few groups fill it.
const exploredFile = 8 * blockSize

// placed is a group as it was written.
type placed struct {
	seq     Pos
	durable Pos // what it says to be on disk
	file    string
	off     int64
	bytes   []byte // without the padding
}

// lives is a log in a few files over several lives, with the account of every
// group that was written above the cut.
type lives struct {
	x    *walExplorer
	mem  *vfs.Mem
	disk *vfs.Faulty
	w    *WAL
	path []string

	mu     sync.Mutex
	took   bool // crashes are looked at
	cut    Pos  // a checkpoint stands for the groups up to here
	safe   Pos  // groups up to here are on disk
	words  map[Pos][]string
	groups map[Pos]placed
	seen   int // lines of the disk's trace that were read
	held   chan struct{}
	holds  bool
	offset int64
}

// walExplorer is one search.
type walExplorer struct {
	t       *testing.T
	depth   int
	noSync  bool // a mistake: files are not synced
	reuse   bool // a mistake: a start gives out numbers of a torn tail again
	scanned map[scannedDisk]bool

	sequences, disks int
	met              map[string]int
	problem          string
}

// scannedDisk is a disk that was looked at, with what had to be on it.
type scannedDisk struct {
	digest    uint64
	cut, safe Pos
}

func (l *lives) failf(format string, args ...any) {
	if l.x.problem == "" {
		l.x.problem = fmt.Sprintf("after %s: ", strings.Join(l.path, ", ")) + fmt.Sprintf(format, args...)
	}
}

func (l *lives) open(next Pos) {
	l.disk = vfs.NewFaulty(l.mem)
	if l.x.noSync {
		l.disk = vfs.NewFaulty(unsynced{l.mem})
	}
	l.disk.Trace(vfs.OpWrite)
	l.disk.Hook(l.before)
	l.seen = 0
	l.w = openWAL(l.x.t, l.disk, func(o *Options) { o.FileSize, o.MaxFiles, o.Next = exploredFile, 2, next })
}

// before runs before each operation on the disk.
func (l *lives) before(op vfs.Op, name string) {
	if !strings.HasSuffix(name, fileSuffix) {
		return
	}
	l.mu.Lock()
	if op == vfs.OpSync {
		l.place()
		// Only the flusher's own: while the next file is being made beside it, a
		// group may be on the disk whose write has not been told yet.
		if name == l.newest() {
			l.crash()
		}
	}
	hold := l.holds && op == vfs.OpWrite
	if hold {
		l.holds = false
	}
	held := l.held
	l.mu.Unlock()
	if hold {
		held <- struct{}{}
		<-held
	}
}

// place notes where the groups lie that were written since the last time. mu is
// held.
func (l *lives) place() {
	lines := l.disk.Lines()
	for _, line := range lines[l.seen:] {
		var name string
		var off, size int64
		if _, err := fmt.Sscanf(line, "write %s %d+%d", &name, &off, &size); err != nil {
			l.failf("%q: %v", line, err)
		}
		data, err := vfs.ReadFile(l.mem, name)
		if err != nil {
			l.failf("%v", err)
		}
		groups := 0
		for end := off + size; off < end && string(data[off:off+4]) == "LWG1"; groups++ {
			h := data[off:]
			g := placed{
				seq: Pos(binary.BigEndian.Uint64(h[16:])), durable: Pos(binary.BigEndian.Uint64(h[24:])),
				file: name, off: off, bytes: bytes.Clone(h[:binary.BigEndian.Uint32(h[32:])]),
			}
			l.groups[g.seq] = g
			off += int64(align(len(g.bytes), blockSize))
		}
		if groups > 1 {
			l.x.meet(l, "several groups in one write")
		}
	}
	l.seen = len(lines)
}

// newest is the file that the newest group was written to. mu is held.
func (l *lives) newest() string {
	var last Pos
	for seq := range l.groups {
		last = max(last, seq)
	}
	return l.groups[last].file
}

func (x *walExplorer) meet(l *lives, what string) {
	if l.took {
		x.met[what]++
	}
}

// on says whether all of a group's bytes are on a disk.
func (g *placed) on(files map[string][]byte, n int) bool {
	f := files[g.file]
	end := g.off + int64(n)
	return int64(len(f)) >= end && bytes.Equal(f[g.off:end], g.bytes[:n])
}

// crash looks at every disk that a crash at this moment may leave: each subset
// of the unsynced pages, and each of them torn at every sector. mu is held.
func (l *lives) crash() {
	if !l.took || l.x.problem != "" {
		return
	}
	type page struct {
		seq uint64
		idx int64
	}
	var pages []page
	changes := l.mem.Changes()
	for _, ch := range changes {
		if p := (page{ch.Seq, ch.Page}); ch.Kind == vfs.ChangeSector && !slices.Contains(pages, p) {
			pages = append(pages, p)
		}
	}
	if len(pages) > 8 {
		return // a new file of zeros: no groups are in it
	}
	for set := range 1 << len(pages) {
		kept := func(p page) bool { i := slices.Index(pages, p); return i < 0 || set>>i&1 == 1 }
		l.look(l.mem.CrashKeeping(func(ch vfs.Change) bool { return kept(page{ch.Seq, ch.Page}) }))
		for _, torn := range pages {
			for cut := 1; cut < 8 && kept(torn); cut++ {
				for _, front := range []bool{true, false} {
					l.look(l.mem.CrashKeeping(func(ch vfs.Change) bool {
						p := page{ch.Seq, ch.Page}
						return kept(p) && (p != torn || ch.Sector < cut == front)
					}))
				}
			}
		}
	}
}

// look scans a disk and compares what comes out with the bytes that are on it:
// all groups that are safe, and the others up to the first that is not whole.
func (l *lives) look(disk *vfs.Mem) {
	if l.x.problem != "" {
		return
	}
	l.x.disks++
	key := scannedDisk{disk.Digest(), l.cut, l.safe}
	if l.x.scanned[key] {
		return
	}
	l.x.scanned[key] = true
	files := filesOf(l.x.t, disk)
	var want []string
	last := l.cut
	whole := true
	for _, seq := range slices.Sorted(maps.Keys(l.groups)) {
		g := l.groups[seq]
		if g.on(files, groupHeaderSize) {
			last = max(last, seq) // the number is used up, whatever became of the group
		}
		if whole = whole && g.on(files, len(g.bytes)); whole {
			want = append(want, l.words[seq]...)
		}
		switch {
		case !whole && seq <= l.safe:
			l.failf("group %d was synced and is not on the disk", seq)
			return
		case !whole && g.on(files, len(g.bytes)):
			l.x.meet(l, "a whole group behind one that is not")
		case !whole && g.on(files, groupHeaderSize):
			l.x.meet(l, "a torn group")
		}
	}
	res := mustScan(l.x.t, disk, l.cut)
	if len(res.Damaged) > 0 {
		l.failf("a crash alone is taken for damage: %v", res.Damaged[0].Err)
	}
	if got, want := story(res), strings.Join(want, " "); got != want {
		l.failf("the scan finds\n  %s\nand on the disk is\n  %s", brief(got), brief(want))
		for seq, g := range l.groups {
			l.x.problem += fmt.Sprintf("\ngroup %d in %s at %d, %d bytes, whole %v, %s", seq, g.file, g.off, len(g.bytes), g.on(files, len(g.bytes)), brief(strings.Join(l.words[seq], " ")))
		}
	}
	if res.Last < last {
		l.failf("the next group would be %d, and %d was on the disk", res.Last+1, last)
	}
	if strings.Contains(string(slices.Concat(slices.Collect(maps.Values(files))...)), "LWG1") && len(want) == 0 {
		l.x.meet(l, "nothing but groups of earlier rounds")
	}
}

// brief shortens the values in a story.
func brief(story string) string {
	return regexp.MustCompile(`v{10,}`).ReplaceAllStringFunc(story, func(vs string) string { return fmt.Sprint(len(vs)) })
}

func filesOf(t *testing.T, disk *vfs.Mem) map[string][]byte {
	files := map[string][]byte{}
	names, err := disk.List(testDir)
	for _, n := range names {
		b, rerr := vfs.ReadFile(disk, path.Join(testDir, n))
		err = errors.Join(err, rerr)
		files[path.Join(testDir, n)] = b
	}
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// lie zeroes each block of what is safe, as a disk does that has lost a write it
// acknowledged: nothing comes out that did not go in, and what any group that is
// still there knows to have been on disk is not cut silently.
func (l *lives) lie() {
	base := l.mem.Crash(vfs.KeepNone, 0)
	files := filesOf(l.x.t, base)
	for _, lost := range l.groups {
		for block := int64(0); block < int64(len(lost.bytes)); block += blockSize {
			disk := base.Kill()
			f, err := disk.Open(lost.file)
			if err == nil {
				_, err = f.WriteAt(make([]byte, blockSize), lost.off+block)
			}
			if err != nil {
				l.x.t.Fatal(err)
			}
			f.Close()
			l.x.disks++
			res := mustScan(l.x.t, disk, l.cut)
			mark := l.cut
			for _, g := range l.groups {
				if g.on(files, len(g.bytes)) && (g.seq != lost.seq || block > 0) {
					mark = max(mark, g.durable)
				}
			}
			var all, kept []string
			for _, seq := range slices.Sorted(maps.Keys(l.groups)) {
				all = append(all, l.words[seq]...)
				if seq < lost.seq {
					kept = append(kept, l.words[seq]...)
				}
			}
			got := strings.Fields(story(res))
			for _, word := range got {
				if !slices.Contains(all, word) {
					l.failf("with block %d of group %d lost there comes out %.100s", block/blockSize, lost.seq, word)
				}
			}
			switch damaged := len(res.Damaged) > 0; {
			case damaged:
				l.x.meet(l, "a lost block reported")
				if res.Damaged[0].Seq > lost.seq {
					l.failf("group %d lost a block, group %d is said to be damaged", lost.seq, res.Damaged[0].Seq)
				}
			case lost.seq <= mark:
				l.failf("group %d was known to be on disk, has lost block %d, and nobody says so", lost.seq, block/blockSize)
			default:
				l.x.meet(l, "a lost block of the newest group cut")
				if !slices.Equal(got, kept) {
					l.failf("group %d has lost a block: %q comes out, want %q", lost.seq, got, kept)
				}
			}
		}
	}
}

// put enqueues frames as one unit, and answers false when there is no room.
func (l *lives) put(values ...int) bool {
	var frames []*Frame
	for i, size := range values {
		frames = append(frames, batchFrame(1+i, l.offset, strings.Repeat("v", size)))
		l.offset++
	}
	var words []string
	for _, f := range frames {
		words = append(words, describe(f))
	}
	l.mu.Lock() // the flusher's crash wants to know what is in the group
	defer l.mu.Unlock()
	seq, err := l.w.Enqueue(frames, nil, nil)
	if errors.Is(err, ErrFull) {
		return false
	}
	if err != nil {
		l.failf("enqueue: %v", err)
		return false
	}
	for i, w := range words {
		l.words[seq] = append(l.words[seq], fmt.Sprintf("%d:%s", seq, w))
		frames[i].Release()
	}
	return true
}

// settle waits until everything is on disk.
func (l *lives) settle() {
	last := l.w.Last()
	durable(l.x.t, l.w, last)
	if err := made(l.w); err != nil {
		l.failf("%v", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.safe = last
}

// checkpoint stands for everything up to here from now on.
func (l *lives) checkpoint() bool {
	if l.cut == l.w.Last() {
		return false
	}
	l.mu.Lock()
	l.cut = l.safe
	l.forget()
	l.mu.Unlock()
	l.w.Free(l.cut)
	return true
}

func (l *lives) forget() {
	maps.DeleteFunc(l.groups, func(seq Pos, _ placed) bool { return seq <= l.cut })
	maps.DeleteFunc(l.words, func(seq Pos, _ []string) bool { return seq <= l.cut })
}

// restart loses power in the middle of the write of two groups, of which the
// first block does not come, and starts anew as a recovery does.
func (l *lives) restart() bool {
	var disk *vfs.Mem
	l.mu.Lock()
	l.holds, l.held = true, make(chan struct{})
	held := l.held
	l.mu.Unlock()
	if !l.put(10) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.holds = false
		return false
	}
	<-held
	l.put(3000)
	l.put(3000)
	l.disk.Hook(func(op vfs.Op, name string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if changes := l.mem.Changes(); op == vfs.OpSync && len(changes) > 0 && strings.HasSuffix(name, fileSuffix) {
			first := changes[0]
			disk = l.mem.CrashKeeping(func(ch vfs.Change) bool { return ch.Page != first.Page || ch.Seq != first.Seq })
		}
	})
	held <- struct{}{}
	l.settle()
	l.w.Close()
	l.mu.Lock()
	res := mustScan(l.x.t, disk, l.cut)
	if len(res.Damaged) > 0 {
		l.failf("the torn tail is taken for damage: %v", res.Damaged[0].Err)
	}
	if l.x.reuse {
		res.Last = l.safe - 2
	}
	l.mem, l.cut, l.safe = disk, res.Last, res.Last
	clear(l.groups)
	clear(l.words)
	l.mu.Unlock()
	l.open(res.Last + 1)
	return true
}

// step is a letter of the alphabet; run answers false where there is no room or
// nothing to do.
type step struct {
	name string
	run  func(l *lives) bool
}

var steps = []step{
	{"one block", func(l *lives) bool { return l.put(10) }},
	{"three blocks", func(l *lives) bool { return l.put(9000) }},
	{"two frames", func(l *lives) bool { return l.put(10, 2000) }},
	{"many at once", func(l *lives) bool {
		l.mu.Lock()
		l.holds, l.held = true, make(chan struct{})
		held := l.held
		l.mu.Unlock()
		if !l.put(10) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.holds = false
			return false
		}
		<-held
		l.put(3000)
		l.put(10) // joins the one before
		l.put(3000)
		held <- struct{}{}
		return true
	}},
	{"checkpoint", (*lives).checkpoint},
	{"torn, recovered", (*lives).restart},
}

// sequence runs one; false when its last step did nothing.
func (x *walExplorer) sequence(used bool, names []int) bool {
	l := &lives{x: x, mem: vfs.NewMem(), words: map[Pos][]string{}, groups: map[Pos]placed{}}
	l.path = []string{"nothing"}
	l.open(1)
	defer func() { l.w.Close() }()
	if used {
		// Both files have been full of groups of all sizes, and are used again.
		l.path = []string{"used files"}
		for _, i := range []int{1, 0, 3, 4, 0, 1, 3, 4, 2, 2} {
			steps[i].run(l)
			l.settle()
		}
	}
	for i, n := range names {
		l.path = append(l.path, steps[n].name)
		l.mu.Lock()
		l.took = i == len(names)-1
		l.mu.Unlock()
		if x.problem != "" || !steps[n].run(l) {
			return false
		}
		l.settle()
	}
	if l.took {
		l.lie()
	}
	x.sequences++
	return true
}

func (x *walExplorer) search(used bool, from []int) {
	if !x.sequence(used, from) || x.problem != "" || len(from) == x.depth {
		return
	}
	for n := range steps {
		x.search(used, append(slices.Clone(from), n))
	}
}

func newWALExplorer(t *testing.T, depth int) *walExplorer {
	return &walExplorer{t: t, met: map[string]int{}, scanned: map[scannedDisk]bool{}, depth: depth}
}

// TestExplore writes every sequence of groups up to a length into files of eight
// blocks, fresh ones and such as were used before, with checkpoints and torn
// lives in between, and loses power before each sync: every subset of the
// unsynced pages, each of them torn at every sector. A scan must find exactly
// the safe groups and those behind them that are whole. And when a block that was
// safe is lost, it must say so, or have no group that knows better.
func TestExplore(t *testing.T) {
	x := newWALExplorer(t, *exploreDepth)
	for _, used := range []bool{false, true} {
		clear(x.scanned)
		x.search(used, nil)
		if x.problem != "" {
			t.Fatal(x.problem)
		}
	}
	t.Logf("%d sequences of up to %d steps, %d disks", x.sequences, x.depth, x.disks)
	for _, what := range slices.Sorted(maps.Keys(x.met)) {
		t.Logf("%8d times: %s", x.met[what], what)
	}
	for _, what := range []string{
		"several groups in one write", "a whole group behind one that is not", "a torn group",
		"nothing but groups of earlier rounds", "a lost block reported", "a lost block of the newest group cut",
	} {
		if x.met[what] == 0 {
			t.Errorf("never met: %s", what)
		}
	}
}

// TestExploreBites shows that the search finds what it is for.
func TestExploreBites(t *testing.T) {
	for name, plant := range map[string]func(x *walExplorer){
		"files are not synced":        func(x *walExplorer) { x.noSync = true },
		"numbers are given out again": func(x *walExplorer) { x.reuse = true },
	} {
		t.Run(name, func(t *testing.T) {
			x := newWALExplorer(t, 3)
			plant(x)
			for _, used := range []bool{false, true} {
				x.search(used, nil)
			}
			if x.problem == "" {
				t.Fatal("nobody noticed")
			}
			t.Logf("%.400s", x.problem)
		})
	}
}

// unsynced is a disk on which files are never synced.
type unsynced struct{ vfs.FS }

func (u unsynced) Create(name string) (vfs.File, error) { return u.file(u.FS.Create(name)) }
func (u unsynced) Open(name string) (vfs.File, error)   { return u.file(u.FS.Open(name)) }

func (u unsynced) file(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return unsyncedFile{f}, nil
}

type unsyncedFile struct{ vfs.File }

func (unsyncedFile) Sync() error { return nil }
