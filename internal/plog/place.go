package plog

import (
	"math"
	"sync/atomic"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/sched"
	"github.com/leatdev/leat/internal/vfs"
)

// segmentFor returns the segment that the batch goes to, a new one when the
// last is full or old (Kafka's LogSegment.shouldRoll). Called with mu held.
func (l *Log) segmentFor(b kafka.Batch, now int64) *segment {
	if n := len(l.segs); n > 0 {
		s := l.segs[n-1]
		if s.end == 0 || !l.full(s, b, now) {
			return s
		}
	}
	s := newSegment(l.next, now)
	l.segs = append(l.segs, s)
	return s
}

func (l *Log) full(s *segment, b kafka.Batch, now int64) bool {
	if int64(s.end)+int64(len(b)) > l.cfg.SegmentBytes {
		return true
	}
	if b.LastOffset()-s.base > math.MaxInt32 { // relative offsets in the index
		return true
	}
	age := now - s.created
	if s.firstTS >= 0 && b.MaxTimestamp() >= 0 {
		age = b.MaxTimestamp() - s.firstTS
	}
	return age > l.cfg.rollAge().Milliseconds()
}

// segmentAt returns the segment with the given base offset; nil when there is none.
func (l *Log) segmentAt(base int64) *segment {
	for i := len(l.segs) - 1; i >= 0; i-- {
		if l.segs[i].base == base {
			return l.segs[i]
		}
	}
	return nil
}

// goesDirect decides whether a batch of n bytes goes straight to its segment.
func (s *Store) goesDirect(l *Log, n int) bool {
	switch {
	case n >= s.opt.DirectBytes:
		return true
	case n < s.opt.DirectFewBytes:
		return false
	}
	return l.directs.Load() > 0 || s.directLogs.Load() < fewLogs
}

// fewLogs is in how many logs at a time batches that are not large go straight to their
// segments: the syncs of so many files run beside each other in one flush.
const fewLogs = 8

// writeDirect writes a large batch straight to its place in the segment and
// returns the file, which must be synced before the write-ahead log refers to
// it. What lies before it in the file may still be a hole that the next
// checkpoint fills. Called with mu held.
func (s *Store) writeDirect(l *Log, seg *segment, b kafka.Batch) (*directFile, error) {
	f, err := s.segmentFile(l, seg, nil)
	if err != nil {
		return nil, err
	}
	if l.directs.Add(1) == 1 {
		s.directLogs.Add(1)
	}
	d := &directFile{l, f}
	s.reserve(seg, f, len(b))
	if _, err := f.WriteAt(b, int64(seg.end)); err != nil {
		d.takeBack(seg.end)
		return nil, err
	}
	return d, nil
}

// directFile is a segment's file that the flusher has to sync, and its use.
type directFile struct {
	log *Log
	*openFile
}

// Begin implements wal.Beginner.
func (f directFile) Begin() {
	if w, ok := f.File.(vfs.Starter); ok {
		w.StartWrite(0, 0)
	}
}

// Done implements wal.Syncer.
func (f directFile) Done() {
	s := f.log.store
	if f.log.directs.Add(-1) == 0 {
		s.directLogs.Add(-1)
	}
	s.files.done(f.openFile)
}

// takeBack cuts off what was written from at on and is not wanted, and gives
// the file back. When cutting fails, recovery or the next batch sees to it.
func (f directFile) takeBack(at uint32) {
	if err := f.Truncate(int64(at)); err != nil {
		f.log.store.opt.Logger.Warn("cannot cut off a batch that was refused", "file", f.name, "err", err)
	}
	f.Done()
}

// takeBackSegment removes the file of a segment that was made for a batch which
// was refused: after a clean stop nobody looks for what no log refers to. When
// that fails, the next recovery sees to it.
func (s *Store) takeBackSegment(l *Log, seg *segment) {
	err := s.unlink(l, seg)
	if err == nil {
		err = s.opt.FS.SyncDir(l.dir())
	}
	if err != nil {
		s.opt.Logger.Warn("cannot remove the file of a batch that was refused", "log", l.id.String(), "segment", seg.base, "err", err)
	}
}

// segmentFile opens the segment's log file for writing, making it (and its
// directory) when it is not there yet. The caller gives it back to files.done.
// Names that are made are synced by later, or here and now without it.
func (s *Store) segmentFile(l *Log, seg *segment, later *syncSet) (*openFile, error) {
	l.filesMu.Lock()
	defer l.filesMu.Unlock()
	name := seg.file(l.dir(), logSuffix)
	if seg.made {
		return s.files.open(name, s.opt.FS.Open)
	}
	dirs := []string{l.dir()}
	if !l.hasDir {
		if err := s.opt.FS.MkdirAll(l.dir()); err != nil {
			return nil, err
		}
		dirs = append(dirs, l.topicDir(), s.logsDir())
	}
	opener := s.opt.FS.Create
	if s.fresh.has(seg) {
		opener = s.opt.FS.Open // it holds batches already: it must not be emptied
	}
	f, err := s.files.open(name, opener)
	if err != nil {
		return nil, err
	}
	s.fresh.add(seg)
	if later != nil {
		later.made = append(later.made, madeSegment{l, seg})
		for _, dir := range dirs {
			later.dirs[dir] = true
		}
		return f, nil
	}
	for _, dir := range dirs {
		if err := s.opt.FS.SyncDir(dir); err != nil {
			s.files.done(f)
			return nil, s.syncFailed(err)
		}
	}
	l.hasDir, seg.made = true, true
	s.fresh.drop(seg)
	return f, nil
}

// freshFiles are segments whose file this process has made and whose name is not
// durable yet.
type freshFiles struct {
	mu   sched.Mutex
	segs map[*segment]bool
}

func (f *freshFiles) has(seg *segment) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.segs[seg]
}

func (f *freshFiles) add(seg *segment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.segs == nil {
		f.segs = map[*segment]bool{}
	}
	f.segs[seg] = true
}

func (f *freshFiles) drop(seg *segment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.segs, seg)
}

// madeSegment is a segment whose file has been made and whose name is not
// durable yet.
type madeSegment struct {
	log *Log
	seg *segment
}

func (m madeSegment) durable() {
	m.log.mu.Lock() // readers copy segments
	defer m.log.mu.Unlock()
	m.log.filesMu.Lock()
	defer m.log.filesMu.Unlock()
	m.log.hasDir, m.seg.made = true, true
	m.log.store.fresh.drop(m.seg)
}

// raise moves an offset forward, never back: flushes of one log may be told in
// any order by those who share it.
func raise(to *atomic.Int64, v int64) {
	for {
		old := to.Load()
		if v <= old || to.CompareAndSwap(old, v) {
			return
		}
	}
}

var _ vfs.File = (*openFile)(nil)
