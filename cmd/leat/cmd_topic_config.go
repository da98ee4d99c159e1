package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatdev/leat/internal/cli"
)

func (a *app) topicConfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config",
		Short:   "Read and change a topic's configs",
		Example: "  leat topic config get orders retention.ms\n  leat topic config set orders retention.ms=86400000",
	}
	cmd.AddCommand(a.topicConfigGetCommand(), a.topicConfigSetCommand())
	return cmd
}

func (a *app) topicConfigGetCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "get TOPIC [NAME...]",
		Short:   "Show all configs of a topic, or those named, with where the values come from",
		Example: "  leat topic config get orders\n  leat topic config get orders cleanup.policy -o json",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withAdmin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				all, err := topicConfigs(ctx, adm, args[0])
				if err != nil {
					return fmt.Errorf("topic %s: %w", args[0], brokerError(err, ""))
				}
				picked, err := pickConfigs(all, args[1:])
				if err != nil {
					return err
				}
				return a.out.Write(picked, func(w io.Writer) error { return a.configTable(w, picked, true) })
			})
		},
	}
}

// pickConfigs returns the named configs in the order they were named, or all.
func pickConfigs(all []configDescription, names []string) ([]configDescription, error) {
	if len(names) == 0 {
		return all, nil
	}
	var picked []configDescription
	for _, n := range names {
		i := slices.IndexFunc(all, func(c configDescription) bool { return c.Name == n })
		if i < 0 {
			return nil, fmt.Errorf("the broker knows no topic config %q", n)
		}
		picked = append(picked, all[i])
	}
	return picked, nil
}

func (a *app) topicConfigSetCommand() *cobra.Command {
	var unset []string
	var dryRun bool
	cmd := &cobra.Command{
		Use:     "set TOPIC NAME=VALUE...",
		Short:   "Change configs of a topic",
		Example: "  leat topic config set orders cleanup.policy=compact\n  leat topic config set orders --unset retention.ms",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := pairs("config", args[1:])
			if err != nil {
				return err
			}
			if len(set)+len(unset) == 0 {
				return cli.Usagef("nothing to change: want NAME=VALUE or --unset NAME")
			}
			return a.withAdmin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				return a.setTopicConfig(ctx, adm, args[0], set, unset, dryRun)
			})
		},
	}
	cmd.Flags().StringArrayVar(&unset, "unset", nil, "give a config back to the broker's default; may be repeated")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "let the broker check, change nothing")
	return cmd
}

func (a *app) setTopicConfig(ctx context.Context, adm *kadm.Client, topic string, set [][2]string, unset []string, dryRun bool) error {
	var changes []kadm.AlterConfig
	for _, c := range set {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: c[0], Value: &c[1]})
	}
	for _, n := range unset {
		changes = append(changes, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: n})
	}
	alter, done := adm.AlterTopicConfigs, cli.Count(len(changes), "config")+" changed"
	if dryRun {
		alter, done = adm.ValidateAlterTopicConfigs, cli.Count(len(changes), "config")+" would be changed"
	}
	answers, err := alter(ctx, changes, topic)
	if err != nil {
		return err
	}
	r := outcome{Topic: topic, Done: done}
	var items cli.Items
	for _, resp := range answers {
		if r.Error = items.Add(brokerError(resp.Err, resp.ErrMessage)); r.Error != "" {
			r.Done = ""
		}
	}
	return a.report([]outcome{r}, &items)
}
