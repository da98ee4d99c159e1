package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/internal/deadletter"
)

func (a *app) dlqCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "dlq",
		Short:   "List, show and redrive dead letters",
		GroupID: "pipeline",
		Example: "  leat dlq list\n  leat dlq show support.dlq\n  leat dlq redrive support.dlq --dry-run",
	}
	a.addBrokers(cmd.PersistentFlags())
	cmd.AddCommand(a.dlqListCommand(), a.dlqShowCommand(), a.dlqRedriveCommand())
	return cmd
}

// withInbox calls f with the cluster's dead letters and closes them afterwards.
func (a *app) withInbox(ctx context.Context, f func(context.Context, *deadletter.Inbox) error) error {
	cl, err := a.client(ctx) // finds out, in clear words, whether anybody is there
	if err != nil {
		return err
	}
	cl.Close()
	seeds, err := cli.Seeds(a.brokers)
	if err != nil {
		return err
	}
	box, err := deadletter.NewInbox(cli.Identity(seeds, version().Version)...)
	if err != nil {
		return err
	}
	defer box.Close()
	return f(ctx, box)
}

func (a *app) dlqListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list [TOPIC...]",
		Short: "List dead-letter topics with what is open in them",
		Long: `List dead-letter topics with what is open in them. Without TOPIC they are found by
the headers of their newest records, whoever wrote them (Leat, share groups, Kafka
Connect, Kafka Streams, Spring, ...), not by their names.`,
		Example: "  leat dlq list\n  leat dlq list support.dlq -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withInbox(cmd.Context(), func(ctx context.Context, box *deadletter.Inbox) error {
				found, err := box.List(ctx, args...)
				if err != nil {
					return err
				}
				if found == nil {
					found = []deadletter.Summary{}
				}
				return a.out.Write(found, func(w io.Writer) error {
					t := cli.NewTable(w, "TOPIC", "OPEN", "REDRIVEN", "OLDEST", "CLASS", "MOSTLY")
					for _, s := range found {
						t.Row(s.Topic, s.Open, s.Redriven, ago(s.Oldest, time.Now()), s.Class, short(s.Message, 60))
					}
					return t.Flush()
				})
			})
		},
	}
}

// ago is how long t is past, in one unit that fits; empty for the zero time.
func ago(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return ""
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// short is s on one line, cut to n characters.
func short(s string, n int) string {
	r := []rune(s)
	for i, c := range r {
		if c < ' ' {
			r[i] = ' '
		}
	}
	if len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return string(r)
}
