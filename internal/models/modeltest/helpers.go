package modeltest

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

// records makes one input per value, with ids that no other check uses.
func records(name string, values ...any) []pipeline.Input {
	inputs := make([]pipeline.Input, len(values))
	for i, v := range values {
		inputs[i] = pipeline.Input{
			ID:             fmt.Sprintf("%s/%d", name, i),
			IdempotencyKey: fmt.Sprintf("suite/0/%s/%d", name, i),
			Value:          v,
		}
	}
	return inputs
}

// texts makes n different texts of different lengths.
func texts(n int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = fmt.Sprintf("text %d %s", i, strings.Repeat("x", i%13))
	}
	return out
}

// clean returns err after looking for secrets in it, and in what it wraps.
func (s Subject) clean(t T, err error) error {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, secret := range s.Secrets {
			if text := fmt.Sprintf("%v %+v", e, e); strings.Contains(text, secret) {
				t.Errorf("an error shows the secret %q: %s", secret, text)
			}
		}
	}
	return err
}

// predict calls the model and checks the count: one result per input, or an error.
func (s Subject) predict(t T, inputs []pipeline.Input) ([]pipeline.Result, error) {
	t.Helper()
	results, err := s.Model.Predict(t.Context(), inputs)
	if err != nil {
		return nil, s.clean(t, err)
	}
	if len(results) != len(inputs) {
		t.Fatalf("%d results for %d inputs", len(results), len(inputs))
	}
	for _, r := range results {
		if s.clean(t, r.Err) != nil && r.Value != nil {
			t.Errorf("a result has both a value (%s) and an error (%v)", short(r.Value), r.Err)
		}
	}
	return results, nil
}

// allRight calls the model and checks every result.
func (s Subject) allRight(t T, inputs []pipeline.Input) {
	t.Helper()
	results, err := s.predict(t, inputs)
	if err != nil {
		t.Fatalf("call of %d records: %v", len(inputs), err)
	}
	for i := range inputs {
		s.right(t, inputs[i], results[i])
	}
}

// failure calls the model with one input and returns its failure, of the call
// or of the record, as a worker sees it.
func (s Subject) failure(t T, m pipeline.Model, in pipeline.Input) *worker.Error {
	t.Helper()
	results, err := m.Predict(t.Context(), []pipeline.Input{in})
	if err == nil && len(results) != 1 {
		t.Fatalf("%d results for 1 input", len(results))
	}
	if err == nil {
		err = results[0].Err
	}
	if s.clean(t, err) == nil {
		t.Fatalf("record %s (%s): result %s, want an error", in.ID, short(in.Value), short(results[0].Value))
	}
	var e *worker.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v has no class", err)
	}
	return e
}

// settle does what a worker does with a call that fails whole: it halves it
// until the guilty records stand alone.
func (s Subject) settle(t T, inputs []pipeline.Input) []pipeline.Result {
	t.Helper()
	results, err := s.predict(t, inputs)
	if err == nil {
		return results
	}
	if len(inputs) == 1 {
		return []pipeline.Result{{Err: err}}
	}
	half := len(inputs) / 2
	return append(s.settle(t, inputs[:half]), s.settle(t, inputs[half:])...)
}

// eventually waits until no is empty: it says what is still in the way.
func eventually(t T, no func() string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		obstacle := no()
		if obstacle == "" {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still there after %s: %s", patience, obstacle)
		}
	}
}

// leftGoroutines returns the stack of a goroutine that a model left behind: one
// in this folder's code or in an HTTP client's connection, and not a test's own.
func leftGoroutines() string {
	buf := make([]byte, 4<<20)
	for _, stack := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "testing.tRunner(") || strings.Contains(stack, "testing.(*T).Run(") || strings.Contains(stack, "net/http.(*conn).serve(") ||
			strings.Contains(stack, "modeltest.leftGoroutines(") || strings.Contains(stack, "models/modeltest_test.") {
			continue
		}
		if strings.Contains(stack, "leat/internal/models/") || strings.Contains(stack, "net/http.(*persistConn)") {
			return stack
		}
	}
	return ""
}

func short(v any) string {
	s := fmt.Sprintf("%#v", v)
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return s
}
