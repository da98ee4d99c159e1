package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatdev/leat/internal/cli"
)

func (a *app) topicDeleteCommand() *cobra.Command {
	var yes, dryRun bool
	cmd := &cobra.Command{
		Use:     "delete TOPIC...",
		Short:   "Delete topics with all their records",
		Example: "  leat topic delete orders --dry-run\n  leat topic delete orders --yes",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withAdmin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				return a.deleteTopics(ctx, adm, args, yes, dryRun)
			})
		},
	}
	addDestructive(cmd.Flags(), &yes, &dryRun)
	return cmd
}

func (a *app) deleteTopics(ctx context.Context, adm *kadm.Client, topics []string, yes, dryRun bool) error {
	var items cli.Items
	if dryRun {
		details, err := adm.ListTopicsWithInternal(ctx, topics...)
		if err != nil {
			return err
		}
		var results []outcome
		for _, t := range topics {
			d, ok := details[t]
			r := outcome{Topic: t}
			switch {
			case !ok:
				r.Error = items.Add(errNoAnswer)
			case d.Err != nil:
				r.Error = items.Add(brokerError(d.Err, ""))
			default:
				items.Add(nil)
				r.Done = "would be deleted, " + cli.Count(len(d.Partitions), "partition")
			}
			results = append(results, r)
		}
		return a.report(results, &items)
	}
	if err := a.Confirm(yes, fmt.Sprintf("Delete %s with all records?", strings.Join(topics, ", "))); err != nil {
		return err
	}
	answers, err := adm.DeleteTopics(ctx, topics...)
	if err != nil {
		return err
	}
	var results []outcome
	for _, t := range topics {
		resp, ok := answers[t]
		r := outcome{Topic: t}
		switch {
		case !ok:
			r.Error = items.Add(errNoAnswer)
		case resp.Err != nil:
			r.Error = items.Add(brokerError(resp.Err, resp.ErrMessage))
		default:
			items.Add(nil)
			r.Done = "deleted"
		}
		results = append(results, r)
	}
	return a.report(results, &items)
}
