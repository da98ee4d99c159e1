package plog

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// keyed is a log that is written with keys, and a plain account of it.
type keyed struct {
	t     testing.TB
	s     *Store
	l     *Log
	fs    vfs.FS
	now   *atomic.Int64 // ms
	opt   Options
	sent  []sentRecord // by offset
	codec int
}

type sentRecord struct {
	key   string
	value string
	null  bool // a tombstone
}

func compactConfig() Config {
	cfg := DefaultConfig()
	cfg.Delete, cfg.Compact = false, true
	cfg.SegmentBytes = 2000
	cfg.IndexInterval = 200
	return cfg
}

func newKeyed(t testing.TB, fs vfs.FS, cfg Config) *keyed {
	k := &keyed{t: t, fs: fs, now: &atomic.Int64{}, opt: testOptions(fs, 1)}
	k.now.Store(1_700_000_000_000)
	k.opt.Now = func() time.Time { return time.UnixMilli(k.now.Load()) }
	k.open()
	k.l = mustSubmit(t, k.s, Create(testID(1), "topic", cfg))[0].Log
	return k
}

func (k *keyed) open() {
	k.t.Helper()
	s, r, err := Open(k.opt)
	if err != nil || len(r.Fenced) > 0 {
		k.t.Fatalf("open: %v, %+v", err, r)
	}
	k.s, k.l = s, s.Log(testID(1))
}

// reopen goes on with the store on another disk, as after a crash, or on the
// same after a proper close.
func (k *keyed) reopen(fs vfs.FS, cfg Config) {
	k.t.Helper()
	k.fs, k.opt.FS = fs, fs
	k.opt.Epoch++
	k.open()
	k.l.SetConfig(cfg)
}

// put appends one batch; "key=value" is a record, "key" alone a tombstone.
func (k *keyed) put(kvs ...string) {
	k.t.Helper()
	recs := make([]kafka.Record, len(kvs))
	for i, kv := range kvs {
		key, value, ok := strings.Cut(kv, "=")
		recs[i] = kafka.Record{Timestamp: k.now.Load(), Key: []byte(key), Headers: []kafka.Header{{Key: "h", Value: []byte(kv)}}}
		if ok {
			recs[i].Value = []byte(value)
		}
		k.sent = append(k.sent, sentRecord{key, value, !ok})
	}
	k.codec++
	mustSubmit(k.t, k.s, Append(k.l, kafka.Build(kafka.BatchSpec{Codec: kafka.Codec(k.codec % 5)}, recs)))
}

// fill appends what fills a segment, so that what came before is sealed.
func (k *keyed) fill() {
	k.t.Helper()
	filler := strings.Repeat("f", int(k.l.Config().SegmentBytes))
	k.codec = 4 // not compressed: the next is codec 5 mod 5
	k.put("filler=" + filler)
	k.checkpoint()
}

func (k *keyed) checkpoint() {
	k.t.Helper()
	if err := k.s.Checkpoint(); err != nil {
		k.t.Fatal(err)
	}
}

func (k *keyed) compact() *Compaction {
	k.t.Helper()
	c, err := k.s.Compact(context.Background(), k.l)
	if err != nil {
		k.t.Fatal(err)
	}
	return c
}

// read returns what the log holds, by offset, and checks that every record is
// the one that was sent, in the order of offsets.
func (k *keyed) read(maxBytes int) map[int64]sentRecord {
	k.t.Helper()
	out := map[int64]sentRecord{}
	before := int64(-1)
	at := k.l.Start()
	for at < k.l.HighWatermark() {
		buf, err := k.l.Read(at, maxBytes, true)
		if err != nil || len(buf) == 0 {
			k.t.Fatalf("read at %d of %d: %d bytes, %v", at, k.l.HighWatermark(), len(buf), err)
		}
		for len(buf) > 0 {
			b, rest, err := kafka.NextBatch(buf)
			if err == nil {
				err = b.VerifyCRC()
			}
			if err != nil {
				k.t.Fatalf("read at %d: %v", at, err)
			}
			for r, err := range b.Records(1 << 20) {
				if err != nil {
					k.t.Fatal(err)
				}
				got := sentRecord{string(r.Key), string(r.Value), r.Value == nil}
				if r.Offset <= before || got != k.sent[r.Offset] || len(r.Headers) != 1 {
					k.t.Fatalf("offset %d after %d holds %+v with %d headers, want %+v", r.Offset, before, got, len(r.Headers), k.sent[r.Offset])
				}
				before = r.Offset
				if r.Offset >= at {
					out[r.Offset] = got
				}
			}
			at, buf = b.NextOffset(), rest
		}
	}
	return out
}

// state is the plain map that a reader ends up with.
func state(records map[int64]sentRecord) map[string]string {
	m := map[string]string{}
	for _, off := range slices.Sorted(maps.Keys(records)) {
		if r := records[off]; r.null {
			delete(m, r.key)
		} else {
			m[r.key] = r.value
		}
	}
	return m
}

func (k *keyed) wantState() map[string]string {
	all := map[int64]sentRecord{}
	for off := k.l.Start(); off < int64(len(k.sent)); off++ {
		all[off] = k.sent[off]
	}
	return state(all)
}

// check compares what a reader ends up with with the plain account, and that
// nothing superseded is left below the point that compaction has reached.
func (k *keyed) check() {
	k.t.Helper()
	got := k.read(500)
	if want, have := k.wantState(), state(got); !maps.Equal(want, have) {
		k.t.Fatalf("a reader ends with\n%v\nwant\n%v", have, want)
	}
	k.checkIndexes()
	k.checkReadAll(got)
	cleaned := k.cleaned()
	newest := map[string]int64{}
	for off := range cleaned {
		newest[k.sent[off].key] = off
	}
	for off, r := range got {
		if off < cleaned && newest[r.key] > off {
			k.t.Fatalf("offset %d is superseded by %d, which is cleaned up to %d", off, newest[r.key], cleaned)
		}
	}
}

// checkReadAll compares what coordinators are rebuilt from, and what a reader
// finds who begins anywhere, with what a reader from the start has found.
func (k *keyed) checkReadAll(want map[int64]sentRecord) {
	k.t.Helper()
	all := 0
	err := k.l.ReadAll(func(b kafka.Batch) error {
		for r, err := range b.Records(1 << 20) {
			if err != nil {
				return err
			}
			if _, ok := want[r.Offset]; ok {
				all++
			} else if r.Offset >= k.l.Start() {
				return fmt.Errorf("offset %d was not read", r.Offset)
			}
		}
		return nil
	})
	if err != nil || all != len(want) {
		k.t.Fatalf("ReadAll found %d records, a reader %d: %v", all, len(want), err)
	}
	offsets := slices.Sorted(maps.Keys(want))
	for at := k.l.Start(); at < k.l.HighWatermark(); at += 7 {
		i, _ := slices.BinarySearch(offsets, at)
		buf, err := k.l.Read(at, 1, true)
		if err != nil || len(buf) == 0 {
			k.t.Fatalf("read at %d: %d bytes, %v", at, len(buf), err)
		}
		b := kafka.Batch(buf)
		if b.NextOffset() <= at || i < len(offsets) && b.BaseOffset() > offsets[i] {
			k.t.Fatalf("read at %d gives the batch %d to %d; the next record is %d", at, b.BaseOffset(), b.LastOffset(), offsets[i])
		}
	}
}

// checkIndexes compares the index files of the complete segments with their
// batches: they are Kafka's, and the next reader's.
func (k *keyed) checkIndexes() {
	k.t.Helper()
	k.l.mu.RLock()
	defer k.l.mu.RUnlock()
	whole := func(seg *segment, suffix string, size uint32) []byte {
		if size == 0 {
			return nil
		}
		b, err := vfs.ReadFile(k.fs, seg.file(k.l.dir(), suffix))
		if err != nil || len(b) != int(size) {
			k.t.Fatalf("%s of segment %d: %d bytes, want %d: %v", suffix, seg.base, len(b), size, err)
		}
		return b
	}
	for _, seg := range k.l.segs {
		if !seg.sealed {
			continue
		}
		lastAt, newest := map[uint32]int64{}, int64(-1)
		for b := whole(seg, logSuffix, seg.end); len(b) > 0; {
			batch, rest, err := kafka.NextBatch(b)
			if err != nil {
				k.t.Fatal(err)
			}
			lastAt[seg.end-uint32(len(b))] = batch.LastOffset()
			if batch.NumRecords() > 0 {
				newest = max(newest, batch.MaxTimestamp())
			}
			b = rest
		}
		for ix := whole(seg, indexSuffix, seg.index); len(ix) > 0; ix = ix[indexEntry:] {
			rel, at := binary.BigEndian.Uint32(ix), binary.BigEndian.Uint32(ix[4:])
			if last, ok := lastAt[at]; !ok || last != seg.base+int64(rel) {
				k.t.Fatalf("index of segment %d: offset %d at byte %d, where a batch begins: %v (its last offset is %d)", seg.base, rel, at, ok, last)
			}
		}
		before := int64(-1)
		for ix := whole(seg, timeSuffix, seg.times); len(ix) > 0; ix = ix[timeEntry:] {
			ts := int64(binary.BigEndian.Uint64(ix))
			if ts <= before {
				k.t.Fatalf("time index of segment %d: %d after %d", seg.base, ts, before)
			}
			before = ts
		}
		if before != newest || seg.maxTS != newest {
			k.t.Fatalf("segment %d: newest record %d, last of the time index %d, noted %d", seg.base, newest, before, seg.maxTS)
		}
	}
}

func (k *keyed) cleaned() int64 {
	k.l.mu.RLock()
	defer k.l.mu.RUnlock()
	return k.l.cleaned
}

func (k *keyed) offsets() []int64 { return slices.Sorted(maps.Keys(k.read(1 << 20))) }

func wantOffsets(t testing.TB, k *keyed, want ...int64) {
	t.Helper()
	if got := k.offsets(); !slices.Equal(got, want) {
		t.Fatalf("offsets %v are left, want %v", got, want)
	}
}

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

func (k *keyed) reopenCleanly() {
	k.t.Helper()
	cfg := k.l.Config()
	if err := k.s.Close(); err != nil {
		k.t.Fatal(err)
	}
	k.reopen(k.fs, cfg)
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

// checkFiles looks for bytes in the log's segments.
func (k *keyed) checkFiles(what string, want bool) {
	k.t.Helper()
	found := false
	for _, name := range k.files() {
		b, err := vfs.ReadFile(k.fs, k.l.dir()+"/"+name)
		if err != nil {
			k.t.Fatal(err)
		}
		for len(b) > 0 && strings.HasSuffix(name, logSuffix) {
			batch, rest, err := kafka.NextBatch(b)
			if err != nil {
				k.t.Fatal(err)
			}
			for r := range batch.Records(1 << 20) {
				found = found || string(r.Key)+"="+string(r.Value) == what
			}
			b = rest
		}
	}
	if found != want {
		k.t.Errorf("%s on disk: %v, want %v", what, found, want)
	}
}

func (k *keyed) files() []string {
	k.t.Helper()
	names, err := k.fs.List(k.l.dir())
	if err != nil {
		k.t.Fatal(err)
	}
	return names
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
