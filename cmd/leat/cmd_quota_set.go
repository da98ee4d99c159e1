package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatdev/leat/internal/cli"
)

func (a *app) quotaSetCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:     "set ENTITY QUOTA=VALUE...",
		Short:   "Set quotas of an entity; its others stay as they are",
		Example: "  leat quota set client-id=trainer consumer_byte_rate=10485760 request_percentage=25\n  leat quota set client-id producer_byte_rate=1048576\n  leat quota set ip=10.0.0.7 connection_creation_rate=5",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			entity, err := quotaEntity(args[0])
			if err != nil {
				return err
			}
			values, err := pairs("quota", args[1:])
			if err != nil {
				return err
			}
			var ops []kadm.AlterClientQuotaOp
			for _, v := range values {
				n, err := strconv.ParseFloat(v[1], 64)
				if err != nil {
					return cli.Usagef("quota %s=%s: want a number", v[0], v[1])
				}
				ops = append(ops, kadm.AlterClientQuotaOp{Key: v[0], Value: n})
			}
			return a.withAdmin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				return a.alterQuotas(ctx, adm, entity, ops, "set", dryRun)
			})
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "let the broker check, change nothing")
	return cmd
}

func (a *app) quotaDeleteCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:     "delete ENTITY [QUOTA...]",
		Short:   "Delete quotas of an entity, all of them unless some are named",
		Example: "  leat quota delete client-id=trainer\n  leat quota delete client-id producer_byte_rate",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			entity, err := quotaEntity(args[0])
			if err != nil {
				return err
			}
			return a.withAdmin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				names, err := quotasOf(ctx, adm, entity, args[1:])
				if err != nil {
					return err
				}
				var ops []kadm.AlterClientQuotaOp
				for _, name := range names {
					ops = append(ops, kadm.AlterClientQuotaOp{Key: name, Remove: true})
				}
				return a.alterQuotas(ctx, adm, entity, ops, "deleted", dryRun)
			})
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "let the broker check, change nothing")
	return cmd
}

// quotasOf are the names of the quotas that an entity has: those of names, or with none
// all. One that it does not have is an error.
func quotasOf(ctx context.Context, adm *kadm.Client, entity kadm.ClientQuotaEntity, names []string) ([]string, error) {
	var filter []kadm.DescribeClientQuotaComponent
	for _, c := range entity {
		f := kadm.DescribeClientQuotaComponent{Type: c.Type, MatchName: c.Name}
		if c.Name == nil {
			f.MatchType = kmsg.QuotasMatchTypeDefault
		}
		filter = append(filter, f)
	}
	described, err := adm.DescribeClientQuotas(ctx, true, filter)
	if err != nil {
		return nil, brokerError(err, "")
	}
	var have []string
	for _, q := range described {
		for _, v := range q.Values {
			have = append(have, v.Key)
		}
	}
	if len(names) == 0 {
		names = have
	}
	for _, name := range names {
		if !slices.Contains(have, name) {
			return nil, fmt.Errorf("%s has no quota %s; `leat quota list` shows those there are", quotaText(entity), name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s has no quotas; `leat quota list` shows those there are", quotaText(entity))
	}
	return names, nil
}

func (a *app) alterQuotas(ctx context.Context, adm *kadm.Client, entity kadm.ClientQuotaEntity, ops []kadm.AlterClientQuotaOp, done string, dryRun bool) error {
	alter := adm.AlterClientQuotas
	if done = cli.Count(len(ops), "quota") + " " + done; dryRun {
		alter, done = adm.ValidateAlterClientQuotas, cli.Count(len(ops), "quota")+" would be changed"
	}
	answers, err := alter(ctx, []kadm.AlterClientQuotaEntry{{Entity: entity, Ops: ops}})
	if err == nil && len(answers) != 1 {
		err = errNoAnswer
	}
	if err == nil && answers[0].Err != nil {
		err = brokerError(answers[0].Err, answers[0].ErrMessage)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", quotaText(entity), err)
	}
	return a.out.Write([]map[string]string{{"entity": quotaText(entity), "done": done}}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s: %s\n", quotaText(entity), done)
		return err
	})
}
