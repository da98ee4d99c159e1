//go:build unix

package exec

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/leatdev/leat/internal/models/modeltest"
	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

// The lines on the wire, byte for byte, as docs/models.md shows them.
func TestRequestLines(t *testing.T) {
	inputs := []pipeline.Input{
		{ID: "orders/0/17", Value: map[string]any{"text": "a<b\nc"}},
		{ID: "bad", Value: "\xff"},
		{ID: "", Value: nil},
	}
	results := make([]pipeline.Result, len(inputs))
	lines, at := requests(inputs, results)
	if len(lines) != 2 || string(lines[0].line) != `{"id":"orders/0/17","value":{"text":"a<b\nc"}}`+"\n" || string(lines[1].line) != `{"id":"","value":null}`+"\n" {
		t.Errorf("lines %q", lines)
	}
	modeltest.InDocs(t, string(lines[0].line))
	if !reflect.DeepEqual(at, []int{0, 2}) || worker.ClassOf(results[1].Err) != worker.Poison {
		t.Errorf("at %v, results %v", at, results)
	}
}

func TestAnswers(t *testing.T) {
	for text, want := range map[string]any{
		`{"id":"x","result":{"a":[1,null]}}`:                 map[string]any{"a": []any{1.0, nil}},
		` {"result":"ü","id":"x","error":null} `:             "ü",
		`{"id":"x","result":null}`:                           nil,
		`{"id":"x","error":"no such word"}`:                  worker.Retriable,
		`{"id":"x","error":"no such word","class":"poison"}`: worker.Poison,
		`{"id":"x","error":"","class":"outage"}`:             worker.Outage,
	} {
		got, err := readAnswer([]byte(text+"\n"), "x")
		if class, isError := want.(worker.Class); isError {
			if err != nil || worker.ClassOf(got.Err) != class {
				t.Errorf("%s: %v, %v; want a record's error of class %s", text, got, err, class)
			}
		} else if err != nil || got.Err != nil || !reflect.DeepEqual(got.Value, want) {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	m := newModel(t, config("literal"))
	for text, says := range map[string]string{
		``:                                       "not an answer",
		`Downloading weights: 100%`:              "print nothing but answers",
		`{"id":"x","result":1`:                   "not an answer",
		`{"id":"x","result":NaN}`:                "not an answer",
		`[1]`:                                    "not an answer",
		`{"id":"x","result":1} {}`:               "more than one",
		`{"id":"x","result":1}}`:                 "more than one",
		`{"result":1}`:                           "has no id",
		`{"id":"y","result":1}`:                  `id "y" where that of the request, "x"`,
		`{"id":"x"}`:                             "either",
		`{"id":"x","result":1,"error":"both"}`:   "either",
		`{"id":"x","results":1}`:                 "unknown field",
		`{"id":"x","error":"e","class":"bad"}`:   `class "bad"`,
		`{"id":"x","result":1,"class":"poison"}`: `class "poison"`,
		`{"id":17,"result":1}`:                   "not an answer",
	} {
		_, err := ask(t, m, "x", text)
		wantClass(t, err, worker.Retriable, says)
		if quote := strings.TrimSpace(text); !strings.Contains(err.Error(), quote) {
			t.Errorf("error %q does not quote %q", err, quote)
		}
	}
	// A batch with an answer left out fails whole: no record gets another one's.
	results, err := m.Predict(t.Context(), []pipeline.Input{{ID: "a", Value: `{"id":"a","result":1}`}, {ID: "b", Value: `{"id":"c","result":3}`}, {ID: "c", Value: `{"id":"c","result":3}`}})
	wantClass(t, err, worker.Retriable, `id "c" where that of the request, "b"`)
	if results != nil {
		t.Errorf("results %v with an error", results)
	}
}

func TestALineThatNobodyAskedForCostsTheNextCallNothing(t *testing.T) {
	m := newModel(t, config("unasked"))
	v, err := ask(t, m, "a", 1)
	first := pidOf(t, v, err)
	s := <-m.free
	got := <-s.child.lines // it is there; put it where the next call looks
	if !strings.Contains(string(got), "unasked") {
		t.Fatalf("line %s", got)
	}
	lines := make(chan []byte, 1)
	lines <- got
	s.child.lines = lines
	m.free <- s
	v, err = ask(t, m, "b", 1)
	if second := pidOf(t, v, err); second == first {
		t.Error("the child that says too much was kept")
	}
}

func TestALineIsBounded(t *testing.T) {
	cfg := config("literal")
	cfg.MaxLine = 1000
	m := newModel(t, cfg)
	fits := func(n int) string {
		return fmt.Sprintf(`{"id":"x","result":%q}`, strings.Repeat("r", n-len(`{"id":"x","result":""}`)))
	}
	if _, err := ask(t, m, "x", fits(1000)); err != nil {
		t.Errorf("a line of exactly the bound: %v", err)
	}
	_, err := ask(t, m, "x", fits(1001))
	wantClass(t, err, worker.Retriable, "longer than 1000 bytes")
	_, err = ask(t, m, "x", fits(1_000_000))
	wantClass(t, err, worker.Retriable, "longer than 1000 bytes")
}
