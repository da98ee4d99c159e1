package plog

import (
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/kafka"
)

// Read returns whole batches, as they lie in the log, from the one that holds
// offset on: at most maxBytes of them, but at least one when minOne is set
// (KIP-74), and none at or above the high watermark. Nothing when offset is the
// high watermark; kerr.OffsetOutOfRange outside of log start and high
// watermark. The bytes are the caller's.
func (l *Log) Read(offset int64, maxBytes int, minOne bool) ([]byte, error) {
	for {
		hw := l.hw.Load()
		if offset < l.start.Load() || offset > hw {
			return nil, kerr.OffsetOutOfRange
		}
		if offset == hw {
			return nil, nil
		}
		b, err := l.readUpTo(offset, hw, maxBytes, minOne)
		if errors.Is(err, errMoved) {
			continue
		}
		return b, err
	}
}

// errMoved says that retention or compaction took a segment away between
// finding and opening it: look again.
var errMoved = errors.New("segment has moved")

func (l *Log) readUpTo(offset, limit int64, maxBytes int, minOne bool) ([]byte, error) {
	l.mu.RLock()
	switch {
	case l.fence != nil:
		defer l.mu.RUnlock()
		return nil, fmt.Errorf("%w: %s is fenced: %w", kerr.KafkaStorageError, l.id, l.fence)
	case l.gone:
		defer l.mu.RUnlock()
		return nil, kerr.UnknownTopicOrPartition
	case len(l.tail) > 0 && l.tail[0].base <= offset:
		return l.readTail(offset, limit, maxBytes, minOne) // unlocks
	}
	i := sort.Search(len(l.segs), func(i int) bool { return l.segs[i].next > offset })
	if i == len(l.segs) {
		defer l.mu.RUnlock()
		return nil, nil
	}
	seg := *l.segs[i]
	l.mu.RUnlock()
	b, found, err := l.readSegment(&seg, max(offset, seg.base), limit, maxBytes, minOne)
	if err == nil && !found && seg.next < limit {
		// Compaction has left nothing here from offset on: the next segment has it.
		return l.readUpTo(seg.next, limit, maxBytes, minOne)
	}
	return b, err
}

// readTail copies batches from memory. Called with mu held for reading; lets go
// of it.
func (l *Log) readTail(offset, limit int64, maxBytes int, minOne bool) ([]byte, error) {
	i := sort.Search(len(l.tail), func(i int) bool { return l.tail[i].last >= offset })
	size, n := 0, i
	for ; n < len(l.tail); n++ {
		t := &l.tail[n]
		if t.last >= limit || t.ref() || size+int(t.size) > maxBytes && !(minOne && size == 0) {
			break
		}
		size += int(t.size)
	}
	if n == i && n < len(l.tail) && l.tail[n].ref() && l.tail[n].last < limit {
		t := l.tail[n]
		seg := *t.seg
		l.mu.RUnlock()
		if int(t.size) > maxBytes && !minOne {
			return nil, nil
		}
		return l.readRange(&seg, int64(t.at), int(t.size))
	}
	out := make([]byte, 0, size)
	for ; i < n; i++ {
		out = append(out, l.tail[i].frame.Data...)
	}
	l.mu.RUnlock()
	return out, nil
}

// readSegment reads from the segment's file: an index look-up, then forward.
// found says whether the segment holds a batch at or behind offset at all.
func (l *Log) readSegment(seg *segment, offset, limit int64, maxBytes int, minOne bool) (_ []byte, found bool, _ error) {
	if seg.size == 0 {
		return nil, false, nil
	}
	pos, err := l.seek(seg, offset)
	if err != nil {
		return nil, false, err
	}
	f, err := l.openSegment(seg, logSuffix)
	if err != nil {
		return nil, false, err
	}
	defer l.store.files.done(f)
	start, first, err := findBatch(f, pos, seg.size, offset)
	if err != nil || first == 0 {
		return nil, false, readError(l, err)
	}
	want := min(int64(maxBytes), int64(seg.size)-start)
	if want < int64(first) {
		if !minOne {
			return nil, true, nil
		}
		want = int64(first)
	}
	buf := make([]byte, want)
	if _, err := f.ReadAt(buf, start); err != nil && !errors.Is(err, io.EOF) {
		return nil, true, readError(l, err)
	}
	return wholeBatches(buf, limit), true, nil
}

// seek returns where a scan for offset starts.
func (l *Log) seek(seg *segment, offset int64) (uint32, error) {
	if seg.index == 0 {
		return 0, nil
	}
	ix, err := l.openSegment(seg, indexSuffix)
	if err != nil {
		return 0, err
	}
	defer l.store.files.done(ix)
	pos, err := searchIndex(ix, seg.index, uint32(offset-seg.base))
	if err != nil {
		return 0, readError(l, err)
	}
	return pos, nil
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

func (l *Log) readRange(seg *segment, at int64, size int) ([]byte, error) {
	f, err := l.openSegment(seg, logSuffix)
	if err != nil {
		return nil, err
	}
	defer l.store.files.done(f)
	buf := make([]byte, size)
	if _, err := f.ReadAt(buf, at); err != nil {
		return nil, readError(l, err)
	}
	return buf, nil
}

// findBatch walks batch headers from pos until the one that holds offset or a
// later one, and returns its place and size; size 0 when there is none.
func findBatch(f io.ReaderAt, pos, end uint32, offset int64) (at int64, size int, err error) {
	var h [kafka.BatchOverhead]byte
	for at := int64(pos); at+kafka.BatchOverhead <= int64(end); {
		if _, err := f.ReadAt(h[:], at); err != nil {
			return 0, 0, err
		}
		b := kafka.Batch(h[:])
		n := b.Size()
		if b.Magic() != 2 || n < kafka.BatchOverhead || at+int64(n) > int64(end) {
			return 0, 0, fmt.Errorf("%w: no batch at byte %d of the segment", kerr.KafkaStorageError, at)
		}
		if b.LastOffset() >= offset {
			return at, n, nil
		}
		at += int64(n)
	}
	return 0, 0, nil
}

// wholeBatches cuts buf behind the last whole batch that ends below limit.
func wholeBatches(buf []byte, limit int64) []byte {
	n := 0
	for rest := buf; ; {
		b, next, err := kafka.NextBatch(rest)
		if err != nil || b.LastOffset() >= limit {
			return buf[:n]
		}
		n += len(b)
		rest = next
	}
}

func readError(l *Log, err error) error {
	if err == nil || errors.Is(err, kerr.KafkaStorageError) || errors.Is(err, errMoved) {
		return err
	}
	return fmt.Errorf("%w: reading %s: %w", kerr.KafkaStorageError, l.id, err)
}

// Available returns how many bytes Read would have from offset on, counted no
// further than most, without reading them.
func (l *Log) Available(offset int64, most int) int {
	hw := l.hw.Load()
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
// valid during the call.
func (l *Log) ReadAll(fn func(kafka.Batch) error) error {
	const chunk = 1 << 20
	l.mu.RLock()
	at, end := l.first, l.next
	l.mu.RUnlock()
	for at < end {
		buf, err := l.readUpTo(at, end, chunk, true)
		if errors.Is(err, errMoved) {
			continue
		}
		if err != nil {
			return err
		}
		next := at
		for len(buf) > 0 {
			b, rest, err := kafka.NextBatch(buf)
			if err != nil {
				return readError(l, err)
			}
			if b.NextOffset() > at {
				if err := fn(b); err != nil {
					return err
				}
			}
			next = b.NextOffset()
			buf = rest
		}
		if next == at {
			// Compaction has left nothing between here and the next segment.
			if next = l.nextSegment(at); next == at {
				return nil
			}
		}
		at = next
	}
	return nil
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
