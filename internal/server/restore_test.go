package server

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/broker"
	"github.com/leatdev/leat/internal/vfs"
)

// A consumer that had read further than the backup goes is told that it lost its
// place, and where it goes on: not a record of the new log is passed over.
func TestConsumerBeyondARestoreIsTold(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	s := startMem(t, mem)
	createTopic(t, s, "in", 1)
	cl := client(t, s, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := range 5 {
		put(t, cl, 0, fmt.Sprint("old-", i))
	}
	if _, err := s.Backup(t.Context(), "/backup"); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		put(t, cl, 0, fmt.Sprint("lost-", i))
	}
	epoch := s.broker.Epoch
	stop(t, s)
	if _, err := broker.Restore(t.Context(), mem, "/backup", "/restored", false); err != nil {
		t.Fatal(err)
	}
	s = start(t, Config{FS: mem, DataDir: "/restored"})
	defer stop(t, s)
	put(t, client(t, s, kgo.RecordPartitioner(kgo.ManualPartitioner())), 0, "new-5", "new-6")

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	reader := client(t, s, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"in": {0: kgo.NewOffset().At(10).WithEpoch(epoch)}}))
	var got []string
	told := false
	for len(got) < 2 {
		fetches := reader.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("only %v came; told of the loss: %v", got, told)
		}
		fetches.EachError(func(_ string, _ int32, err error) {
			var loss *kgo.ErrDataLoss
			if errors.As(err, &loss) {
				told = loss.ConsumedTo == 10 && loss.ResetTo == 5
			}
		})
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, fmt.Sprint(r.Offset, " ", string(r.Value))) })
	}
	if !told || got[0] != "5 new-5" || got[1] != "6 new-6" {
		t.Errorf("told of the loss: %v; %v", told, got)
	}
}
