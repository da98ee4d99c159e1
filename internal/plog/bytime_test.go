package plog

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// byTimeModel is the log as a list of records.
type byTimeModel struct {
	times []int64 // by offset
	start int64
	end   int64 // readable up to here
}

func (m *byTimeModel) firstAt(ts int64) (int64, int64) {
	for o := m.start; o < m.end; o++ {
		if m.times[o] >= ts {
			return o, m.times[o]
		}
	}
	return -1, -1
}

func (m *byTimeModel) newest() (int64, int64) {
	offset, ts := int64(-1), int64(-1)
	for o := m.start; o < m.end; o++ {
		if m.times[o] > ts {
			offset, ts = o, m.times[o]
		}
	}
	return offset, ts
}

// FirstAt and Newest answer what a walk over all records would, wherever the
// batches stand (tail, segment, not durable yet), with times out of order and
// log starts in the middle of batches.
func TestByTimeAgainstAModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 8))
		mem := vfs.NewMem()
		faulty := vfs.NewFaulty(mem)
		s, _ := openStore(t, faulty, 1)
		cfg := DefaultConfig()
		cfg.SegmentBytes, cfg.IndexInterval = 600, 100
		l := mustSubmit(t, s, Create(testID(0), "t", cfg))[0].Log
		var m byTimeModel
		add := func() kafka.Batch {
			rs := make([]kafka.Record, 1+rng.IntN(4))
			for i := range rs {
				rs[i] = kafka.Record{Timestamp: 100 + rng.Int64N(30) + int64(len(m.times)/3), Value: []byte("v")}
				m.times = append(m.times, rs[i].Timestamp)
			}
			return kafka.Build(kafka.BatchSpec{}, rs)
		}
		check := func(when string) {
			t.Helper()
			m.end = l.HighWatermark()
			for ts := int64(95); ts < 180; ts += 1 + rng.Int64N(6) {
				o, at := m.firstAt(ts)
				if st, err := l.FirstAt(ts); err != nil || st.Offset != o || st.Timestamp != at {
					t.Fatalf("seed %d, %s: first at %d: %+v, %v; want %d (%d)", seed, when, ts, st, err, o, at)
				}
			}
			o, at := m.newest()
			if st, err := l.Newest(); err != nil || st.Offset != o || st.Timestamp != at {
				t.Fatalf("seed %d, %s: newest: %+v, %v; want %d (%d)", seed, when, st, err, o, at)
			}
		}
		check("empty")
		for range 40 {
			mustSubmit(t, s, Append(l, add()))
			switch rng.IntN(8) {
			case 0:
				if err := s.Checkpoint(); err != nil {
					t.Fatal(err)
				}
			case 1:
				m.start = max(m.start, int64(len(m.times))-1-rng.Int64N(30))
				mustSubmit(t, s, SetStart(l, m.start))
			}
			if rng.IntN(5) == 0 {
				check("in between")
			}
		}
		// Appended and not durable: not to be seen, and in nobody's way.
		gate := faulty.Gate(vfs.OpSync, "*.wal")
		for range 3 {
			if _, _, err := s.Submit(Append(l, add())); err != nil {
				t.Fatal(err)
			}
		}
		check("while a flush stands")
		gate.Open()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Retention takes whole segments from the front, by the rules of Kafka's
// UnifiedLog.deleteOldSegments.
func TestRetention(t *testing.T) {
	t.Parallel()
	one := int64(len(batchOf(1, "v")))
	for _, c := range []struct {
		name  string
		cfg   func(*Config)
		times []int64 // one batch each, one segment each
		now   int64
		want  int64 // log start
	}{
		{"nothing is set", func(c *Config) {}, []int64{1, 2, 3}, 1 << 40, 0},
		{"by age: older than, not as old as", func(c *Config) { c.RetentionAge = time.Second }, []int64{1000, 1001, 1002}, 2001, 1},
		{"by age: up to the first that is young", func(c *Config) { c.RetentionAge = time.Second }, []int64{1000, 9000, 1000, 1000}, 5000, 1},
		{"by age: the last one, too", func(c *Config) { c.RetentionAge = time.Second }, []int64{1000, 1000}, 5000, 2},
		{"by age: never without timestamps", func(c *Config) { c.RetentionAge = time.Second }, []int64{-1, 1000}, 5000, 0},
		{"by size: as long as the rest is enough", func(c *Config) { c.RetentionBytes = 2 * one }, []int64{1, 1, 1, 1, 1}, 1, 3},
		{"by size: one byte more keeps one more", func(c *Config) { c.RetentionBytes = 2*one + 1 }, []int64{1, 1, 1, 1, 1}, 1, 2},
		{"by size: never the last one", func(c *Config) { c.RetentionBytes = 0 }, []int64{1, 1, 1}, 1, 2},
		{"both: what either asks for", func(c *Config) { c.RetentionBytes = 2 * one; c.RetentionAge = time.Second }, []int64{1000, 1000, 1000, 1000, 9000}, 5000, 4},
		{"compacted only", func(c *Config) { c.Delete, c.Compact = false, true; c.RetentionBytes = 0; c.RetentionAge = 0 }, []int64{1, 1, 1}, 1 << 40, 0},
	} {
		for _, tail := range []bool{true, false} {
			s, _ := openStore(t, vfs.NewMem(), 1)
			cfg := DefaultConfig()
			cfg.RetentionAge, cfg.SegmentBytes = -1, one
			c.cfg(&cfg)
			l := mustSubmit(t, s, Create(testID(0), "t", cfg))[0].Log
			for _, ts := range c.times {
				mustSubmit(t, s, Append(l, batchOf(ts, "v")))
			}
			if !tail {
				if err := s.Checkpoint(); err != nil {
					t.Fatal(err)
				}
			}
			moved, err := l.Retain(time.UnixMilli(c.now))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil { // which makes it durable, too
				t.Fatal(err)
			}
			if l.Start() != c.want || moved != (c.want > 0) {
				t.Errorf("%s (tail %v): starts at %d (moved %v), want %d", c.name, tail, l.Start(), moved, c.want)
			}
			checkFiles(t, s.opt.FS, l)
			if len(l.segs) != len(c.times)-int(c.want) {
				t.Errorf("%s (tail %v): %d segments are left", c.name, tail, len(l.segs))
			}
		}
	}
}

// Every start is an epoch; what an epoch wrote and where it ended is known over
// restarts (KIP-101).
func TestEpochs(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	s, _ := openStore(t, mem, 1)
	l := createLog(t, s, 0)
	write := func(n int) {
		for range n {
			mustSubmit(t, s, Append(l, batchOf(1, "v")))
		}
	}
	next := func(epoch int32, clean bool) {
		if clean {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		} else {
			s.Abandon()
			mem = mem.Crash(vfs.KeepNone, 0)
		}
		s, _ = openStore(t, mem, epoch)
		l = s.Log(testID(0))
	}
	if e, end := l.EpochEnd(1); e != 1 || end != 0 {
		t.Errorf("nothing written: epoch %d ends at %d", e, end)
	}
	write(3)
	next(2, true) // writes nothing
	next(3, false)
	write(2)
	next(5, false)
	write(1)
	next(6, true)
	defer s.Close()
	for _, c := range []struct {
		ask, epoch int32
		end        int64
	}{{0, 0, 0}, {1, 1, 3}, {2, 1, 3}, {3, 3, 5}, {4, 3, 5}, {5, 5, 6}, {6, 5, 6}} {
		if e, end := l.EpochEnd(c.ask); e != c.epoch || end != c.end {
			t.Errorf("asked for epoch %d: %d ends at %d, want %d at %d", c.ask, e, end, c.epoch, c.end)
		}
	}
	for offset, want := range []int32{1, 1, 1, 3, 3, 5} {
		if got := l.EpochAt(int64(offset)); got != want {
			t.Errorf("offset %d: epoch %d, want %d", offset, got, want)
		}
	}
}
