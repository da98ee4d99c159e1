package flow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// errFatal is a mistake in the configuration, as a model sees it.
var errFatal = worker.NewError(worker.Fatal, errors.New("no such model"))

var rewrite = flag.Bool("rewrite", false, "write the golden files of testdata anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s", path, got)
	}
}

func offlineFlow(t *testing.T, yaml string, funcs pipeline.Funcs, env map[string]string) *Flow {
	t.Helper()
	ps, err := pipeline.Parse(pipeline.File{Name: "test.yaml", Data: []byte(yaml)})
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{Protocols: Protocols(funcs, slog.New(slog.DiscardHandler)), LookupEnv: func(n string) (string, bool) { v, ok := env[n]; return v, ok }}, ps)
}

func TestExplainWithoutCluster(t *testing.T) {
	f := offlineFlow(t, desk, nil, nil)
	plan, err := f.Explain(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := plan.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	golden(t, "explain_offline.txt", text.String())
	if _, err := f.Check(t.Context()); !errors.Is(err, errOffline) {
		t.Errorf("Check without a cluster: %v", err)
	}
	if err := offlineFlow(t, desk, deskFuncs(), nil).Run(t.Context()); !errors.Is(err, errOffline) {
		t.Errorf("Run without a cluster: %v", err)
	}
}

func TestExplainAgainstCluster(t *testing.T) {
	inBubble(t, func(b *bench) {
		value := func(s string) *string { return &s }
		if _, err := b.adm.CreateTopics(b.t.Context(), 4, -1, map[string]*string{"max.message.bytes": value("2097152"), "retention.ms": value("3600000")}, "support.messages"); err != nil {
			t.Fatal(err)
		}
		old := message(30)
		old.Timestamp = time.Now().Add(-50 * time.Minute)
		b.put(old)
		b.put(numbered(0, 30)...)

		f := b.flow(nil, desk, nil)
		explain := func() *Plan {
			t.Helper()
			plan, err := f.Explain(b.t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return plan
		}
		plan := explain()
		var text bytes.Buffer
		if err := plan.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		golden(t, "explain_cluster.txt", strings.ReplaceAll(text.String(), plan.Cluster, "CLUSTER"))
		if mood := plan.Steps[0]; mood.Backlog == nil || !mood.Backlog.New || mood.Backlog.Records != 31 || mood.Partitions != 4 {
			t.Errorf("a new group: %+v", mood.Backlog)
		}
		if len(plan.Differences) != 1 || plan.Differences[0] != (Difference{"support.messages", "max.message.bytes", "4194304", "2097152"}) {
			t.Errorf("differences: %v", plan.Differences)
		}
		if mood := strings.Join(plan.Steps[0].Backlog.Warnings, "\n"); mood != "retention will soon take 1 records of support.messages/2 that are not read yet" {
			t.Errorf("warnings: %s", mood)
		}
		if data, err := json.Marshal(plan); err != nil || !strings.Contains(string(data), `"group":"support.mood"`) {
			t.Errorf("as JSON: %s, %v", data, err)
		}
		if n := b.count("support.mood"); n != 0 {
			t.Error("explain has made topics")
		}

		// A group that has read some, and records that retention has taken.
		offsets := kadm.Offsets{}
		for p := range int32(4) {
			offsets.Add(kadm.Offset{Topic: "support.messages", Partition: p, At: 2, LeaderEpoch: -1})
		}
		if err := b.adm.CommitAllOffsets(b.t.Context(), "support.mood", offsets); err != nil {
			t.Fatal(err)
		}
		gone := kadm.Offsets{}
		gone.AddOffset("support.messages", 1, 5, -1)
		if _, err := b.adm.DeleteRecords(b.t.Context(), gone); err != nil {
			t.Fatal(err)
		}
		mood := explain().Steps[0].Backlog
		if mood.New || mood.Records != 31-8-3 {
			t.Errorf("a group that has read some: %+v", mood)
		}
		if text := strings.Join(mood.Warnings, "\n"); !strings.Contains(text, "retention has taken 3 records of support.messages/1") {
			t.Errorf("warnings: %s", text)
		}
	})
}

func TestUnequalPartitionsFail(t *testing.T) {
	inBubble(t, func(b *bench) {
		if _, err := b.adm.CreateTopics(b.t.Context(), 3, -1, nil, "support.class"); err != nil {
			t.Fatal(err)
		}
		f := b.flow(nil, desk, deskFuncs())
		_, err := f.Check(b.t.Context())
		var problems pipeline.Problems
		if !errors.As(err, &problems) || !strings.Contains(err.Error(), "test.yaml:17:20") || !strings.Contains(err.Error(), "support.messages has 4, support.class has 3") {
			t.Errorf("Check: %v", err)
		}
		if err := f.Run(b.t.Context()); !errors.As(err, &problems) {
			t.Errorf("Run: %v", err)
		}
		if got := b.cluster.Topics(t); len(got) != 1 {
			t.Errorf("topics were made all the same: %v", got)
		}
	})
}

func TestPrepareMakesTopicsAsDeclared(t *testing.T) {
	inBubble(t, func(b *bench) {
		yaml := `
name: p
topics: {in: {partitions: 2, retention: 2d, max_bytes: 3MiB}, free: {}, kept: {retention: forever}}
steps:
  a: {from: in, to: out}
  b: {from: [free, out], to: kept}
  j: {join: {of: {in: in, out: out}, by: key, within: 1s, late: toolate}, to: rows}
`
		for range 2 { // the second time everything is there
			report, err := b.flow(nil, yaml, nil).Prepare(b.t.Context())
			if err != nil || len(report.Differences) != 0 {
				t.Fatalf("%v, %v", report, err)
			}
		}
		partitions, free := b.cluster.Partitions(t), b.cluster.DefaultPartitions(t)
		for topic, want := range map[string]string{
			"in": "2 retention.ms=172800000 max.message.bytes=3145728", "out": "2 max.message.bytes=3145728", "free": fmt.Sprint(free), "kept": fmt.Sprint(max(2, free), " retention.ms=-1 max.message.bytes=3145728"),
			"p.dlq": "2 cleanup.policy=delete retention.ms=2592000000 max.message.bytes=3211264", "p.a.redrive": "2 cleanup.policy=delete retention.ms=604800000 max.message.bytes=3211264",
			"rows": "2 max.message.bytes=6291456", "p.j.rows": "2 cleanup.policy=compact,delete retention.ms=2592000000 max.message.bytes=6356992",
			"p.outcomes": "2 cleanup.policy=delete retention.ms=604800000", "toolate": "2 max.message.bytes=3145728",
		} {
			configs, err := b.adm.DescribeTopicConfigs(b.t.Context(), topic)
			if err != nil {
				t.Fatal(err)
			}
			rc, _ := configs.On(topic, nil)
			got := []string{fmt.Sprint(partitions[topic])}
			for _, k := range []string{"cleanup.policy", "retention.ms", "max.message.bytes"} {
				for _, c := range rc.Configs {
					if c.Key == k && c.Source.String() == "DYNAMIC_TOPIC_CONFIG" {
						got = append(got, k+"="+c.MaybeValue())
					}
				}
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s is %v, want %s", topic, got, want)
			}
		}
	})
}

func TestTry(t *testing.T) {
	f := offlineFlow(t, `
name: t
topics: {in: {}, text: {format: text}}
models:
  len: {protocol: go}
  far: {protocol: http, url: "http://127.0.0.1:1", headers: {authorization: "${env:NOT_SET}"}}
steps:
  s: {from: in, when: 'key != "skip"', call: {model: len, input: value.text}, output: '{n: result, by: headers.who}', to: out, dlq: bad}
  far: {from: in, call: {model: far}, to: far}
  copy: {from: text, to: copies}
  j: {join: {of: {in: in, out: out}, by: event, within: 1s}, to: rows}
`, pipeline.Funcs{"len": {Each: func(_ context.Context, in pipeline.Input) (any, error) {
		s, ok := in.Value.(string)
		if !ok {
			return nil, poison("call", errors.New("no text"))
		}
		return len(s), nil
	}}}, nil)
	try := func(in TryInput) *TryResult {
		t.Helper()
		res, err := f.Try(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	res := try(TryInput{Step: "s", Value: []byte(`{"text":"four"}`), Key: []byte("k"), Headers: map[string]string{"who": "me"}})
	if string(res.Value) != `{"by":"me","n":4}` || res.Topic != "out" || res.Key != "k" || res.Headers["who"] != "me" || res.Headers["leat-step"] != "s" || res.Err != nil {
		t.Errorf("%s %+v", res.Value, res)
	}
	if res := try(TryInput{Step: "t.s", Value: []byte(`{}`), Key: []byte("skip")}); !res.Skipped || res.Topic != "" {
		t.Errorf("%+v", res)
	}
	if res := try(TryInput{Step: "s", Value: []byte(`{`)}); res.Err == nil || res.DeadLetter != "bad" {
		t.Errorf("%+v", res)
	}
	if res := try(TryInput{Step: "s", Value: []byte(`{}`)}); res.Err == nil || !strings.Contains(res.Err.Error(), "no text") {
		t.Errorf("%+v", res)
	}
	if res := try(TryInput{Step: "copy", Value: []byte(`some text`)}); string(res.Value) != `"some text"` {
		t.Errorf("%s", res.Value)
	}
	for step, want := range map[string]string{"x": "there is no step x; there are s, far, copy, j", "j": "is a join", "far": "test.yaml:6:77: the environment variable NOT_SET is not set", "": "say which step"} {
		if _, err := f.Try(t.Context(), TryInput{Step: step}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("step %q: %v", step, err)
		}
	}
	if _, err := f.Try(t.Context(), TryInput{Step: "s", Topic: "other"}); err == nil {
		t.Error("a topic that the step does not read was taken")
	}
}

func TestRunSaysWhatIsWrongAtOnce(t *testing.T) {
	inBubble(t, func(b *bench) {
		err := b.flow(nil, `
name: w
topics: {in: {}}
models: {a: {protocol: go}, b: {protocol: http, url: "http://"}}
steps: {a: {from: in, call: {model: a}, to: x}, b: {from: in, call: {model: b}, to: y}}
`, nil).Run(b.t.Context())
		if err == nil || !strings.Contains(err.Error(), "test.yaml:4:10: model a: no function is registered as \"a\"") || !strings.Contains(err.Error(), "test.yaml:4:29: model b: url:") {
			t.Errorf("got %v", err)
		}
	})
}

// A step that ends by itself is seen, and does not end the others.
func TestStepThatStops(t *testing.T) {
	inBubble(t, func(b *bench) {
		funcs := deskFuncs()
		funcs["mood"] = pipeline.Func{Batch: func(_ context.Context, ins []pipeline.Input) ([]pipeline.Result, error) { return nil, errFatal }}
		r := b.run(desk, funcs)
		b.put(numbered(0, 20)...)
		b.until("the others are through", func() bool { return b.count("support.class") == 20 && b.count("support.vectors") == 20 })
		var failed []string
		for _, s := range r.Status() {
			if s.Error != "" {
				failed = append(failed, s.Step)
			}
		}
		if len(failed) != 1 || failed[0] != "mood" {
			t.Errorf("stopped are %v", failed)
		}
		b.until("rows without their mood", func() bool { return b.count("support.desk") == 20 })
		if err := r.stop(); err == nil || !strings.Contains(err.Error(), "step support.mood: ") {
			t.Errorf("Run returned %v", err)
		}
	})
}

// Skips, by a value, late topics, text and bytes, through real steps.
func TestOtherJoins(t *testing.T) {
	inBubble(t, func(b *bench) {
		r := b.run(`
name: o
topics: {order: {partitions: 2}, payment: {partitions: 2}, note: {format: text, partitions: 2}, blob: {format: bytes, partitions: 2}}
steps:
  big:   {from: order, when: value.n > 10, output: '{big: result.n}', to: big}
  both:  {join: {of: {order: order, big: big}, by: event, within: 5m}, to: both}
  pairs: {join: {of: {order: order, payment: payment}, by: value.id, within: 1m, late: toolate}, to: pairs}
  mixed: {join: {of: {note: note, blob: blob}, by: key, within: 1m}, to: mixed}
`, nil)
		now := time.Now()
		b.put(
			&kgo.Record{Topic: "order", Key: []byte("a"), Value: []byte(`{"id":1,"n":5,"big":12345678901234567890}`), Timestamp: now},
			&kgo.Record{Topic: "order", Key: []byte("a"), Value: []byte(`{"id":2,"n":50}`), Timestamp: now},
			&kgo.Record{Topic: "payment", Key: []byte("a"), Value: []byte(`{"id":1}`), Timestamp: now.Add(time.Second)},
			&kgo.Record{Topic: "note", Key: []byte("n"), Value: []byte("a <note> & more"), Timestamp: now},
			&kgo.Record{Topic: "blob", Key: []byte("n"), Value: []byte{0xff, 0}, Timestamp: now},
		)
		began := time.Now()
		b.until("rows", func() bool { return b.count("both") == 2 && b.count("pairs") == 1 && b.count("mixed") == 1 })
		if waited := time.Since(began); waited > 30*time.Second {
			t.Errorf("a skip was not announced: it took %s", waited)
		}
		got := map[string]bool{}
		for _, topic := range []string{"both", "pairs", "mixed"} {
			for _, rec := range b.all(topic) {
				got[string(rec.Value)] = true
			}
		}
		for _, want := range []string{
			`{"order":{"id":1,"n":5,"big":12345678901234567890},"missing":{"big":"skipped by big"}}`,
			`{"order":{"id":2,"n":50},"big":{"big":50}}`,
			`{"order":{"id":1,"n":5,"big":12345678901234567890},"payment":{"id":1}}`,
			`{"note":"a <note> & more","blob":"/wA="}`,
		} {
			if !got[want] {
				t.Errorf("there is no row %s", want)
			}
		}
		b.until("the order that was not paid", func() bool { return b.count("pairs") == 2 })
		b.put(&kgo.Record{Topic: "payment", Key: []byte("a"), Value: []byte(`{"id":2}`), Timestamp: now.Add(time.Second)})
		b.until("a late payment", func() bool { return b.count("toolate") == 1 })
		if late := b.all("toolate")[0]; string(late.Value) != `{"id":2}` || string(late.Key) != "a" {
			t.Errorf("late is %s", late.Value)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}
