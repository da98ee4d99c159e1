package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/cli"
)

// txnOutcome is what became of one transaction that `leat txn abort` was given.
type txnOutcome struct {
	TransactionalID string `json:"transactionalId"`
	Done            string `json:"done,omitempty"`
	Error           string `json:"error,omitempty"`
}

func (a *app) txnAbortCommand() *cobra.Command {
	var yes, dryRun bool
	cmd := &cobra.Command{
		Use:   "abort TRANSACTIONAL-ID...",
		Short: "Abort open transactions and fence off their producers",
		Long: `Abort open transactions and fence off their producers: a producer that is still there
gets PRODUCER_FENCED from its next request on, and must begin anew. What it had written
in the transaction is not shown to who reads what is committed.`,
		Example: "  leat txn abort transfer-1 --dry-run\n  leat txn abort transfer-1 --yes",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withAdmin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				return a.abortTransactions(ctx, adm, args, yes, dryRun)
			})
		},
	}
	addDestructive(cmd.Flags(), &yes, &dryRun)
	return cmd
}

func (a *app) abortTransactions(ctx context.Context, adm *kadm.Client, ids []string, yes, dryRun bool) error {
	described, err := adm.DescribeTransactions(ctx, ids...)
	if err != nil {
		return brokerError(err, "")
	}
	if !dryRun {
		if err := a.Confirm(yes, fmt.Sprintf("Abort %s and fence off the producers?", cli.Count(len(ids), "transaction"))); err != nil {
			return err
		}
	}
	var items cli.Items
	results := make([]txnOutcome, 0, len(ids))
	for _, id := range ids {
		t, ok := described[id]
		r := txnOutcome{TransactionalID: id}
		err := answered(t.Err, ok)
		if err == nil {
			r.Done, err = a.abortTransaction(ctx, t, dryRun)
		}
		r.Error = items.Add(err)
		results = append(results, r)
	}
	err = a.out.Write(results, func(w io.Writer) error {
		for _, r := range results {
			if r.Error != "" {
				fmt.Fprintf(a.Err, "%s: %s\n", r.TransactionalID, r.Error)
				continue
			}
			if _, err := fmt.Fprintf(w, "%s: %s\n", r.TransactionalID, r.Done); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, items.Err("transactions"))
}

// abortWait is how long the broker may take to abort one transaction: it answers
// CONCURRENT_TRANSACTIONS while it writes the markers.
const abortWait = 30 * time.Second

// abortTransaction takes over the transactional id as a new producer of it would, which
// makes the broker abort what is open (KIP-98), and leaves it at that.
func (a *app) abortTransaction(ctx context.Context, t kadm.DescribedTransaction, dryRun bool) (string, error) {
	if t.State != "Ongoing" {
		return "nothing to abort, its state is " + t.State, nil
	}
	if dryRun {
		return "would be aborted", nil
	}
	ctx, cancel := context.WithTimeout(ctx, abortWait)
	defer cancel()
	// The id keeps its timeout.
	cl, err := a.client(ctx, kgo.TransactionalID(t.TxnID), kgo.TransactionTimeout(time.Duration(t.TimeoutMillis)*time.Millisecond))
	if err != nil {
		return "", err
	}
	defer cl.Close()
	if _, _, err := cl.ProducerID(ctx); err != nil {
		return "", brokerError(err, "")
	}
	return "aborted", nil
}
