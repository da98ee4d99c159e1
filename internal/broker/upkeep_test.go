package broker

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// keep appends one record to the partition and waits for the disk.
func keep(t *testing.T, b *Broker, p *Partition, key, value string) {
	t.Helper()
	done, err := b.Produce(t.Context(), p, kafka.Build(kafka.BatchSpec{}, []kafka.Record{{Key: []byte(key), Value: []byte(value), Timestamp: b.Now().UnixMilli()}}))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Store.Wait(t.Context(), done.Pos); err != nil {
		t.Fatal(err)
	}
}

// kept are the keys and values that can be read.
func kept(t *testing.T, p *Partition) (all []string) {
	t.Helper()
	for at := p.Log.Start(); at < p.Log.HighWatermark(); {
		data, err := p.Log.Read(at, 1<<20, true)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) == 0 {
			break
		}
		for len(data) > 0 {
			batch, rest, err := kafka.NextBatch(data)
			if err != nil {
				t.Fatal(err)
			}
			for r, err := range batch.Records(1 << 20) {
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, fmt.Sprintf("%s=%s", r.Key, r.Value))
			}
			at, data = batch.NextOffset(), rest
		}
	}
	return all
}

// Retention runs by itself, every log.retention.check.interval.ms.
func TestRetentionRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := openTopicsTest(t, vfs.NewMem(), map[string]string{"log.retention.check.interval.ms": "60000"})
		defer b.Abandon()
		mustCreate(t, b, NewTopic{Name: "short", Partitions: 1, ReplicationFactor: -1, Configs: map[string]string{"retention.ms": "3600000"}})
		mustCreate(t, b, NewTopic{Name: "long", Partitions: 1, ReplicationFactor: -1})
		short, long := b.Partition("short", 0), b.Partition("long", 0)
		keep(t, b, short, "k", "v")
		keep(t, b, long, "k", "v")
		time.Sleep(time.Hour - time.Minute) // of the bubble's clock
		synctest.Wait()
		if got := short.Log.Start(); got != 0 {
			t.Errorf("gone before its time: the log starts at %d", got)
		}
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if got := short.Log.Start(); got != 1 {
			t.Errorf("kept beyond its time: the log starts at %d", got)
		}
		if got := kept(t, long); len(got) != 1 {
			t.Errorf("the other topic: %q", got)
		}
	})
}

// Gotcha: compaction runs by itself, and a client can watch it happen; with
// log.cleaner.enable=false it does not.
func TestCompactionRuns(t *testing.T) {
	t.Parallel()
	for enabled, want := range map[string]string{"true": "[a=3 b=1 c=1]", "false": "[a=1 a=2 a=3 b=1 c=1]"} {
		synctest.Test(t, func(t *testing.T) {
			b := openTopicsTest(t, vfs.NewMem(), map[string]string{"log.cleaner.enable": enabled, "log.cleaner.backoff.ms": "15000"})
			defer b.Abandon()
			mustCreate(t, b, NewTopic{Name: "t", Partitions: 1, ReplicationFactor: -1, Configs: map[string]string{
				"cleanup.policy": "compact", "segment.ms": "1000", "min.cleanable.dirty.ratio": "0.01",
			}})
			p := b.Partition("t", 0)
			for _, kv := range []string{"a1", "a2", "a3", "b1", "c1"} {
				keep(t, b, p, kv[:1], kv[1:])
				time.Sleep(2 * time.Second) // of the bubble's clock: a segment each
			}
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			if got := fmt.Sprint(kept(t, p)); got != want {
				t.Errorf("log.cleaner.enable=%s: %s, want %s", enabled, got, want)
			}
		})
	}
}

// Segments are read back by themselves: an hour after the start, then after every
// leat.scrub.interval.ms, which can be changed while the broker runs; never when it
// says so. A day without anything to read costs nothing but that.
func TestScrubRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := openTopicsTest(t, vfs.NewMem(), map[string]string{"leat.scrub.interval.ms": "7200000", "log.retention.check.interval.ms": "9000000000"})
		defer b.Abandon()
		mustCreate(t, b, NewTopic{Name: "in", Partitions: 1, ReplicationFactor: -1, Configs: map[string]string{"segment.ms": "1"}})
		p := b.Partition("in", 0)
		for range 3 {
			keep(t, b, p, "k", "v")
			time.Sleep(time.Second) // of the bubble's clock
		}
		if err := b.Store.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		after := func(d time.Duration) int64 {
			time.Sleep(d)
			synctest.Wait()
			return b.Scrubbed()
		}
		if n := after(59 * time.Minute); n != 0 {
			t.Errorf("%d bytes before the first hour is over", n)
		}
		once := after(2 * time.Minute)
		if once == 0 {
			t.Error("nothing was read back after an hour")
		}
		if n := after(time.Hour); n != once {
			t.Errorf("%d bytes after one round of %d", n, once)
		}
		if n := after(2 * time.Hour); n != 2*once {
			t.Errorf("%d bytes after two rounds of %d", n, once)
		}
	})
}
