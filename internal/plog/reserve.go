package plog

import (
	"io/fs"

	"github.com/leatdev/leat/internal/mutant"
	"github.com/leatdev/leat/internal/vfs"
)

// reserveMost is how many bytes are taken ahead at a time, and an eighth of what the
// segment has: so much more than their batches may logs take of the disk.
const reserveMost = 8 << 20

// reserve takes blocks behind the end of a segment's file before n more bytes need them.
// The file does not become longer by it: what a sync has to look for and to write of the
// file's own description is less when the blocks are there. Called with mu of the log
// held.
func (s *Store) reserve(seg *segment, f *openFile, n int) {
	end := int64(seg.end) + int64(n)
	if seg.end < reserveAfter || end <= seg.reserved {
		return
	}
	r, ok := f.File.(vfs.Reserver)
	if !ok {
		return
	}
	// What is free may be wanted by others at this moment, and a start after a crash
	// needs the reserve before it gives back what was taken here.
	ahead := max(min(int64(seg.end)/reservePart, reserveMost), int64(n))
	if room, err := s.room(); err == nil && ahead <= room/8 {
		r.Reserve(int64(seg.end), ahead)
		seg.reserved = int64(seg.end) + ahead
	}
}

// giveBack gives back the blocks that were taken behind the end of a segment to which
// nothing will be added. When that fails they go with the segment.
func (s *Store) giveBack(l *Log, seg *segment, end uint32) {
	if seg.reserved <= int64(end) || mutant.On("blocks-kept") {
		return
	}
	f, err := s.files.open(seg.file(l.dir(), logSuffix), s.opt.FS.Open)
	if err == nil {
		err = f.Truncate(int64(end))
		s.files.done(f)
	}
	if err != nil {
		s.opt.Logger.Warn("cannot give back the blocks behind the end of a segment", "log", l.id.String(), "segment", seg.base, "err", err)
	}
}

// giveBackAll does so for all logs, at a clean stop.
func (s *Store) giveBackAll() {
	for _, l := range s.Logs() {
		l.mu.RLock()
		segs := l.segs[max(0, len(l.segs)-1):]
		l.mu.RUnlock()
		for _, seg := range segs {
			s.giveBack(l, seg, seg.end)
		}
	}
}

// spare tells whether a crash has left blocks behind the end of a file.
func spare(info fs.FileInfo) bool {
	return vfs.Taken(info)-info.Size() >= reserveAfter && !mutant.On("blocks-kept-by-start")
}
