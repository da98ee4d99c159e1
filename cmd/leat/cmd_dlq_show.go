package main

import (
	"context"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/internal/deadletter"
)

func (a *app) dlqShowCommand() *cobra.Command {
	by := "fingerprint"
	cmd := &cobra.Command{
		Use:     "show TOPIC | TOPIC/PARTITION/OFFSET",
		Short:   "Group the open dead letters of a topic by cause, or show one whole",
		Example: "  leat dlq show support.dlq\n  leat dlq show support.dlq --group-by source\n  leat dlq show support.dlq/0/17",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch deadletter.GroupBy(by) {
			case deadletter.ByFingerprint, deadletter.ByClass, deadletter.BySource:
			default:
				return cli.Usagef("--group-by %s: want fingerprint, class or source", by)
			}
			return a.withInbox(cmd.Context(), func(ctx context.Context, box *deadletter.Inbox) error {
				if topic, p, o, ok := event.ParsePosition(args[0]); ok {
					return a.showLetter(ctx, box, topic, p, o)
				}
				return a.showCauses(ctx, box, args[0], deadletter.GroupBy(by))
			})
		},
	}
	cmd.Flags().StringVar(&by, "group-by", by, "what dead letters have in common: fingerprint, class or source")
	return cmd
}

func (a *app) showCauses(ctx context.Context, box *deadletter.Inbox, topic string, by deadletter.GroupBy) error {
	causes, err := box.Show(ctx, topic, by)
	if err != nil {
		return err
	}
	if causes == nil {
		causes = []deadletter.Cause{}
	}
	return a.out.Write(causes, func(w io.Writer) error {
		if len(causes) == 0 {
			_, err := fmt.Fprintf(w, "%s has no open dead letters\n", topic)
			return err
		}
		width := 60
		if a.out.Wide() {
			width = 1000
		}
		t := cli.NewTable(w, "OPEN", "KEY", "CLASS", "OLDEST", "NEWEST", "SAMPLE", "MESSAGE")
		now := time.Now()
		for _, c := range causes {
			t.Row(c.Open, c.Key, c.Class, ago(c.First, now), ago(c.Last, now), c.Sample, short(c.Message, width))
		}
		return t.Flush()
	})
}

// wholeLetter is one dead letter with its record.
type wholeLetter struct {
	deadletter.Letter
	Record jsonRecord `json:"record"`
}

func (a *app) showLetter(ctx context.Context, box *deadletter.Inbox, topic string, partition int32, offset int64) error {
	l, err := box.Get(ctx, topic, partition, offset)
	if err != nil {
		return err
	}
	return a.out.Write(wholeLetter{l, toJSON(l.Record)}, func(w io.Writer) error {
		t := cli.NewTable(w, "FIELD", "VALUE")
		for _, f := range []struct {
			name  string
			value any
		}{
			{"place", l.ID()}, {"state", l.State}, {"class", l.Class}, {"message", l.Message}, {"stage", l.Stage},
			{"pipeline", l.Pipeline}, {"step", l.Step}, {"model", l.Model}, {"event", l.EventID}, {"attempts", l.Attempts},
			{"source", event.Position(l.Source.Topic, l.Source.Partition, l.Source.Offset)}, {"group", l.Source.Group},
			{"first-failed", stamp(l.FirstFailed)}, {"last-failed", stamp(l.LastFailed)},
			{"fingerprint", l.Fingerprint}, {"redrives", l.Redrives}, {"dialect", l.Dialect},
		} {
			t.Row(f.name, short(fmt.Sprint(f.value), 1000))
		}
		if err := t.Flush(); err != nil {
			return err
		}
		original := l.Original()
		fmt.Fprintf(w, "\nThe record as it was:\nkey    %s\n", readable(original.Key))
		for _, h := range original.Headers {
			fmt.Fprintf(w, "header %s=%s\n", h.Key, readable(h.Value))
		}
		_, err := fmt.Fprintf(w, "value  %s\n", readable(original.Value))
		return err
	})
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

// readable is b for people: text as it is, null by name, other bytes quoted.
func readable(b []byte) string {
	switch {
	case b == nil:
		return "(null)"
	case utf8.Valid(b):
		return string(b)
	}
	return fmt.Sprintf("%q (%d bytes, not UTF-8; -o json has them in base64)", b, len(b))
}
