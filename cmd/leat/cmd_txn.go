package main

import (
	"github.com/spf13/cobra"
)

func (a *app) txnCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "txn",
		Short: "List, describe and abort transactions, and show who writes to a partition",
		Long: `List, describe and abort transactions, and show who writes to a partition.

A consumer that reads what is committed (leat consume --committed) reads no further than
to the first record of the oldest open transaction. Where it stands still, list --state
Ongoing shows who holds it up, producers which partitions it has written to, and abort
ends it for a producer that does not come back; the broker does that by itself when the
transaction's timeout has passed.`,
		GroupID: "data",
		Example: "  leat txn list --state Ongoing\n  leat txn describe transfer-1",
	}
	a.addBrokers(cmd.PersistentFlags())
	cmd.AddCommand(
		a.txnListCommand(),
		a.txnDescribeCommand(),
		a.txnProducersCommand(),
		a.txnAbortCommand(),
	)
	return cmd
}
