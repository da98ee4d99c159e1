package broker

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/vfs"
)

// BenchmarkGroupsCommit is one commit of four offsets after the other by each of
// many consumers, each in a group of its own, on a real disk with fsync.
func BenchmarkGroupsCommit(b *testing.B) {
	for _, consumers := range []int{1, 64} {
		b.Run(fmt.Sprint(consumers), func(b *testing.B) {
			br, err := Open(Config{FS: vfs.OS{}, Dir: b.TempDir(), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			defer br.Close()
			if err := br.EnsureTopic(b.Context(), "t", 4, nil); err != nil {
				b.Fatal(err)
			}
			if err := br.Groups.Ready(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.SetParallelism(consumers)
			var n atomic.Int32
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				req := commitRequest(fmt.Sprint("g", n.Add(1)), -1, "", map[string]int64{"t/0": 1, "t/1": 2, "t/2": 3, "t/3": 4})
				done := make(chan *kmsg.OffsetCommitResponse, 1)
				for pb.Next() {
					br.Groups.Commit(req, func(res *kmsg.OffsetCommitResponse) { done <- res })
					if res := <-done; res.Topics[0].Partitions[0].ErrorCode != 0 {
						b.Fatalf("%+v", res)
					}
				}
			})
		})
	}
}
