package worker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/leatdev/leat/internal/testcluster"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// bench is a cluster and what tests do with it. Nearly everything runs in a
// synctest bubble: waiting costs nothing and time is exact.
type bench struct {
	t       *testing.T
	cluster *testcluster.Cluster
	cl      *kgo.Client
	adm     *kadm.Client
	runners []*runner
}

// inBubble runs a test story with a cluster that has these topics of so many
// partitions each.
func inBubble(t *testing.T, partitions int32, topics []string, story func(*testing.T, *bench)) {
	t.Helper()
	testcluster.InBubble(t, withTopics(partitions, topics, story))
}

// inRealTime is inBubble for stories in which members of a group wait for each
// other: the client then waits in a mutex, and a bubble's time stands still for
// those.
func inRealTime(t *testing.T, partitions int32, topics []string, story func(*testing.T, *bench)) {
	t.Helper()
	withTopics(partitions, topics, story)(t, testcluster.Start(t))
}

func withTopics(partitions int32, topics []string, story func(*testing.T, *bench)) func(*testing.T, *testcluster.Cluster) {
	return func(t *testing.T, cluster *testcluster.Cluster) {
		t.Helper()
		for _, topic := range topics {
			cluster.CreateTopic(t, topic, partitions)
		}
		b := &bench{t: t, cluster: cluster, adm: cluster.Admin}
		b.cl = b.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
		defer b.cl.Close()
		defer func() {
			for _, r := range b.runners {
				r.cancel()
				<-r.done
			}
		}()
		story(t, b)
	}
}

func (b *bench) client(opts ...kgo.Opt) *kgo.Client {
	b.t.Helper()
	return b.cluster.Client(b.t, opts...)
}

// put writes records and fails the test when one is not taken.
func (b *bench) put(rs ...*kgo.Record) {
	b.t.Helper()
	if err := b.cl.ProduceSync(b.t.Context(), rs...).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
}

// numbered makes n records with values 0..n-1 over the keys and partitions given.
func numbered(topic string, n, keys int, partitions int32) []*kgo.Record {
	rs := make([]*kgo.Record, n)
	for i := range rs {
		k := i % keys
		rs[i] = &kgo.Record{Topic: topic, Key: fmt.Appendf(nil, "k%d", k), Value: fmt.Append(nil, i), Partition: int32(k) % partitions}
	}
	return rs
}

// runner is a worker that runs in the background.
type runner struct {
	*Worker
	b      *bench
	result chan error
	cancel context.CancelFunc
}

// start runs a worker with cfg completed by the bench's cluster, group g and
// topics in.
func (b *bench) start(cfg Config) *runner {
	b.t.Helper()
	w := b.worker(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	r := &runner{Worker: w, b: b, result: make(chan error, 1), cancel: cancel}
	b.runners = append(b.runners, r)
	go func() { r.result <- w.Run(ctx) }()
	return r
}

func (b *bench) worker(cfg Config) *Worker {
	b.t.Helper()
	cfg.Seeds = b.cluster.Seeds
	cfg.ClientOpts = append([]kgo.Opt{kgo.Dialer(b.cluster.Dial)}, cfg.ClientOpts...)
	if cfg.Group == "" {
		cfg.Group = "g"
	}
	if cfg.Topics == nil {
		cfg.Topics = []string{"in"}
	}
	cfg.Logger = slog.New(slog.DiscardHandler)
	w, err := New(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	return w
}

// stopped ends a worker in good order and returns what Run returned.
func (r *runner) stopped() error {
	r.b.t.Helper()
	r.cancel()
	return r.ended()
}

// ended waits for Run to return by itself.
func (r *runner) ended() error {
	r.b.t.Helper()
	select {
	case err := <-r.result:
		return err
	case <-time.After(10 * time.Minute):
		r.b.t.Fatal("the worker does not end")
		return nil
	}
}

// until waits for a condition.
func (b *bench) until(what string, cond func() bool) {
	b.t.Helper()
	if !b.cluster.Until(cond) {
		b.t.Fatalf("never: %s", what)
	}
}

// all reads a topic from its beginning to its present end.
func (b *bench) all(topic string) []*kgo.Record {
	b.t.Helper()
	ends, err := b.adm.ListEndOffsets(b.t.Context(), topic)
	if err != nil {
		b.t.Fatal(err)
	}
	starts, err := b.adm.ListStartOffsets(b.t.Context(), topic)
	if err != nil {
		b.t.Fatal(err)
	}
	var want int64
	ends.Each(func(o kadm.ListedOffset) {
		s, _ := starts.Lookup(o.Topic, o.Partition)
		want += o.Offset - s.Offset
	})
	cl := b.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer cl.Close()
	var rs []*kgo.Record
	for int64(len(rs)) < want {
		fs := cl.PollFetches(b.t.Context())
		if err := fs.Err(); err != nil {
			b.t.Fatal(err)
		}
		rs = append(rs, fs.Records()...)
	}
	return rs
}

// count is how many records a topic has.
func (b *bench) count(topic string) int {
	b.t.Helper()
	ends, err := b.adm.ListEndOffsets(b.t.Context(), topic)
	if err != nil {
		b.t.Fatal(err)
	}
	n := int64(0)
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return int(n)
}

// committed is the sum of the group's committed offsets.
func (b *bench) committed(group string) int {
	b.t.Helper()
	os, err := Committed(b.t.Context(), b.adm, group)
	if err != nil {
		b.t.Fatal(err)
	}
	n := int64(0)
	os.Each(func(o kadm.OffsetResponse) { n += o.At })
	return int(n)
}

// echo answers each message with one record of the same key and value to topic out.
func echo(ms []*Message) []Outcome {
	out := make([]Outcome, len(ms))
	for i, m := range ms {
		out[i] = Done(&kgo.Record{Topic: "out", Key: m.Key, Value: m.Value})
	}
	return out
}

// recorder notes calls.
type recorder struct {
	mu    sync.Mutex
	calls [][]string // values per call
}

func (r *recorder) note(ms []*Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var vs []string
	for _, m := range ms {
		vs = append(vs, string(m.Value))
	}
	r.calls = append(r.calls, vs)
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.calls)
}
