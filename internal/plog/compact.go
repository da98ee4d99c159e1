package plog

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/sched"
	"github.com/leatdev/leat/internal/vfs"
)

// Compaction (cleanup.policy=compact) keeps, of the records below a log's last
// segment, the newest of each key. Offsets never change: batches keep their
// base offset and length, with holes where records were.
//
// One pass over a log:
//
//   - maps the keys of the dirty part, from where the last compaction ended, to
//     their newest offsets: 24 bytes a key, in a bounded table; what does not fit
//     is for another pass;
//   - copies the segments from the log start to the end of what was mapped, a
//     group of them that fits into one segment at a time, without the records
//     that the map supersedes and without tombstones past their time;
//   - syncs the new files, puts them into the log in place of the old ones, makes
//     that durable with one checkpoint, and only then unlinks the old.
//
// A crash in between leaves files that no checkpoint names, which recovery
// removes. Readers that were in an old file keep it open; others find the new.
//
// The last segment is never compacted, so the log's last batch always stays.

// compactor is what a store keeps about its compactions.
type compactor struct {
	mu sched.Mutex // one compaction at a time
	// replaced are old segments that wait for a checkpoint without them.
	replaced []replacedSegment
	// rest is until when (ms) CompactNext leaves a log alone that failed, so that
	// it does not keep the others waiting; a damaged one for good.
	rest map[*Log]int64
}

// restAfterError is how long a log rests whose compaction failed.
const restAfterError = time.Minute

type replacedSegment struct {
	log *Log
	seg *segment
}

// Compaction tells what compacting a log came to.
type Compaction struct {
	Log *Log
	// Passes over the log; more than one when its keys did not fit into memory.
	Passes int
	// Before and After are the bytes of the segments gone through, over all passes.
	Before, After int64
	// Kept and Dropped are their records.
	Kept, Dropped int64
	// Unread batches could not be opened; they were kept as they are.
	Unread int
}

// errDamagedSegment says that a segment's bytes are not what was written.
var errDamagedSegment = errors.New("segment is damaged")

// CompactNext compacts the log that needs it most: the largest dirty part by
// min.cleanable.dirty.ratio, or one past its max.compaction.lag.ms. Nil without
// an error when there is none. A log that failed rests for a while, so that the
// next call takes another one. Called in a loop by whoever keeps house, with a
// pause after nil or an error; it can be cancelled at any time.
func (s *Store) CompactNext(ctx context.Context) (*Compaction, error) {
	if s.wal.Err() != nil {
		return nil, nil // nothing is written any more, and what was copied could not be recorded
	}
	var best *Log
	var most float64
	now := s.opt.Now().UnixMilli()
	for _, l := range s.Logs() {
		if s.compact.rests(l, now) {
			continue
		}
		c := l.cleanable(now)
		if r := c.ratio(); c.wanted && (best == nil || r > most) {
			best, most = l, r
		}
	}
	if best == nil {
		return nil, s.dropReplaced()
	}
	return s.Compact(ctx, best)
}

// Compact compacts a log now, however little of it is dirty. A log that is not
// compacted by its configuration, or has nothing to compact, is left alone.
func (s *Store) Compact(ctx context.Context, l *Log) (*Compaction, error) {
	s.compact.mu.Lock()
	defer s.compact.mu.Unlock()
	done := &Compaction{Log: l}
	// What is completed meanwhile is for the next time, or a busy log would keep
	// the others waiting.
	for end := l.cleanable(s.opt.Now().UnixMilli()).to; ; {
		c := l.cleanable(s.opt.Now().UnixMilli())
		if c.dirty == 0 || c.from >= end {
			break
		}
		err := s.compactPass(ctx, c, done)
		if errors.Is(err, errMoved) || err != nil && l.removed.Load() {
			break // trimmed or deleted meanwhile
		}
		if err != nil {
			s.restAfter(l, err)
			return done, fmt.Errorf("compacting %s of topic %s: %w", l.id, l.name, err)
		}
		done.Passes++
	}
	return done, errors.Join(s.clearRemoved(l), s.dropReplacedLocked())
}

// restAfter has CompactNext leave the log alone after an error. Called with
// compact.mu held.
func (s *Store) restAfter(l *Log, err error) {
	if s.compact.rest == nil {
		s.compact.rest = map[*Log]int64{}
	}
	s.compact.rest[l] = s.opt.Now().Add(restAfterError).UnixMilli()
	if errors.Is(err, errDamagedSegment) {
		s.compact.rest[l] = math.MaxInt64
		s.opt.Logger.Error("log is not compacted until the next start: its data is damaged", "log", l.id.String(), "topic", l.name, "err", err)
	}
}

func (c *compactor) rests(l *Log, now int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	until, ok := c.rest[l]
	if ok && (now >= until || l.removed.Load()) {
		delete(c.rest, l)
		ok = false
	}
	return ok
}

// compactPass maps as many keys as fit and copies the segments they are in.
func (s *Store) compactPass(ctx context.Context, c cleanable, done *Compaction) error {
	p := pass{store: s, log: c.log, cfg: c.cfg, now: s.opt.Now().UnixMilli(), start: c.log.Start(), stats: done}
	var err error
	if p.keys, p.upTo, err = s.mapKeys(ctx, c); err != nil {
		return err
	}
	p.producers = c.log.lastOfProducers()
	if p.txns, err = c.log.cleanTxns(c.segs[0].base, c.to); err != nil {
		return err
	}
	segs := c.segs
	for len(segs) > 0 && segs[0].base < p.upTo {
		n := groupSize(segs, c.cfg.SegmentBytes, p.upTo)
		if err := p.group(ctx, segs[:n]); err != nil {
			return err
		}
		segs = segs[n:]
	}
	l := c.log
	l.mu.Lock()
	l.cleaned = max(l.cleaned, p.upTo)
	l.touch(l.lastPos)
	l.mu.Unlock()
	return nil
}

// lastOfProducers returns the last offset of each producer's newest batch. That
// batch stays, without records if need be: it tells the sequence the producer
// goes on from to whoever rebuilds that from the log.
func (l *Log) lastOfProducers() map[int64]*lastOf {
	l.mu.RLock()
	defer l.mu.RUnlock()
	last := make(map[int64]*lastOf, len(l.pids))
	for id, p := range l.pids {
		last[id] = &lastOf{-1, p.epoch}
		if n := len(p.recent); n > 0 {
			last[id].offset = p.recent[n-1].last
		}
	}
	return last
}

// pass is one copy of a log's segments without what is superseded.
type pass struct {
	store     *Store
	log       *Log
	cfg       Config
	now       int64 // ms
	start     int64 // records below it go
	keys      *keyMap
	upTo      int64 // records from here on were not mapped and stay
	producers map[int64]*lastOf
	txns      *cleanedTxns
	stats     *Compaction
}

// group copies segments into one and puts it into their place.
func (p *pass) group(ctx context.Context, segs []*segment) error {
	if err := p.store.roomFor(segs); err != nil {
		return err
	}
	out := newSegmentCopy(p.store, p.log, segs)
	changed := len(segs) > 1
	for _, seg := range segs {
		err := p.store.eachBatch(ctx, p.log, seg, func(b kafka.Batch) error {
			kept, err := p.filter(b, out)
			if err != nil {
				return err
			}
			changed = changed || len(kept) != len(b) || &kept[0] != &b[0]
			if len(kept) == 0 {
				return nil
			}
			return out.add(kept)
		})
		if err != nil {
			out.discard()
			return err
		}
		p.stats.Before += int64(seg.end)
	}
	if !changed {
		out.discard()
		p.stats.After += int64(segs[0].end)
		return nil
	}
	if err := out.finish(); err != nil {
		out.discard()
		return err
	}
	p.stats.After += int64(out.seg.end)
	return p.store.swap(p.log, segs, out)
}

// filter returns what is left of a batch: the batch itself, a smaller one, or
// nothing.
func (p *pass) filter(b kafka.Batch, out *segmentCopy) (kafka.Batch, error) {
	if b.Control() {
		return p.filterMarker(b, out)
	}
	aborted := p.txns.data(b)
	if b.BaseOffset() >= p.upTo {
		p.txns.kept(b)
		p.stats.Kept += int64(b.NumRecords())
		return b, nil
	}
	horizon, hasHorizon := b.DeleteHorizon()
	kept, err := b.Retain(openLimit, p.now+p.cfg.DeleteRetention.Milliseconds(), func(r *kafka.Record) bool {
		switch {
		case r.Offset >= p.upTo:
			return true
		case aborted:
			return false
		case r.Offset < p.start:
			return false // DeleteRecords took it
		case r.Key == nil:
			return false // from before the topic was compacted: nothing can name it
		case p.keys.newest(r.Key) > r.Offset:
			return false
		}
		return r.Value != nil || !hasHorizon || horizon > p.now
	})
	if errors.Is(err, kafka.ErrBatchInvalid) {
		// A client's mistake that was let in unopened is no reason to lose the
		// batch, nor to keep the whole log from being compacted.
		p.stats.Unread++
		p.txns.kept(b)
		return b, nil
	}
	if err != nil {
		return nil, err
	}
	p.stats.Kept += int64(kept.NumRecords())
	p.stats.Dropped += int64(b.NumRecords() - kept.NumRecords())
	if kept.NumRecords() == 0 && !p.producers[b.ProducerID()].data(b) {
		return nil, nil
	}
	p.txns.kept(b)
	return kept, nil
}

// roomFor keeps compaction from taking the space that is reserved for commits
// and deletes: at worst the copy is as large as what it copies.
func (s *Store) roomFor(segs []*segment) error {
	free, err := s.opt.FS.Free(s.opt.Dir)
	if err != nil {
		return err
	}
	var need int64
	for _, seg := range segs {
		need += int64(seg.end)
	}
	if free-max(0, s.opt.DiskReserve) < need {
		return fmt.Errorf("%w: compaction wants %d bytes beside the reserve, %d are free", vfs.ErrNoSpace, need, free)
	}
	return nil
}
