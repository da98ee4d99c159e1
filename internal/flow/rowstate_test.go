package flow

import (
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/internal/flow/join"
	"github.com/leatdev/leat/pipeline"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A row that is read back from the state after a restart comes out as it would have
// before: with its own time, not that of its state, and without the state's headers.
func TestARowComesBackFromTheStateAsItWas(t *testing.T) {
	t.Parallel()
	ps, err := pipeline.Parse(pipeline.File{Name: "test.yaml", Data: []byte(desk)})
	if err != nil {
		t.Fatal(err)
	}
	p := ps[0]
	var s *pipeline.Step
	for _, step := range p.Steps {
		if step.Join != nil {
			s = step
		}
	}
	rs := &rowState{p: p, s: s}
	j := newJoiner(p, s, rs, slog.New(slog.DiscardHandler))
	at := time.UnixMilli(1_700_000_000_123)
	part := &kgo.Record{Topic: "support.messages", Partition: 1, Offset: 7, Key: []byte("c-1"), Value: []byte(`{"text":"hello"}`), Timestamp: at,
		Headers: []kgo.RecordHeader{{Key: "tenant", Value: []byte("a")}}}
	id := event.Identify(part)
	row := join.Row{ID: "row-1", Key: id.Root, Time: at, Emitted: true, Missing: map[string]string{},
		Parts: map[string]join.Part{"message": {Branch: "message", Key: id.Root, Event: id.ID, Time: at,
			Value: json.RawMessage(part.Value), Meta: &partMeta{key: part.Key, record: part, id: id}}}}

	kept := rs.record(j, 1, &row)
	if time.Since(kept.Timestamp) > time.Hour {
		t.Errorf("the state is as old as the event, %v: retention would take it at once", kept.Timestamp)
	}
	back, ok := rs.row(kept)
	if !ok || !back.Time.Equal(at) || !back.Parts["message"].Time.Equal(at) {
		t.Fatalf("%v, the row's time is %v, it was %v", ok, back.Time, at)
	}
	out := j.rowRecord(&back)
	if !out.Timestamp.Equal(at) || string(out.Key) != "c-1" {
		t.Errorf("it comes out with time %v and key %q", out.Timestamp, out.Key)
	}
	for _, name := range []string{headerRecordKey, headerRowTime} {
		if v, has := event.Header(out.Headers, name); has {
			t.Errorf("the header %s: %q comes out with the row", name, v)
		}
	}
	if v, _ := event.Header(out.Headers, "tenant"); string(v) != "a" {
		t.Errorf("the message's own header is %q", v)
	}
}
