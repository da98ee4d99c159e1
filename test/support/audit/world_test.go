package audit

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/pipeline"
)

const file = `
name: p
topics: {in: {format: json, partitions: 2}}
defaults: {dlq: dead}
models: {m: {protocol: go}}
steps:
  mood:  {from: in, call: {model: m}, to: moods}
  tags:  {from: in, call: {model: m}, to: tags}
  class: {from: tags, call: {model: m}, to: classes}
  rows:  {join: {of: {message: in, mood: moods, class: classes}, by: event, within: 30s, require: [message]}, to: rows}
  loud:  {from: rows, when: 'value.mood != nil && value.mood.n > 5', to: louds}
`

// world is a run of the pipeline above without any fault: twelve messages of four
// keys; number 3 has a dead letter in class, number 5 in tags, number 7 cannot be
// read by anybody, number 8 has no value, number 9 no key.
type world struct {
	t *testing.T
	Evidence
	end map[string]map[int32]int64
}

func newWorld(t *testing.T) *world {
	ps, err := pipeline.Parse(pipeline.File{Name: "p.yaml", Data: []byte(file)})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, Evidence: Evidence{Pipeline: ps[0], Topics: map[string][]*kgo.Record{}, MaxInFlight: 100}, end: map[string]map[int32]int64{}}
	for i := range 12 {
		key, value := fmt.Append(nil, "k", i%4), fmt.Appendf(nil, ` {"n":%d}`, i)
		switch i {
		case 7:
			value = []byte("{")
		case 8:
			value = nil
		case 9:
			key = nil
		}
		r := w.put("in", &kgo.Record{Partition: int32(i % 2), Key: key, Value: value, Timestamp: time.UnixMilli(int64(1000 + i)),
			Headers: []kgo.RecordHeader{{Key: "n", Value: []byte(strconv.Itoa(i))}, {Key: "empty", Value: []byte{}}}})
		s := Sent{Record: copyOf(r), Withheld: i == 7}
		switch i {
		case 3:
			s.Lacks = []string{"class"}
		case 5:
			s.Lacks = []string{"class"}
		}
		w.Sent = append(w.Sent, s)
		w.handle(r, i)
	}
	return w
}

// handle takes a message through the pipeline.
func (w *world) handle(in *kgo.Record, i int) {
	if i == 7 {
		for _, step := range []string{"mood", "tags", "rows"} {
			w.dead(step, in)
		}
		return
	}
	mood := w.result("mood", in)
	missing := map[string]string{}
	parts := map[string]*kgo.Record{"message": in, "mood": mood}
	if i == 5 {
		missing["class"] = position(w.dead("tags", in))
	} else if tags := w.result("tags", in); i == 3 {
		missing["class"] = position(w.dead("class", tags))
	} else {
		parts["class"] = w.result("class", tags)
	}
	row := w.row(in, parts, missing, false)
	if i > 5 && i != 8 {
		w.result("loud", row)
	}
}

func (w *world) put(topic string, r *kgo.Record) *kgo.Record {
	if w.end[topic] == nil {
		w.end[topic] = map[int32]int64{}
	}
	r.Topic, r.Offset = topic, w.end[topic][r.Partition]
	w.end[topic][r.Partition]++
	w.Topics[topic] = append(w.Topics[topic], r)
	return r
}

func (w *world) result(step string, in *kgo.Record) *kgo.Record {
	r := copyOf(in)
	r.Headers = event.Derive(in, event.Identify(in), event.Maker{Pipeline: "p", Step: step})
	return w.put(w.Pipeline.Step(step).To, r)
}

func (w *world) dead(step string, in *kgo.Record) *kgo.Record {
	r := copyOf(in)
	for _, h := range [][2]string{{"__dlq.errors.topic", in.Topic}, {"__dlq.errors.partition", strconv.Itoa(int(in.Partition))},
		{"__dlq.errors.offset", strconv.FormatInt(in.Offset, 10)}, {"leat.dlq.step", step}} {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
	}
	return w.put("dead", r)
}

func (w *world) row(in *kgo.Record, parts map[string]*kgo.Record, missing map[string]string, amended bool) *kgo.Record {
	fields := map[string]any{}
	for b, p := range parts {
		fields[b] = json.RawMessage(p.Value)
	}
	if len(missing) > 0 {
		fields["missing"] = missing
	}
	if amended {
		fields["amended"] = true
	}
	r := copyOf(in)
	r.Headers = event.Derive(in, event.Identify(in), event.Maker{Pipeline: "p", Step: "rows"})
	r.Value, _ = json.Marshal(fields)
	return w.put("rows", r)
}

func copyOf(r *kgo.Record) *kgo.Record {
	c := *r
	c.Key, c.Value = slices.Clone(r.Key), slices.Clone(r.Value)
	c.Headers = slices.Clone(r.Headers)
	return &c
}

// of is the n-th record of message i in a topic; 0 is the first.
func (w *world) of(topic string, i, n int) *kgo.Record {
	w.t.Helper()
	for _, r := range w.Topics[topic] {
		if header(r, "n") == strconv.Itoa(i) {
			if n == 0 {
				return r
			}
			n--
		}
	}
	w.t.Fatalf("%s has no such record of message %d", topic, i)
	return nil
}

// drop takes a record out of its topic, as if it had never been written there.
func (w *world) drop(r *kgo.Record) {
	w.Topics[r.Topic] = slices.DeleteFunc(w.Topics[r.Topic], func(o *kgo.Record) bool { return o == r })
}

// kill is a kill now, at which the group had committed so much of each partition.
func (w *world) kill(group string, committed map[string]map[int32]int64) {
	k := Kill{Committed: map[string]map[string]map[int32]int64{}, End: map[string]map[int32]int64{}}
	for t, ends := range w.end {
		k.End[t] = map[int32]int64{}
		for p, o := range ends {
			k.End[t][p] = o
		}
	}
	for _, s := range w.Pipeline.Steps {
		k.Committed[w.Pipeline.Group(s)] = k.End
	}
	k.Committed[group] = committed
	w.Kills = append(w.Kills, k)
}
