package plog

import (
	"errors"
	"fmt"
	"slices"

	"github.com/leatdev/leat/internal/wal"
)

// ErrUnattributable says that the write-ahead log is damaged below what was durable
// and that nobody can tell which logs were hurt: only a decision goes on from there
// (Options.GiveUp).
var ErrUnattributable = errors.New("it was durable and nobody can tell any more which partitions it held")

// unattributable reports whether damage cannot be given to the logs it hurts.
// Without its name a log that was created has no place to be fenced in.
func unattributable(d wal.Damage) bool {
	return d.Frames == nil || slices.ContainsFunc(d.Frames, func(f wal.Frame) bool { return f.Kind == wal.KindCreate })
}

// giveUp refuses damage that nobody can attribute, or gives up what was decided.
func (s *Store) giveUp(res *wal.Result, report *Report) error {
	i := slices.IndexFunc(res.Damaged, unattributable)
	if i < 0 {
		return nil
	}
	d := res.Damaged[i]
	switch s.opt.GiveUp {
	case RepairCut:
		n := res.Len()
		res.Cut(d.Seq)
		report.GivenUp = fmt.Sprintf("group %d of the write-ahead log and the %d behind it, in all logs: %v", d.Seq, max(0, n-res.Len()-1), d.Err)
	case RepairKeep:
		report.GivenUp = fmt.Sprintf("what group %d of the write-ahead log held: %v", d.Seq, d.Err)
		res.Damaged = slices.DeleteFunc(res.Damaged, unattributable)
	default:
		return fmt.Errorf("%s: %w; %w. Nothing was changed; the files were copied to %s. See the choices with `leat doctor %s`", s.walDir(), d.Err, ErrUnattributable, report.Kept, s.opt.Dir)
	}
	s.opt.Logger.Error("gave up a part of the write-ahead log, as was decided", "how", s.opt.GiveUp, "what", report.GivenUp, "kept", report.Kept)
	return nil
}
