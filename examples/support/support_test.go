package support_test

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/leatdev/leat/examples/support"
	"github.com/leatdev/leat/examples/support/data"
	"github.com/leatdev/leat/internal/models/gofunc"
	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

func predict(t *testing.T, f support.Func, value any) (map[string]any, error) {
	t.Helper()
	model := made(gofunc.New(gofunc.Config{Each: f}))(t)
	results, err := model.Predict(t.Context(), []pipeline.Input{{Value: value}})
	if err != nil {
		t.Fatal(err)
	}
	object, _ := results[0].Value.(map[string]any)
	return object, results[0].Err
}

// Exactly one of the example's messages is poison for the class server as it
// starts; with the fix that the demo shows, it passes. No other model minds it.
func TestThePoisonMessageAndItsFix(t *testing.T) {
	t.Parallel()
	m := open(t)
	records, err := support.Messages()
	if err != nil {
		t.Fatal(err)
	}
	poison := 0
	for _, r := range records {
		var value map[string]any
		if err := json.Unmarshal(r.Value, &value); err != nil {
			t.Fatal(err)
		}
		tags, err := predict(t, m.Tag, value)
		if err != nil {
			t.Fatalf("%s: tagger: %v", r.Value, err)
		}
		withTags := map[string]any{"text": value["text"], "tags": tags["tags"]}
		_, err = predict(t, m.Class(support.DefaultMaxChars), withTags)
		if (worker.ClassOf(err) == worker.Poison) != r.Poison || err != nil && !r.Poison {
			t.Errorf("%s: poison %v, class says %v", r.Value, r.Poison, err)
		}
		if !r.Poison {
			continue
		}
		poison++
		if _, err := predict(t, m.Class(support.FixedMaxChars), withTags); err != nil {
			t.Errorf("after the fix: %v", err)
		}
		for name, f := range map[string]support.Func{"mood": m.Mood, "embed": m.Embed, "keywords": m.Keywords} {
			if _, err := predict(t, f, withTags); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if poison != 1 {
		t.Errorf("%d messages are poison, want 1", poison)
	}
}

func TestEmbedAndNearest(t *testing.T) {
	t.Parallel()
	m := open(t)
	embedded, err := predict(t, m.Embed, map[string]any{"text": "Somebody stole my card, how do I block it?"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := predict(t, m.Nearest, map[string]any{"vector": embedded["embedding"]})
	if err != nil {
		t.Fatal(err)
	}
	list := got["checklists"].([]any)
	if len(list) != 3 || list[0].(map[string]any)["id"] != "card_lost_or_stolen" || list[0].(map[string]any)["title"] != "My card is lost or stolen" {
		t.Errorf("got %v", list)
	}
	empty, err := predict(t, m.Embed, map[string]any{"text": ""})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := predict(t, m.Nearest, map[string]any{"vector": empty["embedding"]}); err != nil || len(got["checklists"].([]any)) != 0 {
		t.Errorf("an empty text: %v, %v", got, err)
	}
	for _, vector := range []any{nil, "x", []any{1.0}, map[string]any{"indices": []any{1.0}, "values": []any{}},
		map[string]any{"indices": []any{1e9}, "values": []any{1.0}}, map[string]any{"indices": []any{-1.0}, "values": []any{1.0}},
		map[string]any{"indices": []any{0.5}, "values": []any{1.0}}} {
		if _, err := predict(t, m.Nearest, map[string]any{"vector": vector}); worker.ClassOf(err) != worker.Poison {
			t.Errorf("vector %v: %v, want poison", vector, err)
		}
	}
}

func TestValuesOfTheWrongShapeArePoison(t *testing.T) {
	t.Parallel()
	m := open(t)
	values := []any{nil, "text", 1.0, []any{}, map[string]any{}, map[string]any{"text": 1.0}, map[string]any{"text": nil, "tags": []any{}},
		map[string]any{"text": strings.Repeat("x", support.MaxChars+1), "tags": []any{}}}
	for name, f := range m.Funcs() {
		for _, v := range values {
			if _, err := predict(t, f, v); worker.ClassOf(err) != worker.Poison {
				t.Errorf("%s of %.60v: %v, want poison", name, v, err)
			}
		}
	}
	foreign := map[string]any{"text": "my card", "tags": []any{map[string]any{"word": "kettle", "tag": "NOUN"}}}
	if _, err := predict(t, m.Keywords, foreign); worker.ClassOf(err) != worker.Poison {
		t.Errorf("tags of another text: %v, want poison", err)
	}
}

func TestPipelineFile(t *testing.T) {
	t.Parallel()
	places := support.Places{MoodURL: "http://127.0.0.1:1", ClassURL: "http://127.0.0.1:2/classify", Tagger: []string{"/a b/leat", "x"}}
	for name, file := range map[string]string{"own": support.Pipeline, "elsewhere": places.At()} {
		pipelines, err := pipeline.Parse(pipeline.File{Name: "support.yaml", Data: []byte(file)})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(pipelines) != 1 || len(pipelines[0].Steps) != 8 {
			t.Fatalf("%s: %d pipelines", name, len(pipelines))
		}
		funcs := open(t).Funcs()
		for _, model := range pipelines[0].Models {
			if funcs[model.Name] == nil {
				t.Errorf("%s: the file's model %s is none of Funcs", name, model.Name)
			}
		}
	}
	for _, want := range []string{`"http://127.0.0.1:1"`, `"http://127.0.0.1:2/classify"`, `["/a b/leat","x"]`} {
		if n := strings.Count(places.At(), want); n != 1 {
			t.Errorf("%s is %d times in the file", want, n)
		}
	}
	if (support.Places{}).At() != support.Pipeline {
		t.Error("no places change the file")
	}
}

func TestTheExamplesOwnData(t *testing.T) {
	t.Parallel()
	messages, err := data.Messages()
	if err != nil {
		t.Fatal(err)
	}
	checklists, err := data.Checklists()
	if err != nil {
		t.Fatal(err)
	}
	ids, texts := map[string]int{}, map[string]int{}
	classes, heldOut, named := map[string]int{}, 0, 0
	for _, m := range messages {
		ids[m.ID]++
		texts[m.Text]++
		classes[m.Class]++
		if m.HeldOut() {
			heldOut++
		}
		if len(m.Products) > 0 {
			named++
		}
		for _, p := range m.Products {
			if !strings.Contains(strings.ToLower(m.Text), p) {
				t.Errorf("%s: the text does not hold its product %q", m.ID, p)
			}
		}
		if m.Checklist != "" && !slices.ContainsFunc(checklists, func(c data.Checklist) bool { return c.ID == m.Checklist }) {
			t.Errorf("%s: there is no checklist %q", m.ID, m.Checklist)
		}
	}
	for text, n := range texts {
		if n > 1 {
			t.Errorf("%d times: %s", n, text)
		}
	}
	if len(ids) != len(messages) || len(messages) < 400 || len(classes) != 4 || heldOut < 100 || named < 150 || len(checklists) < 20 {
		t.Errorf("%d messages, %d ids, classes %v, %d held out, %d with products, %d checklists",
			len(messages), len(ids), classes, heldOut, named, len(checklists))
	}
	if cards := open(t).Cards(); len(cards) != 6 || slices.ContainsFunc(cards, func(c string) bool { return strings.Contains(c, "\n") }) {
		t.Errorf("cards: %q", cards)
	}
}

// The README shows the cards and the tagger's answer as they are.
func TestREADMEIsTrue(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range open(t).Cards() {
		if !strings.Contains(string(readme), "\n"+c+"\n") {
			t.Errorf("the README does not show\n%s", c)
		}
	}
	var out bytes.Buffer
	request := `{"id":"1","value":{"text":"where is my card?"}}`
	if err := support.ServeExec(t.Context(), strings.NewReader(request), &out, open(t).Tag); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{request, "\n" + out.String(), "\n" + support.Line(desk(t, open(t), "m211")) + "\n"} {
		if !strings.Contains(string(readme), want) {
			t.Errorf("the README does not show\n%s", want)
		}
	}
}

// desk is what the pipeline joins for one message.
func desk(t *testing.T, m *support.Models, id string) map[string]any {
	t.Helper()
	records, err := support.Messages()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		var message map[string]any
		if err := json.Unmarshal(r.Value, &message); err != nil {
			t.Fatal(err)
		}
		if message["id"] != id {
			continue
		}
		row := map[string]any{"message": message}
		call := func(name string, f support.Func, value any) map[string]any {
			answer, err := predict(t, f, value)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			row[name] = answer
			return answer
		}
		call("mood", m.Mood, message)
		tags, err := predict(t, m.Tag, message)
		if err != nil {
			t.Fatal(err)
		}
		tags["text"] = message["text"]
		call("class", m.Class(support.DefaultMaxChars), tags)
		call("keywords", m.Keywords, tags)
		vector, err := predict(t, m.Embed, message)
		if err != nil {
			t.Fatal(err)
		}
		call("help", m.Nearest, map[string]any{"vector": vector["embedding"]})
		return row
	}
	t.Fatalf("there is no message %s", id)
	return nil
}
