package plog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/mutant"
)

// view returns a copy of the segment as far as its file may be read: next is the
// offset that follows its first size bytes. Called with mu held.
func (l *Log) view(seg *segment) segment {
	v := *seg
	if len(l.tail) > 0 && l.tail[0].seg.base <= seg.base {
		v.next = max(seg.base, l.tail[0].base)
	}
	return v
}

// checkedOf returns what is known about the segment's bytes.
func (l *Log) checkedOf(seg *segment) *checked {
	l.mu.RLock()
	c := seg.checked
	l.mu.RUnlock()
	if c != nil {
		return c
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if seg.checked == nil {
		seg.checked = new(checked)
	}
	return seg.checked
}

// wrote notes that a checkpoint has made these batches durable in their segments:
// written by this process from memory that it had checked. Called with mu held.
func (l *Log) wrote(batches []tailBatch) {
	for i := range batches {
		t := &batches[i]
		if t.seg.checked == nil {
			t.seg.checked = new(checked)
		}
		rel := func(offset int64) uint32 { return uint32(offset - t.seg.base) }
		t.seg.checked.wrote(place{t.at, rel(t.base)}, place{t.at + t.size, rel(t.last + 1)})
	}
}

// verify reads the batches of a segment (a view) from at on, up to the first one that
// begins at or behind byte upTo, and compares them with their checksums and with
// their neighbours, whether that was done before or not. What is good may be served
// from then on; damage is noted, logged and stepped over. It returns where it
// ended. The error is one of reading, of which nothing is remembered.
//
// The checksum of a batch does not cover base offset and leader epoch. The first is
// held against the end of the batch before: they follow each other, but in compacted
// segments, where one has to be at or above it; the second against the log's epochs.
func (l *Log) verify(seg *segment, c *checked, at place, upTo uint32) (place, error) {
	f, err := l.openSegment(seg, logSuffix)
	if err != nil {
		return at, err
	}
	defer l.store.files.done(f)
	w := l.newVerifier(seg, f)
	defer w.r.done()
	good := run{marks: []place{at}, end: at}
	for at.pos < min(upTo, seg.size) {
		end, reason, err := w.batch(at, seg.gen == 0)
		if err != nil {
			c.add(good)
			return at, readError(l, err)
		}
		if reason != "" {
			if end, err = w.after(at); err != nil {
				c.add(good)
				return at, readError(l, err)
			}
			c.add(good)
			l.foundDamage(seg, c, badPart{from: at, to: end, reason: reason})
			good = run{marks: []place{end}, end: end}
		} else {
			good.extend(at, end)
		}
		at = end
	}
	if at.pos == seg.size {
		// Compaction may have left nothing between the last batch and the next segment.
		at.rel = uint32(seg.next - seg.base)
		good.end = at
	}
	c.add(good)
	return at, nil
}

// verifyFor checks the part of the segment that holds the offset, and some of what
// follows, when that was not done yet.
func (l *Log) verifyFor(seg *segment, c *checked, offset int64, ahead uint32) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	rel := uint32(offset - seg.base)
	for {
		if c.knows(rel) {
			return nil
		}
		from, to := c.unchecked(rel, seg.size)
		if from.pos >= seg.size || from.pos >= to {
			if c.knows(rel) {
				return nil // a scrub, which takes no turn, has just been here
			}
			return fmt.Errorf("offset %d of %s is in no part of segment %d (byte %d of %d)", offset, l.id, seg.base, from.pos, seg.size)
		}
		if p, ok := l.indexed(seg, rel); ok && p.pos > from.pos && p.pos < to {
			from = p
		}
		upTo := min(int64(to), int64(from.pos)+int64(max(ahead, verifyAhead)))
		if _, err := l.verify(seg, c, from, uint32(upTo)); err != nil {
			return err
		}
	}
}

// verifyAhead is how many bytes are checked at least, so that what is kept about a
// segment stays small however it is read.
const verifyAhead = 256 << 10

// indexed returns a place near the offset by the segment's index. An index has no
// checksum: its entry counts only when the batch there is whole and says the same.
func (l *Log) indexed(seg *segment, rel uint32) (place, bool) {
	if seg.index == 0 {
		return place{}, false
	}
	e, err := l.seek(seg, rel)
	if err != nil || e.pos == 0 || e.pos >= seg.size {
		return place{}, false
	}
	f, err := l.openSegment(seg, logSuffix)
	if err != nil {
		return place{}, false
	}
	defer l.store.files.done(f)
	w := l.newVerifier(seg, f)
	defer w.r.done()
	h, err := w.r.header(e.pos)
	if err != nil || h.LastOffset() != seg.base+int64(e.rel) {
		return place{}, false
	}
	at := place{e.pos, uint32(h.BaseOffset() - seg.base)}
	if _, reason, err := w.batch(at, true); err != nil || reason != "" {
		return place{}, false // the walk from a place that is known will tell
	}
	return at, true
}

// verifier compares batches of one segment with what they must be.
type verifier struct {
	seg    *segment
	r      *blockReader
	epochs []EpochStart
}

func (l *Log) newVerifier(seg *segment, f io.ReaderAt) *verifier {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return &verifier{seg: seg, r: newBlockReader(f, int64(seg.size)), epochs: l.epochs[:len(l.epochs):len(l.epochs)]}
}

// batch looks at the batch at a place and returns the next place, or why it is not
// what was written. exact says that its base offset must be the place's.
func (w *verifier) batch(at place, exact bool) (end place, reason string, err error) {
	h, err := w.r.header(at.pos)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return end, "the file or the segment ends within the batch's header", nil
	}
	if err != nil {
		return end, "", err
	}
	size, base, last := int64(h.Size()), h.BaseOffset(), h.LastOffset()
	want, crc := w.seg.base+int64(at.rel), h.CRC()
	stop := int64(at.pos) + size
	switch {
	case h.Magic() != 2:
		return end, fmt.Sprintf("no batch of format v2 begins here (magic %d)", h.Magic()), nil
	case size < kafka.BatchOverhead || stop > int64(w.seg.size):
		return end, fmt.Sprintf("the batch says that it has %d bytes, %d are left", size, int64(w.seg.size)-int64(at.pos)), nil
	case base < want || exact && base != want || last < base || last >= w.seg.next:
		return end, fmt.Sprintf("the batch says that it holds offsets %d to %d, expected from %d on and below %d", base, last, want, w.seg.next), nil
	case !wroteBy(w.epochs, base, h.LeaderEpoch()):
		return end, fmt.Sprintf("the batch at offset %d says that it was written in leader epoch %d, which did not write there", base, h.LeaderEpoch()), nil
	}
	sum, err := w.r.crc(int64(at.pos)+crcFrom, stop)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return end, "the file ends within the batch", nil
	}
	if err != nil {
		return end, "", err
	}
	if sum != crc && !mutant.On("unverified-read") {
		return end, fmt.Sprintf("the batch at offset %d fails its CRC: it has %08x, the bytes give %08x", base, crc, sum), nil
	}
	return place{uint32(stop), uint32(last + 1 - w.seg.base)}, "", nil
}

// crcFrom is where the bytes begin that a batch's checksum covers.
const crcFrom = 21

// wroteBy reports whether the epoch can have written the offset.
func wroteBy(epochs []EpochStart, offset int64, epoch int32) bool {
	for i := len(epochs) - 1; i >= 0; i-- {
		if epochs[i].Start <= offset {
			return epochs[i].Epoch == epoch
		}
	}
	return true // older than what is remembered
}

// after returns where good batches go on behind the damaged one at a place: where its
// length says, if a batch is there, else at the first batch that can be found; else
// the end of the segment.
func (w *verifier) after(at place) (place, error) {
	rest := place{w.seg.size, uint32(w.seg.next - w.seg.base)}
	h, err := w.r.header(at.pos)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return rest, nil
	}
	if err != nil {
		return rest, err
	}
	if next := int64(at.pos) + int64(h.Size()); next > int64(at.pos)+kafka.BatchOverhead {
		if next == int64(w.seg.size) {
			return rest, nil
		}
		if p, ok, err := w.begins(at, next); ok || err != nil {
			return p, err
		}
	}
	for pos := int64(at.pos) + 1; pos+kafka.BatchOverhead <= int64(w.seg.size); pos++ {
		if p, ok, err := w.begins(at, pos); ok || err != nil {
			return p, err
		}
	}
	return rest, nil
}

// begins reports whether a good batch with offsets above those at the place begins at
// pos. Most bytes are told by the first look.
func (w *verifier) begins(at place, pos int64) (p place, ok bool, err error) {
	h, err := w.r.bytes(pos, kafka.BatchOverhead)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	base := int64(binary.BigEndian.Uint64(h))
	if base <= w.seg.base+int64(at.rel) || base >= w.seg.next {
		return p, false, nil
	}
	p = place{uint32(pos), uint32(base - w.seg.base)}
	_, reason, err := w.batch(p, true)
	return p, err == nil && reason == "", err
}
