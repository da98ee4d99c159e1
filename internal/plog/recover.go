package plog

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
	"github.com/leatdev/leat/internal/wal"
)

// recover replays the write-ahead log above cut, writes what survives into the
// segments, and records it. It returns the highest sequence number ever used.
func (s *Store) recover(cut Pos, report *Report) (Pos, error) {
	res, err := wal.Scan(s.opt.FS, s.walDir(), s.opt.Salt, cut)
	if err != nil {
		return 0, err
	}
	report.Groups, report.TornBytes = len(res.Groups), res.Torn
	if len(res.Damaged) > 0 {
		if err := s.keepDamaged(res, report); err != nil {
			return 0, err
		}
	}
	rp := replay{store: s, report: report}
	for _, d := range res.Damaged {
		// Without its name a log that was created has no place to be fenced in.
		create := func(f wal.Frame) bool { return f.Kind == wal.KindCreate }
		if d.Frames == nil || slices.ContainsFunc(d.Frames, create) {
			return 0, fmt.Errorf("%s: %w; it was durable and nobody can tell any more which partitions it held. Nothing was changed; the files were copied to %s", s.walDir(), d.Err, report.Kept)
		}
	}
	damaged := res.Damaged
	for _, g := range res.Groups {
		for i := range g.Frames {
			if err := rp.apply(&g.Frames[i]); err != nil {
				return 0, err
			}
		}
		// The bad frames of a group hurt its logs from there on.
		for len(damaged) > 0 && damaged[0].Seq <= g.Seq {
			for _, f := range damaged[0].Frames {
				if l := s.logs[ID{f.Topic, f.Partition}]; l != nil && f.Offset >= l.next {
					l.damaged(damaged[0].Err)
				}
			}
			damaged = damaged[1:]
		}
	}
	if res.Torn > 0 {
		s.opt.Logger.Warn("cut a torn tail of the write-ahead log: bytes that were never acknowledged as durable", "bytes", res.Torn)
	}
	if err := s.rewrite(res.Last); err != nil {
		return 0, err
	}
	return res.Last, s.sweep()
}

// replay applies frames to logs as they were when the frames were written.
type replay struct {
	store  *Store
	report *Report
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
	case f.Kind == wal.KindDelete:
		delete(s.logs, id)
		l.removed.Store(true)
		return nil
	case f.Kind == wal.KindStart:
		l.first = max(l.first, f.Offset)
	case l.fence != nil || f.Offset < l.next:
		return nil // beyond repair here, or in the segments already
	default:
		rp.batch(l, f)
	}
	l.mark()
	return nil
}

// batch appends a batch at the place it had.
func (rp *replay) batch(l *Log, f *wal.Frame) {
	if f.Offset != l.next {
		l.damaged(fmt.Errorf("offsets %d to %d are missing from the write-ahead log", l.next, f.Offset-1))
		return
	}
	data := f.Data
	if f.Kind == wal.KindRef {
		var err error
		if data, err = rp.store.readRef(l, f); err != nil {
			l.damaged(fmt.Errorf("batch at offset %d: %w", f.Offset, err))
			return
		}
	}
	b, _, err := kafka.NextBatch(data)
	if err != nil {
		l.damaged(fmt.Errorf("batch at offset %d: %w", f.Offset, err))
		return
	}
	seg := l.segmentAt(f.SegBase)
	if seg == nil && f.SegBase == l.next {
		seg = newSegment(l.next, rp.store.opt.Now().UnixMilli())
		l.segs = append(l.segs, seg)
	}
	if seg == nil || seg != l.segs[len(l.segs)-1] || seg.end != f.SegPos {
		l.damaged(fmt.Errorf("batch at offset %d belongs at byte %d of segment %d, which does not end there", f.Offset, f.SegPos, f.SegBase))
		return
	}
	// Large batches are written anew, too: nothing is trusted that this process
	// has not synced itself.
	l.appended(b, &wal.Frame{Kind: wal.KindBatch, SegBase: f.SegBase, SegPos: f.SegPos, Data: data}, 0, rp.store.opt.Now().UnixMilli())
	seg.add(b.BaseOffset(), b.LastOffset(), b.MaxTimestamp(), uint32(len(b)))
	if b.LogAppendTime() {
		l.lastTS = max(l.lastTS, b.MaxTimestamp())
	}
	l.next = b.NextOffset()
	rp.report.Batches++
}

// readRef reads the batch that a reference stands for.
func (s *Store) readRef(l *Log, f *wal.Frame) ([]byte, error) {
	seg := newSegment(f.SegBase, 0)
	file, err := s.files.open(seg.file(l.dir(), logSuffix), s.opt.FS.Open)
	if err != nil {
		return nil, err
	}
	defer s.files.done(file)
	data := make([]byte, f.RefLen)
	if _, err := file.ReadAt(data, int64(f.SegPos)); err != nil {
		return nil, err
	}
	return data, wal.VerifyBatch(f, data)
}

// damaged fences the log: what it has is kept, nothing is read or written
// until somebody has decided about it.
func (l *Log) damaged(err error) {
	if l.fence != nil {
		return
	}
	l.fence = err
	l.store.opt.Logger.Error("partition is damaged and fenced", "log", l.id.String(), "topic", l.name, "end", l.next, "err", err)
	l.mark()
}

// rewrite puts the replayed tails into the segments and records it: from here
// on the old write-ahead log is not needed.
func (s *Store) rewrite(last Pos) error {
	for _, l := range s.Logs() {
		l.dropBelowStart()
	}
	plans := s.plans()
	sync := &syncSet{store: s, dirs: map[string]bool{}}
	defer sync.done()
	planned := make(map[*Log][]byte, len(plans))
	for _, p := range plans {
		for _, seg := range p.segs {
			// A file may be there from before the crash though the checkpoint does
			// not know it; it must not be emptied, it may hold large batches.
			if !seg.made && s.exists(seg.file(p.log.dir(), logSuffix)) {
				seg.made = true
				for _, dir := range []string{p.log.dir(), p.log.topicDir(), s.logsDir()} {
					sync.dirs[dir] = true // nobody knows whether its name is durable
				}
			}
		}
		if err := s.writeTail(p, sync); err != nil {
			return err
		}
		if p.log.fence == nil { // nothing of a damaged log is thrown away
			if err := s.trimFiles(p); err != nil {
				return err
			}
		}
		p.encoded = p.state.encode(nil)
		planned[p.log] = p.encoded
	}
	if err := sync.sync(); err != nil {
		return err
	}
	head := checkpointHead{salt: s.opt.Salt, cut: last, last: last, epoch: s.opt.Epoch}
	if err := s.writeCheckpointFile(head, planned); err != nil {
		return err
	}
	s.settle(plans)
	return nil
}

// dropBelowStart forgets segments whole below the log start: their files may be
// gone already, or go with sweep.
func (l *Log) dropBelowStart() {
	for len(l.segs) > 0 && l.segs[0].next <= l.first && l.fence == nil {
		for len(l.tail) > 0 && l.tail[0].seg == l.segs[0] {
			l.tail = l.tail[1:]
		}
		l.segs = l.segs[1:]
		l.mark()
	}
}

// mark has the log written by the checkpoint that ends recovery.
func (l *Log) mark() {
	if !l.dirty {
		l.dirty = true
		l.store.dirty = append(l.store.dirty, l)
	}
}

func (s *Store) exists(name string) bool {
	_, err := s.opt.FS.Stat(name)
	return err == nil
}

// trimFiles cuts the files of the log behind what they are known to hold.
func (s *Store) trimFiles(p *plan) error {
	for i := range p.state.segs {
		st := &p.state.segs[i]
		for suffix, size := range st.sizes() {
			name := st.file(p.log.dir(), suffix)
			f, err := s.files.open(name, s.opt.FS.Open)
			if isNotExist(err) && size == 0 {
				continue
			}
			if err != nil {
				return err
			}
			have, err := f.Size()
			if err == nil && have > int64(size) {
				err = f.Truncate(int64(size))
			}
			s.files.done(f)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// keepDamaged copies a damaged write-ahead log aside before it is used again.
func (s *Store) keepDamaged(res *wal.Result, report *Report) error {
	// Numbered by the damage, so that starting again and again keeps one copy.
	report.Kept = path.Join(s.opt.Dir, "damaged", strconv.FormatUint(uint64(res.Damaged[0].Seq), 10))
	if err := s.opt.FS.MkdirAll(report.Kept); err != nil {
		return err
	}
	names, err := s.opt.FS.List(s.walDir())
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".tmp") {
			continue
		}
		b, err := vfs.ReadFile(s.opt.FS, path.Join(s.walDir(), name))
		if err != nil {
			return err
		}
		if err := vfs.ReplaceFile(s.opt.FS, path.Join(report.Kept, name), b); err != nil {
			return err
		}
	}
	for _, d := range res.Damaged {
		s.opt.Logger.Error("write-ahead log is damaged below what was durable", "group", d.Seq, "err", d.Err, "kept", report.Kept)
	}
	return errors.Join(s.opt.FS.SyncDir(path.Join(s.opt.Dir, "damaged")), s.opt.FS.SyncDir(s.opt.Dir))
}
