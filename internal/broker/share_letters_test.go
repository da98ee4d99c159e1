package broker

import (
	"encoding/binary"
	"hash/crc32"
	"path"
	"strings"
	"testing"

	"github.com/leatdev/leat/internal/coord/share"
	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/plog"
	"github.com/leatdev/leat/internal/vfs"
)

// flipInSegment inverts one bit in a segment of a partition, where a text stands.
func flipInSegment(t *testing.T, fs vfs.FS, topic kafka.UUID, text string) {
	t.Helper()
	flipIn(t, fs, path.Join("/data/logs", "t."+topic.String(), "0"), text)
}

// bad is a batch of two records that says it is compressed, and is not.
func bad() kafka.Batch {
	b := kafka.Build(kafka.BatchSpec{}, []kafka.Record{{Value: []byte("no gzip")}, {Value: []byte("no gzip")}})
	const attributes, crc, summed = 21, 17, 21
	binary.BigEndian.PutUint16(b[attributes:], uint16(kafka.CodecGzip))
	binary.BigEndian.PutUint32(b[crc:], crc32.Checksum(b[summed:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// Records that were delivered and cannot be read any more, on a damaged disk or because
// of what is in them, have a letter that says so, and those behind them have theirs.
func TestDeadLettersOfUnreadableRecords(t *testing.T) {
	t.Parallel()
	b := newShareBench(t, map[string]string{
		"errors.deadletterqueue.topic.name": "dlq.q",
		"share.record.lock.duration.ms":     "600000", // so long a lock outlives the broker
	})
	if err := b.EnsureTopic(t.Context(), "dlq.q", 1, map[string]string{"errors.deadletterqueue.group.enable": "true"}); err != nil {
		t.Fatal(err)
	}
	put := func(batch kafka.Batch) {
		t.Helper()
		_, pos, err := b.Store.Submit(plog.Append(b.Partition("t", 0).Log, batch))
		if err == nil {
			err = b.Store.Wait(t.Context(), pos)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	plain := func(value string) kafka.Batch {
		return kafka.Build(kafka.BatchSpec{}, []kafka.Record{{Value: []byte(value)}, {Value: []byte(value)}})
	}
	put(plain("first"))
	put(plain("to be damaged"))
	put(plain("between"))
	put(bad())
	put(plain("last"))
	if got, _ := b.take("a", 10); len(got) != 10 {
		t.Fatalf("%v came", got)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	flipInSegment(t, b.disk, b.Catalog.Snapshot().Topic("t").ID, "to be damaged")
	b.open()
	b.ack("a", 0, 9, share.Reject)
	if p := b.place(); p.Start != 10 || p.Buried != 10 {
		t.Errorf("%+v", p)
	}
	want := []string{"first", "first", "", "", "between", "between", "", "", "last", "last"}
	grave := b.Partition("dlq.q", 0).Log
	n := 0
	for at := grave.Start(); at < grave.HighWatermark(); {
		data, err := grave.Read(at, 1<<20, true)
		if err != nil {
			t.Fatal(err)
		}
		for len(data) > 0 {
			var batch kafka.Batch
			if batch, data, err = kafka.NextBatch(data); err != nil {
				t.Fatal(err)
			}
			at = batch.NextOffset()
			for r, err := range batch.Records(1 << 20) {
				if err != nil {
					t.Fatal(err)
				}
				heads := map[string]string{}
				for _, h := range r.Headers {
					heads[h.Key] = string(h.Value)
				}
				if n >= len(want) {
					t.Fatalf("a letter too much: %v", heads)
				}
				said := strings.Contains(heads["__dlq.errors.message"], "cannot be read")
				if string(r.Value) != want[n] || said != (want[n] == "") || heads["__dlq.errors.offset"] != string('0'+rune(n)) {
					t.Errorf("letter %d: value %q, %v", n, r.Value, heads)
				}
				n++
			}
		}
	}
	if n != len(want) {
		t.Errorf("%d letters, want %d", n, len(want))
	}
}

// Records that compaction has taken out of a batch, also the last of those asked for,
// have no letter and hold up nothing.
func TestDeadLettersOfCompactedRecords(t *testing.T) {
	t.Parallel()
	b := newShareBench(t, nil)
	b.put(1)
	b.take("a", 1)
	sp := b.Shares.ofGroup("q")[0]
	whole := kafka.Build(kafka.BatchSpec{}, []kafka.Record{{Value: []byte("0")}, {Value: []byte("1")}, {Value: []byte("2")}, {Value: []byte("3")}})
	batch, err := whole.Retain(1<<20, 0, func(r *kafka.Record) bool { return r.Offset%2 == 1 })
	if err != nil {
		t.Fatal(err)
	}
	for last, want := range []int{0, 1, 1, 2} {
		l := &lettering{sp: sp, d: share.Dead{Last: int64(last), Count: 1, Cause: share.Rejected}}
		l.batch(batch)
		if l.more() || len(l.out) != want {
			t.Errorf("offsets 0 to %d: %d letters, want %d; the next offset is %d", last, len(l.out), want, l.at)
		}
	}
}
