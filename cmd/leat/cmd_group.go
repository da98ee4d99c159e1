package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatdev/leat/internal/cli"
)

func (a *app) groupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "group",
		Short:   "List, describe, configure, move and delete consumer and share groups",
		GroupID: "data",
		Example: "  leat group list\n  leat group describe support.mood",
	}
	a.addBrokers(cmd.PersistentFlags())
	cmd.AddCommand(
		a.groupListCommand(),
		a.groupDescribeCommand(),
		a.groupSeekCommand(),
		a.groupDeleteCommand(),
		a.groupOffsetDeleteCommand(),
		a.configCommand(groupConfig),
	)
	return cmd
}

// groupOutcome is what became of one group that a command was given.
type groupOutcome struct {
	Group string `json:"group"`
	Done  string `json:"done,omitempty"`
	Error string `json:"error,omitempty"`
}

func (a *app) groupDeleteCommand() *cobra.Command {
	var yes, dryRun bool
	cmd := &cobra.Command{
		Use:     "delete GROUP...",
		Short:   "Delete groups with the offsets they committed; they must have no members",
		Example: "  leat group delete old --yes",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withAdmin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				return a.deleteGroups(ctx, adm, args, yes, dryRun)
			})
		},
	}
	addDestructive(cmd.Flags(), &yes, &dryRun)
	return cmd
}

func (a *app) deleteGroups(ctx context.Context, adm *kadm.Client, groups []string, yes, dryRun bool) error {
	var items cli.Items
	results := make([]groupOutcome, 0, len(groups))
	note := func(group, done string, err error) {
		r := groupOutcome{Group: group, Error: items.Add(err)}
		if err == nil {
			r.Done = done
		}
		results = append(results, r)
	}
	if dryRun {
		for _, g := range groups {
			_, err := membersGone(ctx, adm, g, false)
			note(g, "would be deleted", err)
		}
		return a.reportGroups(results, &items)
	}
	if err := a.Confirm(yes, fmt.Sprintf("Delete %s with all offsets?", cli.Count(len(groups), "group"))); err != nil {
		return err
	}
	for _, g := range groups {
		answer, err := adm.DeleteGroup(ctx, g)
		if err == nil {
			err = answer.Err
		}
		note(g, "deleted", brokerError(err, ""))
	}
	return a.reportGroups(results, &items)
}

func (a *app) reportGroups(results []groupOutcome, items *cli.Items) error {
	err := a.out.Write(results, func(w io.Writer) error {
		for _, r := range results {
			if r.Error != "" {
				fmt.Fprintf(a.Err, "%s: %s\n", r.Group, r.Error)
				continue
			}
			if _, err := fmt.Fprintf(w, "%s: %s\n", r.Group, r.Done); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return items.Err("groups")
}
