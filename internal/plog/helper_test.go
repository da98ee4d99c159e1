package plog

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

const testSalt = 42

// testOptions are small bounds. Every other start syncs files together.
func testOptions(fs vfs.FS, epoch int32) Options {
	return Options{
		FS: fs, Dir: "/data", Salt: testSalt, Epoch: epoch,
		WALFileSize: 1 << 20, WALFiles: 4, DirectBytes: 32 << 10,
		CheckpointBytes: 1 << 30, CheckpointEvery: time.Hour, DiskReserve: -1, OpenFiles: 4, RecoveryMemory: 16 << 10,
		SyncTogether: 2 - 3*int(epoch%2),
	}
}

func openStore(t testing.TB, fs vfs.FS, epoch int32) (*Store, *Report) {
	t.Helper()
	s, r, err := Open(testOptions(fs, epoch))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return s, r
}

func testID(n int) ID {
	id := ID{Partition: int32(n)}
	id.Topic[0] = 7
	return id
}

func mustSubmit(t testing.TB, s *Store, ops ...Op) []Result {
	t.Helper()
	// As a produce request does: the next file of the log may just be in the making. On
	// a full disk there is no room, and Submit has what is kept for the broker's own.
	if release, err := s.wal.WaitRoom(context.Background(), 16<<10); err == nil {
		defer release()
	}
	rs, pos, err := s.Submit(ops...)
	if err != nil {
		t.Fatalf("submit: %v", err)
	}
	if err := s.Wait(context.Background(), pos); err != nil {
		t.Fatalf("wait: %v", err)
	}
	return rs
}

func createLog(t testing.TB, s *Store, n int) *Log {
	t.Helper()
	return mustSubmit(t, s, Create(testID(n), "topic", DefaultConfig()))[0].Log
}

// batchOf makes a batch with these values, timestamps from ts on.
func batchOf(ts int64, values ...string) kafka.Batch {
	rs := make([]kafka.Record, len(values))
	for i, v := range values {
		rs[i] = kafka.Record{Timestamp: ts + int64(i), Value: []byte(v)}
	}
	return kafka.Build(kafka.BatchSpec{}, rs)
}

func sequenced(pid int64, epoch int16, seq int32, values ...string) kafka.Batch {
	rs := make([]kafka.Record, len(values))
	for i, v := range values {
		rs[i] = kafka.Record{Timestamp: 1000, Value: []byte(v)}
	}
	return kafka.Build(kafka.BatchSpec{Producer: &kafka.ProducerSpec{ID: pid, Epoch: epoch, Sequence: seq}}, rs)
}

// values reads everything that can be read, as "offset=value", in small steps.
func values(t testing.TB, l *Log, maxBytes int) []string {
	t.Helper()
	var out []string
	at := l.Start()
	for {
		hw := l.HighWatermark() // it may move while it is read
		buf, err := l.Read(at, maxBytes, true)
		if errors.Is(err, kerr.OffsetOutOfRange) && at < l.Start() {
			at, out = l.Start(), nil // the start has just moved
			continue
		}
		if err != nil {
			t.Fatalf("read at %d: %v", at, err)
		}
		if len(buf) == 0 {
			if at < hw {
				t.Fatalf("nothing at %d below the high watermark %d", at, hw)
			}
			return out
		}
		for len(buf) > 0 {
			b, rest, err := kafka.NextBatch(buf)
			if err != nil {
				t.Fatalf("at %d: %v", at, err)
			}
			if err := b.VerifyCRC(); err != nil {
				t.Fatalf("at %d: %v", at, err)
			}
			for r, err := range b.Records(1 << 20) {
				if err != nil {
					t.Fatal(err)
				}
				if r.Offset >= at {
					out = append(out, fmt.Sprintf("%d=%s", r.Offset, r.Value))
				}
			}
			at, buf = b.NextOffset(), rest
		}
	}
}
