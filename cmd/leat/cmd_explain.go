package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/internal/flow"
)

func (a *app) explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain FILE...",
		Short: "Show what pipelines would do, before anything runs",
		Long: `Show what pipelines would do, before anything runs: topics, partitions, groups, the
guarantee of each step and how many records it would read. Nothing is changed.

Without a cluster (none named, and nothing at ` + cli.DefaultBroker + `) it tells what follows
from the files alone. On a cluster that somebody else runs, acks=all means what that
cluster's replication makes of it, not fsync.`,
		Example: "  leat explain support.yaml\n  leat explain support.yaml --kafka kafka1:9092 -o json",
		GroupID: "pipeline",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.explain(cmd.Context(), args, cmd.Flags().Changed("brokers"))
		},
	}
	a.addKafka(cmd.Flags())
	return cmd
}

// explain asks the cluster; one that was named must answer.
func (a *app) explain(ctx context.Context, files []string, named bool) error {
	pipelines, err := flow.Load(files...)
	if err != nil {
		return err
	}
	seeds, err := cli.Seeds(a.brokers)
	if err != nil {
		return err
	}
	cl, err := cli.Dial(ctx, seeds, version().Version, "leat dev "+files[0])
	switch {
	case err != nil && named:
		return err
	case err != nil:
		seeds = nil
	default:
		cl.Close()
	}
	plan, err := newFlow(seeds, nil, slog.New(slog.DiscardHandler), pipelines).Explain(ctx)
	if err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	return a.out.Write(plan, plan.WriteText)
}
