package plog

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/mutant"
	"github.com/leatdev/leat/internal/wal"
)

// replay applies frames to logs as they were when the frames were written. What
// it appends gathers in the logs' tails, in memory of its own; when that is used
// up, the tails go to their segments and the memory is used again. The checkpoint
// and the write-ahead log stay as they are until finish has made all of it durable:
// after a crash in between, the next start finds what this one has found.
type replay struct {
	store  *Store
	report *Report
	sync   *syncSet

	// written are the logs that have changed, in order, and of each the base offset of
	// the first segment that was not complete at the last checkpoint: only from there
	// on can files be longer than they are known to be.
	written []*Log
	from    map[*Log]int64

	fenced bool // a log had to be fenced for what its segments hold

	// What is done to a whole log further on: its files may have gone already.
	doomed map[ID]bool  // it is deleted
	starts map[ID]int64 // its log start is moved to

	piece  int      // how much is read at once
	chunks [][]byte // what groups are read into, of that size
	chunk  int      // the one in use
	at     int      // how far it is used
	used   int      // bytes of chunks in use
	held   int      // bytes that tails keep in memory besides
}

// batchMemory is about what a batch in a tail takes besides its bytes.
const batchMemory = 256

func newReplay(s *Store, report *Report) *replay {
	sync := s.newSyncSet(math.MaxInt)
	sync.early = sync.volume != nil
	return &replay{
		store: s, report: report, sync: sync, from: map[*Log]int64{}, piece: min(1<<20, s.opt.RecoveryMemory/8),
		doomed: map[ID]bool{}, starts: map[ID]int64{},
	}
}

// foretell takes note of what a group does to whole logs.
func (rp *replay) foretell(g wal.Group) error {
	for i := range g.Frames {
		f := &g.Frames[i]
		id := ID{f.Topic, f.Partition}
		switch f.Kind {
		case wal.KindDelete:
			rp.doomed[id] = true
		case wal.KindStart:
			rp.starts[id] = max(rp.starts[id], f.Offset)
		}
	}
	return nil
}

// memory returns n bytes to read groups into, for wal.Result.Each: all frames of
// the groups before have been applied.
func (rp *replay) memory(n int) ([]byte, error) {
	if limit := rp.store.opt.RecoveryMemory / 2; rp.used > 0 && rp.used+n > limit || rp.held > limit {
		if err := rp.spill(); err != nil {
			return nil, err
		}
		rp.chunk, rp.at, rp.used = 0, 0, 0
	}
	rp.used += n
	for ; rp.chunk < len(rp.chunks); rp.chunk, rp.at = rp.chunk+1, 0 {
		if c := rp.chunks[rp.chunk]; len(c)-rp.at >= n {
			rp.at += n
			return c[rp.at-n : rp.at : rp.at], nil
		}
	}
	c := make([]byte, max(n, rp.piece))
	rp.chunks, rp.at = append(rp.chunks, c), n
	return c[:n:n], nil
}

// spill writes the tails into their segments and forgets them.
func (rp *replay) spill() error {
	s := rp.store
	for _, l := range s.dirty {
		if _, known := rp.from[l]; !known {
			rp.written = append(rp.written, l)
			rp.from[l] = l.firstIncomplete()
		}
		// All but the last: that one may still grow, and has its file if it does. The
		// log start may be in the checkpoint, which may name segments below it.
		l.dropBelow(max(rp.starts[l.id], l.first), 1)
	}
	plans := s.plans()
	err := rp.sync.spread(len(plans), func(part *syncSet, i int) error {
		s.adopt(plans[i], part)
		return s.writeTail(plans[i], part)
	})
	if err != nil {
		return err
	}
	s.settle(plans)
	rp.held = 0
	return nil
}

// firstIncomplete returns the base offset of the first segment that may still have
// been written to, or made, after the checkpoint that the log was loaded from.
func (l *Log) firstIncomplete() int64 {
	for _, seg := range l.segs {
		if !seg.sealed {
			return seg.base
		}
	}
	return l.next
}

// adopt takes over files that are there from before the crash though the
// checkpoint does not know them: they must not be emptied, they may hold large
// batches. Nobody knows whether their names are durable.
func (s *Store) adopt(p *plan, sync *syncSet) {
	l := p.log
	for _, seg := range p.segs {
		if !seg.made && !s.fresh.has(seg) && s.exists(seg.file(l.dir(), logSuffix)) {
			seg.made = true
			for _, dir := range []string{l.dir(), l.topicDir(), s.logsDir()} {
				sync.dirs[dir] = true
			}
		}
	}
}

// finish writes what is left, makes all of it durable and records it: from here
// on the old write-ahead log, up to last, is not needed.
func (rp *replay) finish(last Pos) error {
	s := rp.store
	for _, l := range s.Logs() {
		l.dropBelow(l.first, 0)
	}
	if err := rp.spill(); err != nil {
		return err
	}
	err := rp.sync.spread(len(rp.written), func(part *syncSet, i int) error {
		l := rp.written[i]
		if l.fence != nil || l.removed.Load() {
			return nil // nothing of a damaged log is thrown away
		}
		return s.cutFiles(l, rp.from[l], part)
	})
	if err != nil {
		return err
	}
	if !mutant.On("recovery-sync") {
		if err := rp.sync.sync(); err != nil {
			return err
		}
	}
	for _, l := range rp.written {
		l.mark()
	}
	plans := s.plans()
	planned := make(map[*Log][]byte, len(plans))
	for _, p := range plans {
		p.encoded = p.state.encode(nil)
		planned[p.log] = p.encoded
	}
	head := checkpointHead{salt: s.opt.Salt, cut: last, last: last, epoch: s.opt.Epoch}
	if err := s.writeCheckpointFile(head, planned); err != nil {
		return err
	}
	s.settle(plans)
	return nil
}

// cutFiles cuts the files of the segments from the given base offset on behind what
// they are known to hold.
func (s *Store) cutFiles(l *Log, from int64, sync *syncSet) error {
	for _, seg := range l.segs {
		if seg.base < from {
			continue
		}
		for suffix, size := range seg.sizes() {
			name := seg.file(l.dir(), suffix)
			info, err := s.opt.FS.Stat(name)
			if isNotExist(err) && size == 0 || err == nil && info.Size() <= int64(size) && !spare(info) {
				continue
			}
			if err != nil {
				return err
			}
			f, err := s.files.open(name, s.opt.FS.Open)
			if err != nil {
				return err
			}
			sync.add(f)
			if err := f.Truncate(min(int64(size), info.Size())); err != nil {
				return err
			}
		}
	}
	return nil
}

func (rp *replay) apply(f *wal.Frame) error {
	s := rp.store
	id := ID{f.Topic, f.Partition}
	l := s.logs[id]
	switch {
	case f.Kind == wal.KindCreate:
		if l == nil {
			l = s.newLog(id, string(f.Data), DefaultConfig())
			s.logs[id] = l
		}
	case l == nil:
		return nil // of a log that was deleted before the checkpoint
	case rp.doomed[id] && f.Kind != wal.KindDelete:
		return nil
	case f.Kind == wal.KindDelete:
		delete(s.logs, id)
		l.removed.Store(true)
		return nil
	case f.Kind == wal.KindStart:
		l.first = max(l.first, f.Offset)
	case l.fence != nil || f.Offset < l.next:
		return nil // beyond repair here, or in the segments already
	default:
		if err := rp.batch(l, f); err != nil {
			return err
		}
	}
	l.mark()
	return nil
}

// batch appends a batch at the place it had. The error is one of the disk; what is
// wrong with the batch fences the log.
func (rp *replay) batch(l *Log, f *wal.Frame) error {
	if f.Offset != l.next {
		rp.fence(l, fmt.Errorf("offsets %d to %d are missing from the write-ahead log", l.next, f.Offset-1))
		return nil
	}
	data := f.Data
	rp.held += batchMemory
	if f.Kind == wal.KindRef {
		if rp.held += int(f.RefLen); rp.held > rp.store.opt.RecoveryMemory/2 {
			if err := rp.spill(); err != nil {
				return err
			}
			rp.held = int(f.RefLen)
		}
		var err error
		data, err = rp.store.readRef(l, f)
		switch {
		case errors.Is(err, errRef):
			rp.fence(l, fmt.Errorf("batch at offset %d: %w", f.Offset, err))
			return nil
		case err != nil:
			// It may be readable the next time: nothing is decided about it.
			return fmt.Errorf("cannot read the batch at offset %d of %s: %w; the data is as it was: start again when the disk can be read", f.Offset, l.id, err)
		}
	}
	b, _, err := kafka.NextBatch(data)
	if err != nil {
		rp.fence(l, fmt.Errorf("batch at offset %d: %w", f.Offset, err))
		return nil
	}
	seg := l.segmentAt(f.SegBase)
	if seg == nil && f.SegBase == l.next {
		seg = newSegment(l.next, rp.store.opt.Now().UnixMilli())
		l.segs = append(l.segs, seg)
	}
	if seg == nil || seg != l.segs[len(l.segs)-1] || seg.end != f.SegPos {
		rp.fence(l, fmt.Errorf("batch at offset %d belongs at byte %d of segment %d, which does not end there", f.Offset, f.SegPos, f.SegBase))
		return nil
	}
	marker, err := markerOf(b)
	if err != nil {
		rp.fence(l, fmt.Errorf("batch at offset %d: %w", f.Offset, err))
		return nil
	}
	// Large batches are written anew, too: nothing is trusted that this process
	// has not synced itself.
	l.appendTxn(b, nil)
	l.appended(b, marker, &wal.Frame{Kind: wal.KindBatch, SegBase: f.SegBase, SegPos: f.SegPos, Data: data}, 0, rp.store.opt.Now().UnixMilli())
	seg.add(b.BaseOffset(), b.LastOffset(), b.MaxTimestamp(), uint32(len(b)))
	if b.LogAppendTime() {
		l.lastTS = max(l.lastTS, b.MaxTimestamp())
	}
	l.next = b.NextOffset()
	if marker != nil {
		l.txns.settle(l.next) // nobody reads before all of it is durable
	}
	rp.report.Batches++
	return nil
}

// fence fences a log whose segments are not what the write-ahead log says.
func (rp *replay) fence(l *Log, err error) {
	rp.fenced = true
	l.damaged(err)
}

// errRef says that a segment does not hold what a reference says.
var errRef = errors.New("the segment does not hold it")

// readRef reads the batch that a reference stands for. An error that wraps errRef when
// it is not there or not whole; any other is one of reading, which says nothing about
// what the disk holds.
func (s *Store) readRef(l *Log, f *wal.Frame) ([]byte, error) {
	seg := newSegment(f.SegBase, 0)
	file, err := s.files.open(seg.file(l.dir(), logSuffix), s.opt.FS.Open)
	if isNotExist(err) {
		return nil, fmt.Errorf("%w: %w", errRef, err)
	}
	if err != nil {
		return nil, err
	}
	defer s.files.done(file)
	data := make([]byte, f.RefLen)
	_, err = file.ReadAt(data, int64(f.SegPos))
	if err == nil {
		err = wal.VerifyBatch(f, data)
	} else if !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRef, err)
	}
	return data, nil
}
