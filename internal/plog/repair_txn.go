package plog

import (
	"context"
	"maps"
	"slices"

	"github.com/leatdev/leat/internal/kafka"
)

// A repair may lose the marker that has ended a transaction. Left open it would become
// part of what its producer does next, and be decided with that. So a repair ends it:
// where it was lost, when the producer has gone on since, else at the log's end.

// Ending is what has become of a transaction whose end is not in a log.
type Ending int

// The endings. A transaction that is StillOpen will be ended by its coordinator.
const (
	StillOpen Ending = iota
	WasAborted
	WasCommitted
)

// Fate says what has become of the transaction that a producer has begun in a log with
// an epoch, and that is open at the log's end.
type Fate func(producerID int64, epoch int16) Ending

// txnAt is an open transaction: its producer's epoch, and where its last batch ends.
type txnAt struct {
	epoch int16
	next  int64
}

// lostMark is a marker to be written in place of one that was lost.
type lostMark struct {
	at     int64
	marker kafka.Marker
}

// gap is a range of offsets in which something was lost; at is the first that is free.
type gap struct{ at, end int64 }

// lostEnds finds the transactions whose end was lost: those whose producer has begun
// another one since, which is of a newer epoch in transaction version 2, and those that
// are open at the log's end. (In version 1 what follows looks the same as more of the
// transaction, and is taken for that.)
func (r *repair) lostEnds(ctx context.Context, how Repair) error {
	r.open = map[int64]txnAt{}
	var gaps []gap
	next := int64(-1)
	see := func(b kafka.Batch) error {
		if how == RepairCut && b.BaseOffset() >= r.end {
			return nil
		}
		if at := b.BaseOffset(); next >= 0 && next < at {
			gaps = r.lost(gaps, next, at)
		}
		next = b.NextOffset()
		if !b.Transactional() {
			return nil
		}
		id := b.ProducerID()
		m, ends, err := b.Marker()
		if err != nil || b.Control() && !ends {
			return err
		}
		if t, open := r.open[id]; open && (!ends && b.ProducerEpoch() > t.epoch || ends && int(m.Epoch) > int(t.epoch)+1) {
			i := slices.IndexFunc(gaps, func(g gap) bool { return g.at >= t.next && g.at < g.end })
			if i >= 0 {
				r.marks = append(r.marks, lostMark{gaps[i].at, r.marker(id, t.epoch, false)})
				gaps[i].at++
			}
		}
		if ends {
			delete(r.open, id)
		} else {
			r.open[id] = txnAt{b.ProducerEpoch(), b.NextOffset()}
		}
		return nil
	}
	for _, seg := range r.log.segs {
		if _, err := r.log.checkSegment(ctx, seg, func(_ int64, b kafka.Batch) error { return see(b) }); err != nil {
			return err
		}
	}
	if how == RepairKeep {
		for _, st := range r.d.strays {
			if err := see(st.batch); err != nil {
				return err
			}
		}
	}
	slices.SortFunc(r.marks, func(a, b lostMark) int { return int(a.at - b.at) })
	return nil
}

// lost adds the ranges between two batches in which something was lost, and nothing
// else: what compaction has emptied before may be of another segment, which stays as it
// is.
func (r *repair) lost(gaps []gap, from, to int64) []gap {
	add := func(at, end int64) {
		if at, end = max(at, from), min(end, to); at < end {
			gaps = append(gaps, gap{at, end})
		}
	}
	for i := range r.d.Check.Segments {
		for _, b := range r.d.Check.Segments[i].Bad {
			add(b.First, b.Last+1)
		}
	}
	add(r.d.End, to)
	return gaps
}

func (r *repair) marker(producer int64, epoch int16, commit bool) kafka.Marker {
	return kafka.Marker{ProducerID: producer, Epoch: epoch, Commit: commit, CoordinatorEpoch: r.store.opt.Epoch}
}

// endLost writes the markers that belong before an offset.
func (r *repair) endLost(out *segmentCopy, before int64) error {
	for len(r.marks) > 0 && r.marks[0].at < before {
		m := r.marks[0]
		r.marks = r.marks[1:]
		epoch := int32(0) // of those who wrote there
		for _, e := range r.log.epochs {
			if e.Start <= m.at {
				epoch = e.Epoch
			}
		}
		if err := r.writeMark(out, m.at, epoch, m.marker); err != nil {
			return err
		}
	}
	return nil
}

// writeMark writes one marker.
func (r *repair) writeMark(out *segmentCopy, at int64, epoch int32, m kafka.Marker) error {
	b := kafka.BuildMarker(m, r.store.opt.Now().UnixMilli())
	b.SetBaseOffset(at)
	b.SetLeaderEpoch(epoch)
	return r.take(out, b)
}

// endOpen ends transactions at the log's end, in a segment of its own.
func (r *repair) endOpen(fate Fate) error {
	if fate == nil {
		return nil
	}
	r.end = max(r.end, r.log.first)
	var out *segmentCopy
	for _, id := range slices.Sorted(maps.Keys(r.open)) {
		how := fate(id, r.open[id].epoch)
		if how == StillOpen {
			continue
		}
		if out == nil {
			if n := len(r.segs); n > 0 && r.segs[n-1].base >= r.end { // has nothing in it yet
				r.replaced, r.segs = append(r.replaced, r.segs[n-1]), r.segs[:n-1]
			}
			// No file that is, or was, of the log has its name.
			names := append([]*segment{newSegment(r.end, r.store.opt.Now().UnixMilli())}, r.replaced...)
			out = newSegmentCopy(r.store, r.log, names)
			r.made = append(r.made, out)
		}
		if err := r.writeMark(out, r.end+r.tail, r.store.opt.Epoch, r.marker(id, r.open[id].epoch, how == WasCommitted)); err != nil {
			return err
		}
		r.tail++
	}
	if out == nil {
		return nil
	}
	if err := out.finish(); err != nil {
		return err
	}
	r.segs = append(r.segs, out.seg)
	return nil
}
