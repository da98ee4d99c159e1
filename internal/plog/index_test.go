package plog

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// wantIndexes makes a segment's indexes from its file by the rules of Kafka's
// LogSegment.append and onBecomeInactiveSegment, written down a second time.
func wantIndexes(t *testing.T, l *Log, seg *segment) (offsets, times []byte) {
	t.Helper()
	data, err := vfs.ReadFile(l.store.opt.FS, seg.file(l.dir(), logSuffix))
	if isNotExist(err) && seg.end == 0 {
		return nil, nil
	}
	if err != nil {
		t.Fatal(err)
	}
	maxTS, maxOffset, last := int64(-1), int64(-1), int64(-1)
	maybeTime := func() {
		if maxTS > last {
			times = binary.BigEndian.AppendUint64(times, uint64(maxTS))
			times = binary.BigEndian.AppendUint32(times, uint32(maxOffset-seg.base))
			last = maxTS
		}
	}
	since, pos := 0, 0
	for rest := data; len(rest) > 0; {
		b, next, err := kafka.NextBatch(rest)
		if err != nil {
			t.Fatalf("%s: byte %d: %v", seg.file("", logSuffix), pos, err)
		}
		if b.MaxTimestamp() > maxTS {
			maxTS, maxOffset = b.MaxTimestamp(), b.LastOffset()
		}
		if since > l.Config().IndexInterval {
			offsets = binary.BigEndian.AppendUint32(offsets, uint32(b.LastOffset()-seg.base))
			offsets = binary.BigEndian.AppendUint32(offsets, uint32(pos))
			maybeTime()
			since = 0
		}
		since += len(b)
		pos += len(b)
		rest = next
	}
	if seg != l.segs[len(l.segs)-1] {
		maybeTime()
	}
	return offsets, times
}

// The indexes do not depend on where checkpoints fell, on restarts, or on which
// batches went straight to their segment.
func TestIndexesFollowKafkasRules(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 4))
		fs := vfs.NewMem()
		s, _ := openStore(t, fs, 1)
		cfg := DefaultConfig()
		cfg.SegmentBytes = 150 << 10
		kills := seed%2 == 0 // recovery knows no configs and takes the default interval
		if !kills {
			cfg.IndexInterval = 500
		}
		l := mustSubmit(t, s, Create(testID(0), "t", cfg))[0].Log
		for i := range 120 {
			size := rng.IntN(3000)
			if rng.IntN(15) == 0 {
				size = 40 << 10
			}
			ts := int64(1000 + i + rng.IntN(20) - 10)
			if rng.IntN(10) == 0 {
				ts = -1
			}
			mustSubmit(t, s, Append(l, batchOf(ts, strings.Repeat("v", size))))
			switch rng.IntN(12) {
			case 0:
				if err := s.Checkpoint(); err != nil {
					t.Fatal(err)
				}
			case 1:
				epoch := s.opt.Epoch + 1
				if kills && rng.IntN(2) == 0 {
					s.Abandon()
					fs = fs.Kill()
				} else if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s, _ = openStore(t, fs, epoch)
				l = s.Log(testID(0))
				l.SetConfig(cfg)
			}
		}
		if err := s.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		if len(l.segs) < 2 {
			t.Fatalf("%d segments", len(l.segs))
		}
		checkIndexes(t, l)
		s.Close()
	}
}

// Segments roll by size, by the span of their timestamps, and by the width of
// offsets in the index, as Kafka's LogSegment.shouldRoll has it.
func TestSegmentsRoll(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_000_000)
	at := func(ms int64) kafka.Batch { return batchOf(ms, "v") }
	size := int64(len(at(1)))
	for _, c := range []struct {
		name    string
		cfg     func(*Config)
		batches []int64 // timestamps
		later   []time.Duration
		want    string // base offsets
	}{
		{"by size: as many as fit", func(c *Config) { c.SegmentBytes = 2 * size }, []int64{1, 1, 1, 1, 1}, nil, "[0 2 4]"},
		{"by size: one byte too few", func(c *Config) { c.SegmentBytes = 2*size - 1 }, []int64{1, 1, 1}, nil, "[0 1 2]"},
		{"a batch larger than a segment", func(c *Config) { c.SegmentBytes = 10 }, []int64{1, 1}, nil, "[0 1]"},
		{"by time: the span of timestamps", func(c *Config) { c.SegmentAge = time.Second }, []int64{5000, 6000, 6001, 7001, 7002}, nil, "[0 2 4]"},
		{"by time: older timestamps never", func(c *Config) { c.SegmentAge = time.Second }, []int64{5000, 1, 2}, nil, "[0]"},
		{"by time: without timestamps the clock", func(c *Config) { c.SegmentAge = time.Second }, []int64{-1, -1, -1}, []time.Duration{0, time.Second, time.Second + time.Millisecond}, "[0 2]"},
	} {
		opt := testOptions(vfs.NewMem(), 1)
		clock := now
		opt.Now = func() time.Time { return clock }
		s, _, err := Open(opt)
		if err != nil {
			t.Fatal(err)
		}
		cfg := DefaultConfig()
		c.cfg(&cfg)
		l := mustSubmit(t, s, Create(testID(0), "t", cfg))[0].Log
		for i, ts := range c.batches {
			if i < len(c.later) {
				clock = now.Add(c.later[i])
			}
			mustSubmit(t, s, Append(l, at(ts)))
		}
		var bases []int64
		for _, seg := range l.segs {
			bases = append(bases, seg.base)
		}
		if got := fmt.Sprint(bases); got != c.want {
			t.Errorf("%s: segments at %s, want %s", c.name, got, c.want)
		}
		s.Close()
	}
}

// Offsets in an index are 31 bits wide, relative to the segment's base.
func TestSegmentRollsBeforeOffsetsOverflowTheIndex(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t, vfs.NewMem(), 1)
	defer s.Close()
	l := createLog(t, s, 0)
	mustSubmit(t, s, Append(l, batchOf(1, "a")))
	l.mu.Lock()
	l.next = 1<<31 - 2 // as compaction of something long can leave it
	l.mu.Unlock()
	mustSubmit(t, s, Append(l, batchOf(1, "b", "c"))) // last offset 2^31 - 1
	mustSubmit(t, s, Append(l, batchOf(1, "d")))
	if len(l.segs) != 2 || l.segs[1].base != 1<<31 {
		t.Errorf("%d segments, the last at %d", len(l.segs), l.segs[len(l.segs)-1].base)
	}
}
