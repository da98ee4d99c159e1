package plog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// LogCheck is what reading every byte of a log's segments found.
type LogCheck struct {
	ID       ID
	Topic    string // its name when the log was created
	Start    int64
	End      int64
	Segments []SegmentCheck
	// Wrong says what does not agree beyond single segments.
	Wrong []string
}

// OK reports whether nothing was found wrong.
func (c *LogCheck) OK() bool {
	for i := range c.Segments {
		if !c.Segments[i].OK() {
			return false
		}
	}
	return len(c.Wrong) == 0
}

// Check reads every byte of the log that is in segments: checksums, offsets,
// indexes, and what is remembered of idempotent producers. It neither trusts nor
// changes what the store knows. Writers go on meanwhile; what they append after
// the call began is not looked at. A segment that retention or compaction takes
// away meanwhile is left out.
func (l *Log) Check(ctx context.Context) (*LogCheck, error) {
	l.mu.RLock()
	st := l.snapshot()
	l.mu.RUnlock()
	c := &LogCheck{ID: l.id, Topic: l.name, Start: st.start, End: st.next}
	sent, txns := st.newestOfProducers(), newTxnWalk()
	at := int64(-1) // where the segment before ended
	for i := range st.segs {
		seg := &st.segs[i]
		if at >= 0 && seg.base < at {
			c.Wrong = append(c.Wrong, fmt.Sprintf("segment %d begins below offset %d, where the one before ends", seg.base, at))
		}
		at = seg.next
		out, err := l.checkSegment(ctx, seg, func(at int64, b kafka.Batch) error {
			return errors.Join(sent.saw(at, b), txns.batch(b))
		})
		if err == errMoved {
			sent, txns.broken = nil, true // nobody knows any more what was in it
			continue
		}
		if err != nil {
			return nil, err
		}
		txns.broken = txns.broken || len(out.Bad) > 0
		c.Segments = append(c.Segments, *out)
	}
	if n := len(st.segs); n > 0 && st.segs[n-1].next != st.next {
		c.Wrong = append(c.Wrong, fmt.Sprintf("the last segment ends at offset %d, the log at %d", st.segs[n-1].next, st.next))
	}
	c.Wrong = append(c.Wrong, sent.missing(&st, c)...)
	c.Wrong = append(c.Wrong, txns.wrong(l, &st)...)
	return c, nil
}

// checkSegment reads one segment as far as it is synced.
func (l *Log) checkSegment(ctx context.Context, seg *segment, each func(at int64, b kafka.Batch) error) (*SegmentCheck, error) {
	out := &SegmentCheck{File: path.Base(seg.file("", logSuffix))}
	if seg.size == 0 {
		out.First, out.Next = seg.base, seg.base
		return out, nil
	}
	f, err := l.openSegment(seg, logSuffix)
	if err == errMoved {
		return nil, err
	}
	if err != nil {
		out.Bad = []BadRange{{Bytes: int64(seg.size), First: seg.base, Last: seg.next - 1, Reason: err.Error()}}
		return out, nil
	}
	defer l.store.files.done(f)
	l.mu.RLock()
	epochs := l.epochs[:len(l.epochs):len(l.epochs)]
	l.mu.RUnlock()
	s := survey{log: f, size: int64(seg.size), base: seg.base, next: seg.next, exact: seg.gen == 0, epochs: epochs, each: each}
	if seg.size < seg.end {
		s.next = -1 // the rest is in the tail
	}
	for suffix, to := range s.indexes() {
		if *to, err = l.indexBytes(seg, suffix); err == errMoved {
			return nil, err
		} else if err != nil {
			out.wrong("%s: %v", suffix, err)
		}
	}
	return out, s.run(ctx, out)
}

// indexes are where the bytes of the index files go, by their suffixes, always in the
// same order.
func (s *survey) indexes() iter.Seq2[string, *[]byte] {
	return func(yield func(string, *[]byte) bool) {
		_ = yield(indexSuffix, &s.index) && yield(timeSuffix, &s.times)
	}
}

// indexBytes reads an index file as far as the segment knows of it.
func (l *Log) indexBytes(seg *segment, suffix string) ([]byte, error) {
	var n uint32
	for s, size := range seg.sizes() {
		if s == suffix {
			n = size
		}
	}
	if n == 0 {
		return nil, nil
	}
	f, err := l.openSegment(seg, suffix)
	if err != nil {
		return nil, err
	}
	defer l.store.files.done(f)
	b := make([]byte, n)
	if got, err := f.ReadAt(b, 0); got < len(b) {
		return nil, fmt.Errorf("%d of %d bytes are there: %w", got, n, err)
	}
	return b, nil
}

// sentBatches are the newest batches of a log's producers, by base offset, that
// have not been met in its segments.
type sentBatches map[int64]pidState

func (st *logState) newestOfProducers() sentBatches {
	sent := sentBatches{}
	end := int64(0) // of what is in segments
	for i := range st.segs {
		if s := &st.segs[i]; s.size == s.end {
			end = s.next
		}
	}
	for _, p := range st.pids {
		if n := len(p.recent); n > 0 && p.recent[n-1].base >= st.start && p.recent[n-1].base < end {
			sent[p.recent[n-1].base] = p
		}
	}
	return sent
}

func (m sentBatches) saw(_ int64, b kafka.Batch) error {
	p, ok := m[b.BaseOffset()]
	if !ok {
		return nil
	}
	r := p.recent[len(p.recent)-1]
	if b.ProducerID() == p.id && b.ProducerEpoch() == p.epoch && b.BaseSequence() == r.firstSeq && b.LastOffset() == r.last {
		delete(m, b.BaseOffset())
	}
	return nil
}

// missing says which producers' newest batches are not in the log, though no
// damage explains it.
func (m sentBatches) missing(st *logState, c *LogCheck) (out []string) {
	for _, p := range st.pids {
		n := len(p.recent)
		if n == 0 {
			continue
		}
		at := p.recent[n-1].base
		if q, ok := m[at]; ok && q.id == p.id && !c.lost(at) {
			out = append(out, fmt.Sprintf("the newest batch of producer %d, at offset %d, is not as it is remembered", p.id, at))
		}
	}
	return out
}

func (c *LogCheck) lost(off int64) bool {
	for i := range c.Segments {
		for _, r := range c.Segments[i].Bad {
			if off >= r.First && off <= r.Last {
				return true
			}
		}
	}
	return false
}

// CheckSegmentFiles reads all segments of a directory that holds a partition's
// files in Kafka's format, BASE.log with its indexes, whoever wrote them: no
// checkpoint says how long they are. Other files are left alone. Nothing may
// write there meanwhile.
func CheckSegmentFiles(ctx context.Context, fsys vfs.FS, dir string) ([]SegmentCheck, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return nil, err
	}
	var out []SegmentCheck
	for _, name := range names {
		var base int64
		if path.Ext(name) != logSuffix {
			continue
		}
		if n, err := fmt.Sscanf(name, "%020d", &base); n != 1 || err != nil {
			continue
		}
		c := SegmentCheck{File: name}
		if err := surveyFiles(ctx, fsys, path.Join(dir, name), base, &c); err != nil {
			return out, err
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s holds no segments (files like 00000000000000000000.log)", dir)
	}
	return out, nil
}

func surveyFiles(ctx context.Context, fsys vfs.FS, name string, base int64, out *SegmentCheck) error {
	f, err := fsys.OpenRead(name)
	if err != nil {
		return err
	}
	defer f.Close()
	s := survey{log: f, base: base, next: -1}
	if s.size, err = f.Size(); err != nil {
		return err
	}
	stem := name[:len(name)-len(logSuffix)]
	for suffix, to := range s.indexes() {
		if *to, err = vfs.ReadFile(fsys, stem+suffix); err != nil && !isNotExist(err) {
			return err
		}
	}
	return s.run(ctx, out)
}
