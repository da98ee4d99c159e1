package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

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

// configDescription is one config of a topic with where its value comes from.
type configDescription struct {
	Name   string  `json:"name"`
	Value  *string `json:"value"` // null when the broker keeps it secret
	Source string  `json:"source"`
}

func (a *app) topicDescribeCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "describe TOPIC...",
		Short:   "Show partitions, offsets and the configs that were set",
		Example: "  leat topic describe orders\n  leat topic describe orders -o wide   # every config",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withAdmin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				return a.describeTopics(ctx, adm, args)
			})
		},
	}
}

func (a *app) describeTopics(ctx context.Context, adm *kadm.Client, topics []string) error {
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
			err = errors.New("the broker did not answer for it")
		}
		if err == nil {
			d.ID, d.Internal = t.ID.String(), t.IsInternal
			d.Partitions = partitionLines(ctx, adm, t)
			d.Configs, err = topicConfigs(ctx, adm, name)
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

func topicConfigs(ctx context.Context, adm *kadm.Client, topic string) ([]configDescription, error) {
	answer, err := adm.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return []configDescription{}, err
	}
	r, err := answer.On(topic, nil)
	if err != nil {
		return []configDescription{}, err
	}
	if r.Err != nil {
		return []configDescription{}, brokerError(r.Err, r.ErrMessage)
	}
	out := []configDescription{}
	for _, c := range r.Configs {
		out = append(out, configDescription{Name: c.Key, Value: c.Value, Source: sourceName(c.Source)})
	}
	slices.SortFunc(out, func(x, y configDescription) int { return strings.Compare(x.Name, y.Name) })
	return out, nil
}

// sourceName is where a config's value comes from, in words of this command.
func sourceName(s kmsg.ConfigSource) string {
	switch s {
	case kmsg.ConfigSourceDynamicTopicConfig:
		return "topic"
	case kmsg.ConfigSourceDefaultConfig:
		return "default"
	}
	return "broker"
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
	return a.configTable(w, d.Configs, a.out.Wide())
}

// configTable writes the configs that were set on the topic, or all of them.
func (a *app) configTable(w io.Writer, configs []configDescription, all bool) error {
	t := cli.NewTable(w, "CONFIG", "VALUE", "SOURCE")
	for _, c := range configs {
		if !all && c.Source != "topic" {
			continue
		}
		value := "(secret)"
		if c.Value != nil {
			value = *c.Value
		}
		t.Row(c.Name, value, c.Source)
	}
	return t.Flush()
}

func numbers(ns []int32) string {
	s := make([]string, len(ns))
	for i, n := range ns {
		s[i] = fmt.Sprint(n)
	}
	return strings.Join(s, ",")
}
