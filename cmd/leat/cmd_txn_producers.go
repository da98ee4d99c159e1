package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatdev/leat/internal/cli"
)

type producerLine struct {
	Topic        string     `json:"topic"`
	Partition    int32      `json:"partition"`
	Producer     int64      `json:"producer"`
	Epoch        int16      `json:"epoch"`
	LastSequence int32      `json:"lastSequence"`
	LastTime     *time.Time `json:"lastTime"` // null when the broker does not know
	// OpenSince is the first offset of the producer's open transaction; -1 when it has none.
	OpenSince int64  `json:"openSince"`
	Error     string `json:"error,omitempty"` // then only topic and partition are told
}

func (a *app) txnProducersCommand() *cobra.Command {
	var open bool
	cmd := &cobra.Command{
		Use:   "producers TOPIC[:PARTITION]...",
		Short: "Show the idempotent and transactional producers of partitions",
		Long: `Show the idempotent and transactional producers whose sequence numbers a partition
knows. OPEN is the offset where a producer's open transaction begins.`,
		Example: "  leat txn producers orders\n  leat txn producers orders:0 --open",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			places, err := parsePlaces(args)
			if err != nil {
				return err
			}
			return a.withAdmin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				return a.describeProducers(ctx, adm, places, open)
			})
		},
	}
	cmd.Flags().BoolVar(&open, "open", false, "only those with an open transaction")
	return cmd
}

func (a *app) describeProducers(ctx context.Context, adm *kadm.Client, places map[string][]int32, open bool) error {
	set := kadm.TopicsSet{}
	for topic, partitions := range places {
		set.Add(topic, partitions...) // none: kadm asks for all
	}
	described, err := adm.DescribeProducers(ctx, set)
	if err != nil {
		return err
	}
	var items cli.Items
	lines := []producerLine{}
	for topic := range places {
		if len(described[topic].Partitions) == 0 {
			lines = append(lines, producerLine{Topic: topic, Partition: -1, Error: items.Add(brokerError(kerr.UnknownTopicOrPartition, ""))})
		}
	}
	for _, p := range described.SortedPartitions() {
		if failed := items.Add(brokerError(p.Err, p.ErrMessage)); failed != "" {
			lines = append(lines, producerLine{Topic: p.Topic, Partition: p.Partition, Error: failed})
			continue
		}
		for _, d := range p.ActiveProducers.Sorted() {
			if open && d.CurrentTxnStartOffset < 0 {
				continue
			}
			l := producerLine{Topic: d.Topic, Partition: d.Partition, Producer: d.ProducerID, Epoch: d.ProducerEpoch,
				LastSequence: d.LastSequence, OpenSince: d.CurrentTxnStartOffset}
			if d.LastTimestamp >= 0 {
				last := time.UnixMilli(d.LastTimestamp).UTC()
				l.LastTime = &last
			}
			lines = append(lines, l)
		}
	}
	// The oldest open transaction of a partition comes first, for it holds up who reads what
	// is committed; those without one, -1, come last.
	slices.SortStableFunc(lines, func(x, y producerLine) int {
		return cmp.Or(cmp.Compare(x.Topic, y.Topic), cmp.Compare(x.Partition, y.Partition), cmp.Compare(uint64(x.OpenSince), uint64(y.OpenSince)))
	})
	err = a.out.Write(lines, func(w io.Writer) error { return producerTable(w, lines, time.Now()) })
	return errors.Join(err, items.Err("partitions"))
}

func producerTable(w io.Writer, lines []producerLine, now time.Time) error {
	t := cli.NewTable(w, "TOPIC", "PARTITION", "PRODUCER", "EPOCH", "LAST-SEQUENCE", "LAST-TIME", "OPEN", "ERROR")
	for _, l := range lines {
		if l.Error != "" {
			t.Row(l.Topic, l.Partition, "", "", "", "", "", l.Error)
			continue
		}
		last, since := "", any("")
		if l.LastTime != nil {
			last = ago(*l.LastTime, now)
		}
		if l.OpenSince >= 0 {
			since = l.OpenSince
		}
		t.Row(l.Topic, l.Partition, l.Producer, l.Epoch, l.LastSequence, last, since, "")
	}
	return t.Flush()
}
