package main

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatdev/leat/internal/cli"
)

func (a *app) topicAddPartitionsCommand() *cobra.Command {
	var add, total int
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "add-partitions TOPIC...",
		Short: "Give topics more partitions",
		Long: `Give topics more partitions. There is no way back, and records with a key that
come later may go to another partition than earlier ones with that key.`,
		Example: "  leat topic add-partitions orders -n 4\n  leat topic add-partitions orders --total 8 --dry-run",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (add > 0) == (total > 0) {
				return cli.Usagef("say how many: either -n (more) or --total, above 0")
			}
			return a.withAdmin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				return a.addPartitions(ctx, adm, args, add, total, dryRun)
			})
		},
	}
	f := cmd.Flags()
	f.IntVarP(&add, "num", "n", 0, "how many partitions to add to each topic")
	f.IntVar(&total, "total", 0, "how many partitions each topic shall have in all")
	f.BoolVar(&dryRun, "dry-run", false, "let the broker check, add nothing")
	return cmd
}

func (a *app) addPartitions(ctx context.Context, adm *kadm.Client, topics []string, add, total int, dryRun bool) error {
	n, call := add, adm.CreatePartitions
	switch {
	case total > 0 && dryRun:
		n, call = total, adm.ValidateUpdatePartitions
	case total > 0:
		n, call = total, adm.UpdatePartitions
	case dryRun:
		call = adm.ValidateCreatePartitions
	}
	answers, err := call(ctx, n, topics...)
	if err != nil {
		return err
	}
	done := cli.Count(int(add), "partition") + " added"
	if total > 0 {
		done = cli.Count(int(total), "partition") + " now"
	}
	if dryRun {
		done = "would do: " + done
	}
	var items cli.Items
	results := make([]outcome, 0, len(topics))
	for _, topic := range topics {
		resp, ok := answers[topic]
		r := outcome{Topic: topic}
		switch {
		case !ok:
			r.Error = items.Add(errNoAnswer)
		case resp.Err != nil:
			r.Error = items.Add(brokerError(resp.Err, resp.ErrMessage))
		default:
			items.Add(nil)
			r.Done = done
		}
		results = append(results, r)
	}
	return a.report(results, &items)
}
