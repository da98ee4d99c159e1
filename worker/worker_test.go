package worker

import (
	"context"
	"testing"
)

func TestEveryRecordComesOutOnceAndIsCommitted(t *testing.T) {
	inBubble(t, 4, []string{"in", "out"}, func(t *testing.T, b *bench) {
		b.put(numbered("in", 1000, 50, 4)...)
		r := b.start(Config{Concurrency: 4, Batch: Batch{Max: 32}, Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
			return echo(ms), nil
		})})
		b.until("everything is committed", func() bool { return b.committed("g") == 1000 })
		if err := r.stopped(); err != nil {
			t.Fatal(err)
		}
		if n := b.count("out"); n != 1000 {
			t.Errorf("%d records came out of 1000", n)
		}
	})
}
