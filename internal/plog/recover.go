package plog

import (
	"errors"
	"path"
	"strconv"
	"strings"

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
	report.Groups, report.TornBytes = res.Len(), res.Torn
	if len(res.Damaged) > 0 {
		for _, d := range res.Damaged {
			s.opt.Logger.Error("write-ahead log is damaged below what was durable", "group", d.Seq, "err", d.Err)
		}
		// Numbered by the damage, so that starting again and again keeps one copy.
		if err := s.keepDamaged(res.Damaged[0].Seq, report); err != nil {
			return 0, err
		}
	}
	if err := s.giveUp(res, report); err != nil {
		return 0, err
	}
	rp := newReplay(s, report)
	res.Piece = rp.piece
	defer rp.sync.done()
	if err := res.EachEnding(rp.memory, rp.foretell); err != nil {
		return 0, err
	}
	damaged := res.Damaged
	err = res.Each(rp.memory, func(g wal.Group) error {
		for i := range g.Frames {
			if err := rp.apply(&g.Frames[i]); err != nil {
				return err
			}
		}
		// What follows a damaged batch in the write-ahead log is good and has no place.
		if rp.fenced && report.Kept == "" {
			if err := s.keepDamaged(g.Seq, report); err != nil {
				return err
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
		return nil
	})
	if err != nil {
		return 0, err
	}
	if res.Torn > 0 {
		s.opt.Logger.Warn("cut a torn tail of the write-ahead log: bytes that were never acknowledged as durable", "bytes", res.Torn)
		torn, err := res.TornBatches()
		if err != nil {
			s.opt.Logger.Warn("cannot tell all of what the torn tail held", "err", err)
		}
		report.Torn = s.tornLogs(torn)
	}
	if err := rp.finish(res.Last); err != nil {
		return 0, err
	}
	return res.Last, s.sweep()
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

// dropBelow forgets segments whole below start, but for the last `keep`: their files
// may be gone already, or go with sweep.
func (l *Log) dropBelow(start int64, keep int) {
	for len(l.segs) > keep && l.segs[0].next <= start && l.fence == nil {
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

// keepDamaged copies the write-ahead log aside before it is used again, for whoever
// repairs the logs that have to be fenced. group is where the damage was met.
func (s *Store) keepDamaged(group Pos, report *Report) error {
	report.Kept = path.Join(s.opt.Dir, "damaged", strconv.FormatUint(uint64(group), 10))
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
	s.opt.Logger.Warn("kept a copy of the write-ahead log for a repair", "kept", report.Kept)
	return errors.Join(s.opt.FS.SyncDir(path.Join(s.opt.Dir, "damaged")), s.opt.FS.SyncDir(s.opt.Dir))
}
