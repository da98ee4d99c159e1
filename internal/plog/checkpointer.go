package plog

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/leatdev/leat/internal/sched"
)

// checkpointer runs checkpoints and removes what is no longer referred to, on
// one goroutine for the whole store.
type checkpointer struct {
	mu     sched.Mutex // one checkpoint, compaction or removal at a time
	bell   *sched.Bell
	first  atomic.Bool
	force  atomic.Bool
	remove atomic.Bool
	quit   atomic.Bool
	ended  sched.Event
}

func (c *checkpointer) init() {
	c.bell = sched.NewBell()
	c.ended = sched.NewEvent()
}

func (c *checkpointer) ask(what *atomic.Bool) {
	if !what.Swap(true) {
		c.bell.Ring()
	}
}

// dirty says that there is something to checkpoint, in time.
func (c *checkpointer) dirty() { c.ask(&c.first) }

// now asks for a checkpoint without delay.
func (c *checkpointer) now() { c.ask(&c.force) }

// tidy asks for the removal of what was deleted.
func (c *checkpointer) tidy() { c.ask(&c.remove) }

func (c *checkpointer) stop() {
	c.ask(&c.quit)
	c.ended.Wait()
}

// retryFull is how often a checkpoint is tried on a full disk.
const retryFull = time.Second

func (s *Store) runCheckpoints() {
	c := &s.check
	defer c.ended.Set()
	var due time.Time // of the next checkpoint; zero: when there is something to write
	patient := false  // the last one failed: the next comes when it is due, not when it is asked for
	for !c.quit.Load() {
		if c.remove.Swap(false) {
			s.tidy()
			continue
		}
		if c.first.Load() && due.IsZero() {
			due = sched.Now().Add(s.opt.CheckpointEvery)
		}
		wait := time.Duration(-1)
		if !due.IsZero() {
			wait = max(due.Sub(sched.Now()), 0)
		}
		if wait != 0 && (patient || !c.force.Load()) {
			c.bell.Wait(wait)
			continue
		}
		c.force.Store(false)
		c.first.Store(false) // not sooner: each log that changes would ring the bell for nothing
		due, patient = time.Time{}, false
		if err := s.Checkpoint(); err != nil && s.wal.Err() == nil {
			s.opt.Logger.Error("checkpoint failed, will be tried again", "err", err)
			due, patient = sched.Now().Add(retryFull), true
		} else if s.full.err() != nil {
			due = sched.Now().Add(retryFull)
		}
	}
}

// Checkpoint moves all tails into their segments and makes one durable record
// of where every log stands. It runs by itself; tests and backups call it.
func (s *Store) Checkpoint() error {
	err := s.checkpoint(false)
	s.lookAtDisk(err)
	return err
}

// tidy unlinks the directories of deleted logs and the segments below the log
// starts: both are durable in the write-ahead log by now.
func (s *Store) tidy() {
	s.check.mu.Lock()
	defer s.check.mu.Unlock()
	s.mu.Lock()
	deleted, trimmed := s.delete, s.trim
	s.delete, s.trim = nil, nil
	s.mu.Unlock()
	var again []*Log // the next time; a start after a clean stop does not look for them
	for _, l := range deleted {
		if err := s.removeDir(l); err != nil {
			s.opt.Logger.Warn("cannot remove the directory of a deleted log, will be tried again", "dir", l.dir(), "err", err)
			again = append(again, l)
		}
	}
	for _, l := range trimmed {
		if err := s.dropSegments(l); err != nil {
			s.opt.Logger.Warn("cannot remove segments below the log start", "dir", l.dir(), "err", err)
		}
	}
	if len(again) > 0 {
		s.mu.Lock()
		s.delete = append(s.delete, again...)
		s.mu.Unlock()
	}
	if len(deleted) > 0 {
		s.wal.LookAgain()
	}
}

func (s *Store) removeDir(l *Log) error {
	l.mu.Lock()
	segs := l.segs
	for i := range l.tail {
		if f := l.tail[i].frame; f != nil {
			f.Release()
		}
	}
	l.tail, l.segs = nil, nil
	l.mu.Unlock()
	for _, seg := range segs {
		s.forget(l, seg)
	}
	if err := s.opt.FS.RemoveAll(l.dir()); err != nil {
		return err
	}
	names, err := s.opt.FS.List(l.topicDir())
	if isNotExist(err) {
		return nil // nothing of it ever reached the disk
	}
	if err != nil || len(names) > 0 {
		return errors.Join(err, s.opt.FS.SyncDir(l.topicDir()))
	}
	return errors.Join(s.opt.FS.Remove(l.topicDir()), s.opt.FS.SyncDir(s.logsDir()))
}

// dropSegments forgets and unlinks the segments that lie below the durable log
// start whole. When the last one goes, the next append begins a new one.
func (s *Store) dropSegments(l *Log) error {
	l.mu.Lock()
	start := l.start.Load()
	var drop []*segment
	again := false
	for len(l.segs) > 0 && l.segs[0].next <= start && l.segs[0].end > 0 && !l.inTail(l.segs[0]) {
		drop = append(drop, l.segs[0])
		l.segs = l.segs[1:]
	}
	if len(l.segs) > 0 && l.segs[0].next <= start && l.inTail(l.segs[0]) {
		again = true // after the checkpoint that moves its tail
	}
	if len(drop) > 0 {
		l.touch(l.lastPos)
	}
	l.mu.Unlock()
	if again {
		s.mu.Lock()
		s.trim = append(s.trim, l)
		s.mu.Unlock()
	}
	var errs []error
	for _, seg := range drop {
		errs = append(errs, s.unlink(l, seg))
	}
	if len(drop) > 0 {
		errs = append(errs, s.opt.FS.SyncDir(l.dir()))
	}
	return errors.Join(errs...)
}

// inTail reports whether batches of the segment wait for a checkpoint.
func (l *Log) inTail(seg *segment) bool { return len(l.tail) > 0 && l.tail[0].seg.base <= seg.base }

func (s *Store) forget(l *Log, seg *segment) {
	s.fresh.drop(seg)
	for _, suffix := range suffixes {
		s.files.forget(seg.file(l.dir(), suffix))
	}
}

func (s *Store) unlink(l *Log, seg *segment) error {
	s.forget(l, seg)
	var errs []error
	for _, suffix := range suffixes {
		if err := s.opt.FS.Remove(seg.file(l.dir(), suffix)); err != nil && !isNotExist(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
