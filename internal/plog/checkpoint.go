package plog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/leatdev/leat/internal/mutant"
	"github.com/leatdev/leat/internal/vfs"
)

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// plan is what a checkpoint will do for one log: its state as it was at one
// moment, and the batches that were in the tail then.
type plan struct {
	log   *Log
	state logState
	tail  []tailBatch
	segs  []*segment // in step with state.segs
	// aborted are the entries of the tail for the transaction indexes.
	aborted []AbortedTxn
	pos     Pos

	encoded []byte
}

// checkpoint makes everything that is in the logs now durable in their
// segments, records it, and frees the write-ahead log up to where it was when
// the checkpoint began.
func (s *Store) checkpoint(clean bool) error {
	s.check.mu.Lock()
	defer s.check.mu.Unlock()
	return s.checkpointLocked(clean, clean)
}

// checkpointAlways is checkpoint also when nothing has changed.
func (s *Store) checkpointAlways() error {
	s.check.mu.Lock()
	defer s.check.mu.Unlock()
	return s.checkpointLocked(false, true)
}

func (s *Store) checkpointLocked(clean, always bool) error {
	if err := s.wal.Err(); err != nil {
		return err
	}
	// What is durable now will be in the plans; frames that come between here
	// and a log's plan are in both, and recovery skips them by their offset.
	direct := s.direct.Load()
	cut := s.durableCut()
	plans := s.plans()
	if len(plans) == 0 && !always && s.wal.Live() == 0 {
		return nil
	}
	err := s.carryOut(plans, cut, clean)
	if err != nil {
		s.replan(plans)
		return err
	}
	s.settle(plans)
	s.direct.Add(-direct)
	s.wal.Free(cut)
	s.check.tidy()
	return nil
}

// durableCut returns a position up to which everything is durable and noted in the
// logs.
func (s *Store) durableCut() Pos {
	if mutant.On("checkpoint-beside-queueing") {
		return s.wal.Durable()
	}
	s.queueing.Lock()
	defer s.queueing.Unlock()
	return s.wal.Durable()
}

// plans takes the logs that have changed, each at one moment.
func (s *Store) plans() []*plan {
	s.mu.Lock()
	dirty := s.dirty
	s.dirty = nil
	s.changed.Store(0)
	s.mu.Unlock()
	expired := s.opt.Now().Add(-s.opt.ProducerExpiry).UnixMilli()
	plans := make([]*plan, 0, len(dirty))
	for _, l := range dirty {
		l.mu.Lock()
		l.dirty = false
		if !l.removed.Load() {
			l.pids.expire(expired)
			plans = append(plans, l.plan())
		}
		l.mu.Unlock()
	}
	return plans
}

// plan is called with mu held.
func (l *Log) plan() *plan {
	p := &plan{log: l, pos: l.lastPos, state: l.snapshot(), tail: l.tail[:len(l.tail):len(l.tail)], aborted: l.aborted}
	p.segs = append(p.segs, l.segs...)
	return p
}

func (s *Store) replan(plans []*plan) {
	for _, p := range plans {
		p.log.mu.Lock()
		if !p.log.removed.Load() {
			p.log.touch(p.log.lastPos)
		}
		p.log.mu.Unlock()
	}
}

func (s *Store) carryOut(plans []*plan, cut Pos, clean bool) error {
	var newest Pos
	for _, p := range plans {
		newest = max(newest, p.pos)
	}
	if err := s.Wait(context.Background(), newest); err != nil {
		return err
	}
	sync := s.newSyncSet(len(plans))
	defer sync.done()
	for _, p := range plans {
		if err := s.writeTail(p, sync); err != nil {
			return err
		}
	}
	if err := sync.sync(); err != nil {
		return s.syncFailed(err)
	}
	if err := s.wal.Err(); err != nil {
		return err // a sync elsewhere may have taken what this one should have told
	}
	planned := make(map[*Log][]byte, len(plans))
	for _, p := range plans {
		p.encoded = p.state.encode(nil)
		planned[p.log] = p.encoded
	}
	return s.writeCheckpoint(planned, cut, clean)
}

// settle drops from memory what is in the segments now.
func (s *Store) settle(plans []*plan) {
	for _, p := range plans {
		l := p.log
		l.mu.Lock()
		for i, seg := range p.segs {
			seg.size = p.state.segs[i].end
			seg.takeIndex(&p.state.segs[i])
		}
		l.wrote(p.tail)
		for i := range p.tail {
			if f := p.tail[i].frame; f != nil {
				f.Release()
			}
		}
		l.tail = append([]tailBatch(nil), l.tail[len(p.tail):]...)
		l.aborted = append([]AbortedTxn(nil), l.aborted[len(p.aborted):]...)
		l.saved = p.encoded
		l.mu.Unlock()
	}
}

// syncFailed makes the failure of a segment's sync the store's. The system may
// have dropped what it could not write and a second sync would prove nothing: so
// nothing goes on until a restart reads what the disk has. A full disk is no
// failure: what is written after it is written anew, all of it, from memory.
func (s *Store) syncFailed(err error) error {
	if !errors.Is(err, vfs.ErrNoSpace) {
		s.wal.Fail(err)
	}
	return err
}

// writeTail writes the plan's batches into their segments, in runs that follow
// each other, and their index entries. What it learns about the segments it
// notes in the plan's state, so that a checkpoint that fails later leaves the
// log as it was.
func (s *Store) writeTail(p *plan, sync *syncSet) error {
	tail := p.tail
	for i, seg := range p.segs {
		n := 0
		for n < len(tail) && tail[n].seg == seg {
			n++
		}
		st := &p.state.segs[i]
		if n > 0 {
			if err := s.writeSegment(p.log, seg, st, tail[:n], sync); err != nil {
				return err
			}
			if err := s.writeAborted(p.log, seg, st, p.aborted, sync); err != nil {
				return err
			}
			tail = tail[n:]
		}
		if i < len(p.segs)-1 && !st.sealed {
			// The time index of a segment that is complete ends with its maximum.
			ix := newIndexWriter(0, st)
			ix.timeEntry()
			if err := ix.write(s, p.log, sync); err != nil {
				return err
			}
			s.giveBack(p.log, st, st.end)
			st.sealed = true
		}
	}
	if len(tail) > 0 {
		return fmt.Errorf("batch at offset %d of %s belongs to segment %d, which the log does not have", tail[0].base, p.log.id, tail[0].seg.base)
	}
	return nil
}

func (s *Store) writeSegment(l *Log, seg, st *segment, batches []tailBatch, sync *syncSet) error {
	f, err := s.segmentFile(l, seg, sync)
	if err != nil {
		return err
	}
	st.made = true
	sync.add(f)
	var run [][]byte
	var at uint32
	flush := func() error {
		if len(run) == 0 {
			return nil
		}
		n, err := f.WritevAt(run, int64(at))
		run = nil
		if w, ok := f.File.(vfs.Starter); ok && sync.early {
			w.StartWrite(int64(at), n)
		}
		return err
	}
	ix := newIndexWriter(l.Config().IndexInterval, st)
	for i := range batches {
		t := &batches[i]
		if t.ref() {
			if err := flush(); err != nil {
				return err
			}
		} else {
			if len(run) == 0 {
				at = t.at
			}
			run = append(run, t.frame.Data)
			sync.bytes += int64(t.size)
		}
		ix.add(t)
	}
	if err := flush(); err != nil {
		return err
	}
	return ix.write(s, l, sync)
}

// writeCheckpoint makes the checkpoint file: new states for the planned logs,
// the saved ones for the rest.
func (s *Store) writeCheckpoint(planned map[*Log][]byte, cut Pos, clean bool) error {
	head := checkpointHead{clean: clean, salt: s.opt.Salt, cut: cut, last: cut, epoch: s.opt.Epoch}
	if clean {
		// Nothing is written any more: the next start need not scan.
		head.last = s.wal.Last()
		head.cut = head.last
	}
	return s.writeCheckpointFile(head, planned)
}

func (s *Store) writeCheckpointFile(head checkpointHead, planned map[*Log][]byte) error {
	var sections [][]byte
	for _, l := range s.Logs() {
		b := planned[l]
		if b == nil {
			l.mu.RLock()
			b = l.saved
			l.mu.RUnlock()
		}
		if b != nil { // nil: created since; its creation is behind the cut
			sections = append(sections, b)
		}
	}
	head.version = s.checkpointVersion()
	return vfs.ReplaceFile(s.opt.FS, path.Join(s.opt.Dir, checkpointName), encodeCheckpoint(head, sections))
}
