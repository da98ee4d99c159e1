package plog

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

func TestCompactKeepsTheNewestOfEachKey(t *testing.T) {
	k := newKeyed(t, vfs.NewMem(), compactConfig())
	k.put("a=1", "b=1", "a=2")
	k.put("c=1")
	k.put("b=2", "c=2")
	k.fill()
	k.put("a=3")
	size := k.l.Size()
	c := k.compact()
	// a=3 is behind the sealed segments: it supersedes nothing yet.
	wantOffsets(t, k, 2, 4, 5, 6, 7)
	if c.Passes != 1 || c.Kept != 3 || c.Dropped != 3 || c.After >= c.Before || k.l.Size() != size-c.Before+c.After {
		t.Errorf("%+v; the log has %d bytes, had %d", c, k.l.Size(), size)
	}
	if k.l.Start() != 0 || k.l.End() != 8 {
		t.Errorf("the log is %d to %d", k.l.Start(), k.l.End())
	}
	k.compact() // a=3 has completed the filler's segment
	if c := k.compact(); c.Passes != 0 {
		t.Errorf("nothing is dirty, but %+v", c)
	}
	k.fill()
	k.compact()
	wantOffsets(t, k, 4, 5, 6, 7, 8) // 8 is where a later filler is
	k.fill()
	k.compact()
	wantOffsets(t, k, 4, 5, 7, 8, 9)
}

// Tombstones stay for delete.retention.ms after the compaction that met them
// first (KIP-534), so that a reader who has seen the value sees the deletion.
func TestCompactAndTombstones(t *testing.T) {
	cfg := compactConfig()
	cfg.DeleteRetention = time.Minute
	k := newKeyed(t, vfs.NewMem(), cfg)
	k.put("a=1", "b=1")
	k.put("a")
	k.fill()
	k.compact()
	wantOffsets(t, k, 1, 2, 3)
	again := func(after time.Duration) {
		k.now.Add(after.Milliseconds())
		k.fill()
		k.compact()
	}
	again(59 * time.Second)
	wantOffsets(t, k, 1, 2, 3, 4)
	again(time.Second)
	wantOffsets(t, k, 1, 4, 5)
}

func TestCompactDropsRecordsWithoutKey(t *testing.T) {
	cfg := compactConfig()
	cfg.Compact = false
	k := newKeyed(t, vfs.NewMem(), cfg)
	mustSubmit(t, k.s, Append(k.l, batchOf(1, "no key")))
	k.sent = append(k.sent, sentRecord{})
	k.put("a=1")
	k.fill()
	if c := k.compact(); c.Passes != 0 {
		t.Errorf("not a compacted topic: %+v", c)
	}
	k.l.SetConfig(compactConfig())
	k.compact()
	wantOffsets(t, k, 1, 2)
}

// A batch that says gzip and is not was let in unopened while the topic was not
// compacted; it must neither be lost nor stop anything.
func TestCompactKeepsWhatItCannotOpen(t *testing.T) {
	k := newKeyed(t, vfs.NewMem(), compactConfig())
	k.put("a=1")
	bad := kafka.Build(kafka.BatchSpec{Codec: kafka.CodecGzip}, []kafka.Record{{Key: []byte("x")}})
	clear(bad[kafka.BatchOverhead:])
	bad.SetLogAppendTime(5) // computes the checksum anew
	mustSubmit(t, k.s, Append(k.l, bad))
	k.sent = append(k.sent, sentRecord{})
	k.put("a=2")
	k.fill()
	if c := k.compact(); c.Unread != 1 || c.Dropped != 1 {
		t.Errorf("%+v", c)
	}
	if buf, err := k.l.Read(1, 1, true); err != nil || string(buf) != string(bad) {
		t.Errorf("%d bytes, %v", len(buf), err)
	}
}

// The newest batch of a producer stays, empty if need be: who rebuilds the
// sequences from the log must find it.
func TestCompactKeepsTheLastSequence(t *testing.T) {
	mem := vfs.NewMem()
	cfg := compactConfig()
	k := newKeyed(t, mem, cfg)
	for seq := range int32(3) {
		b := kafka.Build(kafka.BatchSpec{Producer: &kafka.ProducerSpec{ID: 9, Sequence: seq}}, []kafka.Record{{Key: []byte("a"), Value: []byte("v")}})
		mustSubmit(t, k.s, Append(k.l, b))
		k.sent = append(k.sent, sentRecord{key: "a", value: "v"})
	}
	cfg.SegmentBytes = 1 // a segment of its own for all that follows
	k.l.SetConfig(cfg)
	k.put("a=2")
	k.fill()
	k.compact()
	wantOffsets(t, k, 3, 4)
	buf, err := k.l.Read(0, 1, true)
	if err != nil {
		t.Fatal(err)
	}
	if b := kafka.Batch(buf); b.BaseOffset() != 2 || b.NumRecords() != 0 || b.ProducerID() != 9 || b.LastSequence() != 2 {
		t.Errorf("offset %d, %d records, producer %d, sequence %d", b.BaseOffset(), b.NumRecords(), b.ProducerID(), b.LastSequence())
	}
	// A segment that holds nothing but that batch is as durable as any other.
	k.reopen(mem.Crash(vfs.KeepNone, 1), compactConfig())
	wantOffsets(t, k, 3, 4)
	// When the producer goes on, the empty batch is not needed any more.
	b := kafka.Build(kafka.BatchSpec{Producer: &kafka.ProducerSpec{ID: 9, Sequence: 3}}, []kafka.Record{{Key: []byte("b"), Value: []byte("v")}})
	mustSubmit(t, k.s, Append(k.l, b))
	k.sent = append(k.sent, sentRecord{key: "b", value: "v"})
	k.fill()
	k.compact()
	if buf, err = k.l.Read(0, 1, true); err != nil || kafka.Batch(buf).BaseOffset() != 3 {
		t.Errorf("%d, %v", kafka.Batch(buf).BaseOffset(), err)
	}
}

// The time of a record that is gone is not the log's newest any more.
func TestNewestAfterCompaction(t *testing.T) {
	cfg := compactConfig()
	cfg.SegmentBytes = 1
	k := newKeyed(t, vfs.NewMem(), cfg)
	for i, b := range []kafka.Batch{
		kafka.Build(kafka.BatchSpec{Producer: &kafka.ProducerSpec{ID: 9}}, []kafka.Record{{Timestamp: 9000, Key: []byte("a"), Value: []byte("1")}}),
		kafka.Build(kafka.BatchSpec{}, []kafka.Record{{Timestamp: 5000, Key: []byte("a"), Value: []byte("2")}}),
		kafka.Build(kafka.BatchSpec{}, []kafka.Record{{Timestamp: 4000, Key: []byte("b"), Value: []byte("1")}}),
	} {
		mustSubmit(t, k.s, Append(k.l, b))
		if i == 0 {
			if st, err := k.l.Newest(); st.Offset != 0 || err != nil {
				t.Fatalf("%+v, %v", st, err)
			}
		}
	}
	k.checkpoint()
	k.compact()
	if st, err := k.l.Newest(); st.Offset != 1 || st.Timestamp != 5000 || err != nil {
		t.Errorf("%+v, %v", st, err)
	}
	if st, err := k.l.FirstAt(4500); st.Offset != 1 || err != nil {
		t.Errorf("%+v, %v", st, err)
	}
}

// When a whole segment goes, readers find the next one.
func TestCompactMayLeaveNothing(t *testing.T) {
	k := newKeyed(t, vfs.NewMem(), compactConfig())
	for range 5 {
		k.fill()
	}
	k.compact()
	wantOffsets(t, k, 3, 4) // 3 is in a sealed segment, 4 behind it
	k.put("a=1")
	k.reopenCleanly()
	wantOffsets(t, k, 3, 4, 5)
}

func TestCompactDropsWhatDeleteRecordsTook(t *testing.T) {
	k := newKeyed(t, vfs.NewMem(), compactConfig())
	k.put("a=1", "b=1", "c=1")
	k.fill()
	mustSubmit(t, k.s, SetStart(k.l, 1))
	k.compact()
	k.checkFiles("a=1", false)
	k.checkFiles("b=1", true)
}

func TestCompactJoinsSmallSegments(t *testing.T) {
	cfg := compactConfig()
	k := newKeyed(t, vfs.NewMem(), cfg)
	for i := range 8 {
		k.put(fmt.Sprint("k", i, "=", strings.Repeat("x", 50)))
		k.fill()
	}
	k.compact()
	logs := 0
	for _, name := range k.files() {
		if strings.HasSuffix(name, logSuffix) {
			logs++
		}
	}
	k.check()
	// Eight records of 50 bytes that are left and the fillers before the last.
	if before := 16; logs >= before {
		t.Errorf("%d segments: %v", logs, k.files())
	}
	k.fill()
	k.compact()
	k.check()
}

func TestCompactNextTakesTheDirtiest(t *testing.T) {
	mem := vfs.NewMem()
	k := newKeyed(t, mem, compactConfig())
	other := mustSubmit(t, k.s, Create(testID(2), "other", compactConfig()))[0].Log
	next := func() *Log {
		t.Helper()
		c, err := k.s.CompactNext(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if c == nil {
			return nil
		}
		return c.Log
	}
	if l := next(); l != nil {
		t.Fatalf("%s is empty", l.ID())
	}
	first, second := k.l, other
	write := func(l *Log, n int) {
		for i := range n {
			b := kafka.Build(kafka.BatchSpec{}, []kafka.Record{{Timestamp: k.now.Load(), Key: fmt.Append(nil, i), Value: make([]byte, 1500)}})
			mustSubmit(t, k.s, Append(l, b))
		}
		k.checkpoint()
	}
	write(first, 9)
	if next() != first || next() != nil {
		t.Error("one log is dirty")
	}
	write(first, 4) // 4 of 12 are dirty: not more than half
	write(second, 3)
	if next() != second || next() != nil {
		t.Error("the second is all dirty, the first a third")
	}
	cfg := first.Config()
	cfg.MinCleanableRatio = 0.3
	first.SetConfig(cfg)
	if next() != first || next() != nil {
		t.Error("a third is more than 0.3")
	}
	// max.compaction.lag.ms asks for it however little is dirty (KIP-354).
	write(second, 2)
	cfg = second.Config()
	cfg.MinCleanableRatio = 1
	cfg.MaxCompactionLag = time.Hour
	second.SetConfig(cfg)
	if l := next(); l != nil {
		t.Error("nothing is an hour old")
	}
	k.now.Add(time.Hour.Milliseconds() + 1)
	if next() != second || next() != nil {
		t.Error("a dirty segment is too old")
	}
}

// min.compaction.lag.ms keeps young records: whoever is that close behind sees
// every one of them.
func TestCompactLeavesYoungSegments(t *testing.T) {
	cfg := compactConfig()
	cfg.MinCompactionLag = time.Hour
	k := newKeyed(t, vfs.NewMem(), cfg)
	k.put("a=1")
	k.put("a=2")
	k.fill()
	k.now.Add(time.Hour.Milliseconds() / 2)
	k.put("a=3")
	k.fill()
	if c := k.compact(); c.Passes != 0 {
		t.Errorf("%+v", c)
	}
	k.now.Add(time.Hour.Milliseconds() / 2)
	if k.compact(); k.cleaned() != 3 { // a=3 is half an hour old
		t.Errorf("cleaned up to %d", k.cleaned())
	}
	k.check()
	k.now.Add(time.Hour.Milliseconds())
	k.fill()
	k.compact()
	k.check()
}

// A segment must be complete before it is compacted, so max.compaction.lag.ms
// rolls it, too.
func TestMaxCompactionLagRolls(t *testing.T) {
	cfg := compactConfig()
	cfg.MaxCompactionLag = time.Hour
	k := newKeyed(t, vfs.NewMem(), cfg)
	k.put("a=1")
	k.now.Add(time.Hour.Milliseconds())
	k.put("a=2")
	k.now.Add(1)
	k.put("a=3")
	k.checkpoint()
	if k.compact(); k.cleaned() != 2 {
		t.Errorf("cleaned up to %d", k.cleaned())
	}
}

func TestCompactAndDelete(t *testing.T) {
	cfg := compactConfig()
	cfg.Delete = true
	cfg.RetentionAge = time.Hour
	k := newKeyed(t, vfs.NewMem(), cfg)
	k.put("a=1", "b=1")
	k.put("a=2")
	k.fill()
	k.compact()
	k.now.Add(time.Hour.Milliseconds() + 1)
	k.put("c=1")
	k.fill()
	moved, err := k.l.Retain(k.s.opt.Now())
	if err != nil || !moved {
		t.Fatal(moved, err)
	}
	k.checkpoint() // waits until the new start is durable
	// The newest of a key goes, too, when it is older than retention.ms.
	if got := k.wantState(); got["a"] != "" || got["c"] != "1" {
		t.Errorf("a is %q, c %q", got["a"], got["c"])
	}
	k.compact()
	k.check()
}

// Random keys, tombstones, codecs, restarts, crashes, log starts and a key table
// that is often too small, against a plain map.
func TestCompactAgainstAMap(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 3))
			cfg := compactConfig()
			cfg.DeleteRetention = time.Duration(rng.IntN(3)) * time.Second
			cfg.SegmentBytes = int64(500 + rng.IntN(4000))
			k := newKeyed(t, vfs.NewMem(), cfg)
			if rng.IntN(2) == 0 {
				k.s.opt.CompactMemory = int64(24 * (2 + rng.IntN(60)))
				k.opt.CompactMemory = k.s.opt.CompactMemory
			}
			keys := 1 + rng.IntN(150)
			for range 60 {
				k.now.Add(rng.Int64N(500))
				for range rng.IntN(20) {
					var kvs []string
					for range 1 + rng.IntN(8) {
						kv := fmt.Sprint("key", rng.IntN(keys))
						if rng.IntN(5) > 0 {
							kv += "=" + strings.Repeat("v", rng.IntN(40)) + fmt.Sprint(len(k.sent))
						}
						kvs = append(kvs, kv)
					}
					k.put(kvs...)
				}
				switch rng.IntN(9) {
				case 0:
					k.reopenCleanly()
				case 7:
					// All was acknowledged: nothing may be missing.
					disk := k.fs.(*vfs.Mem).Crash(vfs.KeepSome, rng.Uint64())
					k.s.Abandon()
					k.reopen(disk, cfg)
					k.check()
				case 1:
					mustSubmit(t, k.s, SetStart(k.l, k.l.Start()+rng.Int64N(1+(k.l.End()-k.l.Start())/4)))
				case 2, 3:
					k.checkpoint()
				case 4, 5:
					k.checkpoint()
					if _, err := k.s.CompactNext(context.Background()); err != nil {
						t.Fatal(err)
					}
					k.check()
				case 6:
					k.checkpoint()
					k.compact()
					k.check()
				}
			}
			k.fill()
			k.compact()
			k.check()
			k.s.Abandon()
		})
	}
}

func TestKeyMap(t *testing.T) {
	m := newKeyMap(1<<40, 24*1000)
	n := 0
	for m.put(fmt.Append(nil, n), int64(n)) {
		n++
	}
	if n != 750 || len(m.slots) != 1000 {
		t.Errorf("%d keys in %d slots", n, len(m.slots))
	}
	for i := range n {
		if got := m.newest(fmt.Append(nil, i)); got != int64(i) {
			t.Fatalf("key %d is at %d", i, got)
		}
	}
	if got := m.newest([]byte("no")); got != -1 {
		t.Errorf("a key that is not there is at %d", got)
	}
	if !m.put([]byte("7"), 5000) || m.newest([]byte("7")) != 5000 {
		t.Error("a full map still moves its keys")
	}
	if m := newKeyMap(0, 0); !m.put(nil, 0) || m.put([]byte("x"), 1) {
		t.Error("even the smallest map takes one key, and no more")
	}
}
