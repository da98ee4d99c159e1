package main

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatdev/leat/internal/cli"
)

// quotaLine is one quota.
type quotaLine struct {
	Entity string  `json:"entity"`
	Quota  string  `json:"quota"`
	Value  float64 `json:"value"`
}

func (a *app) quotaListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List all quotas",
		Example: "  leat quota list\n  leat quota list -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withAdmin(cmd.Context(), a.listQuotas)
		},
	}
}

func (a *app) listQuotas(ctx context.Context, adm *kadm.Client) error {
	described, err := adm.DescribeClientQuotas(ctx, false, nil)
	if err != nil {
		return brokerError(err, "")
	}
	lines := []quotaLine{}
	for _, q := range described {
		for _, v := range q.Values {
			lines = append(lines, quotaLine{quotaText(q.Entity), v.Key, v.Value})
		}
	}
	slices.SortFunc(lines, func(x, y quotaLine) int {
		return cmp.Or(strings.Compare(x.Entity, y.Entity), strings.Compare(x.Quota, y.Quota))
	})
	return a.out.Write(lines, func(w io.Writer) error {
		t := cli.NewTable(w, "ENTITY", "QUOTA", "VALUE")
		for _, l := range lines {
			t.Row(l.Entity, l.Quota, strconv.FormatFloat(l.Value, 'f', -1, 64))
		}
		return t.Flush()
	})
}
