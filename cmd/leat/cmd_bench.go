package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/internal/load"
)

// benchOptions are the flags of the three measurements.
type benchOptions struct {
	conf        load.Config
	acks        string
	compression string
	linger      time.Duration
}

func (a *app) benchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "bench",
		Short:   "Measure any Kafka-protocol broker, always with the same client",
		GroupID: "data",
		Long: `Measure any Kafka-protocol broker, always with the same client: throughput, latency,
CPU and memory. The topic is created if it is not there, and left there.

Latencies are in milliseconds, kept in a histogram that errs by less than 0.8 %. CPU and
memory are read from /proc: those of this process, and of the server given with --pid.`,
		Example: `  leat bench produce -B localhost:9092 --pid $(pgrep -x leat)
  leat bench produce --sync --producers 64
  leat bench latency --rate 1000 --duration 30s -o json`,
	}
	a.addBrokers(cmd.PersistentFlags())
	cmd.AddCommand(a.benchProduceCommand(), a.benchConsumeCommand(), a.benchLatencyCommand())
	return cmd
}

// common adds the flags that all measurements have.
func (o *benchOptions) common(f *pflag.FlagSet) {
	f.StringVar(&o.conf.Topic, "topic", "leat-bench", "topic to use; it is created if it is not there")
	f.IntVar(&o.conf.ServerPID, "pid", 0, "process id of the server, whose CPU and memory are told, too")
}

// producing adds the flags of measurements that write.
func (o *benchOptions) producing(f *pflag.FlagSet, linger time.Duration) {
	f.Int32Var(&o.conf.Partitions, "partitions", 4, "partitions, if the topic is created")
	f.IntVarP(&o.conf.Size, "size", "s", 100, "bytes in a record's value, random")
	f.DurationVar(&o.conf.Duration, "duration", 10*time.Second, "how long to measure")
	f.DurationVar(&o.conf.Warmup, "warmup", 2*time.Second, "the same load before it, not measured")
	f.StringVar(&o.acks, "acks", "all", "what to wait for: all, 1 or 0")
	f.StringVarP(&o.compression, "compression", "z", "none", "none, gzip, snappy, lz4 or zstd")
	f.DurationVar(&o.linger, "linger", linger, "how long the client waits for more records before it sends a batch")
}

func (a *app) benchProduceCommand() *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "produce",
		Short: "How many records a second are taken",
		Long: `How many records a second are taken. Each producer is a client of its own. Without
--sync they send as fast as they can; with it each waits for the ack of one record
before the next. Latency is from handing a record to the client until its ack: without
--sync mostly the client's own queue ('leat bench latency' asks another question).`,
		Example: "  leat bench produce -n 1000000 -s 1000 --warmup 0s\n  leat bench produce --sync --producers 64 --acks all",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return a.bench(cmd.Context(), o, load.Produce)
		},
	}
	f := cmd.Flags()
	o.common(f)
	o.producing(f, 5*time.Millisecond)
	f.Int64VarP(&o.conf.Records, "num", "n", 0, "measure so many records instead of --duration")
	f.IntVar(&o.conf.Producers, "producers", 1, "producers at the same time")
	f.BoolVar(&o.conf.Sync, "sync", false, "each producer waits for the ack of one record before the next")
	return cmd
}

func (a *app) benchConsumeCommand() *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:     "consume",
		Short:   "How many records a second are given",
		Long:    "How many records a second are given to one consumer, from the start of a topic that already holds them.",
		Example: "  leat bench produce -n 1000000 && leat bench consume",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.conf.Records < 0 {
				return cli.Usagef("-n %d: want 0 or more", o.conf.Records)
			}
			o.acks, o.compression = "all", "none"
			return a.bench(cmd.Context(), o, load.Consume)
		},
	}
	o.common(cmd.Flags())
	cmd.Flags().Int64VarP(&o.conf.Records, "num", "n", 0, "read so many records; 0 is all that are there")
	return cmd
}

func (a *app) benchLatencyCommand() *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "latency",
		Short: "How long records take at a fixed rate",
		Long: `How long records take at a fixed rate, until their ack and until a consumer has them.
The loop is open: each record is due at a fixed time and its latency counts from then, so
that a stall of the broker is seen by every record it held up.`,
		Example: "  leat bench latency --rate 1000 --duration 30s --pid 4711",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			if o.conf.Rate <= 0 || o.conf.Size < 16 {
				return cli.Usagef("--rate %v, --size %d: want a rate above 0 and at least 16 bytes, which hold the time", o.conf.Rate, o.conf.Size)
			}
			return a.bench(cmd.Context(), o, load.Latency)
		},
	}
	f := cmd.Flags()
	o.common(f)
	o.producing(f, 0)
	f.Float64Var(&o.conf.Rate, "rate", 1000, "records per second")
	return cmd
}

func (o *benchOptions) check() error {
	switch c := o.conf; {
	case c.Size < 0, c.Records < 0, c.Producers < 0, c.Partitions == 0:
		return cli.Usagef("sizes and numbers must not be negative, nor partitions 0")
	case c.Duration <= 0, c.Warmup < 0:
		return cli.Usagef("--duration %v, --warmup %v: want more than 0, and 0 or more", c.Duration, c.Warmup)
	}
	return nil
}

// benchResult is a measurement with what it was made with.
type benchResult struct {
	load.Result
	Brokers     []string `json:"brokers"`
	Size        int      `json:"size,omitempty"`
	Acks        string   `json:"acks,omitempty"`
	Compression string   `json:"compression,omitempty"`
	LingerMS    float64  `json:"lingerMs"`
	Producers   int      `json:"producers,omitempty"`
	Sync        bool     `json:"sync,omitempty"`
	Rate        float64  `json:"rate,omitempty"`
}

func (a *app) bench(ctx context.Context, o benchOptions, measure func(context.Context, load.Config) (load.Result, error)) error {
	opts, err := producerOptions(o.acks, o.compression, deliveryTimeout)
	if err != nil {
		return err
	}
	opts = append(opts, kgo.ProducerLinger(o.linger))
	o.conf.Dial = func(ctx context.Context, more ...kgo.Opt) (*kgo.Client, error) {
		return a.client(ctx, append(opts[:len(opts):len(opts)], more...)...)
	}
	if a.ErrTerminal {
		o.conf.Progress = func(n int64) { fmt.Fprintf(a.Err, "\r%12d records", n) }
	}
	r, err := measure(ctx, o.conf)
	if a.ErrTerminal {
		fmt.Fprint(a.Err, "\r\x1b[K")
	}
	if err != nil && r.Records == 0 {
		return err
	}
	b := benchResult{Result: r, Brokers: a.brokers, Size: o.conf.Size, LingerMS: float64(o.linger) / 1e6,
		Producers: o.conf.Producers, Sync: o.conf.Sync, Rate: o.conf.Rate}
	if r.Kind != "consume" {
		b.Acks, b.Compression = o.acks, o.compression
	}
	if r.Failed > 0 {
		err = errors.Join(err, fmt.Errorf("%d records failed, the first with: %s", r.Failed, r.Error))
	}
	return errors.Join(a.out.Write(b, b.text), err)
}

func (b benchResult) text(w io.Writer) error {
	fmt.Fprintf(w, "%s: %d records in %.2f s: %.0f records/s, %.2f MB/s\n", b.Kind, b.Records, b.Seconds, b.RecordsPerSecond, b.MBPerSecond)
	if b.AckLatency != nil {
		t := cli.NewTable(w, "LATENCY_MS", "P50", "P90", "P99", "P99.9", "MAX", "MEAN")
		row := func(name string, q *load.Quantiles) {
			if q != nil {
				t.Row(name, q.P50, q.P90, q.P99, q.P999, q.Max, q.Mean)
			}
		}
		row("ack", b.AckLatency)
		row("end-to-end", b.EndToEnd)
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if b.Client == nil && b.Server == nil {
		return nil
	}
	t := cli.NewTable(w, "PROCESS", "PID", "CPU_S", "RSS_MB", "PEAK_RSS_MB")
	row := func(name string, u *load.Usage) {
		if u != nil {
			t.Row(name, u.PID, fmt.Sprintf("%.2f", u.CPUSeconds), fmt.Sprintf("%.1f", float64(u.RSSBytes)/1e6), fmt.Sprintf("%.1f", float64(u.PeakRSSBytes)/1e6))
		}
	}
	row("client", b.Client)
	row("server", b.Server)
	return t.Flush()
}
