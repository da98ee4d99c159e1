package plog

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatdev/leat/internal/kafka"
	"github.com/leatdev/leat/internal/vfs"
)

// BenchmarkDurableAppend: each of the writers appends 1 KiB to one of the
// partitions and waits until it is on disk, again and again. ns/op is per append.
func BenchmarkDurableAppend(b *testing.B) {
	for _, c := range []struct{ writers, partitions int }{{1, 1}, {8, 1}, {64, 1}, {64, 64}, {64, 1000}} {
		b.Run(fmt.Sprintf("writers=%d/partitions=%d", c.writers, c.partitions), func(b *testing.B) {
			s, _, err := Open(Options{FS: vfs.OS{}, Dir: b.TempDir() + "/data", Salt: 1, Epoch: 1})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			logs := make([]*Log, c.partitions)
			for i := range logs {
				logs[i] = createLog(b, s, i)
			}
			template := batchOf(1, strings.Repeat("x", 950))
			b.SetBytes(int64(len(template)))
			b.ResetTimer()
			var n atomic.Int64
			var wg sync.WaitGroup
			for range c.writers {
				wg.Go(func() {
					batch := append(kafka.Batch(nil), template...)
					for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
						release, err := s.Admit(context.Background(), len(batch))
						if err != nil {
							b.Error(err)
							return
						}
						_, pos, err := s.Submit(Append(logs[i%int64(len(logs))], batch))
						release()
						if err == nil {
							err = s.Wait(context.Background(), pos)
						}
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
		})
	}
}

// BenchmarkRecovery is a start after a crash with a write-ahead log of 192 MiB in
// batches of 16 KiB: bytes of write-ahead log per second. The disk's own speed is
// the bound: all of it is written and synced anew.
func BenchmarkRecovery(b *testing.B) {
	for _, logs := range []int{1, 64, 1000} {
		b.Run(fmt.Sprintf("logs=%d", logs), func(b *testing.B) {
			opt := Options{FS: vfs.OS{}, Dir: b.TempDir() + "/data", Salt: 1, CheckpointBytes: 1 << 40, CheckpointEvery: time.Hour, WALFileSize: 256 << 20, WALFiles: 2}
			const size = 192 << 20
			b.SetBytes(size)
			for b.Loop() {
				b.StopTimer()
				opt.Epoch++
				s, _, err := Open(opt)
				if err != nil {
					b.Fatal(err)
				}
				fillWAL(b, s, logs, size)
				s.Abandon()
				opt.Epoch++
				b.StartTimer()
				if s, _, err = Open(opt); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

// fillWAL appends batches of 16 KiB, many to a group, until size bytes are written.
func fillWAL(b *testing.B, s *Store, logs, size int) {
	b.Helper()
	all := s.Logs()
	for p := len(all); p < logs; p++ {
		all = append(all, createLog(b, s, p))
	}
	batch := batchOf(1, strings.Repeat("v", 16<<10))
	var last Pos
	for n := 0; n < size; n += len(batch) {
		_, pos, err := s.Submit(Append(all[n/len(batch)%len(all)], batch))
		if err != nil {
			b.Fatal(err)
		}
		if last = pos; s.Memory() > 64<<20 && n%(8<<20) < len(batch) {
			if err := s.Wait(b.Context(), pos); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := s.Wait(b.Context(), last); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCheckpointOneOfMany is a checkpoint of 10,000 logs of which one has
// changed.
func BenchmarkCheckpointOneOfMany(b *testing.B) {
	s, _, err := Open(Options{FS: vfs.OS{}, Dir: b.TempDir() + "/data", Salt: 1, Epoch: 1, CheckpointEvery: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	ops := make([]Op, 10_000)
	for p := range ops {
		ops[p] = Create(testID(p), "topic", DefaultConfig())
	}
	logs := mustSubmit(b, s, ops...)
	for i := range logs {
		ops[i] = Append(logs[i].Log, batchOf(1, "v"))
	}
	mustSubmit(b, s, ops...)
	if err := s.Checkpoint(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		mustSubmit(b, s, Append(logs[5000].Log, batchOf(1, "v")))
		if err := s.Checkpoint(); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
