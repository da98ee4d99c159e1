package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatdev/leat/internal/cli"
)

type groupSeek struct {
	to          string
	toGroup     string
	topics      []string
	partitions  []int32
	yes, dryRun bool
}

// moved is one partition of `leat group seek`.
type moved struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      int64  `json:"from"` // -1: nothing was committed
	To        int64  `json:"to"`
	DryRun    bool   `json:"dryRun,omitempty"`
	Error     string `json:"error,omitempty"`
}

func (a *app) groupSeekCommand() *cobra.Command {
	var o groupSeek
	cmd := &cobra.Command{
		Use:   "seek GROUP",
		Short: "Move a group's committed offsets, so that it reads again or skips",
		Long: `Move a group's committed offsets, so that it reads again or skips. The group must
have no members. Without --topic it moves in the topics it has committed offsets in.
A share group gives up its locks and delivery counts where it is moved.

Offsets: ` + cli.OffsetForms,
		Example: `  leat group seek support.mood --to start --dry-run
  leat group seek support.mood --to @-1h --topic support.messages --yes
  leat group seek support.mood2 --to-group support.mood --yes`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (o.to == "") == (o.toGroup == "") {
				return cli.Usagef("say where to: either --to or --to-group")
			}
			if len(o.partitions) > 0 && len(o.topics) != 1 {
				return cli.Usagef("--partitions goes with one --topic")
			}
			if o.to != "" {
				if _, err := cli.ParseOffset(o.to, time.Now()); err != nil {
					return err
				}
			}
			return a.withAdmin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				return a.seekGroup(ctx, adm, o, args[0])
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.to, "to", "", "the offset that is read next: "+cli.OffsetForms)
	f.StringVar(&o.toGroup, "to-group", "", "where this other group stands")
	f.StringSliceVar(&o.topics, "topic", nil, "only in this topic, also if the group has not read it yet; may be repeated")
	f.Int32SliceVarP(&o.partitions, "partitions", "p", nil, "only these partitions of the topic")
	addDestructive(f, &o.yes, &o.dryRun)
	return cmd
}

func (a *app) seekGroup(ctx context.Context, adm *kadm.Client, o groupSeek, group string) error {
	kind, err := membersGone(ctx, adm, group, true)
	if err != nil {
		return fmt.Errorf("group %s: %w", group, err)
	}
	committed, err := committedOffsets(ctx, adm, group)
	if err != nil {
		return err
	}
	targets, err := seekTargets(ctx, adm, o, committed)
	if err != nil {
		return err
	}
	var plan []moved
	targets.Each(func(t kadm.Offset) {
		m := moved{Topic: t.Topic, Partition: t.Partition, From: -1, To: t.At, DryRun: o.dryRun}
		if c, ok := committed.Lookup(t.Topic, t.Partition); ok {
			m.From = c.At
		}
		plan = append(plan, m)
	})
	sortPlaces(plan, func(m moved) (string, int32) { return m.Topic, m.Partition })
	if len(plan) == 0 {
		return fmt.Errorf("group %s has committed no offsets: name the topic with --topic", group)
	}
	var items cli.Items
	if !o.dryRun {
		if err := a.Confirm(o.yes, fmt.Sprintf("Move group %s in %s?", group, cli.Count(len(plan), "partition"))); err != nil {
			return err
		}
		outcome, err := moveOffsets(ctx, adm, group, kind, targets)
		if err != nil {
			return fmt.Errorf("group %s: %w", group, err)
		}
		for i := range plan {
			plan[i].Error = items.Add(outcome(plan[i].Topic, plan[i].Partition))
		}
	}
	err = a.out.Write(plan, func(w io.Writer) error {
		t := cli.NewTable(w, "TOPIC", "PARTITION", "FROM", "TO", "ERROR")
		for _, m := range plan {
			t.Row(m.Topic, m.Partition, m.From, m.To, m.Error)
		}
		return t.Flush()
	})
	return errors.Join(err, items.Err("partitions"))
}

// seekTargets finds the offsets to commit.
func seekTargets(ctx context.Context, adm *kadm.Client, o groupSeek, committed kadm.OffsetResponses) (kadm.Offsets, error) {
	var targets kadm.Offsets
	if o.toGroup != "" {
		other, err := committedOffsets(ctx, adm, o.toGroup)
		if err != nil {
			return nil, err
		}
		other.Each(func(c kadm.OffsetResponse) {
			if c.Err == nil && c.At >= 0 && o.concerns(c.Topic, c.Partition) {
				targets.AddOffset(c.Topic, c.Partition, c.At, c.LeaderEpoch)
			}
		})
		if len(targets) == 0 {
			return nil, fmt.Errorf("group %s has committed no offsets there", o.toGroup)
		}
		return targets, nil
	}
	topics := o.topics
	if len(topics) == 0 {
		topics = slices.Sorted(maps.Keys(committed))
	}
	if len(topics) == 0 {
		return nil, nil
	}
	to, err := cli.ParseOffset(o.to, time.Now())
	if err != nil {
		return nil, err
	}
	spans, err := resolveSpans(ctx, adm, topics, o.partitions, to, false)
	if err != nil {
		return nil, err
	}
	for _, s := range spans {
		if s.at < s.start || s.at > s.end {
			return nil, fmt.Errorf("%s partition %d holds offsets %d to %d, %d is not among them", s.topic, s.partition, s.start, s.end, s.at)
		}
		targets.AddOffset(s.topic, s.partition, s.at, -1)
	}
	return targets, nil
}

func (o groupSeek) concerns(topic string, partition int32) bool {
	return (len(o.topics) == 0 || slices.Contains(o.topics, topic)) &&
		(len(o.partitions) == 0 || slices.Contains(o.partitions, partition))
}
