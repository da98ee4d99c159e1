package plog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/leatdev/leat/internal/kafka"
)

// BadRange is a stretch of a segment's log file that holds no batch that checks.
type BadRange struct {
	// At and Bytes are where it lies in the file.
	At    int64 `json:"at"`
	Bytes int64 `json:"bytes"`
	// First and Last are the offsets between the good batches around it: what is
	// lost. In a compacted log some of them may have been empty before.
	First int64 `json:"first"`
	Last  int64 `json:"last"`
	// Reason is what the first bytes of it are found to be.
	Reason string `json:"reason"`
}

func (r BadRange) String() string {
	return fmt.Sprintf("%d bytes at %d (offsets %d to %d): %s", r.Bytes, r.At, r.First, r.Last, r.Reason)
}

// SegmentCheck is what reading every byte of one segment found.
type SegmentCheck struct {
	// File is the name of the log file, without its directory.
	File string `json:"file"`
	// Bytes of the log file that count, Batches and Records that check.
	Bytes   int64 `json:"bytes"`
	Batches int64 `json:"batches"`
	Records int64 `json:"records"`
	// First is the base offset of the first good batch, Next the offset after the
	// last one; both the segment's base when there is none.
	First int64 `json:"first"`
	Next  int64 `json:"next"`
	// IndexEntries and TimeEntries agree with the log.
	IndexEntries int `json:"index_entries"`
	TimeEntries  int `json:"time_entries"`
	// Bad are the damaged ranges of the log file, in order.
	Bad []BadRange `json:"bad,omitempty"`
	// Wrong says what else does not agree: indexes, sizes.
	Wrong []string `json:"wrong,omitempty"`

	before []int64 // good records before each of Bad
}

// OK reports whether nothing was found wrong.
func (c *SegmentCheck) OK() bool { return len(c.Bad) == 0 && len(c.Wrong) == 0 }

func (c *SegmentCheck) wrong(format string, args ...any) {
	if len(c.Wrong) < 20 { // the rest says the same
		c.Wrong = append(c.Wrong, fmt.Sprintf(format, args...))
	}
}

// survey reads a segment from its first byte to its last, steps over what is
// damaged, and compares the indexes with what it has seen.
type survey struct {
	log io.ReaderAt
	// size bytes of log hold batches with offsets from base on; next is the offset
	// after the last one, -1 when that is not known.
	size, base, next int64
	// exact says that batches follow each other without a gap, as in a segment that
	// was never compacted. epochs are the log's; a batch must be of the one that
	// wrote there. The checksum covers neither.
	exact  bool
	epochs []EpochStart
	// index and times are the whole index files.
	index, times []byte
	// each is called with every good batch and its place. The batch is valid
	// during the call.
	each func(at int64, b kafka.Batch) error

	out       *SegmentCheck
	window    []byte
	from      int64 // where the window lies
	behindBad bool  // what was before is damaged: offsets need not follow
}

// surveyWindow is how much of a segment is read at a time; more for one batch
// that is larger.
const surveyWindow = 1 << 20

// run fills out. An error is one of ctx or each: damage is no error.
func (s *survey) run(ctx context.Context, out *SegmentCheck) error {
	s.out = out
	out.Bytes, out.First, out.Next = s.size, s.base, s.base
	ix := indexWalk{survey: s}
	for at := int64(0); at < s.size; {
		b, err := s.batchAt(at)
		if cerr := context.Cause(ctx); cerr != nil {
			return cerr
		}
		if err != nil {
			bad, err := s.damage(ctx, at, err)
			if err != nil {
				return err
			}
			out.Bad, out.before = append(out.Bad, bad), append(out.before, out.Records)
			at += bad.Bytes
			continue
		}
		s.behindBad = false
		if out.Batches == 0 {
			out.First = b.BaseOffset()
		}
		out.Batches++
		out.Records += int64(b.NumRecords())
		out.Next = b.NextOffset()
		ix.batch(at, b)
		if s.each != nil {
			if err := s.each(at, b); err != nil {
				return err
			}
		}
		at += int64(len(b))
	}
	if s.next >= 0 && out.Next != s.next && len(out.Bad) == 0 && out.Batches > 0 {
		out.wrong("it ends at offset %d, not at %d", out.Next, s.next)
	}
	ix.end()
	return nil
}

// errNotHere says that no batch that could be ours begins at a place.
var errNotHere = errors.New("no record batch begins here")

// batchAt returns the good batch at a place that goes on from those before.
func (s *survey) batchAt(at int64) (kafka.Batch, error) {
	if at+kafka.BatchOverhead > s.size {
		return nil, fmt.Errorf("%w: %d bytes are left", errNotHere, s.size-at)
	}
	head, err := s.bytes(at, kafka.BatchOverhead)
	if err != nil {
		return nil, err
	}
	b := kafka.Batch(head)
	n := int64(b.Size())
	switch {
	case b.Magic() != 2:
		return nil, fmt.Errorf("%w: magic is %d", errNotHere, b.Magic())
	case n < kafka.BatchOverhead || n > s.size-at:
		return nil, fmt.Errorf("%w: length says %d bytes, %d are left", errNotHere, n, s.size-at)
	case b.BaseOffset() < s.out.Next || b.LastOffsetDelta() < 0 || s.exact && !s.behindBad && b.BaseOffset() != s.out.Next:
		return nil, fmt.Errorf("%w: offsets %d to %d, though %d is next", errNotHere, b.BaseOffset(), b.LastOffset(), s.out.Next)
	case b.LastOffset()-s.base > math.MaxInt32:
		return nil, fmt.Errorf("%w: offsets %d to %d are further from the segment's base than an index can say", errNotHere, b.BaseOffset(), b.LastOffset())
	case !wroteBy(s.epochs, b.BaseOffset(), b.LeaderEpoch()):
		return nil, fmt.Errorf("%w: leader epoch %d, which did not write at offset %d", errNotHere, b.LeaderEpoch(), b.BaseOffset())
	case s.next >= 0 && b.NextOffset() > s.next:
		return nil, fmt.Errorf("%w: offsets %d to %d, though the segment ends at %d", errNotHere, b.BaseOffset(), b.LastOffset(), s.next)
	}
	whole, err := s.bytes(at, int(n))
	if err != nil {
		return nil, err
	}
	return kafka.Batch(whole), kafka.Batch(whole).VerifyCRC()
}

// damage finds how far the damage at a place goes: to the next good batch, where
// the bad one's length says it is or wherever else one is found.
func (s *survey) damage(ctx context.Context, at int64, reason error) (BadRange, error) {
	bad := BadRange{At: at, First: s.out.Next, Reason: reason.Error()}
	s.behindBad = true
	end, err := s.resume(ctx, at)
	if err != nil {
		return bad, err
	}
	bad.Bytes = end - at
	bad.Last = s.next - 1
	if end < s.size {
		b, err := s.batchAt(end)
		if err != nil {
			return bad, err
		}
		bad.Last = b.BaseOffset() - 1
	}
	if s.next < 0 && end == s.size {
		bad.Last = bad.First - 1 // nobody knows what was there
	}
	return bad, nil
}

// resume returns where the next good batch behind at begins; the end when there
// is none.
func (s *survey) resume(ctx context.Context, at int64) (int64, error) {
	if head, err := s.bytes(at, kafka.BatchOverhead); err == nil {
		n := int64(kafka.Batch(head).Size())
		if n >= kafka.BatchOverhead && n < s.size-at {
			if _, err := s.batchAt(at + n); err == nil {
				return at + n, nil
			}
		}
	}
	for p := at + 1; p+kafka.BatchOverhead <= s.size; p++ {
		head, err := s.bytes(p, kafka.BatchOverhead)
		if cerr := context.Cause(ctx); cerr != nil {
			return 0, cerr
		}
		if err != nil {
			p = p&^4095 + 4095 // a block that cannot be read
			continue
		}
		if kafka.Batch(head).Magic() != 2 {
			continue
		}
		if _, err := s.batchAt(p); err == nil {
			return p, nil
		}
	}
	return s.size, nil
}

// bytes returns n bytes of the log file, which lie within its size. They are
// valid until the next call.
func (s *survey) bytes(at int64, n int) ([]byte, error) {
	n = int(min(int64(n), s.size-at))
	if off := at - s.from; off >= 0 && off+int64(n) <= int64(len(s.window)) {
		return s.window[off : off+int64(n)], nil
	}
	want := int(min(max(int64(n), surveyWindow), s.size-at))
	if cap(s.window) < want {
		s.window = make([]byte, want)
	}
	s.window, s.from = s.window[:want], at
	got, err := s.log.ReadAt(s.window, at)
	if got < want {
		// What lies before the block that cannot be read is as good as ever.
		s.window = s.window[:got]
		if got < n {
			if err == nil || errors.Is(err, io.EOF) {
				err = fmt.Errorf("the file ends at byte %d", at+int64(got))
			}
			return nil, err
		}
	}
	return s.window[:n], nil
}

// indexWalk compares index entries with the batches, both in their order.
type indexWalk struct {
	*survey
	entry, time int   // the next entries to come
	position    int64 // of the last entry
	stamp       int64 // of the last time entry
}

func (w *indexWalk) entries() int { return len(w.index) / indexEntry }
func (w *indexWalk) stamps() int  { return len(w.times) / timeEntry }

func (w *indexWalk) batch(at int64, b kafka.Batch) {
	be := binary.BigEndian
	for w.entry < w.entries() {
		e := w.index[w.entry*indexEntry:]
		off, pos := w.base+int64(be.Uint32(e)), int64(be.Uint32(e[4:]))
		if pos > at {
			break
		}
		switch {
		case pos < at && !w.inBad(pos):
			w.out.wrong("index entry %d: no batch begins at byte %d", w.entry, pos)
		case pos == at && (off < b.BaseOffset() || off > b.LastOffset()):
			w.out.wrong("index entry %d: offset %d is not in the batch at byte %d (%d to %d)", w.entry, off, pos, b.BaseOffset(), b.LastOffset())
		case w.entry > 0 && pos <= w.position:
			w.out.wrong("index entry %d: byte %d does not follow byte %d", w.entry, pos, w.position)
		default:
			w.out.IndexEntries++
		}
		w.entry, w.position = w.entry+1, pos
	}
	for w.time < w.stamps() {
		e := w.times[w.time*timeEntry:]
		ts, off := int64(be.Uint64(e)), w.base+int64(be.Uint32(e[8:]))
		if off > b.LastOffset() {
			break
		}
		switch {
		case off < b.BaseOffset() && !w.lost(off):
			w.out.wrong("time index entry %d: offset %d is in no batch", w.time, off)
		case off >= b.BaseOffset() && ts != b.MaxTimestamp():
			w.out.wrong("time index entry %d: the batch with offset %d has timestamp %d, not %d", w.time, off, b.MaxTimestamp(), ts)
		case w.time > 0 && ts < w.stamp:
			w.out.wrong("time index entry %d: timestamp %d is older than %d before it", w.time, ts, w.stamp)
		default:
			w.out.TimeEntries++
		}
		w.time, w.stamp = w.time+1, ts
	}
}

// inBad and lost tell of places that the damage explains.
func (w *indexWalk) inBad(pos int64) bool {
	for _, r := range w.out.Bad {
		if pos >= r.At && pos < r.At+r.Bytes {
			return true
		}
	}
	return false
}

func (w *indexWalk) lost(off int64) bool {
	for _, r := range w.out.Bad {
		if off >= r.First && off <= r.Last {
			return true
		}
	}
	return false
}

func (w *indexWalk) end() {
	if len(w.index)%indexEntry != 0 {
		w.out.wrong("the index has %d bytes, which are no whole entries", len(w.index))
	}
	if len(w.times)%timeEntry != 0 {
		w.out.wrong("the time index has %d bytes, which are no whole entries", len(w.times))
	}
	damaged := len(w.out.Bad) > 0
	if n := w.entries() - w.entry; n > 0 && !damaged {
		w.out.wrong("%d index entries point behind the last batch", n)
	}
	if n := w.stamps() - w.time; n > 0 && !damaged {
		w.out.wrong("%d time index entries point behind the last batch", n)
	}
}
