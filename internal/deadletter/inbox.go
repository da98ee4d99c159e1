package deadletter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// StateTopic is the compacted topic that keeps what became of dead letters.
const StateTopic = "leat.dlq.state"

// Group is the consumer group whose committed offsets say, per dead-letter topic
// and partition, before which offset nothing is open.
const Group = "leat.dlq"

// Inbox looks at the dead letters of one cluster. Make it with NewInbox; its
// methods may be called from several goroutines.
type Inbox struct {
	opts []kgo.Opt
	cl   *kgo.Client
	adm  *kadm.Client
}

// NewInbox makes an inbox for the cluster that the options lead to: seed brokers
// and whatever it takes to reach them (a dialer, TLS, SASL). No connection is
// opened before the first use. Close it.
func NewInbox(opts ...kgo.Opt) (*Inbox, error) {
	cl, err := kgo.NewClient(append(opts[:len(opts):len(opts)],
		kgo.ProducerLinger(0), kgo.RecordPartitioner(bySource{}), kgo.ProducerBatchMaxBytes(1<<26))...)
	if err != nil {
		return nil, fmt.Errorf("dead letters: making the Kafka client: %w", err)
	}
	return &Inbox{opts: opts, cl: cl, adm: kadm.NewClient(cl)}, nil
}

// Close ends the inbox's connections.
func (b *Inbox) Close() { b.cl.Close() }

// bySource puts a record into the partition that its Partition field names, modulo
// the topic's count: redriven records keep the partition they came from.
type bySource struct{}

func (bySource) ForTopic(string) kgo.TopicPartitioner { return bySource{} }
func (bySource) RequiresConsistency(*kgo.Record) bool { return true }
func (bySource) Partition(r *kgo.Record, n int) int   { return int(max(r.Partition, 0)) % n }

// idleLimit is how long a scan waits for the next record before it gives up.
const idleLimit = 10 * time.Second

// scan reads records from their offsets on up to ends (exclusive), in each
// partition's order, and calls f with each; f's error ends it.
func (b *Inbox) scan(ctx context.Context, from, ends map[string]map[int32]int64, f func(*kgo.Record) error) error {
	left := map[string]map[int32]bool{}
	assign := map[string]map[int32]kgo.Offset{}
	open := 0
	for t, ps := range ends {
		for p, end := range ps {
			start := from[t][p]
			if start >= end {
				continue
			}
			if left[t] == nil {
				left[t], assign[t] = map[int32]bool{}, map[int32]kgo.Offset{}
			}
			left[t][p], assign[t][p] = true, kgo.NewOffset().At(start)
			open++
		}
	}
	if open == 0 {
		return nil
	}
	// Control records are kept so that a topic that ends in one is seen to end.
	cl, err := kgo.NewClient(append(b.opts[:len(b.opts):len(b.opts)], kgo.ConsumePartitions(assign), kgo.KeepControlRecords())...)
	if err != nil {
		return fmt.Errorf("dead letters: making the Kafka client: %w", err)
	}
	defer cl.Close()
	for open > 0 {
		poll, cancel := context.WithTimeout(ctx, idleLimit)
		fs := cl.PollFetches(poll)
		idle := poll.Err() != nil
		cancel()
		if err := ctx.Err(); err != nil {
			return err
		}
		if idle && fs.NumRecords() == 0 {
			return fmt.Errorf("no record came for %v, with %d partitions not read to their end; is the broker reachable?", idleLimit, open)
		}
		var failed error
		fs.EachError(func(t string, p int32, err error) {
			failed = fmt.Errorf("reading %s/%d: %w", t, p, err)
		})
		if failed != nil {
			return failed
		}
		for it := fs.RecordIter(); !it.Done(); {
			r := it.Next()
			end := ends[r.Topic][r.Partition]
			if r.Offset < end && !r.Attrs.IsControl() {
				if err := f(r); err != nil {
					return err
				}
			}
			if r.Offset >= end-1 && left[r.Topic][r.Partition] {
				left[r.Topic][r.Partition] = false
				open--
			}
		}
	}
	return nil
}

// bounds returns the start and end offsets of topics.
func (b *Inbox) bounds(ctx context.Context, topics ...string) (starts, ends map[string]map[int32]int64, err error) {
	list := func(f func(context.Context, ...string) (kadm.ListedOffsets, error)) (map[string]map[int32]int64, error) {
		m := map[string]map[int32]int64{}
		los, err := f(ctx, topics...)
		if err != nil {
			return nil, err
		}
		var failed error
		los.Each(func(o kadm.ListedOffset) {
			switch {
			case errors.Is(o.Err, kerr.UnknownTopicOrPartition):
				failed = fmt.Errorf("there is no topic %s", o.Topic)
				return
			case o.Err != nil:
				failed = fmt.Errorf("topic %s: %w", o.Topic, o.Err)
				return
			}
			if m[o.Topic] == nil {
				m[o.Topic] = map[int32]int64{}
			}
			m[o.Topic][o.Partition] = o.Offset
		})
		return m, failed
	}
	if starts, err = list(b.adm.ListStartOffsets); err != nil {
		return nil, nil, err
	}
	ends, err = list(b.adm.ListEndOffsets)
	return starts, ends, err
}
