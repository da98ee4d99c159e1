package plog

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/leatdev/leat/internal/kafka"
)

// damagedDir is where what was damaged, or given up by a repair, is kept for
// people.
const damagedDir = "damaged"

// Repair makes a damaged log whole in the way that was decided. The files that it
// replaces are kept under damaged/, in the directory it returns. The log's new
// state is durable on return: the fence is gone, and stays away over restarts.
// Transactions whose end was lost are ended as fate says; nil leaves them open.
// Nobody else may use the store. A crash leaves the log as it was before, or
// repaired.
func (s *Store) Repair(ctx context.Context, d *Diagnosis, how Repair, fate Fate) (aside string, err error) {
	l := s.Log(d.ID)
	if l == nil {
		return "", fmt.Errorf("partition %s of topic %s is gone", d.ID, d.Topic)
	}
	if err := s.Checkpoint(); err != nil {
		return "", err
	}
	r := repair{store: s, log: l, d: d, end: d.Cut.End}
	if how == RepairKeep {
		r.end = d.Keep.End
	}
	err = r.lostEnds(ctx, how)
	if err == nil {
		err = r.copies(ctx, how)
	}
	if err == nil {
		err = r.endOpen(fate)
	}
	if err != nil {
		r.discard()
		return "", err
	}
	aside = path.Join(s.opt.Dir, damagedDir, fmt.Sprintf("repair-%d", s.opt.Epoch), topicDir(l.name, l.id), fmt.Sprint(l.id.Partition))
	if err := r.setAside(aside); err != nil {
		r.discard()
		return "", err
	}
	r.install(how)
	if err := s.Checkpoint(); err != nil {
		return "", err
	}
	var errs []error
	for _, seg := range r.replaced {
		errs = append(errs, s.unlink(l, seg))
	}
	if len(r.replaced) > 0 {
		errs = append(errs, s.opt.FS.SyncDir(l.dir()))
	}
	return aside, errors.Join(errs...)
}

// repair is one repair on its way.
type repair struct {
	store *Store
	log   *Log
	d     *Diagnosis
	end   int64 // the log's, afterwards, without what ends open transactions

	segs     []*segment // the log's, afterwards
	replaced []*segment
	made     []*segmentCopy
	txns     *txnWalk // over all that stays

	// marks end transactions whose end was lost, where it may have been; open are those
	// that have none. tail is what has been written behind end for these.
	marks []lostMark
	open  map[int64]txnAt
	tail  int64
}

// copies decides about each segment: it stays, goes, or is copied without what is
// damaged or given up.
func (r *repair) copies(ctx context.Context, how Repair) error {
	r.txns = newTxnWalk()
	for _, seg := range r.log.segs {
		switch {
		case how == RepairCut && seg.base >= r.end && seg.next > r.end:
			r.replaced = append(r.replaced, seg)
			continue
		case !r.hurt(seg) && (how == RepairKeep || seg.next <= r.end):
			r.segs = append(r.segs, seg)
			if _, err := r.log.checkSegment(ctx, seg, func(_ int64, b kafka.Batch) error { return r.txns.batch(b) }); err != nil {
				return err
			}
			continue
		}
		r.replaced = append(r.replaced, seg)
		out := newSegmentCopy(r.store, r.log, []*segment{seg})
		r.made = append(r.made, out)
		_, err := r.log.checkSegment(ctx, seg, func(_ int64, b kafka.Batch) error {
			if how == RepairCut && b.BaseOffset() >= r.end {
				return nil
			}
			if err := r.endLost(out, b.BaseOffset()); err != nil {
				return err
			}
			return r.take(out, b)
		})
		if err == nil {
			err = r.endLost(out, seg.next)
		}
		if err != nil {
			return err
		}
		if err := out.finish(); err != nil {
			return err
		}
		if !out.empty() {
			r.segs = append(r.segs, out.seg)
		}
	}
	if how == RepairKeep && len(r.d.strays) > 0 {
		return r.regain()
	}
	return nil
}

// take copies a batch, and what it says of transactions.
func (r *repair) take(out *segmentCopy, b kafka.Batch) error {
	n := len(r.txns.aborted)
	if err := r.txns.batch(b); err != nil {
		return err
	}
	out.aborted = append(out.aborted, r.txns.aborted[n:]...)
	return out.add(b)
}

func (r *repair) hurt(seg *segment) bool {
	name := path.Base(seg.file("", logSuffix))
	return slices.ContainsFunc(r.d.Check.Segments, func(c SegmentCheck) bool { return c.File == name && !c.OK() })
}

// regain puts the batches of the write-ahead log's copy into a segment of their
// own.
func (r *repair) regain() error {
	first := r.d.strays[0].batch.BaseOffset()
	if len(r.marks) > 0 {
		first = min(first, r.marks[0].at)
	}
	out := newSegmentCopy(r.store, r.log, []*segment{newSegment(first, r.store.opt.Now().UnixMilli())})
	r.made = append(r.made, out)
	for _, st := range r.d.strays {
		if err := r.endLost(out, st.batch.BaseOffset()); err != nil {
			return err
		}
		if err := r.take(out, st.batch); err != nil {
			return err
		}
	}
	if err := out.finish(); err != nil {
		return err
	}
	r.segs = append(r.segs, out.seg)
	return nil
}

func (r *repair) discard() {
	for _, c := range r.made {
		c.discard()
	}
}

// setAside keeps the replaced files under another name, durably.
func (r *repair) setAside(aside string) error {
	if len(r.replaced) == 0 {
		return nil
	}
	w := treeWriter{fs: r.store.opt.FS, root: r.store.opt.Dir}
	rel := aside[len(path.Clean(r.store.opt.Dir))+1:]
	if err := w.dir(rel); err != nil {
		return err
	}
	for _, seg := range r.replaced {
		for _, suffix := range suffixes {
			from := seg.file(r.log.dir(), suffix)
			info, err := w.fs.Stat(from)
			if isNotExist(err) {
				continue
			}
			if err != nil {
				return err
			}
			to := path.Join(rel, path.Base(from))
			if w.fs.Link(from, path.Join(r.store.opt.Dir, to)) == nil {
				continue
			}
			if _, err := w.copy(context.Background(), from, to, info.Size()); err != nil {
				return err
			}
		}
	}
	return w.sync()
}

// install puts the outcome into the log.
func (r *repair) install(how Repair) {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	l.segs = r.segs
	if n := len(l.segs); n > 0 {
		l.segs[n-1].sealed = false // it grows again
	}
	l.fence, l.next = nil, max(r.end, l.first)
	l.cleaned = min(l.cleaned, l.next)
	l.tail = nil
	l.forget(r.d, how)
	if how == RepairKeep {
		now := r.store.opt.Now().UnixMilli()
		for _, st := range r.d.strays {
			b := st.batch
			if n := len(l.epochs); n == 0 || l.epochs[n-1].Epoch < b.LeaderEpoch() {
				l.epochs = append(l.epochs, EpochStart{b.LeaderEpoch(), b.BaseOffset()})
			}
			if !b.Control() {
				l.pids.add(b, 0, now)
			}
		}
	}
	if l.aborted = nil; r.tail > 0 {
		l.epochs = append(l.epochs, EpochStart{r.store.opt.Epoch, l.next})
		l.next += r.tail
	}
	l.rebuildTxns(r.txns)
	l.hw.Store(l.next)
	l.touch(l.lastPos)
}

// forget takes out of the log's memory what is no longer in it: epochs that began
// behind its end, and batches of producers that are lost, so that a repeat of one
// is appended and not answered as a duplicate. Called with mu held.
func (l *Log) forget(d *Diagnosis, how Repair) {
	l.epochs = slices.DeleteFunc(l.epochs, func(e EpochStart) bool { return e.Start >= l.next })
	for id, p := range l.pids {
		p.recent = slices.DeleteFunc(p.recent, func(b sentBatch) bool {
			return b.last >= l.next || how == RepairKeep && (d.Check.lost(b.base) || d.Check.lost(b.last))
		})
		if len(p.recent) == 0 {
			delete(l.pids, id)
		}
	}
}
