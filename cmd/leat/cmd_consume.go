package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/cli"
)

type consumeOptions struct {
	from, to   string
	partitions []int32
	limit      int
	group      string
	share      string
	format     string
	committed  bool
	fromGiven  bool // from is not the default
}

func (a *app) consumeCommand() *cobra.Command {
	var o consumeOptions
	cmd := &cobra.Command{
		Use:   "consume TOPIC...",
		Short: "Read records and write them to standard output",
		Long: `Read records and write them to standard output: their values, or as --format
says, or with -o json one JSON object a line (in the shape of kcat -J; bytes that are
not UTF-8 stand in key_base64, payload_base64 and headers_base64).

It goes on until -n records are written, --to is reached, or it is interrupted.
With -g it is a member of that consumer group, begins where the group left off and
commits what it has written. With --share it is a member of that share group, a queue:
each record goes to one member, and is accepted when it is written. A new share group
begins at the end, unless its config share.auto.offset.reset=earliest says otherwise.

With --committed records of open or aborted transactions are left out, and --to end is
where the oldest open transaction begins.

Layouts: %t topic, %p partition, %o offset, %k key, %v value, %h headers, %d timestamp,
%T %K %V their lengths, %h{%k=%v } headers in your own way, \t \n. A newline is added at
the end if there is none. (The layouts of franz-go's kgo.NewRecordFormatter.)

Offsets: ` + cli.OffsetForms,
		Example: `  leat consume orders --from -10
  leat consume orders --from @-1h --to end -o json
  leat consume orders -g audit -n 100 -f '%t %p %o %k %v %h'
  leat consume jobs --share workers -n 1`,
		GroupID: "data",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.fromGiven = cmd.Flags().Changed("from")
			return a.consume(cmd.Context(), o, args)
		},
	}
	f := cmd.Flags()
	a.addBrokers(f)
	f.StringVar(&o.from, "from", "start", "where to begin; with -g only where the group has not committed")
	f.StringVar(&o.to, "to", "", "where to stop: the first offset that is not read any more; at the latest where the partition ends now")
	f.Int32SliceVarP(&o.partitions, "partitions", "p", nil, "only these partitions; default all")
	f.IntVarP(&o.limit, "num", "n", 0, "stop after so many records; 0 is no limit")
	f.StringVarP(&o.group, "group", "g", "", "read as a member of this consumer group")
	f.StringVar(&o.share, "share", "", "read as a member of this share group")
	f.BoolVar(&o.committed, "committed", false, "only what is committed (isolation level read_committed)")
	f.StringVarP(&o.format, "format", "f", "", "layout of a record; default %v")
	return cmd
}

// consumer is one run of `leat consume`.
type consumer struct {
	a      *app
	write  func(*kgo.Record) error
	out    *bufio.Writer
	limit  int // records still to write; negative is no limit
	source recordSource
}

// recordSource is where the records come from: partitions, a group, or a share group.
type recordSource struct {
	cl *kgo.Client
	// wanted tells whether a record is to be written; it sees every record.
	wanted func(*kgo.Record) bool
	// finished tells, between polls, that there is nothing more to come.
	finished func(ctx context.Context, idle bool) (bool, error)
	// written is called with the records of a poll once they are out.
	written func(ctx context.Context, records []*kgo.Record) error
}

// isolation is the option of a client that reads as o says.
func (o consumeOptions) isolation() kgo.Opt {
	if o.committed {
		return kgo.FetchIsolationLevel(kgo.ReadCommitted())
	}
	return kgo.FetchIsolationLevel(kgo.ReadUncommitted())
}

func (a *app) consume(ctx context.Context, o consumeOptions, topics []string) error {
	if a.out.Format == "yaml" {
		return cli.Usagef("-o yaml: records are written as text, wide or json")
	}
	if o.limit < 0 {
		return cli.Usagef("-n %d: want 0 or more", o.limit)
	}
	from, err := cli.ParseOffset(o.from, time.Now())
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(a.Out, 64<<10)
	write, err := a.recordWriter(out, o.format)
	if err != nil {
		return err
	}
	var src recordSource
	switch {
	case o.share != "":
		src, err = a.shareSource(ctx, o, topics)
	case o.group != "":
		src, err = a.groupSource(ctx, o, topics, from)
	default:
		src, err = a.partitionSource(ctx, o, topics, from)
	}
	if err != nil {
		return err
	}
	defer src.cl.Close()
	c := consumer{a: a, write: write, out: out, limit: o.limit, source: src}
	if o.limit == 0 {
		c.limit = -1
	}
	return c.run(ctx)
}

// pollWait is how long a poll waits before finished is asked again.
const pollWait = time.Second

// run reads until there is nothing more, or ctx ends: being interrupted is the
// ordinary end of following a topic, and no error.
func (c *consumer) run(ctx context.Context) error {
	idle := false
	for c.limit != 0 && ctx.Err() == nil {
		if done, err := c.source.finished(ctx, idle); done || err != nil {
			return interrupted(ctx, err)
		}
		pctx, cancel := context.WithTimeout(ctx, pollWait)
		fetches := c.source.cl.PollRecords(pctx, c.limit)
		cancel()
		if err := c.fetchErrors(fetches); err != nil {
			return interrupted(ctx, err)
		}
		idle = fetches.NumRecords() == 0
		if err := c.writeAll(ctx, fetches.Records()); err != nil {
			return err
		}
		c.source.cl.AllowRebalance()
	}
	return nil
}

func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (c *consumer) writeAll(ctx context.Context, records []*kgo.Record) error {
	written := records[:0:0]
	for _, r := range records {
		if !c.source.wanted(r) || c.limit == 0 {
			continue
		}
		if err := c.write(r); err != nil {
			return err
		}
		written = append(written, r)
		if c.limit > 0 {
			c.limit--
		}
	}
	if err := c.out.Flush(); err != nil {
		return err
	}
	if len(written) == 0 {
		return nil
	}
	// Also after a signal: what is out is committed.
	return c.source.written(context.WithoutCancel(ctx), written)
}

// fetchErrors passes on what will not get better by itself, and tells the rest.
func (c *consumer) fetchErrors(fetches kgo.Fetches) error {
	var fatal error
	fetches.EachError(func(topic string, p int32, err error) {
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			return // the end of a poll
		}
		var network net.Error
		var session *kgo.ErrGroupSession
		if kerr.IsRetriable(err) || errors.As(err, &network) || errors.As(err, &session) {
			fmt.Fprintf(c.a.Err, "still trying: %v\n", err)
			return
		}
		if fatal == nil {
			fatal = fmt.Errorf("%s partition %d: %w", topic, p, brokerError(err, ""))
		}
	})
	return fatal
}
