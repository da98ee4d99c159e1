package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatdev/leat/internal/cli"
)

type trimmed struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      int64  `json:"from"`
	To        int64  `json:"to"`
	Records   int64  `json:"records"`
	DryRun    bool   `json:"dryRun,omitempty"`
	Error     string `json:"error,omitempty"`
}

func (a *app) topicTrimPrefixCommand() *cobra.Command {
	var (
		to          string
		partitions  []int32
		yes, dryRun bool
	)
	cmd := &cobra.Command{
		Use:     "trim-prefix TOPIC --to OFFSET",
		Short:   "Delete the records before an offset",
		Long:    "Delete the records before an offset.\n\nOFFSET is " + cli.OffsetForms + ".",
		Example: "  leat topic trim-prefix orders --to @-24h --dry-run\n  leat topic trim-prefix orders -p 0 --to 4711 --yes",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if to == "" {
				return cli.Usagef("--to is needed: the offset before which everything goes")
			}
			off, err := cli.ParseOffset(to, time.Now())
			if err != nil {
				return err
			}
			return a.withAdmin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				return a.trimPrefix(ctx, adm, args[0], partitions, off, yes, dryRun)
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the first offset that stays: "+cli.OffsetForms)
	cmd.Flags().Int32SliceVarP(&partitions, "partitions", "p", nil, "only these partitions; default all")
	addDestructive(cmd.Flags(), &yes, &dryRun)
	return cmd
}

func (a *app) trimPrefix(ctx context.Context, adm *kadm.Client, topic string, only []int32, to cli.Offset, yes, dryRun bool) error {
	spans, err := resolveSpans(ctx, adm, []string{topic}, only, to, false)
	if err != nil {
		return err
	}
	var plan []trimmed
	var offsets kadm.Offsets
	var count int64
	for _, s := range spans {
		t := trimmed{Topic: topic, Partition: s.partition, From: s.start, To: s.at, Records: s.at - s.start, DryRun: dryRun}
		if s.at > s.end {
			return fmt.Errorf("partition %d ends at offset %d, cannot trim to %d", s.partition, s.end, s.at)
		}
		if t.Records <= 0 {
			continue
		}
		plan, count = append(plan, t), count+t.Records
		offsets.AddOffset(topic, s.partition, s.at, -1)
	}
	slices.SortFunc(plan, func(x, y trimmed) int { return int(x.Partition - y.Partition) })
	var items cli.Items
	if len(plan) > 0 && !dryRun {
		if err := a.Confirm(yes, fmt.Sprintf("Delete %s of %s?", cli.Count(count, "record"), topic)); err != nil {
			return err
		}
		answers, err := adm.DeleteRecords(ctx, offsets)
		if err != nil && len(answers) == 0 {
			return err
		}
		for i := range plan {
			resp, ok := answers.Lookup(topic, plan[i].Partition)
			if !ok {
				resp.Err = errNoAnswer
			}
			plan[i].Error = items.Add(brokerError(resp.Err, ""))
		}
	}
	if plan == nil {
		plan = []trimmed{}
	}
	err = a.out.Write(plan, func(w io.Writer) error {
		t := cli.NewTable(w, "TOPIC", "PARTITION", "FROM", "TO", "RECORDS", "ERROR")
		for _, p := range plan {
			t.Row(p.Topic, p.Partition, p.From, p.To, p.Records, p.Error)
		}
		return t.Flush()
	})
	return errors.Join(err, items.Err("partitions"))
}
