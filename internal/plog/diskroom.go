package plog

import (
	"errors"
	"sync/atomic"

	"github.com/leatdev/leat/internal/vfs"
)

// fullDisk says whether data is refused for want of space.
type fullDisk struct {
	reason atomic.Pointer[error]
	// budget is how many bytes of data may still come before the free space is
	// looked at again.
	budget atomic.Int64
}

func (f *fullDisk) err() error {
	if p := f.reason.Load(); p != nil {
		return *p
	}
	return nil
}

var errReserve = errors.New("free disk space is below the reserve for commits and deletes")

// maxBudget bounds what is admitted between two looks at the free space.
const maxBudget = 8 << 20

// roomForData refuses n bytes of data that would eat into the reserve. What was
// admitted before counts with all the space that it will take: a checkpoint, or
// a recovery, copies the write-ahead log's content into segments.
func (s *Store) roomForData(n int) error {
	if err := s.full.err(); err != nil {
		return err
	}
	if s.opt.DiskReserve < 0 || s.full.budget.Add(-int64(n)) >= 0 {
		return nil
	}
	s.lookAtDisk(nil)
	err := s.full.err()
	if err != nil {
		s.check.now() // from now on it is looked at again and again
	}
	return err
}

// lookAtDisk compares the free space with the reserve, and takes a failed
// checkpoint for what it says about the disk.
func (s *Store) lookAtDisk(err error) {
	was := s.full.err() != nil
	switch {
	case errors.Is(err, vfs.ErrNoSpace):
		s.full.reason.Store(&err)
	case err != nil:
		return
	default:
		room, ferr := s.room()
		if ferr == nil && room < 0 {
			low := errReserve
			s.full.reason.Store(&low)
		} else {
			s.full.budget.Store(min(room/2, maxBudget))
			s.full.reason.Store(nil)
		}
	}
	if is := s.full.err() != nil; is != was {
		if is {
			// Whoever has found it out (a compaction, a backup): from now on the
			// checkpointer looks again and again.
			s.check.now()
			s.opt.Logger.Warn("disk is full: producers are refused until there is room", "dir", s.opt.Dir, "err", s.full.err())
		} else {
			s.opt.Logger.Info("there is room on the disk again: producers are served", "dir", s.opt.Dir)
		}
	}
}

// room is how much of the disk data may take, in bytes: below 0, how much of the reserve
// is gone. What was admitted before counts, and without a reserve all that is free.
func (s *Store) room() (int64, error) {
	free, err := s.opt.FS.Free(s.opt.Dir)
	room := free - s.opt.DiskReserve
	if s.opt.DiskReserve >= 0 {
		room -= s.wal.Live() + s.wal.Growth()
	}
	return room, err
}
