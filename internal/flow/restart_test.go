package flow

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/pipeline"
	"github.com/twmb/franz-go/pkg/kgo"
)

// slow makes every model take its time, so that a kill finds work in flight.
func slow(funcs pipeline.Funcs, d func(name string) time.Duration) pipeline.Funcs {
	out := pipeline.Funcs{}
	for name, f := range funcs {
		out[name] = pipeline.Func{Each: func(ctx context.Context, in pipeline.Input) (any, error) {
			select {
			case <-time.After(d(name)):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			return f.Each(ctx, in)
		}}
	}
	return out
}

func TestKilledTwiceLosesNothing(t *testing.T) {
	inBubble(t, func(b *bench) {
		const n = 240
		funcs := slow(deskFuncs(), func(name string) time.Duration {
			return map[string]time.Duration{"mood": 3, "tagger": 5, "class": 20, "words": 1, "embed": 1}[name] * time.Millisecond
		})
		r := b.run(desk, funcs)
		for _, from := range []int{0, 100} {
			b.put(numbered(from, from+20)...)
			b.until("all groups are at work", func() bool { return b.count("support.desk") >= from+20 })
			b.put(numbered(from+20, from+100)...)
			b.until("some rows", func() bool { return b.count("support.desk") >= from+40 })
			before := b.count("support.desk")
			r.kill()
			if b.committed("support.desk", "support.messages") || b.committed("support.class", "support.tags") {
				t.Errorf("the kill met nothing in flight: %d rows before, %d now", before, b.count("support.desk"))
			}
			if after := b.count("support.desk"); after > before+10 {
				t.Fatalf("it went on after the kill: %d rows, then %d", before, after)
			}
			r = b.run(desk, funcs)
		}
		b.put(numbered(200, n)...)
		b.until("all committed", func() bool {
			return b.committed("support.desk", "support.messages", "support.mood", "support.class", "support.keywords", "support.vectors") &&
				b.committed("support.class", "support.tags") && b.committed("support.mood", "support.messages") && b.committed("support.vectors", "support.messages")
		})
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		rows := b.rows("support.desk")
		for i := range n {
			b.whole(rows, i)
			for _, w := range rows[rootOf(i)] {
				if w.value["missing"] != nil {
					t.Errorf("message %d has a row that lacks %v", i, w.value["missing"])
				}
			}
		}
		if len(rows) != n {
			t.Errorf("%d roots have rows, want %d", len(rows), n)
		}
		// A row is found where it came out, so it does not come out again.
		if c := b.count("support.desk"); c > n+8 {
			t.Errorf("%d rows of %d messages: more repeats than were on their way when it was killed", c, n)
		} else {
			t.Logf("%d rows of %d messages; repeats of %d moods, %d classes", c, n, b.count("support.mood")-n, b.count("support.class")-n)
		}
		if b.count("support.dlq") != 0 {
			t.Error("there are dead letters")
		}
	})
}

// A row that is done stands behind one that waits, uncommitted. After a restart
// its parts come again in part, and must not make a row that lacks the others.
func TestRestartBehindAnOpenRow(t *testing.T) {
	inBubble(t, func(b *bench) {
		var blocked atomic.Bool
		blocked.Store(true)
		funcs := deskFuncs()
		class := funcs["class"].Each
		funcs["class"] = pipeline.Func{Each: func(ctx context.Context, in pipeline.Input) (any, error) {
			for strings.HasPrefix(text(in), "message number 0 ") && blocked.Load() {
				select {
				case <-time.After(10 * time.Millisecond):
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
			return class(ctx, in)
		}}
		r := b.run(desk, funcs)
		b.put(numbered(0, 40)...)
		b.until("all rows but the first", func() bool { return b.count("support.desk") >= 39 })
		<-time.After(3 * checkpointEvery) // no checkpoint may pass what is not committed
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		r = b.run(desk, funcs)
		b.put(numbered(40, 60)...)
		b.until("the new rows", func() bool { return b.count("support.desk") >= 59 })
		blocked.Store(false)
		b.until("the first row", func() bool { return len(b.rows("support.desk")[rootOf(0)]) > 0 })
		b.until("all committed", func() bool { return b.committed("support.desk", "support.messages", "support.class") })
		b.complete(60)
		if n := b.count("support.desk"); n != 60 {
			t.Errorf("%d rows of 60 messages", n)
		}
		if n := b.count("support.dlq"); n != 0 {
			t.Errorf("%d dead letters", n)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// An operator makes a step read everything again: what it makes is a repeat, long
// after the rows are forgotten by all but the offsets.
func TestRepeatsOfRowsLongDone(t *testing.T) {
	inBubble(t, func(b *bench) {
		r := b.run(desk, deskFuncs())
		b.put(numbered(0, 40)...)
		b.until("40 rows", func() bool { return b.count("support.desk") >= 40 })
		b.until("checkpoints", func() bool { return b.checkpointed(4) })
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		b.put(b.again("support.mood")...)
		r = b.run(desk, deskFuncs())
		b.until("the repeats are read", func() bool { return b.committed("support.desk", "support.mood") })
		b.cluster.Pass(2 * time.Minute) // much more than a row waits
		if n, dead := b.count("support.desk"), b.count("support.dlq"); n != 40 || dead != 0 {
			t.Errorf("%d rows of 40 messages, %d dead letters", n, dead)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// A backlog that is larger than any window: the branches come in other orders,
// and no row may wait for a part that stands behind those which wait for it.
func TestBacklogBeyondTheWindows(t *testing.T) {
	inBubble(t, func(b *bench) {
		const n = 4000
		funcs := deskFuncs()
		var rs []*kgo.Record
		for i := range n {
			rs = append(rs, &kgo.Record{Topic: "support.messages", Key: fmt.Append(nil, i%500), Value: []byte(`{"text":"hello"}`)})
		}
		yaml := strings.Replace(desk, "partitions: 4", "partitions: 1", 1)
		yaml = strings.Replace(yaml, "defaults: {", "defaults: {batch: {max: 32, wait: 20ms}, ", 1)
		r := b.run(yaml, funcs)
		b.put(rs...)
		b.until("all rows", func() bool { return b.count("support.desk") >= n })
		for _, s := range r.Status() {
			if s.Join != nil && (s.Join.Rows["complete"] != n || s.Join.Rows["partial"] != 0) {
				t.Errorf("rows are %v", s.Join.Rows)
			}
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// Two processes share the work: each joins the partitions it has.
func TestTwoProcesses(t *testing.T) {
	inBubble(t, func(b *bench) {
		first := b.run(desk, deskFuncs())
		b.put(numbered(0, 60)...)
		second := b.run(desk, deskFuncs())
		b.put(numbered(60, 120)...)
		b.until("both have partitions", func() bool {
			n := 0
			for _, r := range []*runner{first, second} {
				for _, s := range r.Status() {
					if s.Step == "desk" && len(s.Worker.Partitions) == 14 { // 2 of 4 of each of 7 topics
						n++
					}
				}
			}
			return n == 2
		})
		b.put(numbered(120, 200)...)
		b.until("200 rows", func() bool { return len(b.rows("support.desk")) >= 200 })
		if err := first.stop(); err != nil {
			t.Error(err)
		}
		b.put(numbered(200, 240)...)
		b.until("240 rows", func() bool { return len(b.rows("support.desk")) >= 240 })
		if err := second.stop(); err != nil {
			t.Error(err)
		}
		b.complete(240)
		if n := b.count("support.desk"); n != 240 {
			t.Errorf("%d rows of 240 messages", n)
		}
	})
}

// A sixth model and another in place of one, while messages flow.
func TestAddAndSwapModels(t *testing.T) {
	inBubble(t, func(b *bench) {
		r := b.run(desk, deskFuncs())
		b.put(numbered(0, 40)...)
		b.until("40 rows", func() bool { return b.count("support.desk") >= 40 })
		moods := b.count("support.mood")

		changed := strings.Replace(desk, "models:\n", "models:\n  sixth: {protocol: go}\n", 1)
		changed = strings.Replace(changed, "steps:\n", "steps:\n  sixth: {from: support.messages, call: {model: sixth}, to: support.sixth}\n", 1)
		changed = strings.Replace(changed, `mood:   {protocol: go, version: "1"}`, `mood:   {protocol: go, model: mood2, version: "2"}`, 1)
		funcs := deskFuncs()
		funcs["sixth"], funcs["mood2"] = funcs["embed"], funcs["mood"]

		// Adding a step: the others do not notice.
		others := map[string]string{"mood": "support.mood", "tags": "support.tags", "class": "support.class", "keywords": "support.keywords", "vectors": "support.vectors", "desk": "support.desk"}
		b.until("all committed", func() bool { return b.quiet() })
		before := map[string]string{}
		for step, topic := range others {
			before[step] = fmt.Sprint(b.offsets("support."+step), b.count(topic))
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		r = b.run(changed, funcs)
		b.until("the new step has read everything from the beginning", func() bool { return b.committed("support.sixth", "support.messages") })
		for step, topic := range others {
			if after := fmt.Sprint(b.offsets("support."+step), b.count(topic)); after != before[step] {
				t.Errorf("step %s went from %s to %s", step, before[step], after)
			}
		}
		// Changing while messages flow, both ways.
		b.put(numbered(40, 60)...)
		b.until("some rows", func() bool { return b.count("support.desk") > 40 })
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		r = b.run(desk, deskFuncs())
		b.until("some more", func() bool { return b.count("support.desk") > 50 })
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		r = b.run(changed, funcs)
		b.put(numbered(60, 100)...)
		b.until("100 rows", func() bool { return b.count("support.desk") >= 100 })
		b.until("all committed", func() bool {
			return b.committed("support.mood", "support.messages") && b.committed("support.sixth", "support.messages")
		})
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		b.complete(100)
		for _, topic := range []string{"support.desk", "support.mood", "support.tags", "support.class", "support.keywords", "support.vectors", "support.sixth"} {
			if n := b.count(topic); n != 100 {
				t.Errorf("%s has %d records of 100 messages", topic, n)
			}
		}
		versions := map[string]int{}
		for _, rec := range b.all("support.mood") {
			versions[header(rec, event.HeaderModelVersion)]++
		}
		if versions["1"] < moods || versions["2"] < 40 || moods != 40 || versions["1"]+versions["2"] != 100 {
			t.Errorf("moods by version: %v", versions)
		}
	})
}

// quiet says that every step has committed all that it reads.
func (b *bench) quiet() bool {
	b.t.Helper()
	return b.committed("support.desk", "support.messages", "support.mood", "support.class", "support.keywords", "support.vectors", "support.outcomes") &&
		b.committed("support.mood", "support.messages") && b.committed("support.tags", "support.messages") && b.committed("support.vectors", "support.messages") &&
		b.committed("support.class", "support.tags") && b.committed("support.keywords", "support.tags") && b.committed("support.urgent", "support.desk")
}

// offsets is what a group has committed, as text.
func (b *bench) offsets(group string) string {
	b.t.Helper()
	offsets, err := b.adm.FetchOffsets(b.t.Context(), group)
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, o := range offsets.Sorted() {
		out = append(out, fmt.Sprintf("%s/%d:%d", o.Topic, o.Partition, o.At))
	}
	return strings.Join(out, " ")
}
