package plog

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
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

func (k *keyed) reopenCleanly() {
	k.t.Helper()
	cfg := k.l.Config()
	if err := k.s.Close(); err != nil {
		k.t.Fatal(err)
	}
	k.reopen(k.fs, cfg)
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
