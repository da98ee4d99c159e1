package modeltest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

func nothing(t T, s Subject) {
	results, err := s.predict(t, nil)
	if err != nil || len(results) != 0 {
		t.Errorf("no inputs: %d results, error %v", len(results), err)
	}
	if s.IDs != nil && len(s.IDs()) != 0 {
		t.Errorf("no inputs, but the backend was called for %q", s.IDs())
	}
}

func order(t T, s Subject) {
	for _, n := range []int{1, 2, 50} {
		s.allRight(t, records(fmt.Sprintf("order%d", n), texts(n)...))
	}
	// Equal values are different records.
	s.allRight(t, records("equal", "same", "same", "other", "same"))
}

func concurrent(t T, s Subject) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for call := range 5 {
				name := fmt.Sprintf("at-once-%d-%d", g, call)
				inputs := records(name, name+" a", name+" bb", name+" ccc")
				results, err := s.Model.Predict(t.Context(), inputs)
				if err != nil || len(results) != len(inputs) {
					t.Errorf("call %s: %d results, error %v", name, len(results), err)
					return
				}
				for i := range inputs {
					s.right(t, inputs[i], results[i])
				}
			}
		})
	}
	wg.Wait()
}

func ids(t T, s Subject) {
	want := []string{}
	for _, inputs := range [][]pipeline.Input{records("ids-a", "one"), records("ids-b", "two"), records("idé", "three")} {
		s.allRight(t, inputs)
		want = append(want, inputs[0].ID)
	}
	if got := s.IDs(); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
		t.Errorf("the backend was sent the ids %q, want %q", got, want)
	}
}

func huge(t T, s Subject) {
	s.allRight(t, records("huge", "small", strings.Repeat("long line ", 200_000), "small again"))
}

func unicodeTexts(t T, s Subject) {
	s.allRight(t, records("unicode", "Grüße, 世界 🐪", "a\u2028b\u2029c\u0000d\ne\tf\r\ng", `"quotes" \ and </script>`, "e\u0301 ≠ \u00e9", " space "))
}

func empty(t T, s Subject) { s.allRight(t, records("empty", "", "not empty", "")) }

func values(t T, s Subject) {
	s.allRight(t, records("values", nil, true, -1.5, 1e300, []any{}, map[string]any{},
		map[string]any{"deep": []any{map[string]any{"er": nil}, []any{1.0, "zwei", false}}, "": "empty key"}))
}

func nullResults(t T, s Subject) {
	inputs := records("null", string(Null), "text", string(Null))
	results, err := s.predict(t, inputs)
	if err != nil {
		t.Fatalf("null results: %v", err)
	}
	for _, i := range []int{0, 2} {
		if results[i].Err != nil || results[i].Value != nil {
			t.Errorf("result %d is %s, %v; want null", i, short(results[i].Value), results[i].Err)
		}
	}
	s.right(t, inputs[1], results[1])
}

func endedContext(t T, s Subject) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.obeys(t, ctx, context.Canceled)
}

func contextEnds(t T, s Subject) {
	s.allRight(t, records("before", "warm"))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	s.obeys(t, ctx, context.DeadlineExceeded)
	s.allRight(t, records("after", "still works"))
}

// obeys calls the model with a record that hangs: it must return with ctx's
// error, retriable, as it is nobody's fault.
func (s Subject) obeys(t T, ctx context.Context, want error) {
	t.Helper()
	inputs := records("hang", string(Hang), string(Hang))
	results, err := s.Model.Predict(ctx, inputs)
	errs := []error{err}
	if err == nil {
		errs = nil
		for _, r := range results {
			errs = append(errs, r.Err)
		}
	}
	for _, e := range errs {
		if !errors.Is(s.clean(t, e), want) || worker.ClassOf(e) != worker.Retriable {
			t.Errorf("the context ended, the error is %v (%s); want a retriable one that wraps %v", e, worker.ClassOf(e), want)
		}
	}
}

func timeout(t T, s Subject) {
	e := s.failure(t, s.Impatient, records("timeout", string(Hang))[0])
	if e.Class != worker.Retriable {
		t.Errorf("a call that was given up is of class %s, want retriable: %v", e.Class, e)
	}
	if errors.Is(e, context.DeadlineExceeded) {
		t.Errorf("%v looks as if the caller's context had ended", e)
	}
}

func later(t T, s Subject) {
	e := s.failure(t, s.Model, records("later", string(Later)+" 7")[0])
	if e.Class != worker.Retriable || e.RetryAfter != 7*time.Second {
		t.Errorf("error %v of class %s with a wait of %s, want retriable and 7s", e, e.Class, e.RetryAfter)
	}
}

func classOf(kind Kind) worker.Class {
	switch kind {
	case Poison:
		return worker.Poison
	case Outage:
		return worker.Outage
	}
	return worker.Retriable
}

func classed(t T, s Subject, kind Kind) {
	if e := s.failure(t, s.Model, records("class", string(kind))[0]); e.Class != classOf(kind) {
		t.Errorf("error %v is of class %s, want %s", e, e.Class, classOf(kind))
	}
	s.allRight(t, records("after", "still works"))
}

func ownError(t T, s Subject, kind Kind) {
	values := texts(32)
	values[19] = string(kind)
	inputs := records("own", values...)
	var results []pipeline.Result
	if s.Whole {
		results = s.settle(t, inputs)
	} else {
		var err error
		if results, err = s.predict(t, inputs); err != nil {
			t.Fatalf("one bad record of 32 failed the call: %v", err)
		}
	}
	for i := range inputs {
		if i != 19 {
			s.right(t, inputs[i], results[i])
		} else if got := worker.ClassOf(results[i].Err); got != classOf(kind) {
			t.Errorf("the bad record's error is %v (%s), want class %s", results[i].Err, got, classOf(kind))
		}
	}
}

// badReply checks that a reply which is not of the protocol costs an error and
// never gives a record another one's answer.
func badReply(t T, s Subject, kind Kind) {
	s.allRight(t, records("before", "first"))
	if e := s.failure(t, s.Model, records("bad", string(kind))[0]); e.Class != worker.Retriable {
		t.Errorf("after %s: error %v is of class %s, want retriable", kind, e, e.Class)
	}
	s.allRight(t, records("between", "a", "b"))
	values := texts(9)
	values[4] = string(kind)
	inputs := records("among", values...)
	results := s.settle(t, inputs)
	for i := range inputs {
		if i != 4 {
			s.right(t, inputs[i], results[i])
		} else if results[i].Err == nil {
			t.Errorf("after %s: the record has the result %s, want an error", kind, short(results[i].Value))
		}
	}
	s.allRight(t, records("after", texts(5)...))
}

func closeLeavesNothing(t T, s Subject) {
	s.allRight(t, records("close", texts(5)...))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	s.obeys(t, ctx, context.DeadlineExceeded) // what was cut short is cleaned up, too
	s.close(t)
	eventually(t, leftGoroutines)
	if s.Alive != nil {
		if n := s.Alive(); n != 0 {
			t.Errorf("%d child processes are left after Close", n)
		}
	}
}
