package plog

import (
	"errors"
	"slices"

	"github.com/leatdev/leat/internal/mutant"
)

// swap puts the copy into the log in place of the segments it was made of, has
// a checkpoint record it, and unlinks them. The copy is durable already: from
// the swap on readers use it, and a crash before the checkpoint only brings the
// old segments back.
func (s *Store) swap(l *Log, old []*segment, out *segmentCopy) error {
	if !l.replace(old, out) {
		out.discard()
		return errMoved
	}
	for _, seg := range old {
		s.compact.replaced = append(s.compact.replaced, replacedSegment{l, seg})
	}
	return s.dropReplacedLocked()
}

// replace changes the list of segments. Retention may have taken some of the
// old ones meanwhile; false when it took all, or the log is gone.
func (l *Log) replace(old []*segment, out *segmentCopy) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone || l.fence != nil {
		return false
	}
	for len(old) > 0 && !slices.Contains(l.segs, old[0]) {
		old = old[1:]
	}
	if len(old) == 0 {
		return false
	}
	at := slices.Index(l.segs, old[0])
	segs := slices.Clone(l.segs[:at])
	if !out.empty() {
		segs = append(segs, out.seg)
	}
	l.segs = append(segs, l.segs[at+len(old):]...)
	l.touch(l.lastPos)
	return true
}

// dropReplaced unlinks what earlier compactions could not.
func (s *Store) dropReplaced() error {
	s.compact.mu.Lock()
	defer s.compact.mu.Unlock()
	return s.dropReplacedLocked()
}

// dropReplacedLocked makes a checkpoint, which begins after the segments were
// replaced and so does not name them, and unlinks them. When the checkpoint
// fails they stay until the next try. Called with compact.mu held.
func (s *Store) dropReplacedLocked() error {
	if len(s.compact.replaced) == 0 {
		return nil
	}
	if !mutant.On("unlink-before-checkpoint") {
		if err := s.Checkpoint(); err != nil {
			return err
		}
	}
	var errs []error
	var left []replacedSegment
	for _, r := range s.compact.replaced {
		if err := s.unlink(r.log, r.seg); err != nil {
			errs, left = append(errs, err), append(left, r)
			continue
		}
		if err := s.opt.FS.SyncDir(r.log.dir()); err != nil && !isNotExist(err) {
			errs = append(errs, err)
		}
	}
	s.compact.replaced = left
	return errors.Join(errs...)
}

// clearRemoved takes away what a compaction may have put into the directory of
// a log that was deleted while it ran.
func (s *Store) clearRemoved(l *Log) error {
	if !l.removed.Load() {
		return nil
	}
	s.check.mu.Lock()
	defer s.check.mu.Unlock()
	return s.removeDir(l)
}
