package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatdev/leat/internal/cli"
)

func (a *app) groupOffsetDeleteCommand() *cobra.Command {
	var yes, dryRun bool
	cmd := &cobra.Command{
		Use:     "offset-delete GROUP TOPIC[:PARTITION]...",
		Short:   "Forget offsets that a group committed",
		Example: "  leat group offset-delete audit orders --yes\n  leat group offset-delete audit orders:0 orders:3 --dry-run",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			places, err := parsePlaces(args[1:])
			if err != nil {
				return err
			}
			return a.withAdmin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				return a.deleteOffsets(ctx, adm, args[0], places, yes, dryRun)
			})
		},
	}
	addDestructive(cmd.Flags(), &yes, &dryRun)
	return cmd
}

// parsePlaces reads TOPIC or TOPIC:PARTITION arguments; a topic alone is all
// partitions, an empty set here. Topic names hold no colon.
func parsePlaces(args []string) (map[string][]int32, error) {
	places := map[string][]int32{}
	for _, arg := range args {
		topic, number, exact := strings.Cut(arg, ":")
		p, err := strconv.ParseInt(number, 10, 32)
		if topic == "" || (exact && (err != nil || p < 0)) {
			return nil, cli.Usagef("%q: want TOPIC or TOPIC:PARTITION", arg)
		}
		if _, ok := places[topic]; !ok {
			places[topic] = nil
		}
		if exact {
			places[topic] = append(places[topic], int32(p))
		}
	}
	return places, nil
}

func (a *app) deleteOffsets(ctx context.Context, adm *kadm.Client, group string, places map[string][]int32, yes, dryRun bool) error {
	found, err := lookUp(ctx, adm, group)
	if err != nil {
		return fmt.Errorf("group %s: %w", group, err)
	}
	if found.kind == shareType {
		for topic, only := range places {
			if len(only) > 0 {
				return cli.Usagef("group %s is a share group, which forgets whole topics: name %s without a partition", group, topic)
			}
		}
	}
	committed, err := committedOffsets(ctx, adm, group)
	if err != nil {
		return err
	}
	set := kadm.TopicsSet{}
	plan := []moved{}
	committed.Each(func(c kadm.OffsetResponse) {
		only, ok := places[c.Topic]
		if !ok || c.At < 0 || (len(only) > 0 && !slices.Contains(only, c.Partition)) {
			return
		}
		set.Add(c.Topic, c.Partition)
		plan = append(plan, moved{Topic: c.Topic, Partition: c.Partition, From: c.At, To: -1, DryRun: dryRun})
	})
	sortPlaces(plan, func(m moved) (string, int32) { return m.Topic, m.Partition })
	if len(plan) == 0 {
		return fmt.Errorf("group %s has committed no offsets there", group)
	}
	var items cli.Items
	if !dryRun {
		if err := a.Confirm(yes, fmt.Sprintf("Forget offsets of group %s in %s?", group, cli.Count(len(plan), "partition"))); err != nil {
			return err
		}
		outcome, err := forgetOffsets(ctx, adm, group, found.kind, set)
		if err != nil {
			return fmt.Errorf("group %s: %w", group, err)
		}
		for i := range plan {
			plan[i].Error = items.Add(outcome(plan[i].Topic, plan[i].Partition))
		}
	}
	err = a.out.Write(plan, func(w io.Writer) error {
		t := cli.NewTable(w, "TOPIC", "PARTITION", "FORGOTTEN", "ERROR")
		for _, m := range plan {
			t.Row(m.Topic, m.Partition, m.From, m.Error)
		}
		return t.Flush()
	})
	return errors.Join(err, items.Err("partitions"))
}
