package flow

import (
	"fmt"
	"testing"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/pipeline"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestRootPosition(t *testing.T) {
	ps, err := pipeline.Parse(pipeline.File{Name: "test.yaml", Data: []byte(desk)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ topic, header, want string }{
		{"support.messages", "", "support.messages/1/7"},
		{"support.messages", "orders/0/3", "orders/0/3"}, // of a pipeline before this one
		{"support.messages", "support.messages/1/2", "support.messages/1/7"},
		{"support.messages", "support.mood/1/2", "support.messages/1/7"},
		{"support.messages", "support.desk.rows/1/2", "support.messages/1/7"},
		{"support.messages", "no position", "support.messages/1/7"},
		{"support.tags", "support.messages/1/2", "support.messages/1/2"},
		{"support.desk", "orders/0/3", "orders/0/3"},
		{"support.outcomes", "support.messages/1/2", "support.messages/1/2"},
		{"support.desk.rows", "support.messages/1/2", "support.messages/1/2"},
	} {
		var hs []kgo.RecordHeader
		if c.header != "" {
			hs = []kgo.RecordHeader{{Key: HeaderRoot, Value: []byte(c.header)}}
		}
		if got := rootPosition(ps[0], event.Identity{Topic: c.topic, Partition: 1, Offset: 7}, hs); got != c.want {
			t.Errorf("the root of a record of %s that says %q is %s, want %s", c.topic, c.header, got, c.want)
		}
	}
}

// Somebody copies a result's header onto new messages. They are new roots, not the
// repeats of rows that are done.
func TestMessagesWithAnothersRoot(t *testing.T) {
	inBubble(t, func(b *bench) {
		r := b.run(desk, deskFuncs())
		b.put(numbered(0, 20)...)
		b.until("20 rows", func() bool { return b.count("support.desk") >= 20 })
		for p := range int32(4) {
			m := message(100 + int(p))
			m.Partition = p
			m.Headers = append(m.Headers, kgo.RecordHeader{Key: HeaderRoot, Value: fmt.Appendf(nil, "support.messages/%d/0", p)})
			b.put(m)
		}
		b.until("all committed", func() bool {
			return b.committed("support.desk", "support.messages", "support.mood", "support.class", "support.keywords", "support.vectors")
		})
		if n := b.count("support.desk"); n != 24 {
			t.Errorf("%d rows of 24 messages", n)
		}
		for root, rows := range b.rows("support.desk") {
			if len(rows) != 1 || rows[0].value["missing"] != nil || header(rows[0].Record, HeaderRoot) != root {
				t.Errorf("%s has %d rows, the first with the root %s: %v", root, len(rows), header(rows[0].Record, HeaderRoot), rows[0].value)
			}
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}
