package main

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatdev/leat/internal/cli"
)

// txnStates are the states that a transaction can be listed in (KIP-664).
var txnStates = []string{"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "PrepareEpochFence"}

type txnLine struct {
	TransactionalID string `json:"transactionalId"`
	State           string `json:"state"`
	Producer        int64  `json:"producer"`
	Coordinator     int32  `json:"coordinator"`
}

func (a *app) txnListCommand() *cobra.Command {
	var states []string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List transactional ids with the state of their newest transaction",
		Long:    "List transactional ids with the state of their newest transaction.\n\nStates: " + strings.Join(txnStates, ", "),
		Example: "  leat txn list\n  leat txn list --state Ongoing -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for i, s := range states {
				at := slices.IndexFunc(txnStates, func(known string) bool { return strings.EqualFold(known, s) })
				if at < 0 {
					return cli.Usagef("--state %s: want one of %s", s, strings.Join(txnStates, ", "))
				}
				states[i] = txnStates[at]
			}
			return a.withAdmin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				return a.listTransactions(ctx, adm, states)
			})
		},
	}
	cmd.Flags().StringSliceVar(&states, "state", nil, "only those in this state; may be repeated")
	return cmd
}

func (a *app) listTransactions(ctx context.Context, adm *kadm.Client, states []string) error {
	listed, err := adm.ListTransactions(ctx, nil, states)
	if err != nil {
		return err
	}
	lines := []txnLine{}
	for _, t := range listed.Sorted() {
		lines = append(lines, txnLine{t.TxnID, t.State, t.ProducerID, t.Coordinator})
	}
	return a.out.Write(lines, func(w io.Writer) error {
		t := cli.NewTable(w, "TRANSACTION", "STATE", "PRODUCER", "COORDINATOR")
		for _, l := range lines {
			t.Row(l.TransactionalID, l.State, l.Producer, l.Coordinator)
		}
		return t.Flush()
	})
}
