package audit

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/event"
)

func TestNothingIsWrong(t *testing.T) {
	w := newWorld(t)
	rep := Audit(w.Evidence)
	for _, f := range rep.Faults {
		t.Error(f)
	}
	if rep.Messages != 12 || rep.Rows != 11 || rep.Whole != 9 || rep.Lacking != 2 || rep.Withheld != 1 || rep.Amended != 0 {
		t.Errorf("counted %+v", rep)
	}
	if want := map[string]int{"mood": 1, "tags": 2, "class": 1, "rows": 1}; !maps.Equal(rep.Letters, want) {
		t.Errorf("dead letters %v, want %v", rep.Letters, want)
	}
}

// Each planted fault must be found, and as what it is.
func TestItBites(t *testing.T) {
	row := func(w *world, r *kgo.Record, change func(map[string]json.RawMessage)) {
		var v map[string]json.RawMessage
		if err := json.Unmarshal(r.Value, &v); err != nil {
			w.t.Fatal(err)
		}
		change(v)
		r.Value, _ = json.Marshal(v)
	}
	none := map[string]map[int32]int64{}
	for name, c := range map[string]struct {
		plant func(*world)
		want  Kind
	}{
		"a row is missing":               {func(w *world) { w.drop(w.of("rows", 2, 0)) }, NoRow},
		"the row of a tombstone missing": {func(w *world) { w.drop(w.of("rows", 8, 0)) }, NoRow},
		"a row twice, without a kill":    {func(w *world) { w.put("rows", copyOf(w.of("rows", 2, 0))) }, Repeated},
		"a row twice, with another id": {func(w *world) {
			w.kill("p.rows", none)
			r := copyOf(w.of("rows", 2, 0))
			r.Headers = event.SetHeader(r.Headers, event.HeaderEventID, "another")
			w.put("rows", r)
		}, OtherID},
		"a row twice, with another value": {func(w *world) {
			w.kill("p.rows", none)
			r := w.put("rows", copyOf(w.of("rows", 2, 0)))
			r.Value = append(r.Value, ' ')
		}, Different},
		"three rows after one kill": {func(w *world) {
			w.kill("p.rows", none)
			w.put("rows", copyOf(w.of("rows", 2, 0)))
			w.put("rows", copyOf(w.of("rows", 2, 0)))
		}, Repeated},
		"a row of a message that never was": {func(w *world) {
			r := w.put("rows", copyOf(w.of("rows", 2, 0)))
			r.Headers = event.SetHeader(r.Headers, event.HeaderCorrelationID, "in/0/99")
		}, Stranger},
		"a row names a dead letter that is not there": {func(w *world) { w.drop(w.of("dead", 3, 0)) }, Unexcused},
		"a row names a dead letter of another message": {func(w *world) {
			row(w, w.of("rows", 3, 0), func(v map[string]json.RawMessage) {
				v["missing"] = json.RawMessage(`{"class":"` + position(w.of("dead", 5, 0)) + `"}`)
			})
		}, Unexcused},
		"a row names a dead letter of another branch": {func(w *world) {
			in := w.of("in", 3, 0)
			w.drop(w.of("moods", 3, 0))
			l := w.dead("mood", in)
			row(w, w.of("rows", 3, 0), func(v map[string]json.RawMessage) {
				v["missing"] = json.RawMessage(`{"class":"` + position(l) + `"}`)
			})
		}, Unexcused},
		"a row was not waited for long enough": {func(w *world) {
			row(w, w.of("rows", 2, 0), func(v map[string]json.RawMessage) {
				delete(v, "mood")
				v["missing"] = json.RawMessage(`{"mood":"not within 30s"}`)
			})
		}, Unexcused},
		"a part is missing without a word": {func(w *world) {
			row(w, w.of("rows", 2, 0), func(v map[string]json.RawMessage) { delete(v, "mood") })
		}, Unexcused},
		"a part is there and missing": {func(w *world) {
			row(w, w.of("rows", 3, 0), func(v map[string]json.RawMessage) { v["class"] = json.RawMessage(`1`) })
		}, Unexcused},
		"a part is another message's": {func(w *world) {
			row(w, w.of("rows", 2, 0), func(v map[string]json.RawMessage) { v["mood"] = w.of("moods", 1, 0).Value })
		}, Part},
		"a row has a part too many": {func(w *world) {
			row(w, w.of("rows", 2, 0), func(v map[string]json.RawMessage) { v["colour"] = json.RawMessage(`1`) })
		}, Part},
		"a good message lacks a part, with a reason": {func(w *world) { w.Sent[3].Lacks = nil }, Surprise},
		"a bad message is whole":                     {func(w *world) { w.Sent[2].Lacks = []string{"mood"} }, Surprise},
		"a good message is withheld":                 {func(w *world) { w.Sent[7].Withheld = false }, NoRow},
		"an unreadable message has a row":            {func(w *world) { w.Sent[2].Withheld = true }, Surprise},
		"the first row is amended": {func(w *world) {
			row(w, w.of("rows", 2, 0), func(v map[string]json.RawMessage) { v["amended"] = json.RawMessage(`true`) })
		}, Surprise},
		"a whole row is amended": {func(w *world) {
			r := w.put("rows", copyOf(w.of("rows", 2, 0)))
			row(w, r, func(v map[string]json.RawMessage) { v["amended"] = json.RawMessage(`true`) })
		}, Surprise},
		"a result is missing":                   {func(w *world) { w.drop(w.of("moods", 2, 0)) }, Lost},
		"a result is missing behind the join":   {func(w *world) { w.drop(w.of("louds", 6, 0)) }, Lost},
		"a result that `when` refuses":          {func(w *world) { w.result("loud", w.of("rows", 2, 0)) }, Stranger},
		"a result and a dead letter":            {func(w *world) { w.dead("mood", w.of("in", 2, 0)) }, Both},
		"a result twice, without a kill":        {func(w *world) { w.result("mood", w.of("in", 2, 0)) }, Repeated},
		"a result of a message that never was":  {func(w *world) { w.drop(w.of("in", 11, 0)); w.Sent = w.Sent[:11] }, Stranger},
		"a result twice, committed at the kill": {func(w *world) { w.kill("p.tags", none); w.result("mood", w.of("in", 2, 0)) }, Repeated},
		"a result twice, beyond the bound": {func(w *world) {
			w.MaxInFlight = 3
			w.kill("p.mood", none)
			w.result("mood", w.of("in", 10, 0))
		}, Repeated},
		"a result twice, of a message after the kill": {func(w *world) {
			w.kill("p.mood", none)
			w.Kills[0].End = map[string]map[int32]int64{"in": {0: 1, 1: 1}}
			w.result("mood", w.of("in", 10, 0))
		}, Repeated},
		"a repeat of a result has another id": {func(w *world) {
			w.kill("p.mood", none)
			r := w.result("mood", w.of("in", 2, 0))
			r.Headers = event.SetHeader(r.Headers, event.HeaderEventID, "another")
		}, OtherID},
		"a repeat of a result is different": {func(w *world) {
			w.kill("p.mood", none)
			w.result("mood", w.of("in", 2, 0)).Value = []byte(`{}`)
		}, Different},
		"results are swapped": {func(w *world) {
			rs := w.Topics["moods"]
			i, j := slices.Index(rs, w.of("moods", 2, 0)), slices.Index(rs, w.of("moods", 6, 0))
			rs[i], rs[j] = rs[j], rs[i]
			rs[i].Offset, rs[j].Offset = rs[j].Offset, rs[i].Offset
		}, Overtaken},
		"whole rows are swapped": {func(w *world) {
			rs := w.Topics["rows"]
			i, j := slices.Index(rs, w.of("rows", 2, 0)), slices.Index(rs, w.of("rows", 6, 0))
			rs[i], rs[j] = rs[j], rs[i]
		}, Overtaken},
		"a result has another key":           {func(w *world) { w.of("moods", 2, 0).Key = []byte("k1") }, Altered},
		"a result has another time":          {func(w *world) { r := w.of("moods", 2, 0); r.Timestamp = r.Timestamp.Add(1e6) }, Altered},
		"a result has lost a header":         {func(w *world) { r := w.of("moods", 2, 0); r.Headers = r.Headers[1:] }, Altered},
		"a result is in another partition":   {func(w *world) { w.of("moods", 2, 0).Partition = 1 }, Altered},
		"a dead letter has another value":    {func(w *world) { w.of("dead", 3, 0).Value = []byte("{}") }, Altered},
		"a dead letter is null, not empty":   {func(w *world) { w.of("dead", 7, 0).Value = nil }, Altered},
		"a dead letter has another key":      {func(w *world) { w.of("dead", 3, 0).Key = nil }, Altered},
		"a dead letter has another time":     {func(w *world) { r := w.of("dead", 3, 0); r.Timestamp = r.Timestamp.Add(1e6) }, Altered},
		"a dead letter has another header":   {func(w *world) { w.of("dead", 3, 0).Headers[1].Value = nil }, Altered},
		"a dead letter has a header more":    {func(w *world) { r := w.of("dead", 3, 0); r.Headers = append(r.Headers, kgo.RecordHeader{Key: "x"}) }, Altered},
		"a dead letter of nothing":           {func(w *world) { r := copyOf(w.of("in", 1, 0)); r.Offset = 99; w.dead("mood", r) }, Stranger},
		"a dead letter of a step not there":  {func(w *world) { w.dead("moot", w.of("in", 2, 0)) }, Stranger},
		"a dead letter twice, without kill":  {func(w *world) { w.dead("mood", w.of("in", 7, 0)) }, Repeated},
		"a message is not what was sent":     {func(w *world) { w.of("in", 2, 0).Value = []byte(`{"n":3}`) }, Altered},
		"a message is not there":             {func(w *world) { w.drop(w.of("in", 2, 0)) }, Lost},
		"a message that nobody sent is read": {func(w *world) { w.Sent = w.Sent[:11] }, Stranger},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			w := newWorld(t)
			c.plant(w)
			faults := Audit(w.Evidence).Faults
			if !slices.ContainsFunc(faults, func(f Fault) bool { return f.Kind == c.want }) {
				t.Errorf("not found as %q; faults are %v", c.want, faults)
			}
		})
	}
}

// What a kill excuses is no fault.
func TestItExcuses(t *testing.T) {
	none := map[string]map[int32]int64{}
	for name, plant := range map[string]func(*world){
		"a result that was not committed": func(w *world) { w.kill("p.mood", none); w.result("mood", w.of("in", 2, 0)) },
		"and twice after two kills": func(w *world) {
			for range 2 {
				w.kill("p.mood", none)
				w.result("mood", w.of("in", 2, 0))
			}
		},
		"a result of a repeated result": func(w *world) { w.kill("p.tags", none); w.result("class", w.result("tags", w.of("in", 2, 0))) },
		"a dead letter":                 func(w *world) { w.kill("p.mood", none); w.dead("mood", w.of("in", 7, 0)) },
		"a row":                         func(w *world) { w.kill("p.rows", none); w.put("rows", copyOf(w.of("rows", 2, 0))) },
		"a row that is amended": func(w *world) {
			first, parts := w.of("rows", 11, 0), map[string]*kgo.Record{}
			for _, b := range w.Pipeline.Step("rows").Join.Of {
				parts[b.Name] = w.of(b.Topic, 11, 0)
			}
			// `when` refuses the first form: it has no mood yet.
			first.Value = []byte(`{"message":{"n":11},"class":{"n":11},"missing":{"mood":"not within 30s"}}`)
			w.drop(w.of("louds", 11, 0))
			w.result("loud", w.row(parts["message"], parts, nil, true))
		},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			w := newWorld(t)
			plant(w)
			rep := Audit(w.Evidence)
			for _, f := range rep.Faults {
				t.Error(f)
			}
			repeats := 0
			for _, n := range rep.Repeats {
				repeats += n
			}
			if repeats+rep.Amended == 0 {
				t.Error("the repeat was not counted")
			}
		})
	}
}
