package main

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/cli"
)

// memberSource reads the topics as a member of a group, a share group or another one,
// as the options say. What is to be done with records that are written is up to the caller.
func (a *app) memberSource(ctx context.Context, group string, share bool, topics []string, opts ...kgo.Opt) (recordSource, error) {
	cl, err := a.client(ctx, append(opts, kgo.ConsumeTopics(topics...))...)
	if err != nil {
		return recordSource{}, err
	}
	if err := mayJoin(ctx, kadm.NewClient(cl), group, share, topics); err != nil {
		cl.CloseAllowingRebalance()
		return recordSource{}, err
	}
	return recordSource{
		cl:       cl,
		wanted:   func(*kgo.Record) bool { return true },
		finished: func(context.Context, bool) (bool, error) { return false, nil },
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
