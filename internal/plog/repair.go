package plog

import (
	"context"
	"path"
	"slices"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/wal"
)

// Repair is how a damaged log is made whole again.
type Repair string

// The two ways. Neither invents anything; both set aside what they replace.
const (
	// RepairCut gives up everything from the first damaged batch to the log's end.
	RepairCut Repair = "cut"
	// RepairKeep gives up what is damaged and keeps all else, with a gap in the
	// offsets where the damage was, as compaction leaves them.
	RepairKeep Repair = "keep"
)

// Loss is what a way of repairing a log costs.
type Loss struct {
	// End is the log end offset afterwards.
	End int64 `json:"end"`
	// Offsets that are given up, and of these the records that could be read.
	Offsets  int64 `json:"offsets"`
	Readable int64 `json:"readable"`
	// Bytes of the segments that are given up.
	Bytes int64 `json:"bytes"`
	// Regained records stood behind the log end, in the copy of the write-ahead log.
	Regained int64 `json:"regained,omitempty"`
}

// Diagnosis is what is wrong with a log, and what each way of repairing it costs.
type Diagnosis struct {
	ID    ID
	Topic string
	// Fence is why it is neither read nor written; empty when only some of its
	// ranges cannot be read.
	Fence string
	Start int64
	End   int64
	Check *LogCheck
	// Behind is the offset range that was durable behind the log end and is not in
	// the log because the write-ahead log is damaged; zero when there is none.
	BehindFirst, BehindNext int64
	Cut, Keep               Loss

	strays []stray
}

// stray is a batch behind the log end that stands in the copy of a damaged
// write-ahead log.
type stray struct{ batch kafka.Batch }

// Damaged reports whether anything is wrong.
func (d *Diagnosis) Damaged() bool { return d.Fence != "" || !d.Check.OK() }

// Diagnose reads all of a log and says what is wrong with it and what can be done.
// For a store that nobody else writes to.
func (s *Store) Diagnose(ctx context.Context, l *Log) (*Diagnosis, error) {
	c, err := l.Check(ctx)
	if err != nil {
		return nil, err
	}
	d := &Diagnosis{ID: l.id, Topic: l.name, Start: l.first, End: l.next, Check: c}
	if l.fence != nil {
		d.Fence = l.fence.Error()
		if d.strays, err = s.strays(l); err != nil {
			return nil, err
		}
		d.BehindFirst, d.BehindNext = l.next, l.next
		if n := len(d.strays); n > 0 {
			d.BehindNext = d.strays[n-1].batch.NextOffset()
		}
	}
	d.count()
	return d, nil
}

// firstBad is the first offset of the log that is damaged; its end when none is.
func (d *Diagnosis) firstBad() int64 {
	for i := range d.Check.Segments {
		for _, r := range d.Check.Segments[i].Bad {
			if r.Last >= d.Start {
				return max(r.First, d.Start)
			}
		}
	}
	return d.End
}

// lastGood is the log's end if the segments' last good batch is its last. Damage at
// the very end leaves no gap: the offsets are given out again, in a new epoch.
func (d *Diagnosis) lastGood() int64 {
	for i := len(d.Check.Segments) - 1; i >= 0; i-- {
		switch seg := &d.Check.Segments[i]; {
		case len(seg.Bad) == 0:
			return d.End
		case seg.Batches > 0 && seg.Bad[len(seg.Bad)-1].First < seg.Next:
			return d.End
		case seg.Batches > 0:
			return max(seg.Next, d.Start)
		}
	}
	return d.Start
}

// count fills in what both ways cost.
func (d *Diagnosis) count() {
	cut := d.firstBad()
	d.Cut.End = cut
	d.Cut.Offsets = max(d.End, d.BehindNext) - cut
	d.Keep.End = max(d.lastGood(), d.BehindNext)
	for i := range d.Check.Segments {
		seg := &d.Check.Segments[i]
		for _, r := range seg.Bad {
			d.Keep.Bytes += r.Bytes
			d.Keep.Offsets += max(0, r.Last-max(r.First, d.Start)+1)
		}
		switch at := seg.at(cut); {
		case seg.Bytes > 0 && at < seg.Bytes:
			d.Cut.Bytes += seg.Bytes - at
			d.Cut.Readable += seg.recordsFrom(cut)
		}
	}
	at := d.End
	for _, st := range d.strays {
		d.Keep.Offsets += st.batch.BaseOffset() - at
		d.Keep.Regained += int64(st.batch.NumRecords())
		d.Cut.Readable += int64(st.batch.NumRecords())
		at = st.batch.NextOffset()
	}
}

// at returns where in the file a cut at the offset falls.
func (c *SegmentCheck) at(cut int64) int64 {
	for _, r := range c.Bad {
		if r.First >= cut || r.Last >= cut {
			return r.At
		}
	}
	if c.First >= cut {
		return 0
	}
	return c.Bytes
}

// recordsFrom returns how many good records lie behind a cut.
func (c *SegmentCheck) recordsFrom(cut int64) int64 {
	if c.First >= cut {
		return c.Records
	}
	n := c.Records
	for i := range c.Bad {
		if c.Bad[i].Last >= cut {
			return n - c.before[i]
		}
	}
	return 0
}

// strays finds the good batches behind the end of a fenced log in the copies of
// the damaged write-ahead log.
func (s *Store) strays(l *Log) ([]stray, error) {
	var newest int32
	if n := len(l.epochs); n > 0 {
		newest = l.epochs[n-1].Epoch
	}
	dir := path.Join(s.opt.Dir, damagedDir)
	names, err := s.opt.FS.List(dir)
	if isNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []stray
	take := func(f *wal.Frame) error {
		if f.Topic != l.id.Topic || f.Partition != l.id.Partition || f.Offset < l.next {
			return nil
		}
		// Of an earlier damage that was settled by a cut: offsets are used again.
		if f.Epoch < newest || f.Kind != wal.KindBatch && f.Kind != wal.KindRef {
			return nil
		}
		data := slices.Clone(f.Data)
		if f.Kind == wal.KindRef {
			var err error
			if data, err = s.readRef(l, f); err != nil {
				return nil // damaged itself, or gone
			}
		}
		b, _, err := kafka.NextBatch(data)
		if err == nil {
			out = append(out, stray{b})
		}
		return nil
	}
	for _, name := range names {
		res, err := wal.Scan(s.opt.FS, path.Join(dir, name), s.opt.Salt, 0)
		if err != nil {
			return nil, err
		}
		err = res.Each(func(n int) ([]byte, error) { return make([]byte, n), nil }, func(g wal.Group) error {
			for i := range g.Frames {
				if err := take(&g.Frames[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(out, func(a, b stray) int { return int(a.batch.BaseOffset() - b.batch.BaseOffset()) })
	at := l.next
	return slices.DeleteFunc(out, func(st stray) bool {
		if st.batch.BaseOffset() < at {
			return true // the same in two copies
		}
		at = st.batch.NextOffset()
		return false
	}), nil
}
