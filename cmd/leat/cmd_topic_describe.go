package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/cli"
)

type topicDescription struct {
	Topic      string              `json:"topic"`
	ID         string              `json:"id"`
	Internal   bool                `json:"internal"`
	Partitions []partitionLine     `json:"partitions"`
	Configs    []configDescription `json:"configs"`
	Error      string              `json:"error,omitempty"`
}

type partitionLine struct {
	Partition int32   `json:"partition"`
	Leader    int32   `json:"leader"`
	Epoch     int32   `json:"epoch"`
	Replicas  []int32 `json:"replicas"`
	ISR       []int32 `json:"isr"`
	Start     int64   `json:"start"`
	End       int64   `json:"end"`
	Error     string  `json:"error,omitempty"`
}

func (a *app) topicDescribeCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "describe TOPIC...",
		Short:   "Show partitions, offsets and the configs that were set",
		Example: "  leat topic describe orders\n  leat topic describe orders -o wide   # every config",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withClient(cmd.Context(), func(ctx context.Context, cl *kgo.Client) error {
				return a.describeTopics(ctx, cl, args)
			})
		},
	}
}

func (a *app) describeTopics(ctx context.Context, cl *kgo.Client, topics []string) error {
	adm := kadm.NewClient(cl)
	details, err := adm.ListTopicsWithInternal(ctx, topics...)
	if err != nil {
		return err
	}
	var items cli.Items
	found := []topicDescription{}
	for _, name := range topics {
		t, ok := details[name]
		d := topicDescription{Topic: name, Partitions: []partitionLine{}, Configs: []configDescription{}}
		err := t.Err
		if !ok {
			err = errNoAnswer
		}
		if err == nil {
			d.ID, d.Internal = t.ID.String(), t.IsInternal
			d.Partitions = partitionLines(ctx, adm, t)
			d.Configs, err = describeConfigs(ctx, cl, topicConfig, name)
		}
		d.Error = items.Add(brokerError(err, ""))
		found = append(found, d)
	}
	err = a.out.Write(found, func(w io.Writer) error {
		for i, d := range found {
			if d.Error != "" {
				fmt.Fprintf(a.Err, "%s: %s\n", d.Topic, d.Error)
				continue
			}
			if i > 0 {
				fmt.Fprintln(w)
			}
			if err := a.describeTopic(w, d); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, items.Err("topics"))
}

func partitionLines(ctx context.Context, adm *kadm.Client, t kadm.TopicDetail) []partitionLine {
	// What could not be listed is told partition by partition.
	starts, _ := adm.ListStartOffsets(ctx, t.Topic)
	ends, _ := adm.ListEndOffsets(ctx, t.Topic)
	lines := []partitionLine{}
	for _, p := range t.Partitions.Sorted() {
		s, okS := starts.Lookup(t.Topic, p.Partition)
		e, okE := ends.Lookup(t.Topic, p.Partition)
		l := partitionLine{Partition: p.Partition, Leader: p.Leader, Epoch: p.LeaderEpoch,
			Replicas: p.Replicas, ISR: p.ISR, Start: -1, End: -1}
		err := errors.Join(p.Err, s.Err, e.Err)
		if err == nil && okS && okE {
			l.Start, l.End = s.Offset, e.Offset
		} else if err != nil {
			l.Error = err.Error()
		}
		lines = append(lines, l)
	}
	return lines
}

func (a *app) describeTopic(w io.Writer, d topicDescription) error {
	fmt.Fprintf(w, "%s  %s\n", d.Topic, d.ID)
	t := cli.NewTable(w, "PARTITION", "START", "END", "LEADER", "EPOCH", "REPLICAS", "ISR", "ERROR")
	for _, p := range d.Partitions {
		t.Row(p.Partition, p.Start, p.End, p.Leader, p.Epoch, numbers(p.Replicas), numbers(p.ISR), p.Error)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	source := topicConfig.noun
	if a.out.Wide() {
		source = ""
	}
	return configTable(w, d.Configs, source)
}

func numbers(ns []int32) string {
	s := make([]string, len(ns))
	for i, n := range ns {
		s[i] = fmt.Sprint(n)
	}
	return strings.Join(s, ",")
}
