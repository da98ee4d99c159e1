package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/internal/testcluster"
	"github.com/leatdev/leat/worker"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

type bench struct {
	t       *testing.T
	cluster *testcluster.Cluster
	cl      *kgo.Client
	inbox   *Inbox
}

func newBench(t *testing.T, partitions int32, topics ...string) *bench {
	t.Helper()
	cluster := testcluster.Start(t)
	for _, topic := range topics {
		cluster.CreateTopic(t, topic, partitions)
	}
	cl := cluster.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	t.Cleanup(cl.Close)
	inbox, err := NewInbox(kgo.SeedBrokers(cluster.Seeds...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(inbox.Close)
	return &bench{t, cluster, cl, inbox}
}

func (b *bench) put(rs ...*kgo.Record) {
	b.t.Helper()
	if err := b.cl.ProduceSync(b.t.Context(), rs...).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
}

// dead makes a dead letter of record n of topic orders, as the worker writes it.
func dead(n int, class, message string, redrives int) *kgo.Record {
	h := func(k, v string) kgo.RecordHeader { return kgo.RecordHeader{Key: k, Value: []byte(v)} }
	return &kgo.Record{Topic: "dlq", Partition: int32(n % 2), Key: fmt.Appendf(nil, "k%d", n), Value: fmt.Appendf(nil, `{"n":%d}`, n), Headers: []kgo.RecordHeader{
		h("mine", "1"),
		h(worker.HeaderDLQTopic, "orders"), h(worker.HeaderDLQPartition, fmt.Sprint(n%2)), h(worker.HeaderDLQOffset, fmt.Sprint(100+n)),
		h(worker.HeaderDLQMessage, message), h(worker.HeaderDLQPipeline, "support"), h(worker.HeaderDLQStep, "mood"), h(worker.HeaderDLQClass, class),
		h(worker.HeaderDLQEventID, fmt.Sprintf("orders/%d/%d", n%2, 100+n)), h(worker.HeaderDLQFirstFailed, time.Unix(int64(1e9+n), 0).UTC().Format(time.RFC3339)),
		h(worker.HeaderDLQFingerprint, worker.Fingerprint(class, message)), h(worker.HeaderDLQRedriveCount, fmt.Sprint(redrives)),
	}}
}

func (b *bench) all(topic string) []*kgo.Record {
	b.t.Helper()
	starts, ends, err := b.inbox.bounds(b.t.Context(), topic)
	if err != nil {
		b.t.Fatal(err)
	}
	var rs []*kgo.Record
	if err := b.inbox.scan(b.t.Context(), starts, ends, func(r *kgo.Record) error { rs = append(rs, r); return nil }); err != nil {
		b.t.Fatal(err)
	}
	return rs
}

func (b *bench) redrive(o RedriveOptions) RedriveResult {
	b.t.Helper()
	o.Topic, o.Rate = "dlq", -1
	res, err := b.inbox.Redrive(b.t.Context(), o)
	if err != nil {
		b.t.Fatal(err)
	}
	return res
}

func (b *bench) list() Summary {
	b.t.Helper()
	ss, err := b.inbox.List(b.t.Context())
	if err != nil || len(ss) != 1 {
		b.t.Fatalf("list: %v %v", ss, err)
	}
	return ss[0]
}

func TestListAndShow(t *testing.T) {
	b := newBench(t, 2, "orders", "dlq", "empty")
	b.put(&kgo.Record{Topic: "orders", Value: []byte("not a dead letter")})
	for n := range 5 {
		b.put(dead(n, "poison", fmt.Sprintf("field %d is missing", n), 0))
	}
	b.put(dead(5, "retriable", "status 500", 0))
	s := b.list()
	if s.Topic != "dlq" || s.Open != 6 || s.Redriven != 0 || s.Class != "poison" || s.ClassOpen != 5 || !s.Oldest.Equal(time.Unix(1e9, 0)) || !slices.Equal(s.Sources, []string{"orders"}) {
		t.Errorf("listed %+v", s)
	}
	for by, want := range map[GroupBy]int{ByFingerprint: 2, ByClass: 2, BySource: 1} {
		cs, err := b.inbox.Show(t.Context(), "dlq", by)
		if err != nil || len(cs) != want {
			t.Errorf("by %s: %d groups, %v", by, len(cs), err)
		}
		if by == ByFingerprint && (cs[0].Open != 5 || cs[0].Message != "field 4 is missing" || cs[0].Sample != "dlq/0/2" || cs[0].Sources["orders"] != 5) {
			t.Errorf("largest group %+v", cs[0])
		}
	}
	l, err := b.inbox.Get(t.Context(), "dlq", 0, 2)
	if err != nil || string(l.Record.Value) != `{"n":4}` || l.Source.Offset != 104 {
		t.Errorf("got %+v %v", l, err)
	}
	if js, err := json.Marshal(l); err != nil || !strings.Contains(string(js), `"fingerprint"`) {
		t.Errorf("%s %v", js, err)
	}
	for _, f := range []func() error{
		func() error { _, err := b.inbox.Get(t.Context(), "dlq", 0, 99); return err },
		func() error { _, err := b.inbox.Get(t.Context(), "dlq", 7, 0); return err },
		func() error { _, err := b.inbox.Show(t.Context(), "nowhere", ByClass); return err },
		func() error { _, err := b.inbox.Show(t.Context(), "dlq", "colour"); return err },
	} {
		if f() == nil {
			t.Error("no error for what is not there")
		}
	}
}

// A redrive brings records back as they were, tells where they came from, and is
// not repeated when the command is.
func TestRedriveOnce(t *testing.T) {
	b := newBench(t, 2, "dlq", "support.mood.redrive")
	for n := range 6 {
		b.put(dead(n, "poison", "bad", 0))
	}
	dry := b.redrive(RedriveOptions{DryRun: true, Where: "value.n >= 2"})
	if dry.Redriven != 0 || dry.Matched != 4 || dry.Open != 6 || dry.Routes["support.mood.redrive"] != 4 || len(dry.Causes) != 1 || len(b.all("support.mood.redrive")) != 0 {
		t.Errorf("dry run: %+v", dry)
	}
	res := b.redrive(RedriveOptions{Where: "value.n >= 2", Max: 3})
	if res.Redriven != 3 || res.ID == "" {
		t.Errorf("%+v", res)
	}
	for _, r := range b.all("support.mood.redrive") {
		var v struct{ N int }
		json.Unmarshal(r.Value, &v)
		id := event.Identify(r)
		if want := fmt.Sprintf("orders/%d/%d", v.N%2, 100+v.N); id.ID != want || id.Root != want || id.Position() != want {
			t.Errorf("record %d is %+v", v.N, id)
		}
		if int(r.Partition) != v.N%2 || string(r.Key) != fmt.Sprintf("k%d", v.N) || len(r.Headers) != 4 {
			t.Errorf("record %d: partition %d, key %s, headers %v", v.N, r.Partition, r.Key, r.Headers)
		}
		if n, _ := event.Header(r.Headers, worker.HeaderDLQRedriveCount); string(n) != "1" {
			t.Errorf("redrive count %s", n)
		}
	}
	if s := b.list(); s.Open != 3 || s.Redriven != 3 {
		t.Errorf("after the first: %+v", s)
	}
	if res := b.redrive(RedriveOptions{Where: "value.n >= 2"}); res.Redriven != 1 || res.Open != 3 {
		t.Errorf("the second: %+v", res)
	}
	if res := b.redrive(RedriveOptions{}); res.Redriven != 2 {
		t.Errorf("the third: %+v", res)
	}
	if res := b.redrive(RedriveOptions{}); res.Redriven != 0 || res.Open != 0 {
		t.Errorf("the fourth: %+v", res)
	}
	if n := len(b.all("support.mood.redrive")); n != 6 {
		t.Errorf("%d records went, of 6", n)
	}
	// The group's lag is what remains.
	os, err := kadm.NewClient(b.cl).FetchOffsets(t.Context(), Group)
	if err != nil {
		t.Fatal(err)
	}
	for p := range int32(2) {
		if o, _ := os.Lookup("dlq", p); o.At != 3 {
			t.Errorf("group at %d of 3 in partition %d", o.At, p)
		}
	}
	b.put(dead(6, "poison", "bad", 0))
	if s := b.list(); s.Open != 1 || s.Redriven != 6 {
		t.Errorf("a new one: %+v", s)
	}
}

func TestRedriveGuards(t *testing.T) {
	b := newBench(t, 2, "dlq", "support.mood.redrive", "elsewhere")
	b.put(dead(0, "poison", "bad", 3), dead(1, "poison", "worse", 0))
	b.put(&kgo.Record{Topic: "dlq", Value: []byte("x"), Headers: []kgo.RecordHeader{{Key: "x-original-topic", Value: []byte("orders")}}})
	redrive := func(o RedriveOptions) (RedriveResult, error) {
		o.Topic, o.Rate = "dlq", -1
		return b.inbox.Redrive(t.Context(), o)
	}
	for says, o := range map[string]RedriveOptions{
		"unknown name valeu":           {Where: "valeu.n > 1"},
		"for example --to orders":      {},
		`"nowhere" does not exist`:     {To: "nowhere"},
		"cannot be a filter: not bool": {Where: "partition + 1"},
	} {
		res, err := redrive(o)
		if err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(says, "cannot be a filter: not ")) || res.Redriven != 0 {
			t.Errorf("%+v: %+v, %v; want %q", o, res, err, says)
		}
	}
	res, err := redrive(RedriveOptions{Where: `step == "support.mood"`})
	if err != nil || res.Capped != 1 || res.Redriven != 1 {
		t.Errorf("loop guard: %+v %v", res, err)
	}
	res, err = redrive(RedriveOptions{Where: `value.deep.deeper == 1`})
	if err != nil || res.FilterFailed != 2 || res.FilterError == "" || res.Redriven != 0 {
		t.Errorf("a filter that fails on text: %+v %v", res, err)
	}
	res, err = redrive(RedriveOptions{Where: `topic == "orders" and offset == -1`, To: "elsewhere"})
	if err != nil || res.Redriven != 1 || len(b.all("elsewhere")) != 1 {
		t.Errorf("to another topic: %+v %v", res, err)
	}
}

// A redrive that is stopped half-way goes on where it was.
func TestRedriveStopsAndGoesOn(t *testing.T) {
	b := newBench(t, 2, "dlq", "support.mood.redrive")
	for n := range 10 {
		b.put(dead(n, "poison", "bad", 0))
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := 0
	res, err := b.inbox.Redrive(ctx, RedriveOptions{Topic: "dlq", Rate: 10_000, OnLetter: func(RedrivenLetter) {
		if done++; done == 4 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || res.Redriven != 4 {
		t.Fatalf("%+v %v", res, err)
	}
	if res := b.redrive(RedriveOptions{}); res.Redriven != 6 {
		t.Errorf("%+v", res)
	}
	if n := len(b.all("support.mood.redrive")); n != 10 {
		t.Errorf("%d of 10 went", n)
	}
}

// The whole way: a worker dead-letters a record, the model is fixed, the record is
// redriven into the step's own topic, and its result has the id it would have had.
func TestWorkerToInboxAndBack(t *testing.T) {
	b := newBench(t, 2, "orders", "dlq", "out", "support.mood.redrive")
	var healed atomic.Bool
	w, err := worker.New(worker.Config{
		Seeds: b.cluster.Seeds, Group: "support.mood", Topics: []string{"orders", "support.mood.redrive"},
		DeadLetter: worker.DeadLetter{Topic: "dlq", Pipeline: "support", Step: "mood"}, Logger: slog.New(slog.DiscardHandler),
		Handler: worker.HandlerFunc(func(_ context.Context, ms []*worker.Message) ([]worker.Outcome, error) {
			out := make([]worker.Outcome, len(ms))
			for i, m := range ms {
				if string(m.Value) == "bad" && !healed.Load() {
					out[i] = worker.Failed(worker.NewError(worker.Poison, errors.New("undecodable")))
					continue
				}
				out[i] = worker.Done(&kgo.Record{Topic: "out", Key: m.Key, Value: m.Value, Headers: event.Derive(m.Record, m.Identity, event.Maker{Pipeline: "support", Step: "mood"})})
			}
			return out, nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- w.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-result; err != nil {
			t.Error(err)
		}
	}()
	until := func(what string, cond func(worker.Status) bool) {
		t.Helper()
		tick, deadline := time.NewTicker(5*time.Millisecond), time.After(20*time.Second)
		defer tick.Stop()
		for !cond(w.Status()) {
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("never: %s (%+v)", what, w.Status())
			}
		}
	}
	b.put(&kgo.Record{Topic: "orders", Partition: 1, Key: []byte("k"), Value: []byte("good")}, &kgo.Record{Topic: "orders", Partition: 1, Key: []byte("k"), Value: []byte("bad")})
	until("the bad one is a dead letter", func(s worker.Status) bool { return s.DeadLetters == 1 && s.Out == 1 })
	redrive := func() { t.Helper(); b.redrive(RedriveOptions{}) }
	redrive() // too early: it fails again and comes back
	until("it comes back", func(s worker.Status) bool { return s.DeadLetters == 2 })
	ls, err := b.inbox.Show(t.Context(), "dlq", ByFingerprint)
	if err != nil || len(ls) != 1 || ls[0].Open != 1 {
		t.Fatalf("%+v %v", ls, err)
	}
	back, err := b.inbox.Get(t.Context(), "dlq", 1, 1)
	if err != nil || back.Redrives != 1 || back.EventID != "orders/1/1" || back.Source.Topic != "support.mood.redrive" {
		t.Errorf("it came back as %+v %v", back, err)
	}
	healed.Store(true)
	redrive()
	until("it is through", func(s worker.Status) bool { return s.Out == 2 })
	for _, r := range b.all("out") {
		if string(r.Value) != "bad" {
			continue
		}
		id := event.Identify(r)
		if id.Root != "orders/1/1" || id.ID != event.DerivedID("orders/1/1", "support.mood") || r.Partition != 1 {
			t.Errorf("the result is %+v in partition %d", id, r.Partition)
		}
		for _, h := range r.Headers {
			if strings.HasPrefix(h.Key, "leat.dlq.") || strings.HasPrefix(h.Key, "__dlq.") {
				t.Errorf("the result still has %s", h.Key)
			}
		}
	}
}
