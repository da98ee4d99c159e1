package main

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
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
	cl, err := a.client(ctx, kgo.ConsumerGroup(o.group), kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(reset),
		o.isolation(), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll())
	if err != nil {
		return recordSource{}, err
	}
	if err := mayJoin(ctx, kadm.NewClient(cl), o.group, false, topics); err != nil {
		cl.CloseAllowingRebalance()
		return recordSource{}, err
	}
	return recordSource{
		cl:       cl,
		wanted:   func(*kgo.Record) bool { return true },
		finished: func(context.Context, bool) (bool, error) { return false, nil },
		written: func(ctx context.Context, records []*kgo.Record) error {
			if err := cl.CommitRecords(ctx, records...); err != nil {
				return fmt.Errorf("written, but not committed: %w", err)
			}
			return nil
		},
	}, nil
}

// mayJoin fails where a member would wait for ever: at a topic that is not there, and
// in a group of another kind, which turns it away again and again. A coordinator that
// is not ready tells nothing, and is waited for by the member.
func mayJoin(ctx context.Context, adm *kadm.Client, group string, share bool, topics []string) error {
	if _, err := resolveSpans(ctx, adm, topics, nil, cli.Offset{Kind: cli.OffsetStart}, false); err != nil {
		return err
	}
	found, err := lookUp(ctx, adm, group)
	switch {
	case err != nil:
		return nil
	case share && (found.kind == classicType || found.kind == consumerType):
		return fmt.Errorf("group %s is a consumer group, not a share group: read with -g %[1]s, or choose another name", group)
	case !share && found.kind == shareType:
		return fmt.Errorf("group %s is a share group: read with --share %[1]s, or choose another name", group)
	}
	return nil
}
