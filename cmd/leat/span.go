package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatdev/leat/internal/cli"
)

// span is a partition with its offsets and the place in it that was asked for.
type span struct {
	topic          string
	partition      int32
	start, end, at int64
}

// resolveSpans finds the place that off means in each partition of the topics,
// or in those of only. It fails when a topic or partition is not there. committed
// ends a partition where the oldest open transaction begins (its last stable offset).
func resolveSpans(ctx context.Context, adm *kadm.Client, topics []string, only []int32, off cli.Offset, committed bool) ([]span, error) {
	details, err := adm.ListTopicsWithInternal(ctx, topics...)
	if err != nil {
		return nil, err
	}
	for _, t := range topics {
		if d, ok := details[t]; !ok || d.Err != nil {
			return nil, fmt.Errorf("topic %s: %w", t, brokerError(d.Err, ""))
		}
	}
	starts, err := adm.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, err
	}
	listEnds := adm.ListEndOffsets
	if committed {
		listEnds = adm.ListCommittedOffsets
	}
	ends, err := listEnds(ctx, topics...)
	if err != nil {
		return nil, err
	}
	var timed kadm.ListedOffsets
	if off.Kind == cli.OffsetTime {
		if timed, err = adm.ListOffsetsAfterMilli(ctx, off.Time.UnixMilli(), topics...); err != nil {
			return nil, err
		}
	}
	var spans []span
	for _, t := range topics {
		for _, p := range only {
			if _, ok := details[t].Partitions[p]; !ok {
				return nil, fmt.Errorf("topic %s has %s, there is no partition %d", t, cli.Count(len(details[t].Partitions), "partition"), p)
			}
		}
		for _, p := range details[t].Partitions.Sorted() {
			if len(only) > 0 && !slices.Contains(only, p.Partition) {
				continue
			}
			s, _ := starts.Lookup(t, p.Partition)
			e, _ := ends.Lookup(t, p.Partition)
			if s.Err != nil || e.Err != nil {
				return nil, fmt.Errorf("topic %s partition %d: %w", t, p.Partition, firstError(s.Err, e.Err))
			}
			at := off.Resolve(s.Offset, e.Offset, func(time.Time) int64 {
				if o, ok := timed.Lookup(t, p.Partition); ok && o.Err == nil && o.Offset >= 0 {
					return o.Offset
				}
				return e.Offset
			})
			spans = append(spans, span{t, p.Partition, s.Offset, e.Offset, at})
		}
	}
	return spans, nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
