package plog

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

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
