package plog

import (
	"strings"
	"sync"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

// reserving is a file system whose files can take blocks ahead: it notes up to where
// each has them, and to what size it was cut since.
type reserving struct {
	vfs.FS
	mu    sync.Mutex
	ahead map[string]int64
	cut   map[string]int64
}

type reservingFile struct {
	vfs.File
	fs   *reserving
	name string
}

func (r *reserving) Create(name string) (vfs.File, error) { return r.wrap(name, r.FS.Create) }
func (r *reserving) Open(name string) (vfs.File, error)   { return r.wrap(name, r.FS.Open) }

func (r *reserving) wrap(name string, open func(string) (vfs.File, error)) (vfs.File, error) {
	f, err := open(name)
	return &reservingFile{f, r, name}, err
}

func (r *reserving) Free(name string) (int64, error) {
	n, err := r.FS.Free(name)
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, end := range r.ahead {
		if info, err := r.FS.Stat(name); err == nil {
			n -= max(0, end-info.Size())
		}
	}
	return n, err
}

func (f *reservingFile) Reserve(off, n int64) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.fs.ahead[f.name] = off + n
	delete(f.fs.cut, f.name)
}

func (f *reservingFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.fs.cut[f.name] = size
	return f.File.Truncate(size)
}

// Blocks are taken ahead of large batches in a log that grows, an eighth of what it has,
// and given back when the segment is complete and at a clean stop.
func TestBlocksAheadAreGivenBack(t *testing.T) {
	t.Parallel()
	fs := &reserving{FS: vfs.NewMem(), ahead: map[string]int64{}, cut: map[string]int64{}}
	s, _ := openStore(t, fs, 1)
	grows, small := createLog(t, s, 0), createLog(t, s, 1)
	cfg := DefaultConfig()
	cfg.SegmentBytes = 2 << 20
	grows.SetConfig(cfg)
	value := strings.Repeat("x", 40<<10)
	mustSubmit(t, s, Append(small, batchOf(1, value)))
	for range 70 { // more than one segment, less than two
		mustSubmit(t, s, Append(grows, batchOf(1, value)))
	}
	if got := grows.Segments(); got != 2 {
		t.Fatalf("%d segments, want 2", got)
	}
	first, second := grows.segs[0], grows.segs[1]
	name := func(seg *segment) string { return seg.file(grows.dir(), logSuffix) }
	if ahead, end := fs.ahead[name(first)], int64(first.end); ahead < end || ahead > end+end/8 {
		t.Errorf("the first segment has %d bytes and blocks up to %d", end, ahead)
	}
	if len(fs.ahead) != 1 {
		t.Errorf("blocks were taken ahead for %v, which includes what has not shown that it grows", fs.ahead)
	}
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	if got, ok := fs.cut[name(first)]; !ok || got != int64(first.end) {
		t.Errorf("the complete segment of %d bytes was cut to %d (%v)", first.end, got, ok)
	}
	for second.end < reserveAfter+128<<10 {
		mustSubmit(t, s, Append(grows, batchOf(1, value)))
	}
	if _, ok := fs.cut[name(second)]; ok || fs.ahead[name(second)] == 0 {
		t.Errorf("the segment in use: blocks up to %d, cut: %v", fs.ahead[name(second)], ok)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got, ok := fs.cut[name(second)]; !ok || got != int64(second.end) {
		t.Errorf("after a clean stop the segment of %d bytes was cut to %d (%v)", second.end, got, ok)
	}
	s, r := openStore(t, fs.FS, 2)
	defer s.Close()
	if l := s.Log(testID(0)); !r.Clean || len(values(t, l, 1<<20)) != int(grows.End()) {
		t.Errorf("after the stop: clean %v, records are missing", r.Clean)
	}
}

// However many logs grow, what is taken ahead of them leaves the reserve alone: else a
// start after a crash might not have the room that it needs before it gives blocks back.
func TestBlocksAheadLeaveTheReserveAlone(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	fs := &reserving{FS: mem, ahead: map[string]int64{}, cut: map[string]int64{}}
	opt := testOptions(fs, 1)
	opt.DiskReserve = 4 << 20
	s, _, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Abandon()
	const logs = 40
	value := strings.Repeat("x", 40<<10)
	for i := range logs {
		l := createLog(t, s, i)
		for l.Size() < reserveAfter-40<<10 {
			mustSubmit(t, s, Append(l, batchOf(1, value)))
		}
	}
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	// Of the blocks for all of them there is room for a part.
	mem.SetSpace(mem.Used() + opt.DiskReserve + s.wal.Growth() + s.wal.Live() + 2*logs*(44<<10) + logs*reserveAfter/32 + (1 << 20))
	for i := range 2 * logs { // all of it is admitted; the second of each has blocks taken ahead
		release, err := s.Admit(t.Context(), len(value))
		if err != nil {
			t.Fatalf("batch %d is refused: %v", i, err)
		}
		mustSubmit(t, s, Append(s.Log(testID(i%logs)), batchOf(1, value)))
		release()
	}
	if len(fs.ahead) == 0 {
		t.Error("no blocks were taken ahead, with room for some")
	}
	if room, err := s.room(); err != nil || room < 0 {
		t.Errorf("%d bytes of the reserve are gone: %v", -room, err)
	}
}
