package deadletter

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// letters calls f with the letters of a topic, oldest first in each partition:
// the open ones, and with all also those that were redriven. Records without
// dead-letter headers are letters, too: they stand in a dead-letter topic.
func (b *Inbox) letters(ctx context.Context, topic string, all bool, f func(*Letter) error) error {
	starts, ends, err := b.bounds(ctx, topic)
	if err != nil {
		return fmt.Errorf("dead letters of %s: %w", topic, err)
	}
	if len(ends[topic]) == 0 {
		return fmt.Errorf("there is no topic %q; `leat dlq list` shows the dead-letter topics", topic)
	}
	from := starts
	if !all {
		if from, err = b.firstOpen(ctx, starts, ends); err != nil {
			return err
		}
	}
	states, err := b.dispositions(ctx)
	if err != nil {
		return err
	}
	return b.scan(ctx, from, ends, func(r *kgo.Record) error {
		l, _ := Read(r)
		if d, ok := states[l.ID()]; ok && d.EventID == l.EventID {
			l.State = d.State
		}
		if l.State != Open && !all {
			return nil
		}
		return f(&l)
	})
}

// Get reads one dead letter by its place.
func (b *Inbox) Get(ctx context.Context, topic string, partition int32, offset int64) (Letter, error) {
	starts, ends, err := b.bounds(ctx, topic)
	if err != nil {
		return Letter{}, fmt.Errorf("dead letter %s/%d/%d: %w", topic, partition, offset, err)
	}
	end, ok := ends[topic][partition]
	if !ok || offset < starts[topic][partition] || offset >= end {
		return Letter{}, fmt.Errorf("there is no dead letter %s/%d/%d: the partition has offsets %d to %d", topic, partition, offset, starts[topic][partition], end-1)
	}
	states, err := b.dispositions(ctx)
	if err != nil {
		return Letter{}, err
	}
	at := func(o int64) map[string]map[int32]int64 { return map[string]map[int32]int64{topic: {partition: o}} }
	var found *Letter
	err = b.scan(ctx, at(offset), at(offset+1), func(r *kgo.Record) error {
		if r.Offset == offset {
			l, _ := Read(r)
			if d, ok := states[l.ID()]; ok && d.EventID == l.EventID {
				l.State = d.State
			}
			found = &l
		}
		return nil
	})
	if err == nil && found == nil {
		err = fmt.Errorf("dead letter %s/%d/%d is gone (compaction or a transaction marker)", topic, partition, offset)
	}
	if err != nil {
		return Letter{}, err
	}
	return *found, nil
}
