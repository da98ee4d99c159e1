package plog

import (
	"cmp"
	"errors"
	"slices"

	"github.com/leatdev/leat/internal/kafka"
)

// Stamp is a record's place in time: offset -1 when there is none.
type Stamp struct {
	Offset    int64
	Timestamp int64 // ms since 1970
	Epoch     int32 // leader epoch
}

var noStamp = Stamp{Offset: -1, Timestamp: -1, Epoch: -1}

// openLimit bounds what a compressed batch may open to when records are looked at.
const openLimit = 256 << 20

// FirstAt returns the first record whose timestamp is ts or later and which
// can be read (ListOffsets by time).
func (l *Log) FirstAt(ts int64) (Stamp, error) {
	from := l.start.Load()
	l.mu.RLock()
	segs := make([]segment, 0, len(l.segs))
	for _, s := range l.segs {
		if s.maxTS >= ts && s.next > from {
			segs = append(segs, *s)
		}
	}
	l.mu.RUnlock()
	for i := range segs {
		st, err := l.firstAtIn(&segs[i], ts, from)
		if errors.Is(err, errMoved) {
			return l.FirstAt(ts)
		}
		if err != nil || st.Offset >= 0 {
			return st, err
		}
	}
	return noStamp, nil
}

func (l *Log) firstAtIn(seg *segment, ts, from int64) (Stamp, error) {
	at := max(seg.base, from)
	if seg.times > 0 {
		f, err := l.openSegment(seg, timeSuffix)
		if err != nil {
			return noStamp, err
		}
		rel, err := searchTimes(f, seg.times, ts)
		l.store.files.done(f)
		if err != nil {
			return noStamp, readError(l, err)
		}
		// The entry's batch is too old itself, but it is where the scan may begin.
		at = max(at, seg.base+int64(rel))
	}
	found := noStamp
	err := l.scan(at, seg.next, func(b kafka.Batch) (bool, error) {
		if b.MaxTimestamp() < ts {
			return true, nil
		}
		st, err := stampIn(b, from, func(r kafka.Record) bool { return r.Timestamp >= ts })
		found = st
		return st.Offset < 0, err
	})
	return found, err
}

// Newest returns the record with the largest timestamp that can be read, the
// first of them (ListOffsets -3, KIP-734).
func (l *Log) Newest() (Stamp, error) {
	from := l.start.Load()
	l.mu.RLock()
	var segs []segment
	for _, s := range l.segs {
		if s.next > from && s.maxTS >= 0 {
			segs = append(segs, *s)
		}
	}
	l.mu.RUnlock()
	slices.SortStableFunc(segs, func(a, b segment) int { return cmp.Compare(b.maxTS, a.maxTS) })
	found := noStamp
	for i := range segs {
		// A segment's largest timestamp may be that of a record below the log start
		// or not readable yet: then others have to be looked at, too.
		if found.Timestamp > segs[i].maxTS {
			break
		}
		st, err := l.newestIn(&segs[i], from)
		if errors.Is(err, errMoved) {
			return l.Newest()
		}
		if err != nil {
			return noStamp, err
		}
		if st.Timestamp > found.Timestamp || st.Timestamp == found.Timestamp && st.Offset >= 0 && st.Offset < found.Offset {
			found = st
		}
	}
	return found, nil
}

func (l *Log) newestIn(seg *segment, from int64) (Stamp, error) {
	at := max(seg.base, from)
	if seg.maxTSBase >= from && seg.maxTSBase < l.hw.Load() {
		at = seg.maxTSBase
	}
	found := noStamp
	err := l.scan(at, seg.next, func(b kafka.Batch) (bool, error) {
		if b.MaxTimestamp() <= found.Timestamp {
			return true, nil
		}
		// Of a batch that lies partly below the log start less may be left than
		// its header says.
		best := found.Timestamp
		_, err := stampIn(b, from, func(r kafka.Record) bool { best = max(best, r.Timestamp); return best == b.MaxTimestamp() })
		if err != nil || best == found.Timestamp {
			return true, err
		}
		found, err = stampIn(b, from, func(r kafka.Record) bool { return r.Timestamp == best })
		return found.Timestamp < seg.maxTS, err
	})
	return found, err
}

// scan calls fn with the batches that hold offsets from..to, below the high
// watermark, while it returns true.
func (l *Log) scan(from, to int64, fn func(kafka.Batch) (more bool, err error)) error {
	const chunk = 256 << 10
	to = min(to, l.hw.Load())
	var buf []byte
	for from < to {
		var err error
		if buf, err = l.readUpTo(buf, from, to, chunk); err != nil || len(buf) == 0 {
			return err
		}
		for rest := buf; len(rest) > 0 && from < to; {
			var b kafka.Batch
			if b, rest, err = kafka.NextBatch(rest); err != nil {
				return readError(l, err)
			}
			if more, err := fn(b); err != nil || !more {
				return err
			}
			from = b.NextOffset()
		}
	}
	return nil
}

// stampIn returns the first record of the batch, at or above from, that is wanted.
func stampIn(b kafka.Batch, from int64, want func(kafka.Record) bool) (Stamp, error) {
	for r, err := range b.Records(openLimit) {
		if err != nil {
			return noStamp, err
		}
		if b.LogAppendTime() {
			r.Timestamp = b.MaxTimestamp()
		}
		if r.Offset >= from && want(r) {
			return Stamp{r.Offset, r.Timestamp, b.LeaderEpoch()}, nil
		}
	}
	return noStamp, nil
}
