package worker

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A cluster that cannot tell offsets just now is asked again, before the group's
// first commit and on assignment: "latest" must not become "earliest" by that, and
// no partition may stay unread.
func TestStartIsAskedForUntilToldOf(t *testing.T) {
	// How many answers fail: the one before the first commit, and those that come on
	// assignment after it.
	for _, failing := range []int{1, 2, 3, 4} {
		inBubble(t, 1, []string{"in", "out"}, func(t *testing.T, b *bench) {
			fake := b.cluster.Fake(t)
			b.put(numbered("in", 5, 5, 1)...)
			fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.RequestTimedOut, Count: failing})
			r := b.start(Config{Start: Latest(), Retry: quick, Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) { return echo(ms), nil })})
			b.until("assigned", func() bool { s := r.Status(); return len(s.Partitions) == 1 && s.Partitions[0].Committed == 5 })
			b.put(&kgo.Record{Topic: "in", Value: []byte("new")})
			b.until("it came out", func() bool { return b.committed("g") == 6 })
			if err := r.stopped(); err != nil {
				t.Fatal(err)
			}
			if out := b.all("out"); len(out) != 1 || string(out[0].Value) != "new" {
				t.Errorf("after %d failures %d came out", failing, len(out))
			}
		})
	}
}
