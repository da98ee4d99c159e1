package flow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
	"github.com/twmb/franz-go/pkg/kgo"
)

// redrive puts a dead letter back as the dead-letter tools do: the original
// record, into the step's own topic, with where it first stood.
func redrive(dead *kgo.Record, to string) *kgo.Record {
	r := &kgo.Record{Topic: to, Partition: dead.Partition, Key: dead.Key, Value: dead.Value, Timestamp: dead.Timestamp}
	for _, h := range dead.Headers {
		if !strings.HasPrefix(h.Key, "leat.dlq.") && !strings.HasPrefix(h.Key, "__dlq.") {
			r.Headers = append(r.Headers, h)
		}
	}
	r.Headers = event.SetHeader(r.Headers, event.HeaderOrigin,
		header(dead, "__dlq.errors.topic")+"/"+header(dead, "__dlq.errors.partition")+"/"+header(dead, "__dlq.errors.offset"))
	return r
}

// position is where a record stands.
func position(r *kgo.Record) string { return event.Position(r.Topic, r.Partition, r.Offset) }

func TestDeadLetterIsNamedInItsRowAndRedriveCompletesIt(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("restart=%v", restart), func(t *testing.T) {
			inBubble(t, func(b *bench) {
				var fixed atomic.Bool
				funcs := deskFuncs()
				tag := funcs["tagger"].Each
				funcs["tagger"] = pipeline.Func{Each: func(ctx context.Context, in pipeline.Input) (any, error) {
					if strings.HasPrefix(text(in), "message number 7 ") && !fixed.Load() {
						return nil, worker.NewError(worker.Poison, errors.New("cannot tag this"))
					}
					return tag(ctx, in)
				}}
				r := b.run(desk, funcs)
				b.put(numbered(0, 40)...)
				began := time.Now()
				b.until("40 rows", func() bool { return b.count("support.desk") >= 40 })
				if waited := time.Since(began); waited > 20*time.Second {
					t.Errorf("the row without tags took %s: it should not wait for its time", waited)
				}
				dead := b.all("support.dlq")
				if len(dead) != 1 || header(dead[0], "__dlq.errors.topic") != "support.messages" || string(dead[0].Value) != string(message(7).Value) {
					t.Fatalf("dead letters are %v", dead)
				}
				rows := b.rows("support.desk")
				first := rows[rootOf(7)]
				if len(first) != 1 {
					t.Fatalf("message 7 has %d rows", len(first))
				}
				missing, _ := first[0].value["missing"].(map[string]any)
				if len(missing) != 2 || missing["class"] != position(dead[0]) || missing["keywords"] != position(dead[0]) {
					t.Errorf("missing is %v, the dead letter is %s", missing, position(dead[0]))
				}
				if first[0].value["mood"] == nil || first[0].value["vector"] == nil || first[0].value["message"] == nil {
					t.Errorf("the other parts are not there: %v", first[0].value)
				}
				if restart {
					b.until("all committed", func() bool { return b.committed("support.desk", "support.messages", "support.outcomes") })
					// Long enough for the checkpoints to pass the row: only its state tells of it now.
					b.until("checkpoints", func() bool { return b.checkpointed(4) })
					if err := r.stop(); err != nil {
						t.Fatal(err)
					}
					r = b.run(desk, funcs)
				}
				fixed.Store(true)
				b.put(redrive(dead[0], "support.tags.redrive"))
				b.until("the row is whole", func() bool { // class and keywords amend it one by one
					seven := b.rows("support.desk")[rootOf(7)]
					return len(seven) == 3 && seven[2].value["missing"] == nil
				})
				rows = b.rows("support.desk")
				for _, w := range rows[rootOf(7)][1:] {
					if header(w.Record, event.HeaderEventID) != header(first[0].Record, event.HeaderEventID) || w.value["amended"] != true {
						t.Errorf("the amended row is %v with id %s", w.value, header(w.Record, event.HeaderEventID))
					}
				}
				b.complete(40)
				if n := b.count("support.desk"); n != 42 {
					t.Errorf("%d rows of 40 messages, one of them amended twice", n)
				}
				if n := b.count("support.mood"); n != 40 {
					t.Errorf("the redrive was read by others: %d moods of 40 messages", n)
				}
				if err := r.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// checkpointed says that in so many partitions the checkpoint is at the end of
// what came out.
func (b *bench) checkpointed(partitions int) bool {
	at := map[int32]string{}
	for _, r := range b.all("support.desk.rows") {
		if string(r.Key) == checkpointKey {
			at[r.Partition] = string(r.Value)
		}
	}
	ends, err := b.adm.ListEndOffsets(b.t.Context(), "support.desk")
	if err != nil {
		b.t.Fatal(err)
	}
	n := 0
	for p, offset := range at {
		if end, ok := ends.Lookup("support.desk", p); ok && offset == fmt.Sprint(end.Offset) {
			n++
		}
	}
	return n == partitions
}

func TestBadMessages(t *testing.T) {
	inBubble(t, func(b *bench) {
		r := b.run(desk, deskFuncs())
		bad := [][]byte{
			[]byte("{\"text\":\"caf\xe9\"}"), // not UTF-8
			[]byte(``),                       // empty
			[]byte(`{"text":`),               // cut off
			nil,                              // a tombstone
			[]byte(`{"text":12}`),            // of the wrong shape: the models refuse it
			[]byte(`[1]`),                    // expressions fail on it
			[]byte(`{"text":"` + strings.Repeat("long ", 400_000) + `"}`), // 2 MB
			[]byte(`"<a&b>"`),
		}
		for i, v := range bad {
			b.put(&kgo.Record{Topic: "support.messages", Partition: int32(i % 4), Key: []byte("k"), Value: v})
		}
		b.put(message(3)) // the neighbours come through
		b.until("all committed", func() bool {
			return b.committed("support.desk", "support.messages", "support.mood", "support.class", "support.keywords", "support.vectors", "support.outcomes")
		})
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		rows := b.rows("support.desk")
		dead := map[string]*kgo.Record{} // by step and where the record stood
		for _, d := range b.all("support.dlq") {
			at := header(d, "__dlq.errors.topic") + "/" + header(d, "__dlq.errors.partition") + "/" + header(d, "__dlq.errors.offset")
			dead[header(d, "leat.dlq.step")+" "+at] = d
			dead[position(d)] = d
		}
		root := func(i int) string { return event.Position("support.messages", int32(i%4), int64(i/4)) }
		for _, i := range []int{0, 1, 2} { // unreadable: each reader dead-letters it, there is no row to make
			for _, step := range []string{"mood", "tags", "vectors", "desk"} {
				if dead[step+" "+root(i)] == nil {
					t.Errorf("step %s has no dead letter of message %d", step, i)
				}
			}
			if len(rows[root(i)]) != 0 {
				t.Errorf("unreadable message %d has a row", i)
			}
		}
		for _, i := range []int{4, 5, 7} { // readable: a row, which names the dead letters
			rs := rows[root(i)]
			if len(rs) == 0 {
				t.Errorf("message %d has no row", i)
				continue
			}
			missing, _ := rs[len(rs)-1].value["missing"].(map[string]any)
			for _, branch := range []string{"mood", "class", "keywords", "vector"} {
				at, _ := missing[branch].(string)
				if dead[at] == nil {
					t.Errorf("message %d: what is missing of %s is %q, no dead letter", i, branch, at)
				}
			}
		}
		for _, i := range []int{3, 6} { // a null passes as null, 2 MB pass whole
			rs := rows[root(i)]
			if len(rs) != 1 || rs[0].value["missing"] != nil || len(rs[0].value) != 5 {
				t.Errorf("message %d has %d rows", i, len(rs))
			}
		}
		if rs := rows[root(3)]; len(rs) == 1 && (rs[0].value["message"] != nil || rs[0].value["mood"] != nil) {
			t.Errorf("the tombstone's row is %v", rs[0].value)
		}
		if len(rows) != 6 {
			t.Errorf("%d messages have rows, want 6", len(rows))
		}
	})
}

func TestThirtyOneOfThirtyTwo(t *testing.T) {
	inBubble(t, func(b *bench) {
		var calls atomic.Int64
		b.run(`
name: one
topics: {in: {partitions: 1}}
defaults: {retry: {attempts: 3, backoff: 10ms..100ms}}
models: {m: {protocol: go}}
steps: {s: {from: in, call: {model: m}, to: out, batch: {max: 32, wait: 200ms}}}
`, pipeline.Funcs{"m": {Batch: func(_ context.Context, ins []pipeline.Input) ([]pipeline.Result, error) {
			calls.Add(1)
			out := make([]pipeline.Result, len(ins))
			for i, in := range ins {
				if in.Value == "bad" { // takes the whole call with it, every time
					return nil, worker.NewError(worker.Retriable, errors.New("500"))
				}
				out[i].Value = in.Value
			}
			return out, nil
		}}})
		var rs []*kgo.Record
		for i := range 32 {
			v := `"good"`
			if i == 13 {
				v = `"bad"`
			}
			rs = append(rs, &kgo.Record{Topic: "in", Key: fmt.Append(nil, i), Value: []byte(v)})
		}
		b.put(rs...)
		b.until("31 results and a dead letter", func() bool { return b.count("out") >= 31 && b.count("one.dlq") >= 1 })
		b.until("all committed", func() bool { return b.committed("one.s", "in") })
		if out, dead := b.count("out"), b.all("one.dlq"); out != 31 || len(dead) != 1 || string(dead[0].Value) != `"bad"` || string(dead[0].Key) != "13" {
			t.Errorf("%d came out, dead letters are %v", out, dead)
		}
		if calls.Load() > 40 {
			t.Errorf("it took %d calls", calls.Load())
		}
	})
}

func TestPausedStepDelaysNobodyElse(t *testing.T) {
	inBubble(t, func(b *bench) {
		var down atomic.Bool
		down.Store(true)
		funcs := deskFuncs()
		embed := funcs["embed"].Each
		funcs["embed"] = pipeline.Func{Each: func(ctx context.Context, in pipeline.Input) (any, error) {
			if down.Load() {
				return nil, worker.NewError(worker.Outage, errors.New("connection refused"))
			}
			return embed(ctx, in)
		}}
		r := b.run(desk, funcs)
		b.put(numbered(0, 60)...)
		b.until("the others are through", func() bool {
			return b.count("support.mood") == 60 && b.count("support.class") == 60 && b.count("support.keywords") == 60
		})
		if n := b.count("support.desk"); n != 0 {
			t.Errorf("%d rows came out without their vectors", n)
		}
		b.until("the step says that it is paused", func() bool {
			for _, s := range r.Status() {
				if s.Step == "vectors" {
					return s.Worker.State == worker.StatePaused && s.Worker.Pause.Reason == worker.PauseOutage
				}
			}
			return false
		})
		down.Store(false)
		b.until("60 rows", func() bool { return b.count("support.desk") >= 60 })
		if n := b.count("support.dlq"); n != 0 {
			t.Errorf("%d dead letters of an outage", n)
		}
		b.complete(60)
		if n := b.count("support.desk"); n != 60 {
			t.Errorf("%d rows of 60 messages", n)
		}

		// Longer than `within`: rows come out without it and are amended.
		down.Store(true)
		b.put(numbered(60, 80)...)
		b.until("20 partial rows", func() bool { return b.count("support.desk") >= 80 })
		down.Store(false)
		b.until("20 amended rows", func() bool { return b.count("support.desk") >= 100 })
		b.complete(80)
		if n := b.count("support.desk"); n != 100 {
			t.Errorf("%d rows, want 60 whole, 20 partial, 20 amended", n)
		}
	})
}

// A join behind a join does not wait for a row that will not come for want of a
// branch of which nobody has told: it names the dead letter.
func TestRejectedRowIsAnnounced(t *testing.T) {
	inBubble(t, func(b *bench) {
		r := b.run(`
name: p
topics: {order: {partitions: 1}, payment: {partitions: 1}}
steps:
  paid:  {join: {of: {order: order, payment: payment}, by: event, within: 1s, require: [payment]}, to: paid}
  whole: {join: {of: {order: order, paid: paid}, by: event, within: 20m}, to: whole}
`, nil)
		b.put(&kgo.Record{Topic: "order", Key: []byte("k"), Value: []byte(`{"n":1}`), Timestamp: time.Now()})
		began := time.Now()
		b.until("a row", func() bool { return b.count("whole") == 1 })
		if waited := time.Since(began); waited > time.Minute {
			t.Errorf("it took %s", waited)
		}
		dead := b.all("p.dlq")
		if len(dead) != 1 || header(dead[0], "__dlq.errors.topic") != "order" {
			t.Fatalf("dead letters are %v", dead)
		}
		if got, want := string(b.all("whole")[0].Value), `{"order":{"n":1},"missing":{"paid":"`+position(dead[0])+`"}}`; got != want {
			t.Errorf("the row is %s, want %s", got, want)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}
