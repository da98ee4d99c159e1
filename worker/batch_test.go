package worker

import (
	"context"
	"testing"
	"time"
)

// Under backlog the number of calls is at most records / (max / 2), with and
// without a wait, also when few keys are spread over many calls.
func TestBatchesAreFullUnderBacklog(t *testing.T) {
	for _, c := range []struct {
		name string
		keys int
		wait time.Duration
	}{{"many keys", 500, 0}, {"few keys", 7, 0}, {"with a wait", 100, 20 * time.Millisecond}} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, 4, []string{"in", "out"}, func(t *testing.T, b *bench) {
				const n, most = 5000, 32
				b.put(numbered("in", n, c.keys, 4)...)
				var rec recorder
				r := b.start(Config{Concurrency: 8, Batch: Batch{Max: most, Wait: c.wait}, Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
					rec.note(ms)
					if len(ms) > most {
						t.Errorf("a batch of %d", len(ms))
					}
					<-time.After(5*time.Millisecond + time.Duration(len(ms))*200*time.Microsecond)
					return echo(ms), nil
				})})
				b.until("everything is committed", func() bool { return b.committed("g") == n })
				if err := r.stopped(); err != nil {
					t.Fatal(err)
				}
				if calls := rec.count(); calls > n/(most/2) {
					t.Errorf("%d calls for %d records; at most %d are allowed", calls, n, n/(most/2))
				}
				if out := b.count("out"); out != n {
					t.Errorf("%d came out of %d", out, n)
				}
			})
		})
	}
}

// A lone message waits for company as long as Wait says and no longer; without a
// Wait it does not wait at all.
func TestLoneMessageWaitsNoLongerThanWait(t *testing.T) {
	for _, wait := range []time.Duration{0, 50 * time.Millisecond, 3 * time.Second} {
		t.Run(wait.String(), func(t *testing.T) {
			inBubble(t, 1, []string{"in", "out"}, func(t *testing.T, b *bench) {
				b.cluster.ExactTime(t)
				called := make(chan time.Time, 10)
				r := b.start(Config{Batch: Batch{Max: 32, Wait: wait}, Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
					called <- time.Now()
					return echo(ms), nil
				})})
				b.until("partitions are assigned", func() bool { return len(r.Status().Partitions) == 1 && r.Status().Partitions[0].Committed == 0 })
				start := time.Now()
				b.put(numbered("in", 1, 1, 1)...)
				// The bubble's clock stands still while anybody works, so what
				// passes is what was waited for.
				if waited := (<-called).Sub(start); waited != wait {
					t.Errorf("it waited %v for a wait of %v", waited, wait)
				}
				if err := r.stopped(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}
