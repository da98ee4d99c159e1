package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatdev/leat/internal/cli"
)

type txnDescription struct {
	TransactionalID string          `json:"transactionalId"`
	State           string          `json:"state"`
	Producer        int64           `json:"producer"`
	Epoch           int16           `json:"epoch"`
	TimeoutMs       int32           `json:"timeoutMs"`
	Started         *time.Time      `json:"started"` // null when no transaction is under way
	Coordinator     int32           `json:"coordinator"`
	Partitions      []partitionName `json:"partitions"` // those without a marker yet
	Error           string          `json:"error,omitempty"`
}

type partitionName struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}

func (a *app) txnDescribeCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "describe TRANSACTIONAL-ID...",
		Short:   "Show the producer, age and partitions of a transaction",
		Example: "  leat txn describe transfer-1\n  leat txn describe transfer-1 transfer-2 -o json",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withAdmin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				return a.describeTransactions(ctx, adm, args)
			})
		},
	}
}

func (a *app) describeTransactions(ctx context.Context, adm *kadm.Client, ids []string) error {
	described, err := adm.DescribeTransactions(ctx, ids...)
	if err != nil {
		return brokerError(err, "")
	}
	var items cli.Items
	found := []txnDescription{}
	for _, id := range ids {
		t, ok := described[id]
		d := describedTransaction(t)
		d.TransactionalID = id
		d.Error = items.Add(answered(t.Err, ok))
		found = append(found, d)
	}
	err = a.out.Write(found, func(w io.Writer) error {
		for i, d := range found {
			if d.Error != "" {
				fmt.Fprintf(a.Err, "%s: %s\n", d.TransactionalID, d.Error)
				continue
			}
			if i > 0 {
				fmt.Fprintln(w)
			}
			if err := d.table(w, time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, items.Err("transactional ids"))
}

func describedTransaction(t kadm.DescribedTransaction) txnDescription {
	d := txnDescription{State: t.State, Producer: t.ProducerID, Epoch: t.ProducerEpoch, TimeoutMs: t.TimeoutMillis,
		Coordinator: t.Coordinator, Partitions: []partitionName{}}
	if t.StartTimestamp > 0 {
		started := time.UnixMilli(t.StartTimestamp).UTC()
		d.Started = &started
	}
	for _, topic := range t.Topics.Sorted() {
		for _, p := range topic.Partitions {
			d.Partitions = append(d.Partitions, partitionName{topic.Topic, p})
		}
	}
	return d
}

func (d txnDescription) table(w io.Writer, now time.Time) error {
	age := ""
	if d.Started != nil {
		age = " for " + ago(*d.Started, now)
	}
	fmt.Fprintf(w, "%s  %s%s, producer %d epoch %d, timeout %v\n", d.TransactionalID, d.State, age, d.Producer, d.Epoch,
		time.Duration(d.TimeoutMs)*time.Millisecond)
	if len(d.Partitions) == 0 {
		return nil
	}
	t := cli.NewTable(w, "TOPIC", "PARTITION")
	for _, p := range d.Partitions {
		t.Row(p.Topic, p.Partition)
	}
	return t.Flush()
}
