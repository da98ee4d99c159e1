package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Consume measures how fast records that are already there are read, by one
// client with no group, from the start of every partition. It reads Dial,
// Topic, Records (0: all that are there now), ServerPID and Progress.
func Consume(ctx context.Context, c Config) (Result, error) {
	r := Result{Kind: "consume", Topic: c.Topic}
	cl, err := c.Dial(ctx)
	if err != nil {
		return r, err
	}
	defer cl.Close()
	there, err := recordsIn(ctx, kadm.NewClient(cl), c.Topic)
	if err != nil {
		return r, err
	}
	want := c.Records
	if want == 0 {
		want = there
	}
	if there == 0 || want > there {
		return r, fmt.Errorf("topic %s holds %d records, too few: write some with `leat bench produce --topic %s -n %d`",
			c.Topic, there, c.Topic, max(want-there, 100_000))
	}

	m, err := startMeter(c.ServerPID)
	if err != nil {
		return r, err
	}
	var t tally
	t.begin(time.Now())
	unwatch := c.watch(t.count)
	cl.AddConsumeTopics(c.Topic)
	for n := int64(0); n < want && ctx.Err() == nil; {
		fetches := cl.PollRecords(ctx, int(min(want-n, 1<<20)))
		if err := fetches.Err0(); err != nil && !errors.Is(err, context.Canceled) {
			unwatch()
			return r, err
		}
		var bytes int64
		for iter := fetches.RecordIter(); !iter.Done(); {
			bytes += int64(len(iter.Next().Value))
		}
		n += int64(fetches.NumRecords())
		t.bulk(int64(fetches.NumRecords()), bytes)
	}
	unwatch()
	err = m.stop(&r)
	t.result(&r, 0)
	return r, err
}

// bulk counts n records at once; their latency is not known.
func (t *tally) bulk(n, bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ok, t.bytes, t.last = t.ok+n, t.bytes+bytes, time.Now()
}

func recordsIn(ctx context.Context, adm *kadm.Client, topic string) (int64, error) {
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return 0, err
	}
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, err
	}
	if err := errors.Join(starts.Error(), ends.Error()); err != nil {
		return 0, fmt.Errorf("topic %s: %w", topic, err)
	}
	var n int64
	ends.Each(func(e kadm.ListedOffset) {
		s, _ := starts.Lookup(e.Topic, e.Partition)
		n += e.Offset - s.Offset
	})
	return n, nil
}
