package vfs

import "sync/atomic"

// Free is what SetSpace left; very much without it.
func (m *Mem) Free(string) (int64, error) { return m.space.free(), nil }

// SetSpace makes the file system n bytes large, files that are there included.
// Writes that need a new page beyond it fail with ErrNoSpace. It may be raised
// and lowered at any time.
func (m *Mem) SetSpace(n int64) { m.space.capacity.Store(n) }

// Used is the space that files take, in bytes of whole pages.
func (m *Mem) Used() int64 { return m.space.used.Load() }

// spaceAccount counts the pages that files take.
type spaceAccount struct{ capacity, used atomic.Int64 }

func (s *spaceAccount) free() int64 { return max(0, s.capacity.Load()-s.used.Load()) }

// take takes n bytes; false when there is no room.
func (s *spaceAccount) take(n int64) bool {
	if s.used.Add(n) <= s.capacity.Load() || n <= 0 {
		return true
	}
	s.used.Add(-n)
	return false
}
