package pipeline

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func parse(t *testing.T, text string) *Pipeline {
	t.Helper()
	ps, err := Parse(File{Name: "test.yaml", Data: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	return ps[0]
}

func support(t *testing.T) *Pipeline {
	t.Helper()
	data, err := os.ReadFile("testdata/support.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(data))
}

func TestParseSupportDesk(t *testing.T) {
	p := support(t)
	if p.Name != "support" || len(p.Topics) != 1 || len(p.Models) != 6 || len(p.Steps) != 8 {
		t.Fatalf("got %s with %d topics, %d models, %d steps", p.Name, len(p.Topics), len(p.Models), len(p.Steps))
	}
	topic := p.Topics[0]
	if topic.Partitions != 4 || topic.Retention != 7*24*time.Hour || topic.MaxBytes != 4<<20 || topic.Format != JSON {
		t.Errorf("topic is %+v", topic)
	}
	mood := p.Step("mood")
	if mood.Batch != (Batch{32, 20 * time.Millisecond}) || mood.Retry != (Retry{5, 100 * time.Millisecond, 10 * time.Second}) ||
		mood.DLQ != "support.dlq" || mood.Order != OrderKey || mood.Model != "mood" || mood.To != "support.mood" {
		t.Errorf("step is %+v", mood)
	}
	tags := p.Step("tags")
	in, err := tags.Input.Eval(Env{Value: map[string]any{"text": "hi", "n": 1.0}})
	if want := map[string]any{"text": "hi"}; err != nil || !reflect.DeepEqual(in, want) {
		t.Errorf("input is %v, %v", in, err)
	}
	out, err := tags.Output.Eval(OutputEnv{Env: Env{Value: map[string]any{"text": "hi"}}, Result: map[string]any{"tags": []any{"NOUN"}}})
	if want := map[string]any{"text": "hi", "tags": []any{"NOUN"}}; err != nil || !reflect.DeepEqual(out, want) {
		t.Errorf("output is %v, %v", out, err)
	}
	desk := p.Step("desk").Join
	if desk.Within != 30*time.Second || desk.By != nil || !slices.Equal(desk.Require, []string{"message"}) || desk.Late != (Late{}) || len(desk.Of) != 5 || desk.Of[2].Name != "class" {
		t.Errorf("join is %+v", desk)
	}
	urgent := p.Step("urgent")
	for score, want := range map[float64]bool{-0.9: true, 0.2: false} {
		row := map[string]any{"class": map[string]any{"name": "complaint"}, "mood": map[string]any{"score": score}}
		if got, err := urgent.When.Test(Env{Value: row}); err != nil || got != want {
			t.Errorf("urgent at %v is %v, %v", score, got, err)
		}
	}
	// A row without a mood: the condition cannot be evaluated, which is not false.
	if _, err := urgent.When.Test(Env{Value: map[string]any{"class": map[string]any{"name": "complaint"}}}); err == nil {
		t.Error("a condition over a missing value passed")
	}
}

func TestStepsOverrideDefaults(t *testing.T) {
	p := parse(t, `
name: d
topics: {a: {}}
defaults: {order: none, start: latest, retry: {attempts: 7, backoff: 1s..2s}, batch: {max: 8, wait: 5ms}, concurrency: 2, timeout: 3s}
models: {m: {protocol: go}}
steps:
  plain: {from: a, call: {model: m, input: value.x}, to: b}
  own:   {from: [a, b], call: {model: m}, input: value.y, to: c, order: strict, start: 2026-01-31T08:00:00Z, retry: {attempts: 1}, batch: {max: 1}, concurrency: 9, timeout: 1m, dlq: other}
`)
	plain, own := p.Step("plain"), p.Step("own")
	if plain.Order != OrderNone || !plain.Start.Latest || plain.Retry != (Retry{7, time.Second, 2 * time.Second}) || plain.Batch != (Batch{8, 5 * time.Millisecond}) ||
		plain.Concurrency != 2 || plain.Timeout != 3*time.Second || plain.DLQ != "d.dlq" || plain.Input.String() != "value.x" {
		t.Errorf("plain is %+v", plain)
	}
	if own.Order != OrderStrict || own.Start.String() != "2026-01-31T08:00:00Z" || own.Retry != (Retry{1, time.Second, 2 * time.Second}) || own.Batch != (Batch{Max: 1}) ||
		own.Concurrency != 9 || own.Timeout != time.Minute || own.DLQ != "other" || own.Input.String() != "value.y" {
		t.Errorf("own is %+v", own)
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	p := support(t)
	env := map[string]string{"CLASS_TOKEN": "s3cr3t-value"}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	if err := Resolve([]*Pipeline{p}, lookup); err != nil {
		t.Fatal(err)
	}
	class := p.Model("class")
	if got := class.Headers["authorization"].Reveal(); got != "Bearer s3cr3t-value" {
		t.Errorf("revealed %q", got)
	}
	data, err := json.Marshal(class)
	if err != nil {
		t.Fatal(err)
	}
	hidden := struct{ m ModelSpec }{*class}
	for _, s := range []string{string(data), fmt.Sprint(class, *class, hidden, &hidden), fmt.Sprintf("%+v %#v %s %q %+v", *class, *class, *class, class.Headers, hidden)} {
		if strings.Contains(s, "s3cr3t") {
			t.Errorf("the secret shows in %s", s)
		}
	}
	if !strings.Contains(string(data), "${env:CLASS_TOKEN}") {
		t.Errorf("the reference does not show in %s", data)
	}

	clear(env)
	err = Resolve([]*Pipeline{p}, lookup)
	if want := "test.yaml:8:37: the environment variable CLASS_TOKEN is not set, which model class wants for `Bearer ${env:CLASS_TOKEN}`"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestDollarIsEscaped(t *testing.T) {
	p := parse(t, `{name: x, topics: {a: {}}, models: {m: {protocol: exec, command: [sh, -c, "echo $${HOME} $1"], env: {A: "b"}}}, steps: {s: {from: a, to: b, call: {model: m}}}}`)
	if err := Resolve([]*Pipeline{p}, func(string) (string, bool) { return "", false }); err != nil {
		t.Fatal(err)
	}
	if got := p.Models[0].Command[2].Reveal(); got != "echo ${HOME} $1" {
		t.Errorf("command is %q", got)
	}
}

func TestLostBranches(t *testing.T) {
	p := support(t)
	for _, c := range []struct{ announced, want string }{
		{"mood", "mood:mood"},
		{"tags", "class:tags keywords:tags"},
		{"checklist", "help:checklist"},
		{"tags class", "class:class keywords:tags"},
		{"class", "class:class"},
		{"urgent", ""},
	} {
		lost := p.Lost(p.Step("desk"), func(s string) bool { return slices.Contains(strings.Fields(c.announced), s) })
		var got []string
		for _, b := range slices.Sorted(maps.Keys(lost)) {
			got = append(got, b+":"+lost[b])
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("after %s: lost %v, want %s", c.announced, got, c.want)
		}
	}
	for name, want := range map[string]bool{"mood": true, "tags": true, "help": true, "urgent": false, "desk": false} {
		if got := p.Announces(p.Step(name)); got != want {
			t.Errorf("step %s announces: %v", name, got)
		}
	}
}

func TestLostOnlyWhenEveryWriterIs(t *testing.T) {
	p := parse(t, `
name: r
topics: {in: {}}
steps:
  left:  {from: in, when: value.a, to: both}
  right: {from: in, when: not value.a, to: both}
  after: {from: [both, in], to: mixed}
  row:   {join: {of: {in: in, both: both, mixed: mixed}, by: event, within: 1s, require: both}, to: row}
  next:  {join: {of: {in: in, row: row}, by: event, within: 1s}, to: next}
`)
	lost := func(join string, announced ...string) map[string]string {
		return p.Lost(p.Step(join), func(s string) bool { return slices.Contains(announced, s) })
	}
	if got := lost("row", "left"); len(got) != 0 {
		t.Errorf("one of two writers: lost %v", got)
	}
	if got := lost("row", "left", "right"); !maps.Equal(got, map[string]string{"both": "left"}) {
		t.Errorf("both writers: lost %v", got)
	}
	if got := lost("next", "left", "right"); !maps.Equal(got, map[string]string{"row": "left"}) {
		t.Errorf("behind a join that requires the lost branch: lost %v", got)
	}
}

func TestExpressionsMakePlainValues(t *testing.T) {
	for source, want := range map[string]any{
		"1 + 1":                              2.0,
		"[1, 2.5, 'x']":                      []any{1.0, 2.5, "x"},
		"{a: {b: len(headers)}}":             map[string]any{"a": map[string]any{"b": 1.0}},
		"value[0]":                           "é",
		"time":                               "2026-01-02T03:04:05Z",
		"headers.x + key + topic + id":       "1kti",
		"partition + offset":                 7.0,
		"map(value, # + '!')":                []any{"é!"},
		"value?.nothing?.here ?? 'fallback'": nil,
	} {
		program, err := compile(source, Env{}, false)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		got, err := (&Expr{source: source, program: program}).Eval(Env{Value: []any{"é"}, Key: "k", Headers: map[string]string{"x": "1"},
			Topic: "t", Partition: 3, Offset: 4, ID: "i", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)})
		if want == nil {
			continue // only that it does not take the process with it
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %#v, %v; want %#v", source, got, err, want)
		}
	}
}

func TestNearest(t *testing.T) {
	for name, want := range map[string]string{"odrer": "order", "form": "from", "ordre": "order", "xyz": "", "o": "", "concurency": "concurrency"} {
		if got := nearest(name, []string{"order", "from", "to", "concurrency"}); got != want {
			t.Errorf("nearest to %s is %q, want %q", name, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"testdata/support.yaml", "testdata/errors/names.yaml", "testdata/errors/joins.yaml", "testdata/errors/documents.yaml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("name: &n x\nsteps: {a: &s {from: b, to: *n}, c: *s}\n"))
	f.Add([]byte("steps: {a: &a {join: {of: *a}, b: *a}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ps, err := Parse(File{Name: "f", Data: data})
		problems, ok := err.(Problems)
		switch {
		case err == nil && len(ps) == 0:
			t.Fatal("neither pipelines nor problems")
		case err != nil && (!ok || len(problems) == 0 || ps != nil):
			t.Fatalf("not problems alone: %v", err)
		}
		if !slices.IsSortedFunc(problems, func(a, b Problem) int { return a.Line - b.Line }) {
			t.Fatalf("not sorted:\n%v", err)
		}
		for _, p := range ps { // what was accepted can be asked anything
			for _, s := range p.Steps {
				p.Announces(s)
				if s.Join != nil {
					p.Lost(s, func(string) bool { return true })
				}
			}
		}
	})
}
