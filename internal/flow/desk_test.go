package flow

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/leatdev/leat/event"
)

// complete fails the test unless the rows of roots are exactly one per message,
// whole, and say what the models made of it.
func (b *bench) complete(n int) {
	b.t.Helper()
	rows := b.rows("support.desk")
	for i := range n {
		b.whole(rows, i)
	}
	if len(rows) != n {
		b.t.Errorf("%d roots have rows, want %d", len(rows), n)
	}
}

// rootOf is the id of message i, which has none of its own.
func rootOf(i int) string { return fmt.Sprintf("support.messages/%d/%d", i%4, i/4) }

// whole fails the test unless the last row of message i is as it should be.
func (b *bench) whole(rows map[string][]row, i int) {
	b.t.Helper()
	r := rows[rootOf(i)]
	if len(r) == 0 {
		b.t.Errorf("message %d has no row", i)
		return
	}
	last := r[len(r)-1]
	m := message(i)
	text := string(m.Value[9 : len(m.Value)-2])
	class := "help"
	if len(text)%2 == 0 {
		class = "complaint"
	}
	want := map[string]any{"message": map[string]any{"text": text}, "mood": map[string]any{"score": float64(len(text))},
		"class": class, "keywords": []any{text[:1]}, "vector": []any{float64(len(text))}}
	delete(last.value, "amended")
	if !reflect.DeepEqual(last.value, want) {
		b.t.Errorf("message %d has the row %v\nwant %v", i, last.value, want)
	}
	if string(last.Key) != string(m.Key) || (last.Key == nil) != (m.Key == nil) || last.Partition != m.Partition {
		b.t.Errorf("row of message %d has key %q in partition %d", i, last.Key, last.Partition)
	}
}

func TestDeskJoinsEveryMessage(t *testing.T) {
	inBubble(t, func(b *bench) {
		r := b.run(desk, deskFuncs())
		b.put(numbered(0, 200)...)
		b.until("200 rows", func() bool { return b.count("support.desk") >= 200 })
		b.until("all committed", func() bool {
			return b.committed("support.desk", "support.messages", "support.mood", "support.class", "support.keywords", "support.vectors")
		})
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		if n := b.count("support.desk"); n != 200 {
			t.Errorf("%d rows of 200 messages", n)
		}
		b.complete(200)
		if n := b.count("support.dlq"); n != 0 {
			t.Errorf("%d dead letters", n)
		}
		// Who a result is: root, maker, model and its version.
		for _, rec := range b.all("support.mood")[:1] {
			for name, want := range map[string]string{event.HeaderStep: "mood", event.HeaderPipeline: "support", event.HeaderModel: "mood", event.HeaderModelVersion: "1",
				HeaderRoot: header(rec, event.HeaderCorrelationID), event.HeaderEventID: event.DerivedID(header(rec, HeaderRoot), "support.mood"), "content-type": "application/json"} {
				if got := header(rec, name); got != want {
					t.Errorf("header %s is %q, want %q", name, got, want)
				}
			}
		}
		for _, w := range b.all("support.urgent") {
			if header(w, event.HeaderStep) != "urgent" {
				t.Errorf("urgent has a record of step %s", header(w, event.HeaderStep))
			}
		}
		if n := b.count("support.urgent"); n == 0 || n == 200 {
			t.Errorf("the filter let %d of 200 through", n)
		}
	})
}
