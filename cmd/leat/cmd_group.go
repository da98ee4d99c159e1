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
		Short:   "List, describe, move and delete consumer groups",
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
	)
	return cmd
}

type groupLine struct {
	Group       string `json:"group"`
	State       string `json:"state"`
	Type        string `json:"type"`
	Coordinator int32  `json:"coordinator"`
}

func (a *app) groupListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List consumer groups",
		Example: "  leat group list -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withAdmin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				listed, err := adm.ListGroups(ctx)
				if err != nil {
					return err
				}
				lines := []groupLine{}
				for _, g := range listed.Sorted() {
					lines = append(lines, groupLine{g.Group, g.State, g.ProtocolType, g.Coordinator})
				}
				return a.out.Write(lines, func(w io.Writer) error {
					t := cli.NewTable(w, "GROUP", "STATE", "TYPE", "COORDINATOR")
					for _, l := range lines {
						t.Row(l.Group, l.State, l.Type, l.Coordinator)
					}
					return t.Flush()
				})
			})
		},
	}
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
			_, err := emptyGroup(ctx, adm, g, false)
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

// emptyGroup returns the group if it has no members: only then may its offsets
// be changed. mayBeNew also allows a group that is not there yet.
func emptyGroup(ctx context.Context, adm *kadm.Client, group string, mayBeNew bool) (kadm.DescribedGroup, error) {
	described, err := adm.DescribeGroups(ctx, group)
	if err != nil {
		return kadm.DescribedGroup{}, err
	}
	g, err := described.On(group, nil)
	if err == nil {
		err = g.Err
	}
	if isNoSuchGroup(err) || err == nil && len(g.Members) == 0 && g.State != "Empty" {
		if c, ok := consumerGroup(ctx, adm, group); ok {
			if n := len(c.Members); n > 0 {
				return g, fmt.Errorf("has %s (state %s): stop them first", cli.Count(n, "member"), c.State)
			}
			return kadm.DescribedGroup{Group: group, Coordinator: c.Coordinator, State: c.State}, nil
		}
		if s, ok := shareGroup(ctx, adm, group); ok {
			if n := len(s.Members); n > 0 {
				return kadm.DescribedGroup{}, fmt.Errorf("has %s (state %s): stop them first", cli.Count(n, "member"), s.GroupState)
			}
			return kadm.DescribedGroup{Group: group, Coordinator: s.Coordinator, State: s.GroupState}, nil
		}
	}
	switch {
	case err != nil && !(mayBeNew && isNoSuchGroup(err)):
		return g, brokerError(err, "")
	case g.State == "Dead" && !mayBeNew: // the answer for a group that never was
		return g, fmt.Errorf("there is no such group; `leat group list` shows those there are")
	case len(g.Members) > 0:
		return g, fmt.Errorf("has %s (state %s): stop them first", cli.Count(len(g.Members), "member"), g.State)
	}
	return g, nil
}
