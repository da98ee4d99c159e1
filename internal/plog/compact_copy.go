package plog

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/leatdev/leat/internal/kafka"
)

// compactChunk is how much of a segment is read or written at a time.
const compactChunk = 1 << 20

// eachBatch reads a complete segment from its file and calls fn with each
// batch, whose checksum holds and which stands where it must: a copy of a damaged
// one would look like a good one. The batch is valid during the call.
func (s *Store) eachBatch(ctx context.Context, l *Log, seg *segment, fn func(kafka.Batch) error) error {
	if seg.end == 0 {
		return nil
	}
	f, err := l.openSegment(seg, logSuffix)
	if err != nil {
		return err
	}
	defer s.files.done(f)
	l.mu.RLock()
	epochs := l.epochs[:len(l.epochs):len(l.epochs)]
	l.mu.RUnlock()
	want := seg.base
	check := func(b kafka.Batch) error {
		// What the checksum does not cover, as a reader's verifier sees it.
		base, last := b.BaseOffset(), b.LastOffset()
		if base < want || seg.gen == 0 && base != want || last < base || last >= seg.next || !wroteBy(epochs, base, b.LeaderEpoch()) {
			return fmt.Errorf("%w: offsets %d to %d of leader epoch %d, expected from %d on and below %d", kafka.ErrBatchInvalid, base, last, b.LeaderEpoch(), want, seg.next)
		}
		want = last + 1
		return fn(b)
	}
	buf := make([]byte, min(compactChunk, int(seg.end)))
	for at := int64(0); at < int64(seg.end); {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		n := min(int64(len(buf)), int64(seg.end)-at)
		if _, err := f.ReadAt(buf[:n], at); err != nil && !errors.Is(err, io.EOF) {
			return readError(l, err)
		}
		used, err := batches(buf[:n], check)
		if errors.Is(err, kafka.ErrBatchShort) && used == 0 && n < int64(seg.end)-at {
			if len(buf) < openLimit { // a batch larger than the buffer
				buf = make([]byte, min(2*int64(len(buf)), int64(seg.end)-at))
				continue
			}
		}
		if errors.Is(err, kafka.ErrBatchShort) && used > 0 {
			err = nil // the rest comes with the next chunk
		}
		if err != nil {
			return damage(seg, at+int64(used), err)
		}
		at += int64(used)
	}
	return nil
}

// damage tells an error of the segment's bytes from those of fn.
func damage(seg *segment, at int64, err error) error {
	for _, e := range []error{kafka.ErrBatchShort, kafka.ErrBatchMagic, kafka.ErrBatchInvalid, kafka.ErrBatchCRC} {
		if errors.Is(err, e) {
			return fmt.Errorf("%w: byte %d of segment %d: %w", errDamagedSegment, at, seg.base, err)
		}
	}
	return err
}

// batches calls fn with each whole batch in p and returns the bytes used.
func batches(p []byte, fn func(kafka.Batch) error) (used int, err error) {
	for used < len(p) {
		b, _, err := kafka.NextBatch(p[used:])
		if err != nil {
			return used, err
		}
		if err := b.VerifyCRC(); err != nil {
			return used, err
		}
		if err := fn(b); err != nil {
			return used, err
		}
		used += len(b)
	}
	return used, nil
}

// segmentCopy writes a new segment in place of others.
type segmentCopy struct {
	store *Store
	log   *Log
	seg   *segment
	file  *openFile // nil until there is a batch
	sync  *syncSet
	index *indexWriter
	buf   []byte
	at    int64 // bytes written; buf follows
	// aborted are the entries of its transaction index.
	aborted []AbortedTxn
}

// newSegmentCopy starts the segment that replaces segs. Its name is one that
// was never used by a segment of the log.
func newSegmentCopy(s *Store, l *Log, segs []*segment) *segmentCopy {
	seg := newSegment(segs[0].base, segs[0].created)
	for _, old := range segs {
		seg.gen = max(seg.gen, old.gen)
	}
	seg.gen++
	seg.firstTS = segs[0].firstTS
	return &segmentCopy{
		store: s, log: l, seg: seg, sync: s.newSyncSet(1),
		index: newIndexWriter(l.Config().IndexInterval, seg),
	}
}

func (c *segmentCopy) add(b kafka.Batch) error {
	if c.file == nil {
		for _, suffix := range suffixes {
			c.store.files.forget(c.seg.file(c.log.dir(), suffix)) // of a try that failed
		}
		f, err := c.store.files.open(c.seg.file(c.log.dir(), logSuffix), c.store.opt.FS.Create)
		if err != nil {
			return err
		}
		c.file = f
		c.sync.add(f)
		c.sync.dirs[c.log.dir()] = true
	}
	ts := b.MaxTimestamp()
	if b.NumRecords() == 0 {
		ts = -1 // no record has it any more
	}
	c.index.add(&tailBatch{base: b.BaseOffset(), last: b.LastOffset(), maxTS: ts, at: c.seg.end, size: uint32(len(b))})
	c.seg.add(b.BaseOffset(), b.LastOffset(), ts, uint32(len(b)))
	c.buf = append(c.buf, b...)
	if len(c.buf) < compactChunk {
		return nil
	}
	return c.flush()
}

func (c *segmentCopy) flush() error {
	if len(c.buf) == 0 {
		return nil
	}
	_, err := c.file.WriteAt(c.buf, c.at)
	c.at += int64(len(c.buf))
	c.buf = c.buf[:0]
	return err
}

// empty reports whether nothing was kept; then there is no file.
func (c *segmentCopy) empty() bool { return c.file == nil }

// finish makes the files durable; they can be put into the log then.
func (c *segmentCopy) finish() error {
	if c.empty() {
		return nil
	}
	if err := c.flush(); err != nil {
		return err
	}
	c.index.timeEntry() // a complete segment's time index ends with its maximum
	if err := c.index.write(c.store, c.log, c.sync); err != nil {
		return err
	}
	if err := c.store.writeAborted(c.log, c.seg, c.seg, c.aborted, c.sync); err != nil {
		return err
	}
	if err := c.sync.sync(); err != nil {
		return err
	}
	c.release()
	c.seg.size, c.seg.made, c.seg.sealed = c.seg.end, true, true
	return nil
}

// release gives the files back, once.
func (c *segmentCopy) release() {
	if c.sync != nil {
		c.sync.done()
		c.sync = nil
	}
}

// discard removes the files of a copy that is not wanted.
func (c *segmentCopy) discard() {
	c.release()
	if c.empty() {
		return
	}
	err := c.store.unlink(c.log, c.seg)
	if err == nil {
		// A start after a clean stop does not look for what nobody refers to: the
		// names must be gone for good.
		err = c.store.opt.FS.SyncDir(c.log.dir())
	}
	if err != nil && !isNotExist(err) {
		c.store.opt.Logger.Warn("cannot remove the files of a compaction that was given up", "log", c.log.id.String(), "err", err)
	}
}
