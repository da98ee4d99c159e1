package traffic

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/test/leatproc"
)

// Reader is a member of a group that commits what it has read, poll by poll.
type Reader struct {
	topic, group string
	cl           *kgo.Client
	done         chan struct{}

	mu        sync.Mutex
	read      map[Place]ID
	again     int
	changed   []string
	committed map[int32]int64 // as acknowledged
	commits   int
	more      chan struct{}
}

// NewReader makes a reader; start it with `go r.Run`.
func NewReader(t testing.TB, addr, group, topic string) *Reader {
	return &Reader{topic: topic, group: group,
		cl:   Client(t, addr, kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group), kgo.DisableAutoCommit(), kgo.AlwaysRetryEOF()),
		done: make(chan struct{}), read: map[Place]ID{}, committed: map[int32]int64{}, more: make(chan struct{})}
}

// Run reads until ctx ends.
func (r *Reader) Run(ctx context.Context) {
	defer close(r.done)
	for ctx.Err() == nil {
		r.poll(ctx)
	}
}

// Done is closed when Run has ended.
func (r *Reader) Done() <-chan struct{} { return r.done }

// poll reads and commits once. A commit that fails, since the broker is away, is
// covered by the next one.
func (r *Reader) poll(ctx context.Context) {
	upTo := map[int32]kgo.EpochOffset{}
	fetches := r.cl.PollFetches(ctx)
	r.mu.Lock()
	fetches.EachRecord(func(rec *kgo.Record) {
		id, err := parse(rec.Value)
		if err != nil {
			r.changed = append(r.changed, err.Error())
		}
		at := placeOf(rec)
		if before, ok := r.read[at]; ok {
			r.again++
			if before != id {
				r.changed = append(r.changed, fmt.Sprintf("%v was %v and is %v now", at, before, id))
			}
		}
		r.read[at] = id
		upTo[rec.Partition] = kgo.EpochOffset{Epoch: rec.LeaderEpoch, Offset: rec.Offset + 1}
	})
	r.mu.Unlock()
	if len(upTo) == 0 {
		return
	}
	r.cl.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{r.topic: upTo},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
			if err != nil {
				return
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, topic := range resp.Topics {
				for _, p := range topic.Partitions {
					if p.ErrorCode == 0 {
						r.committed[p.Partition] = upTo[p.Partition].Offset
					}
				}
			}
			r.commits++
			close(r.more)
			r.more = make(chan struct{})
		})
}

func (r *Reader) count() (int, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.commits, r.more
}

// Commits is how many commits were acknowledged.
func (r *Reader) Commits() int {
	n, _ := r.count()
	return n
}

// WaitFor waits until n commits were acknowledged.
func (r *Reader) WaitFor(t testing.TB, n int) {
	t.Helper()
	waitFor(t, "commits", n, r.count, func() error { return nil })
}

// Acknowledged are the offsets whose commit was acknowledged, by partition.
func (r *Reader) Acknowledged() map[int32]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.committed)
}

// CatchUp waits until the group has committed the ends of all partitions.
func (r *Reader) CatchUp(t testing.TB, ends map[int32]int64) {
	t.Helper()
	leatproc.Until(t, Patience, "the group reads and commits all", func() error {
		acknowledged := r.Acknowledged()
		for p, end := range ends {
			if acknowledged[p] < end {
				return fmt.Errorf("partition %d is committed up to %d of %d", p, acknowledged[p], end)
			}
		}
		return nil
	})
}

// CheckCommits fails the test unless the group's offsets are at least what was acknowledged.
func (r *Reader) CheckCommits(t testing.TB, a *kadm.Client, acknowledged map[int32]int64) {
	t.Helper()
	var offsets kadm.OffsetResponses
	Ask(t, "the group's offsets", func() (err error) {
		offsets, err = a.FetchOffsets(t.Context(), r.group)
		return err
	})
	for p, want := range acknowledged {
		if o, ok := offsets.Lookup(r.topic, p); !ok || o.Err != nil || o.At < want {
			t.Errorf("partition %d: the commit of %d was acknowledged, and %d is there (%v)", p, want, o.At, o.Err)
		}
	}
}

// Check fails the test unless each record of the log was read, and all that was
// read is in the log, the same.
func (r *Reader) Check(t testing.TB, log *Log) {
	t.Helper()
	for _, what := range r.changed {
		t.Error(what)
	}
	for _, rec := range log.Records {
		if _, ok := r.read[rec.Place]; !ok {
			t.Errorf("%v at %v was never read", rec.ID, rec.Place)
		}
	}
	for at, id := range r.read {
		if got, ok := log.at[at]; at.Offset >= log.Starts[at.Partition] && (!ok || got != id) {
			t.Errorf("%v was read at %v, where %v is (%v): it was seen before it was durable", id, at, got, ok)
		}
	}
	t.Logf("the group read %d records, %d of them again, in %d commits", len(r.read), r.again, r.commits)
}
