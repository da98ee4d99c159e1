package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/internal/cli"
)

type produceOptions struct {
	key         string
	hasKey      bool
	headers     []string
	partition   int32
	format      string
	acks        string
	compression string
	timeout     time.Duration
	tombstone   bool
}

// produced is the result of `leat produce -o json`.
type produced struct {
	Produced int `json:"produced"`
	Failed   int `json:"failed"`
}

func (a *app) produceCommand() *cobra.Command {
	var o produceOptions
	cmd := &cobra.Command{
		Use:   "produce [TOPIC]",
		Short: "Write records from standard input",
		Long: `Write records from standard input, one a line, or as --format says:

  json     a line is a record as 'leat consume -o json' writes it
  LAYOUT   %t topic, %p partition, %k key, %v value, %d timestamp in ms, %h{%k=%v } headers,
           \t \n and plain text between them, for example '%k\t%v\n'
           (the layouts of franz-go's kgo.NewRecordReader)

TOPIC may be left out where the records name theirs. Every record is counted when
the broker has answered; the exit code is 1 if any one failed.`,
		Example: `  echo hello | leat produce orders
  printf 'k1\thello\n' | leat produce orders -f '%k\t%v\n' -H source=shell
  leat consume orders --to end -o json | leat produce copy -f json`,
		GroupID: "data",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.hasKey = cmd.Flags().Changed("key")
			return a.produce(cmd.Context(), o, strings.Join(args, ""))
		},
	}
	f := cmd.Flags()
	a.addBrokers(f)
	f.StringVarP(&o.key, "key", "k", "", "key of every record that has none of its own")
	f.StringArrayVarP(&o.headers, "header", "H", nil, "a header for every record as NAME=VALUE; may be repeated")
	f.Int32VarP(&o.partition, "partition", "p", -1, "partition for every record; -1 goes by the key")
	f.StringVarP(&o.format, "format", "f", "", "layout of the input, or json; default one value a line")
	f.StringVar(&o.acks, "acks", "all", "what to wait for: all, 1 or 0")
	f.StringVarP(&o.compression, "compression", "z", "none", "none, gzip, snappy, lz4 or zstd")
	f.DurationVar(&o.timeout, "timeout", deliveryTimeout, "how long a record is tried for, from 1s on, before it counts as failed")
	f.BoolVarP(&o.tombstone, "tombstone", "Z", false, "an empty value is null, a tombstone")
	return cmd
}

var compressions = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

// deliveryTimeout is how long a record is tried for: a broker may refuse it for as long
// as its disk is full, and nobody wants to wait for that without being told. It is the
// default of Kafka's delivery.timeout.ms.
const deliveryTimeout = 2 * time.Minute

// producerOptions turns --acks and --compression into options of the client, which
// tries for so long.
func producerOptions(acks, compression string, timeout time.Duration) ([]kgo.Opt, error) {
	codec, ok := compressions[compression]
	switch {
	case !ok:
		return nil, cli.Usagef("--compression %s: want none, gzip, snappy, lz4 or zstd", compression)
	case timeout < time.Second: // the client takes no less
		return nil, cli.Usagef("--timeout %v: want 1s or more", timeout)
	}
	opts := []kgo.Opt{kgo.ProducerBatchCompression(codec), kgo.RecordDeliveryTimeout(timeout)}
	switch acks {
	case "all", "-1":
		opts = append(opts, kgo.RequiredAcks(kgo.AllISRAcks()))
	case "1":
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	case "0":
		opts = append(opts, kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite())
	default:
		return nil, cli.Usagef("--acks %s: want all, 1 or 0", acks)
	}
	return opts, nil
}

func (a *app) produce(ctx context.Context, o produceOptions, topic string) error {
	opts, err := producerOptions(o.acks, o.compression, o.timeout)
	if err != nil {
		return err
	}
	headers, err := pairs("header", o.headers)
	if err != nil {
		return err
	}
	next, err := recordReader(o.format, a.In)
	if err != nil {
		return err
	}
	if topic == "" && o.format == "" {
		return cli.Usagef("which topic? Lines do not name one")
	}
	opts = append(opts,
		// Records of the input may say which partition they belong to.
		kgo.RecordPartitioner(explicitPartitioner()),
		// As every other producer: whether topics may come into being so is for the broker to say.
		kgo.AllowAutoTopicCreation())
	cl, err := a.client(ctx, opts...)
	if err != nil {
		return err
	}
	defer cl.Close()

	// A signal ends the reading; what was read is still sent and waited for.
	sendCtx := context.WithoutCancel(ctx)
	t := tally{a: a}
	var readErr error
	for n := 1; ctx.Err() == nil; n++ {
		r, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		var bad badRecord
		if errors.As(err, &bad) { // this one is lost, the next ones can still be read
			t.add(n, err)
			continue
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("the input ends in the middle of what -f '%s' asks for", o.format)
		}
		if err != nil {
			readErr = fmt.Errorf("input, record %d: %w", n, err)
			break
		}
		o.complete(r, topic, headers)
		if r.Topic == "" {
			t.add(n, errors.New("it names no topic, and none was given"))
			continue
		}
		cl.Produce(sendCtx, r, func(_ *kgo.Record, err error) { t.add(n, err) })
	}
	if err := cl.Flush(sendCtx); err != nil {
		readErr = errors.Join(readErr, err)
	}
	return errors.Join(t.write(), readErr)
}

// complete gives a record what the flags say and the input did not.
func (o produceOptions) complete(r *kgo.Record, topic string, headers [][2]string) {
	if topic != "" {
		r.Topic = topic
	}
	if o.hasKey && r.Key == nil {
		r.Key = []byte(o.key)
	}
	if o.partition >= 0 {
		r.Partition = o.partition
	}
	if o.tombstone && len(r.Value) == 0 {
		r.Value = nil
	}
	for _, h := range headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
	}
}

// tally counts records as the broker answers, and shows the first failures.
type tally struct {
	a       *app
	mu      sync.Mutex
	items   cli.Items
	ok, bad int
}

// shown is how many failures are told one by one; after that they are counted.
const shown = 10

func (t *tally) add(n int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	words := t.items.Add(err)
	if err == nil {
		t.ok++
		return
	}
	if t.bad++; t.bad <= shown {
		fmt.Fprintf(t.a.Err, "record %d: %s\n", n, words)
	} else if t.bad == shown+1 {
		fmt.Fprintln(t.a.Err, "more records failed; they are counted, but not shown")
	}
}

func (t *tally) write() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := produced{t.ok, t.bad}
	err := t.a.out.Write(p, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s produced\n", cli.Count(p.Produced, "record"))
		return err
	})
	return errors.Join(err, t.items.Err("records"))
}

// explicitPartitioner sends a record to its Partition where that is not
// negative, and else where its key says, as Kafka's own clients do.
func explicitPartitioner() kgo.Partitioner {
	byKey := kgo.StickyKeyPartitioner(nil)
	return partitioner{byKey}
}

type partitioner struct{ byKey kgo.Partitioner }

func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return topicPartitioner{p.byKey.ForTopic(topic)}
}

type topicPartitioner struct{ kgo.TopicPartitioner }

// RequiresConsistency implements kgo.TopicPartitioner.
func (p topicPartitioner) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition >= 0 || p.TopicPartitioner.RequiresConsistency(r)
}

// Partition implements kgo.TopicPartitioner. A partition that the topic does
// not have is an error of the record.
func (p topicPartitioner) Partition(r *kgo.Record, n int) int {
	if r.Partition >= 0 {
		return int(r.Partition)
	}
	return p.TopicPartitioner.Partition(r, n)
}

// OnNewBatch passes the end of a batch on to the sticky partitioner below.
func (p topicPartitioner) OnNewBatch() {
	if s, ok := p.TopicPartitioner.(kgo.TopicPartitionerOnNewBatch); ok {
		s.OnNewBatch()
	}
}

// recordReader returns a function that reads the next record; Partition is -1
// where the input does not say it. It returns io.EOF at the end, a badRecord
// for one that cannot be read, another error when nothing more can.
func recordReader(format string, in io.Reader) (func() (*kgo.Record, error), error) {
	switch format {
	case "":
		return lineReader(in), nil
	case "json":
		return jsonReader(in), nil
	}
	rr, err := kgo.NewRecordReader(in, format)
	if err != nil {
		return nil, cli.Usagef("--format %q: %w", format, err)
	}
	return func() (*kgo.Record, error) {
		r := &kgo.Record{Partition: -1}
		if err := rr.ReadRecordInto(r); err != nil {
			return nil, err
		}
		// The reader reuses what it read into.
		r.Key, r.Value, r.Headers = slices.Clone(r.Key), slices.Clone(r.Value), slices.Clone(r.Headers)
		return r, nil
	}, nil
}

// badRecord is one record of the input that cannot be understood.
type badRecord struct{ error }
