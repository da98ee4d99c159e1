package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/internal/deadletter"
)

func (a *app) dlqRedriveCommand() *cobra.Command {
	var (
		o           deadletter.RedriveOptions
		since       string
		yes, dryRun bool
	)
	cmd := &cobra.Command{
		Use:   "redrive TOPIC | TOPIC/PARTITION/OFFSET...",
		Short: "Put open dead letters back on their way",
		Long: `Put open dead letters back on their way: as the records they were, each to the step
that failed (its topic <pipeline>.<step>.redrive, which that step alone reads) or to
--to. What was redriven is noted, so repeating the command goes on where it stopped.

Expressions of --where see value, key, headers, topic, partition, offset, time, class,
reason and step. All open letters of a topic, with no condition, want --yes.`,
		Example: `  leat dlq redrive support.dlq --dry-run
  leat dlq redrive support.dlq/0/17
  leat dlq redrive support.dlq --where 'class == "poison" && step == "support.tags"' --rate 10`,
		Args: cobra.MinimumNArgs(1),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var err error
		if o.Topic, o.At, err = redrivePlaces(args); err != nil {
			return err
		}
		if o.Since, err = cli.ParseSince(since, time.Now()); err != nil {
			return err
		}
		if o.Max < 0 || o.Rate < 0 || o.MaxRedrives < 1 {
			return cli.Usagef("--max and --rate want 0 or more, --max-redrives 1 or more")
		}
		if err := deadletter.CheckFilter(o.Where); err != nil {
			return cli.Usagef("--where: %w", err)
		}
		if o.Rate == 0 {
			o.Rate = -1 // no limit, in the words of deadletter
		}
		o.DryRun = dryRun
		conditions := o.Where != "" || o.Fingerprint != "" || since != "" || len(o.At) > 0
		return a.withInbox(cmd.Context(), func(ctx context.Context, box *deadletter.Inbox) error {
			if !conditions && !dryRun {
				if err := a.Confirm(yes, fmt.Sprintf("Redrive every open dead letter of %s?", o.Topic)); err != nil {
					return err
				}
			}
			return a.redrive(ctx, box, o)
		})
	}
	f := cmd.Flags()
	f.StringVar(&o.Where, "where", "", "only letters for which this expression is true")
	f.StringVar(&o.Fingerprint, "fingerprint", "", "only letters of this cause: the KEY of leat dlq show")
	f.StringVar(&since, "since", "", "only letters that failed since: 2h, or a time")
	f.StringVar(&o.To, "to", "", "put them into this topic instead")
	f.Float64Var(&o.Rate, "rate", 50, "at most so many per second; 0 is no limit")
	f.IntVar(&o.Max, "max", 0, "at most so many; 0 is no limit")
	f.IntVar(&o.MaxRedrives, "max-redrives", 3, "leave letters that were redriven so often already")
	addDestructive(f, &yes, &dryRun)
	return cmd
}

// redrivePlaces reads the arguments: one topic, or places in one topic.
func redrivePlaces(args []string) (topic string, at []string, err error) {
	for _, arg := range args {
		t, _, _, ok := event.ParsePosition(arg)
		switch {
		case !ok && len(args) > 1:
			return "", nil, cli.Usagef("%q: want one topic, or TOPIC/PARTITION/OFFSET of one or more letters", arg)
		case !ok:
			return arg, nil, nil
		case topic != "" && t != topic:
			return "", nil, cli.Usagef("letters of %s and of %s: redrive one topic at a time", topic, t)
		}
		topic, at = t, append(at, arg)
	}
	return topic, at, nil
}

func (a *app) redrive(ctx context.Context, box *deadletter.Inbox, o deadletter.RedriveOptions) error {
	if a.ErrTerminal && !o.DryRun {
		n := 0
		o.OnLetter = func(deadletter.RedrivenLetter) { n++; fmt.Fprintf(a.Err, "\r%8d redriven", n) }
		defer fmt.Fprint(a.Err, "\r\x1b[K")
	}
	r, err := box.Redrive(ctx, o)
	if r.Causes == nil {
		r.Causes = []deadletter.Cause{}
	}
	werr := a.out.Write(r, func(w io.Writer) error {
		if err != nil && r.Open == 0 {
			return nil // it never began
		}
		done := fmt.Sprintf("%d redriven", r.Redriven)
		if r.DryRun {
			n := 0
			for _, routed := range r.Routes {
				n += routed
			}
			done = fmt.Sprintf("%d would be redriven", n)
		}
		fmt.Fprintf(w, "%s: %d open, %d wanted, %s (%s)\n", r.Topic, r.Open, r.Matched, done, r.ID)
		if len(r.Routes) == 0 {
			return nil
		}
		t := cli.NewTable(w, "TO", "LETTERS")
		for _, to := range slices.Sorted(maps.Keys(r.Routes)) {
			t.Row(to, r.Routes[to])
		}
		return t.Flush()
	})
	return errors.Join(werr, err, notRedriven(o, r))
}

// notRedriven is the error for letters that were wanted, or could not be judged,
// and stay where they are.
func notRedriven(o deadletter.RedriveOptions, r deadletter.RedriveResult) error {
	var errs []error
	if missing := len(o.At) - r.Matched; len(o.At) > 0 && missing > 0 {
		errs = append(errs, fmt.Errorf("%d of the letters named are not open (or not there)", missing))
	}
	if r.Capped > 0 {
		errs = append(errs, fmt.Errorf("%s left: redriven %d times already (--max-redrives)", cli.Count(r.Capped, "letter"), o.MaxRedrives))
	}
	if r.FilterFailed > 0 {
		errs = append(errs, fmt.Errorf("%s left: --where fails on them, first: %s", cli.Count(r.FilterFailed, "letter"), r.FilterError))
	}
	return errors.Join(errs...)
}
