package plog

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/kafka"
)

// Fetch finds whole batches, from the one that holds offset on: at most maxBytes of
// them, but at least one when minOne is set (KIP-74), and none at or above the high
// watermark. Nothing when offset is the high watermark; kerr.OffsetOutOfRange outside
// of log start and high watermark; kerr.CorruptMessage when the batch is damaged on
// disk (it never gets out); kerr.KafkaStorageError when the log is fenced or cannot be
// read. It may have to read the batches once to check them, never to copy them. The
// caller releases what it gets.
func (l *Log) Fetch(offset int64, maxBytes int, minOne bool) (Records, error) {
	return l.fetch(offset, maxBytes, minOne, false)
}

// FetchStable is Fetch for readers of committed data (KIP-98): nothing at or above the
// last stable offset. Nothing also when offset lies between that and the high watermark.
func (l *Log) FetchStable(offset int64, maxBytes int, minOne bool) (Records, error) {
	return l.fetch(offset, maxBytes, minOne, true)
}

func (l *Log) fetch(offset int64, maxBytes int, minOne, committed bool) (Records, error) {
	for {
		hw := l.hw.Load()
		if offset < l.start.Load() || offset > hw {
			return Records{}, kerr.OffsetOutOfRange
		}
		limit := hw
		if committed {
			limit = min(l.LastStable(), hw)
		}
		if offset >= limit {
			return Records{}, nil
		}
		r, err := l.find(offset, limit, maxBytes, minOne)
		if errors.Is(err, errMoved) {
			continue
		}
		if err == nil && offset < l.start.Load() {
			// The log start has moved meanwhile, and the segment may have gone: what was
			// found then begins behind offset, and must not look as if nothing were missing.
			r.Release()
			return Records{}, kerr.OffsetOutOfRange
		}
		return r, err
	}
}

// Read is Fetch with the bytes copied.
func (l *Log) Read(offset int64, maxBytes int, minOne bool) ([]byte, error) {
	for {
		r, err := l.Fetch(offset, maxBytes, minOne)
		if err != nil || r.size == 0 {
			return nil, err
		}
		b := make([]byte, r.size)
		_, err = r.ReadAt(b, 0)
		r.Release()
		if errors.Is(err, errMoved) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return b, nil
	}
}

// errMoved says that retention or compaction took a segment away between
// finding and opening it: look again.
var errMoved = errors.New("segment has moved")

// Moved reports whether an error of Records says that compaction or retention has
// taken a file away before anybody had opened it for them: what to do is to fetch again.
func Moved(err error) bool { return errors.Is(err, errMoved) }

// find is Fetch for batches that begin below limit.
func (l *Log) find(offset, limit int64, maxBytes int, minOne bool) (Records, error) {
	for {
		l.mu.RLock()
		switch {
		case l.fence != nil:
			defer l.mu.RUnlock()
			return Records{}, fmt.Errorf("%w: %s is fenced: %w", kerr.KafkaStorageError, l.id, l.fence)
		case l.gone:
			defer l.mu.RUnlock()
			return Records{}, kerr.UnknownTopicOrPartition
		case len(l.tail) > 0 && l.tail[0].base <= offset:
			defer l.mu.RUnlock()
			r := Records{log: l}
			l.findInTail(&r, offset, limit, maxBytes, minOne)
			return r, nil
		}
		i := sort.Search(len(l.segs), func(i int) bool { return l.segs[i].next > offset })
		if i == len(l.segs) {
			defer l.mu.RUnlock()
			return Records{}, nil
		}
		seg := l.segs[i]
		v := l.view(seg)
		l.mu.RUnlock()
		r, found, err := l.findInSegment(seg, &v, max(offset, v.base), limit, maxBytes, minOne)
		if r.size > 0 && r.next == v.next && r.next < limit && r.size < maxBytes {
			// What follows may be in memory. Else an answer would end wherever the last
			// checkpoint happened to be.
			l.mu.RLock()
			if len(l.tail) > 0 && l.tail[0].base == r.next && !l.gone {
				l.findInTail(&r, r.next, limit, maxBytes, false)
			}
			l.mu.RUnlock()
		}
		if err != nil || found || v.next >= limit {
			return r, err
		}
		offset = v.next // compaction has left nothing here from offset on: the next segment has it
	}
}

// findInTail adds batches that are in memory, or were written straight to their
// segment, to r. Called with mu held for reading.
func (l *Log) findInTail(r *Records, offset, limit int64, maxBytes int, minOne bool) {
	for i := sort.Search(len(l.tail), func(i int) bool { return l.tail[i].last >= offset }); i < len(l.tail); i++ {
		t := &l.tail[i]
		if t.last >= limit || r.size+int(t.size) > maxBytes && !(minOne && r.size == 0) {
			break
		}
		r.size += int(t.size)
		r.next = t.last + 1
		if n := len(r.parts); n > 0 && r.parts[n-1].seg == t.seg && !r.parts[n-1].whole {
			r.parts[n-1].n += t.size // they follow each other
			continue
		}
		r.parts = append(r.parts, stretch{seg: t.seg, at: t.at, n: t.size})
	}
}

// findInSegment finds batches below limit in the file of a segment, v being a view of it.
// found says whether it holds a batch at or behind offset at all.
func (l *Log) findInSegment(seg, v *segment, offset, limit int64, maxBytes int, minOne bool) (r Records, found bool, err error) {
	if v.size == 0 {
		return Records{}, false, nil
	}
	c := l.checkedOf(seg)
	near, end, err := l.good(v, c, offset, maxBytes)
	if err != nil {
		return Records{}, false, err
	}
	f, err := l.openSegment(v, logSuffix)
	if err != nil {
		return Records{}, false, err
	}
	defer func() {
		if r.size == 0 {
			l.store.files.done(f)
		}
	}()
	from, rel := near, uint32(offset-v.base)
	if near.rel != rel {
		from, err = walk(f, v, near, end, func(_, next place) bool { return next.rel > rel })
	}
	if err == nil && from.pos == end.pos {
		return Records{}, false, nil
	}
	to := from
	if err == nil {
		to, err = l.stop(f, v, c, from, end, maxBytes, minOne)
	}
	if err == nil && v.base+int64(to.rel) > limit {
		// All of it is durable, but not all is to be seen: a transaction is open.
		to, err = walk(f, v, from, to, func(_, next place) bool { return v.base+int64(next.rel) > limit })
	}
	if err != nil {
		// It was good before. Whoever comes next is told what has become of it.
		if _, verr := l.verify(v, c, near, end.pos); verr != nil {
			err = verr
		}
		return Records{}, false, readError(l, err)
	}
	if to == from {
		return Records{}, true, nil
	}
	n := to.pos - from.pos
	return Records{log: l, size: int(n), next: v.base + int64(to.rel), parts: []stretch{{seg: seg, at: from.pos, n: n, file: f, whole: true}}}, true, nil
}

// good returns the nearest known place at or before the offset and the end of the
// run of good batches around it, which it has checked where nobody had.
func (l *Log) good(v *segment, c *checked, offset int64, maxBytes int) (near, end place, err error) {
	rel := uint32(offset - v.base)
	for {
		near, end, ok := c.find(rel)
		if !ok {
			if d, bad := c.damageAt(rel); bad {
				return near, end, l.damagedError(v, d)
			}
			if err := l.verifyFor(v, c, offset, uint32(min(maxBytes, mostChecked))); err != nil {
				return near, end, err
			}
			continue
		}
		if end.pos < v.size && int64(end.pos-near.pos) < int64(maxBytes) && end.pos-near.pos < mostChecked {
			// Who reads on and on has what follows checked in time, not batch by batch. An
			// error there is for who gets there.
			if _, bad := c.damageAt(end.rel); !bad && l.verifyFor(v, c, v.base+int64(end.rel), uint32(min(maxBytes, mostChecked))) == nil {
				near, end, _ = c.find(rel)
			}
		}
		if end.pos > v.size { // a checkpoint came after the view
			end = place{v.size, uint32(v.next - v.base)}
		}
		return near, end, nil
	}
}

// mostChecked bounds what is checked for one request.
const mostChecked = 8 << 20

// stop returns where an answer from a place on ends: behind the last batch that fits,
// or nearly the last, when that can be told without reading; it is from itself when
// none fits and none must.
func (l *Log) stop(f io.ReaderAt, v *segment, c *checked, from, end place, maxBytes int, minOne bool) (place, error) {
	limit := int64(from.pos) + int64(max(maxBytes, 0))
	if int64(end.pos) <= limit {
		return end, nil
	}
	if p, ok := c.cut(from, uint32(limit)); ok {
		return p, nil
	}
	p, err := walk(f, v, from, end, func(at, next place) bool {
		return int64(next.pos) > limit && !(minOne && at == from)
	})
	if err == nil && p != from {
		c.ended(p)
	}
	return p, err
}

// walk goes from batch to batch, by their headers, to the first for which done is
// true, or to the end.
func walk(f io.ReaderAt, v *segment, at, end place, done func(at, next place) bool) (place, error) {
	var r *blockReader
	defer func() {
		if r != nil {
			r.done()
		}
	}()
	for at.pos < end.pos {
		if r == nil {
			r = newBlockReader(f, int64(end.pos))
			r.ahead = headersAhead
		}
		h, err := r.header(at.pos)
		if err != nil {
			return at, err
		}
		stop, last := int64(at.pos)+int64(h.Size()), h.LastOffset()
		if h.Magic() != 2 || h.Size() < kafka.BatchOverhead || stop > int64(end.pos) || last < v.base || last >= v.next {
			return at, fmt.Errorf("%w: no batch at byte %d of segment %d, where one was before", kerr.KafkaStorageError, at.pos, v.base)
		}
		next := place{uint32(stop), uint32(last + 1 - v.base)}
		if done(at, next) {
			break
		}
		at = next
	}
	return at, nil
}

// seek returns the segment's index entry for a relative offset.
func (l *Log) seek(seg *segment, rel uint32) (place, error) {
	if seg.index == 0 {
		return place{}, nil
	}
	ix, err := l.openSegment(seg, indexSuffix)
	if err != nil {
		return place{}, err
	}
	defer l.store.files.done(ix)
	p, err := searchIndex(ix, seg.index, rel)
	return p, readError(l, err)
}

func (l *Log) openSegment(seg *segment, suffix string) (*openFile, error) {
	f, err := l.store.files.open(seg.file(l.dir(), suffix), l.store.opt.FS.Open)
	if isNotExist(err) && l.segmentGone(seg) {
		return nil, errMoved
	}
	if err != nil {
		return nil, readError(l, err)
	}
	return f, nil
}

func (l *Log) segmentGone(seg *segment) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	now := l.segmentAt(seg.base)
	return l.gone || now == nil || now.gen != seg.gen
}

func readError(l *Log, err error) error {
	if err == nil || errors.Is(err, kerr.KafkaStorageError) || errors.Is(err, errMoved) {
		return err
	}
	return fmt.Errorf("%w: reading %s: %w", kerr.KafkaStorageError, l.id, err)
}

// Available returns how many bytes Read would have from offset on below limit (the high
// watermark or the last stable offset), counted no further than most, without reading
// them.
func (l *Log) Available(offset, limit int64, most int) int {
	hw := min(limit, l.hw.Load())
	if offset >= hw {
		return 0
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.tail) == 0 || l.tail[0].base > offset {
		return most // whatever has left the tail is as good as plenty
	}
	n := 0
	for i := sort.Search(len(l.tail), func(i int) bool { return l.tail[i].last >= offset }); i < len(l.tail) && n < most; i++ {
		if l.tail[i].last >= hw {
			break
		}
		n += int(l.tail[i].size)
	}
	return n
}

// ReadAll calls fn with every batch from the log start to the log end, durable
// or not: for state that is rebuilt at start, when everything is. The batch is
// valid during the call. An error says, too, that there was less to read than the log
// should hold.
func (l *Log) ReadAll(fn func(kafka.Batch) error) error {
	const chunk = 1 << 20
	l.mu.RLock()
	at, end := l.first, l.next
	l.mu.RUnlock()
	var buf []byte
	for at < end {
		var err error
		if buf, err = l.readUpTo(buf, at, end, chunk); errors.Is(err, errMoved) {
			continue
		}
		if err != nil {
			return err
		}
		next := at
		for rest := buf; len(rest) > 0; {
			var b kafka.Batch
			if b, rest, err = kafka.NextBatch(rest); err != nil {
				return readError(l, err)
			}
			if b.NextOffset() > at {
				if err := fn(b); err != nil {
					return err
				}
			}
			next = b.NextOffset()
		}
		if next == at {
			// Compaction has left nothing between here and the next segment.
			if next = l.nextSegment(at); next == at {
				return l.endsAt(at, end)
			}
		}
		at = next
	}
	return nil
}

// endsAt says whether a log may have no batch between an offset and its end: compaction
// and repairs may have taken the last ones out of a segment that they have rewritten.
func (l *Log) endsAt(offset, end int64) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if n := len(l.segs); n > 0 && l.segs[n-1].gen > 0 && l.segs[n-1].next >= end && len(l.tail) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s ends at offset %d, but nothing can be read from %d on: check it with `leat doctor`", kerr.KafkaStorageError, l.id, end, offset)
}

// readUpTo copies batches that begin below limit to the start of buf, which it may
// replace by a larger one.
func (l *Log) readUpTo(buf []byte, offset, limit int64, maxBytes int) ([]byte, error) {
	r, err := l.find(offset, limit, maxBytes, true)
	if err != nil {
		return buf[:0], err
	}
	defer r.Release()
	buf = slices.Grow(buf[:0], r.size)[:r.size]
	if r.size == 0 {
		return buf, nil
	}
	_, err = r.ReadAt(buf, 0)
	return buf, err
}

// nextSegment returns the base offset of the first segment above offset, or
// offset when there is none.
func (l *Log) nextSegment(offset int64) int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, s := range l.segs {
		if s.base > offset {
			return s.base
		}
	}
	return offset
}
