package plog

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/leatdev/leat/internal/vfs"
)

// meter counts what goes through a file system.
type meter struct {
	vfs.FS
	mu      sync.Mutex // a recovery of many logs or much has several goroutines
	opens   int
	stats   int   // of files of logs
	walRead int64 // bytes of the write-ahead log
	logRead int64 // bytes of segments and indexes
	written int64 // bytes of segments
	onSpill func()
}

func (m *meter) open(name string, opener func(string) (vfs.File, error)) (vfs.File, error) {
	m.mu.Lock()
	m.opens++
	m.mu.Unlock()
	f, err := opener(name)
	if err != nil {
		return nil, err
	}
	return &meterFile{f, m, path.Ext(name)}, nil
}

func (m *meter) Stat(name string) (fs.FileInfo, error) {
	if strings.HasPrefix(name, "/data/logs/") {
		m.mu.Lock()
		m.stats++
		m.mu.Unlock()
	}
	return m.FS.Stat(name)
}

func (m *meter) Open(name string) (vfs.File, error)     { return m.open(name, m.FS.Open) }
func (m *meter) OpenRead(name string) (vfs.File, error) { return m.open(name, m.FS.OpenRead) }
func (m *meter) Create(name string) (vfs.File, error)   { return m.open(name, m.FS.Create) }

type meterFile struct {
	vfs.File
	m   *meter
	ext string
}

func (f *meterFile) ReadAt(p []byte, off int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	switch f.ext {
	case ".wal":
		f.m.walRead += int64(len(p))
	case logSuffix, indexSuffix, timeSuffix:
		f.m.logRead += int64(len(p))
	}
	return f.File.ReadAt(p, off)
}

func (f *meterFile) WritevAt(bufs [][]byte, off int64) (int64, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if f.ext == logSuffix {
		for _, b := range bufs {
			f.m.written += int64(len(b))
		}
		if f.m.onSpill != nil {
			f.m.onSpill()
		}
	}
	return f.File.WritevAt(bufs, off)
}

// killed fills logs with batches of about 30 KB, dies, and returns what is left.
func killed(t testing.TB, fs vfs.FS, opt Options, logs int, bytesEach int) {
	t.Helper()
	opt.FS = fs
	s, _, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	var all []*Log
	for i := range logs {
		all = append(all, createLog(t, s, i))
	}
	value := strings.Repeat("v", 30<<10)
	for n := 0; n < bytesEach; n += len(value) {
		for _, l := range all {
			mustSubmit(t, s, Append(l, batchOf(int64(n), value)))
		}
	}
	s.Abandon()
}

// A start after a crash keeps as much of the write-ahead log in memory as it may,
// and no more, however long the log is.
func TestRecoveryMemoryIsBounded(t *testing.T) {
	const limit = 1 << 20
	opt := testOptions(nil, 1)
	opt.Dir = t.TempDir() + "/data"
	opt.WALFileSize, opt.WALFiles, opt.Relaxed = 32<<20, 2, true
	killed(t, vfs.OS{}, opt, 4, 5<<20)

	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	m := &meter{FS: vfs.OS{}}
	var peak, ahead int64
	files := int64(0)
	names, _ := m.List(opt.Dir + "/wal")
	for _, n := range names {
		info, err := m.Stat(opt.Dir + "/wal/" + n)
		if err != nil {
			t.Fatal(err)
		}
		files += info.Size()
	}
	spills := 0
	m.onSpill = func() {
		if spills++; spills%8 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			peak = max(peak, int64(now.HeapAlloc)-int64(before.HeapAlloc))
		}
		// The files were read once to check them, all of them.
		ahead = max(ahead, m.walRead-files-m.written)
	}
	opt.FS, opt.Epoch, opt.RecoveryMemory = m, 2, limit
	s, r, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Abandon()
	if r.Batches < 600 || m.written < 20<<20 {
		t.Fatalf("%d batches, %d bytes written", r.Batches, m.written)
	}
	if ahead > 2*limit {
		t.Errorf("it had read %d bytes more than it had written", ahead)
	}
	// A window of a megabyte, the spill's memory, what the runtime takes.
	if most := int64(6 << 20); peak > most {
		t.Errorf("%d bytes of memory at the peak, of a log of %d", peak, m.written)
	}
}

// What a start after a crash reads and opens depends on the write-ahead log, not on
// what is in the segments.
func TestRecoveryDoesNotDependOnTheSizeOfTheLog(t *testing.T) {
	t.Parallel()
	var first *meter
	for _, segments := range []int{5, 200} {
		mem := vfs.NewMem()
		opt := testOptions(mem, 1)
		opt.WALFileSize = 8 << 20 // one that holds all of it
		s, _, err := Open(opt)
		if err != nil {
			t.Fatal(err)
		}
		var logs []*Log
		for p := range 3 {
			cfg := DefaultConfig()
			cfg.SegmentBytes = 6 << 10 // one batch each
			logs = append(logs, mustSubmit(t, s, Create(testID(p), "topic", cfg))[0].Log)
		}
		value := strings.Repeat("v", 5<<10)
		for i := range segments {
			for _, l := range logs {
				mustSubmit(t, s, Append(l, batchOf(int64(i), value)))
			}
		}
		if err := s.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		for _, l := range logs {
			mustSubmit(t, s, Append(l, batchOf(1, value)), Append(l, batchOf(2, "direct "+strings.Repeat(value, 8))))
		}
		s.Abandon()
		m := &meter{FS: mem.Kill()}
		opt.FS, opt.Epoch = m, 2
		s, r, err := Open(opt)
		if err != nil {
			t.Fatal(err)
		}
		s.Abandon()
		if r.Batches != 6 || m.logRead == 0 {
			t.Fatalf("%+v, read %d", r, m.logRead)
		}
		if first == nil {
			first = m
			continue
		}
		// The files of the write-ahead log are as many as were needed once.
		if m.logRead != first.logRead || m.written != first.written || m.stats != first.stats || m.opens-walFiles(t, m.FS) != first.opens-walFiles(t, first.FS) {
			t.Errorf("200 segments: read %d, wrote %d, looked at %d, opened %d; 5 segments: %d, %d, %d, %d",
				m.logRead, m.written, m.stats, m.opens, first.logRead, first.written, first.stats, first.opens)
		}
	}
}

// walFiles is how often a start opens the files of the write-ahead log: to check, to
// read, to write.
func walFiles(t *testing.T, fsys vfs.FS) int {
	t.Helper()
	names, err := fsys.List("/data/wal")
	if err != nil {
		t.Fatal(err)
	}
	return 2 * len(names)
}

// A clean start opens neither segments nor directories of partitions.
func TestCleanStartOpensNoSegment(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	s, _ := openStore(t, mem, 1)
	for p := range 40 {
		mustSubmit(t, s, Append(createLog(t, s, p), batchOf(1, "v")))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	m := vfs.NewFaulty(mem)
	var in []string
	m.Hook(func(op vfs.Op, name string) {
		if strings.HasPrefix(name, "/data/logs/") {
			in = append(in, fmt.Sprint(op, " ", name))
		}
	})
	s, r := openStore(t, m, 2)
	defer s.Close()
	if !r.Clean || len(in) != 0 {
		t.Errorf("%+v; operations on logs: %v", r, in)
	}
	m.Hook(nil)
}

// The batches of a log that is deleted further on are not written: its directory
// may have gone.
func TestRecoveryOfALogWhoseDirectoryIsGone(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	s, _ := openStore(t, mem, 1)
	doomed, other := createLog(t, s, 0), createLog(t, s, 1)
	mustSubmit(t, s, Append(doomed, batchOf(1, "in a segment")))
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	for range 10 { // more than a start keeps in memory
		mustSubmit(t, s, Append(doomed, batchOf(1, strings.Repeat("v", 10<<10))), Append(other, batchOf(1, "kept")))
	}
	mustSubmit(t, s, Delete(doomed))
	s.tidy()
	if _, err := mem.List(doomed.dir()); !isNotExist(err) {
		t.Fatalf("the directory is there: %v", err)
	}
	s.Abandon()
	s, r := openStore(t, mem.Kill(), 2)
	defer s.Close()
	if s.Log(testID(0)) != nil || len(r.Fenced) != 0 || len(values(t, s.Log(testID(1)), 1<<20)) != 10 {
		t.Errorf("%+v: %v", r, values(t, s.Log(testID(1)), 1<<20))
	}
}

// A segment that a start below it has taken away is not written to any more, though
// its time index was not complete at the last checkpoint.
func TestRecoveryOfASegmentThatIsGone(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	s, _ := openStore(t, mem, 1)
	cfg := DefaultConfig()
	cfg.SegmentBytes = 20 << 10
	l := mustSubmit(t, s, Create(testID(0), "topic", cfg))[0].Log
	value := strings.Repeat("v", 3<<10)
	for i := range 6 {
		mustSubmit(t, s, Append(l, batchOf(int64(i), value)))
	}
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	gone := l.segs[0].file(l.dir(), timeSuffix)
	if _, err := mem.Stat(gone); err != nil || len(l.segs) != 1 {
		t.Fatalf("%d segments, %v", len(l.segs), err)
	}
	mustSubmit(t, s, SetStart(l, 6))
	s.tidy()
	if _, err := mem.Stat(gone); !isNotExist(err) {
		t.Fatalf("the segment is there: %v", err)
	}
	for i := range 12 {
		mustSubmit(t, s, Append(l, batchOf(int64(10+i), value)))
	}
	s.Abandon()
	s, r := openStore(t, mem.Kill(), 2)
	defer s.Close()
	l = s.Log(testID(0))
	if got := values(t, l, 1<<20); len(r.Fenced) != 0 || l.Start() != 6 || len(got) != 12 {
		t.Errorf("%+v, from %d: %d records", r, l.Start(), len(got))
	}
	if names, err := s.opt.FS.List(l.dir()); err != nil || bytes.Contains([]byte(strings.Join(names, " ")), []byte("00000000000000000000.")) {
		t.Errorf("%v, %v", names, err)
	}
}

// What was written to files behind their known ends is cut off.
func TestRecoveryCutsFilesToTheirKnownSizes(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	s, _ := openStore(t, mem, 1)
	l := createLog(t, s, 0)
	value := strings.Repeat("v", 3<<10)
	for i := range 6 {
		mustSubmit(t, s, Append(l, batchOf(int64(i), value)))
	}
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	mustSubmit(t, s, Append(l, batchOf(9, "tail")))
	s.Abandon()
	disk := mem.Kill()
	for _, suffix := range []string{logSuffix, indexSuffix, timeSuffix} {
		f, err := disk.Open(l.segs[0].file(l.dir(), suffix))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(make([]byte, 5000), 50_000); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	s, _ = openStore(t, disk, 2)
	defer s.Close()
	checkSizes(t, s.Log(testID(0)))
}

func checkSizes(t *testing.T, l *Log) {
	t.Helper()
	for _, seg := range l.segs {
		for suffix, size := range seg.sizes() {
			info, err := l.store.opt.FS.Stat(seg.file(l.dir(), suffix))
			if size == 0 && isNotExist(err) {
				continue
			}
			if err != nil || info.Size() != int64(size) {
				t.Errorf("%s of segment %d: %v, want %d bytes", suffix, seg.base, err, size)
			}
		}
	}
}

// A checkpoint of many logs keeps a bounded number of files open.
func TestCheckpointKeepsFewFilesOpen(t *testing.T) {
	t.Parallel()
	fs := &openMeter{FS: vfs.NewMem()}
	s, _ := openStore(t, fs, 1)
	defer s.Close()
	for p := range 60 {
		mustSubmit(t, s, Append(createLog(t, s, p), batchOf(1, "v")))
	}
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	for p := range 60 {
		mustSubmit(t, s, Append(s.Log(testID(p)), batchOf(1, "w")))
	}
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	if fs.most > 20 {
		t.Errorf("%d files were open at once", fs.most)
	}
	for p := range 60 {
		if got := values(t, s.Log(testID(p)), 1000); len(got) != 2 {
			t.Fatalf("log %d: %v", p, got)
		}
	}
}

// openMeter counts the segments and indexes that are open. One goroutine at a time.
type openMeter struct {
	vfs.FS
	now, most int
}

func (m *openMeter) Open(name string) (vfs.File, error)   { return m.open(name, m.FS.Open) }
func (m *openMeter) Create(name string) (vfs.File, error) { return m.open(name, m.FS.Create) }

func (m *openMeter) open(name string, opener func(string) (vfs.File, error)) (vfs.File, error) {
	f, err := opener(name)
	if err != nil || !strings.HasPrefix(name, "/data/logs/") {
		return f, err
	}
	m.now++
	m.most = max(m.most, m.now)
	return &openMeterFile{f, m}, nil
}

type openMeterFile struct {
	vfs.File
	m *openMeter
}

func (f *openMeterFile) Close() error { f.m.now--; return f.File.Close() }

// What a start after a crash has to write anew is bounded for large batches, too, of
// which the write-ahead log holds only references.
func TestLargeBatchesAskForACheckpoint(t *testing.T) {
	t.Parallel()
	fs := vfs.NewFaulty(vfs.NewMem())
	opt := testOptions(fs, 1)
	opt.CheckpointBytes = 256 << 10
	s, _, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	l := createLog(t, s, 0)
	made := make(chan struct{}, 8)
	fs.Hook(func(op vfs.Op, name string) {
		if op == vfs.OpRename && strings.Contains(name, "checkpoint") {
			made <- struct{}{}
		}
	})
	batch := strings.Repeat("v", 200<<10)
	for range 10 { // one short of 8 times 256 KiB
		mustSubmit(t, s, Append(l, batchOf(1, batch)))
	}
	select {
	case <-made:
		t.Error("a checkpoint before there was enough")
	default:
	}
	mustSubmit(t, s, Append(l, batchOf(1, batch)))
	select {
	case <-made:
	case <-t.Context().Done():
		t.Error("no checkpoint")
	}
	fs.Hook(nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
