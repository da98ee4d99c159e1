package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/leatdev/leat/internal/cli"
)

// topicLine is one topic of `leat topic list`.
type topicLine struct {
	Topic      string `json:"topic"`
	ID         string `json:"id"`
	Internal   bool   `json:"internal"`
	Partitions int    `json:"partitions"`
	Replicas   int    `json:"replicas"`
	// Records is end minus start over all partitions: an upper bound where the
	// topic is compacted or has transactions; -1 when a partition did not answer.
	Records int64 `json:"records"`
}

func (a *app) topicListCommand() *cobra.Command {
	var internal bool
	cmd := &cobra.Command{
		Use:     "list [PREFIX]",
		Short:   "List topics, of those that begin with PREFIX if given",
		Example: "  leat topic list\n  leat topic list support. -o wide",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withAdmin(cmd.Context(), func(ctx context.Context, adm *kadm.Client) error {
				lines, err := listTopics(ctx, adm, strings.Join(args, ""), internal)
				if err != nil {
					return err
				}
				return a.out.Write(lines, func(w io.Writer) error { return a.topicTable(w, lines) })
			})
		},
	}
	cmd.Flags().BoolVar(&internal, "internal", false, "also list the cluster's own topics")
	return cmd
}

func listTopics(ctx context.Context, adm *kadm.Client, prefix string, internal bool) ([]topicLine, error) {
	topics, err := adm.ListTopicsWithInternal(ctx)
	if err != nil {
		return nil, err
	}
	lines := []topicLine{}
	var names []string
	for _, t := range topics.Sorted() {
		if (t.IsInternal && !internal) || !strings.HasPrefix(t.Topic, prefix) {
			continue
		}
		l := topicLine{Topic: t.Topic, ID: t.ID.String(), Internal: t.IsInternal, Partitions: len(t.Partitions)}
		for _, p := range t.Partitions {
			l.Replicas = max(l.Replicas, len(p.Replicas))
		}
		lines, names = append(lines, l), append(names, t.Topic)
	}
	if len(names) == 0 {
		return lines, nil
	}
	// A partition without a leader has no offsets, and its topic is listed all the same.
	starts, _ := adm.ListStartOffsets(ctx, names...)
	ends, _ := adm.ListEndOffsets(ctx, names...)
	for i := range lines {
		lines[i].Records = records(lines[i].Topic, lines[i].Partitions, starts, ends)
	}
	return lines, nil
}

func records(topic string, partitions int, starts, ends kadm.ListedOffsets) int64 {
	var n int64
	for p := range partitions {
		s, okS := starts.Lookup(topic, int32(p))
		e, okE := ends.Lookup(topic, int32(p))
		if !okS || !okE || s.Err != nil || e.Err != nil {
			return -1
		}
		n += e.Offset - s.Offset
	}
	return n
}

func (a *app) topicTable(w io.Writer, lines []topicLine) error {
	if !a.out.Wide() {
		t := cli.NewTable(w, "TOPIC", "PARTITIONS", "RECORDS")
		for _, l := range lines {
			t.Row(l.Topic, l.Partitions, l.Records)
		}
		return t.Flush()
	}
	t := cli.NewTable(w, "TOPIC", "PARTITIONS", "RECORDS", "REPLICAS", "INTERNAL", "ID")
	for _, l := range lines {
		t.Row(l.Topic, l.Partitions, l.Records, l.Replicas, l.Internal, l.ID)
	}
	return t.Flush()
}
