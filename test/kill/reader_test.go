package kill

import (
	"context"
	"maps"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/test/leatproc"
)

const group = "readers"

// reader is a member of a group that commits what it has read, poll by poll.
type reader struct {
	cl   *kgo.Client
	done chan struct{}

	mu        sync.Mutex
	read      map[place]int
	committed map[int32]int64 // as acknowledged
	commits   int
	more      chan struct{}
}

func newReader(t *testing.T, s *leatproc.Server) *reader {
	return &reader{cl: client(t, s, kgo.ConsumeTopics("all"), kgo.ConsumerGroup(group), kgo.DisableAutoCommit(), kgo.AlwaysRetryEOF()),
		done: make(chan struct{}), read: map[place]int{}, committed: map[int32]int64{}, more: make(chan struct{})}
}

// run reads until ctx ends.
func (r *reader) run(ctx context.Context) {
	defer close(r.done)
	for ctx.Err() == nil {
		r.poll(ctx)
	}
}

// poll reads and commits once. A commit that fails, since the broker is away, is
// covered by the next one.
func (r *reader) poll(ctx context.Context) {
	upTo := map[int32]kgo.EpochOffset{}
	fetches := r.cl.PollFetches(ctx)
	r.mu.Lock()
	fetches.EachRecord(func(rec *kgo.Record) {
		r.read[place{rec.Partition, rec.Offset}]++
		upTo[rec.Partition] = kgo.EpochOffset{Epoch: rec.LeaderEpoch, Offset: rec.Offset + 1}
	})
	r.mu.Unlock()
	if len(upTo) == 0 {
		return
	}
	r.cl.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{"all": upTo},
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

// count is how many commits were acknowledged, and a channel for the next one.
func (r *reader) count() (int, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.commits, r.more
}

func (r *reader) waitFor(t *testing.T, n int) {
	t.Helper()
	waitFor(t, "commits", n, r.count, func() error { return nil })
}

// acknowledged are the offsets whose commit was acknowledged.
func (r *reader) acknowledged() map[int32]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.committed)
}

// check fails the test unless each record of the log was read.
func (r *reader) check(t *testing.T, log []*kgo.Record) {
	t.Helper()
	places := map[place]bool{}
	missed, again := 0, 0
	for _, rec := range log {
		at := place{rec.Partition, rec.Offset}
		places[at] = true
		if r.read[at] == 0 {
			missed++
			t.Errorf("%v was never read", at)
		}
		again += max(0, r.read[at]-1)
	}
	for at := range r.read {
		if !places[at] {
			t.Errorf("%v was read and is not in the log: it was seen before it was durable", at)
		}
	}
	t.Logf("the group read %d records, %d of them again, in %d commits", len(log), again, r.commits)
}
