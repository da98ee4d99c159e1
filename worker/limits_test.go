package worker

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A cluster that cannot tell a topic's max.message.bytes just now is asked again:
// taking the default for it would refuse results and dead letters that the topics
// take.
func TestLimitsAreAskedForUntilToldOf(t *testing.T) {
	inBubble(t, 1, nil, func(t *testing.T, b *bench) {
		for _, topic := range []string{"in", "out", "dlq"} {
			b.cluster.CreateTopic(t, topic, 1, "max.message.bytes=4000000")
		}
		b.cluster.Fake(t).Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Err: kerr.RequestTimedOut, Count: 5})
		big := b.client(kgo.ProducerBatchMaxBytes(4_000_000))
		defer big.Close()
		large := bytes.Repeat([]byte("x"), 2_000_000)
		for range 2 {
			if err := big.ProduceSync(t.Context(), &kgo.Record{Topic: "in", Value: large}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		r := b.start(Config{Retry: quick, DeadLetter: DeadLetter{Topic: "dlq"}, Handler: HandlerFunc(func(_ context.Context, ms []*Message) ([]Outcome, error) {
			out := echo(ms)
			for i, m := range ms {
				if m.Offset == 1 {
					out[i] = Failed(NewError(Poison, errors.New("bad")))
				}
			}
			return out, nil
		})})
		b.until("both are committed", func() bool { return b.committed("g") == 2 })
		if err := r.stopped(); err != nil {
			t.Fatal(err)
		}
		if out, dead := b.all("out"), b.all("dlq"); len(out) != 1 || len(dead) != 1 || header(dead[0], HeaderDLQMessage) != "bad" {
			t.Errorf("%d out, %d dead", len(out), len(dead))
		}
	})
}
