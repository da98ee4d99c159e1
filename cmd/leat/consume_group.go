package main

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/cli"
)

// groupSource reads as a member of a group.
func (a *app) groupSource(ctx context.Context, o consumeOptions, topics []string, from cli.Offset) (recordSource, error) {
	if o.to != "" || len(o.partitions) > 0 {
		return recordSource{}, cli.Usagef("-g shares partitions out by itself: it goes with -n, not with --to or -p")
	}
	reset := kgo.NewOffset()
	switch from.Kind {
	case cli.OffsetStart:
		reset = reset.AtStart()
	case cli.OffsetEnd:
		reset = reset.AtEnd()
	case cli.OffsetTime:
		reset = reset.AfterMilli(from.Time.UnixMilli())
	default:
		return recordSource{}, cli.Usagef("--from %s with -g: want start, end or @TIME; `leat group seek` moves a group", o.from)
	}
	src, err := a.memberSource(ctx, o.group, false, topics, kgo.ConsumerGroup(o.group), kgo.ConsumeResetOffset(reset),
		o.isolation(), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll())
	src.written = func(ctx context.Context, records []*kgo.Record) error {
		if err := src.cl.CommitRecords(ctx, records...); err != nil {
			return fmt.Errorf("written, but not committed: %w", err)
		}
		return nil
	}
	return src, err
}
