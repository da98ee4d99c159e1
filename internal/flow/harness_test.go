package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/internal/testcluster"
	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// desk is the support desk with functions for models.
const desk = `
name: support
topics:  {support.messages: {format: json, partitions: 4, max_bytes: 4MiB}}
defaults: {retry: {attempts: 3, backoff: 100ms..1s}, dlq: support.dlq}
models:
  mood:   {protocol: go, version: "1"}
  tagger: {protocol: go}
  class:  {protocol: go}
  words:  {protocol: go}
  embed:  {protocol: go}
steps:
  mood:     {from: support.messages, call: {model: mood}, to: support.mood, batch: {max: 32, wait: 20ms}}
  tags:     {from: support.messages, call: {model: tagger, input: '{text: value.text}'}, output: '{text: value.text, tags: result.tags}', to: support.tags}
  class:    {from: support.tags, call: {model: class}, to: support.class}
  keywords: {from: support.tags, call: {model: words}, to: support.keywords}
  vectors:  {from: support.messages, call: {model: embed}, to: support.vectors, batch: {max: 64, wait: 50ms}}
  desk:     {join: {of: {message: support.messages, mood: support.mood, class: support.class, keywords: support.keywords, vector: support.vectors},
                    by: event, within: 30s, require: [message], late: amend}, to: support.desk}
  urgent:   {from: support.desk, when: 'value.class == "complaint"', to: support.urgent}
`

// text returns the text of a message as a model is given it.
func text(in pipeline.Input) string {
	m, _ := in.Value.(map[string]any)
	s, _ := m["text"].(string)
	return s
}

// deskFuncs are models that answer by the length of the text.
func deskFuncs() pipeline.Funcs {
	each := func(fn func(s string) any) pipeline.Func {
		return pipeline.Func{Each: func(_ context.Context, in pipeline.Input) (any, error) {
			s := text(in)
			if s == "" {
				return nil, poison("call", errors.New("there is no text"))
			}
			return fn(s), nil
		}}
	}
	return pipeline.Funcs{
		"mood":   each(func(s string) any { return map[string]any{"score": len(s)} }),
		"tagger": each(func(s string) any { return map[string]any{"tags": []any{s}} }),
		"class": each(func(s string) any {
			if len(s)%2 == 0 {
				return "complaint"
			}
			return "help"
		}),
		"words": each(func(s string) any { return []any{s[:1]} }),
		"embed": each(func(s string) any { return []any{len(s)} }),
	}
}

// bench is a cluster and what tests do with it, in a synctest bubble: waiting
// costs nothing.
type bench struct {
	t       *testing.T
	cluster *testcluster.Cluster
	cl      *kgo.Client
	adm     *kadm.Client
	flows   []*runner
}

func inBubble(t *testing.T, story func(*bench)) {
	t.Helper()
	testcluster.InBubble(t, func(t *testing.T, cluster *testcluster.Cluster) {
		b := &bench{t: t, cluster: cluster, adm: cluster.Admin}
		b.cl = cluster.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(4<<20))
		defer b.cl.Close()
		defer func() {
			for _, r := range b.flows {
				r.cancel()
				<-r.done
			}
		}()
		story(b)
	})
}

// runner is pipelines that run as one process would.
type runner struct {
	*Flow
	b      *bench
	cancel context.CancelFunc
	done   chan struct{}
	err    error

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func (b *bench) flow(r *runner, yaml string, funcs pipeline.Funcs) *Flow {
	b.t.Helper()
	ps, err := pipeline.Parse(pipeline.File{Name: "test.yaml", Data: []byte(yaml)})
	if err != nil {
		b.t.Fatal(err)
	}
	dial := b.cluster.Dial
	if r != nil {
		dial = r.dial
	}
	return New(Config{
		Seeds: b.cluster.Seeds, ClientOpts: []kgo.Opt{kgo.Dialer(dial)},
		Protocols: Protocols(funcs, slog.New(slog.DiscardHandler)), Logger: slog.New(slog.DiscardHandler),
	}, ps)
}

// run starts pipelines and waits until they are ready.
func (b *bench) run(yaml string, funcs pipeline.Funcs) *runner {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &runner{b: b, cancel: cancel, done: make(chan struct{})}
	r.Flow = b.flow(r, yaml, funcs)
	b.flows = append(b.flows, r)
	go func() { r.err = r.Run(ctx); close(r.done) }()
	select {
	case <-r.Ready():
	case <-r.done:
		b.t.Fatalf("the pipelines did not start: %v", r.err)
	}
	return r
}

func (r *runner) stop() error {
	r.cancel()
	<-r.done
	return r.err
}

// kill cuts the process off as kill -9 would: what it has written is written,
// nothing is committed or said any more.
func (r *runner) kill() {
	r.mu.Lock()
	r.cut = true
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.cancel()
	<-r.done
}

func (r *runner) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cut {
		return nil, errors.New("this process is dead")
	}
	c, err := r.b.cluster.Dial(ctx, network, addr)
	if err == nil {
		r.conns = append(r.conns, c)
	}
	return c, err
}

// until waits for a condition.
func (b *bench) until(what string, cond func() bool) {
	b.t.Helper()
	if b.cluster.Until(cond) {
		return
	}
	for _, r := range b.flows {
		for _, s := range r.Status() {
			data, _ := json.Marshal(s)
			b.t.Log(string(data))
		}
	}
	b.t.Fatalf("never: %s", what)
}

// put writes records as they are, to the partitions they name.
func (b *bench) put(rs ...*kgo.Record) {
	b.t.Helper()
	if err := b.cl.ProduceSync(b.t.Context(), rs...).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
}

// message is a customer's message; every fifth has no key.
func message(n int) *kgo.Record {
	r := &kgo.Record{Topic: "support.messages", Partition: int32(n % 4), Value: fmt.Appendf(nil, `{"text":"message number %d %s"}`, n, "!!!!!!!!!!!"[:n%10]), Timestamp: time.Now()}
	if n%5 != 0 {
		r.Key = fmt.Appendf(nil, "customer %d", n%4+4*(n%3))
	}
	return r
}

func numbered(from, to int) []*kgo.Record {
	var rs []*kgo.Record
	for n := from; n < to; n++ {
		rs = append(rs, message(n))
	}
	return rs
}

// count is the number of records of a topic.
func (b *bench) count(topic string) int {
	b.t.Helper()
	ends, err := b.adm.ListEndOffsets(b.t.Context(), topic)
	if err != nil {
		b.t.Fatal(err)
	}
	n := 0
	ends.Each(func(o kadm.ListedOffset) {
		if o.Err != nil {
			return // not created yet
		}
		n += int(o.Offset)
	})
	return n
}

// all reads a whole topic.
func (b *bench) all(topic string) []*kgo.Record {
	b.t.Helper()
	n := b.count(topic)
	if n == 0 {
		return nil
	}
	cl := b.cluster.Client(b.t, kgo.ConsumeTopics(topic))
	defer cl.Close()
	var out []*kgo.Record
	for len(out) < n {
		out = append(out, cl.PollFetches(b.t.Context()).Records()...)
	}
	slices.SortStableFunc(out, func(x, y *kgo.Record) int { return int(x.Partition - y.Partition) })
	return out
}

// row is a row of the desk as a reader sees it.
type row struct {
	*kgo.Record
	root  string
	value map[string]any
}

// again makes the records of a topic once more, as they are.
func (b *bench) again(topic string) []*kgo.Record {
	var out []*kgo.Record
	for _, r := range b.all(topic) {
		out = append(out, &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers, Timestamp: r.Timestamp})
	}
	return out
}

// rows returns the rows of a topic by root, each root's in the order in which
// they came out.
func (b *bench) rows(topic string) map[string][]row {
	b.t.Helper()
	out := map[string][]row{}
	for _, r := range b.all(topic) {
		root := header(r, event.HeaderCorrelationID)
		w := row{Record: r, root: root}
		if err := json.Unmarshal(r.Value, &w.value); err != nil {
			b.t.Fatalf("a row is not JSON: %v", err)
		}
		out[root] = append(out[root], w)
	}
	return out
}

func header(r *kgo.Record, name string) string {
	v, _ := event.Header(r.Headers, name)
	return string(v)
}

// committed says that a group has committed everything of these topics.
func (b *bench) committed(group string, topics ...string) bool {
	b.t.Helper()
	offsets, err := worker.Committed(b.t.Context(), b.adm, group)
	if err != nil {
		b.t.Fatal(err)
	}
	ends, err := b.adm.ListEndOffsets(b.t.Context(), topics...)
	if err != nil {
		b.t.Fatal(err)
	}
	done := true
	ends.Each(func(o kadm.ListedOffset) {
		c, ok := offsets.Lookup(o.Topic, o.Partition)
		done = done && o.Err == nil && (o.Offset == 0 || ok && c.At == o.Offset)
	})
	return done
}
