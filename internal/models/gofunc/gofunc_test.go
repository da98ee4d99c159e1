package gofunc

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatdev/leat/internal/models/modeltest"
	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

// backend is a function that does what the suite's texts say.
type backend struct {
	mu  sync.Mutex
	ids []string
}

func (b *backend) seen() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.ids)
}

func (b *backend) each(ctx context.Context, in pipeline.Input) (any, error) {
	b.mu.Lock()
	b.ids = append(b.ids, in.ID)
	b.mu.Unlock()
	text, _ := in.Value.(string)
	switch o := modeltest.Read(text); o.Kind {
	case modeltest.Poison:
		return nil, worker.NewError(worker.Poison, errors.New("as ordered"))
	case modeltest.Retriable:
		return nil, worker.NewError(worker.Retriable, errors.New("as ordered"))
	case modeltest.Outage:
		return nil, worker.NewError(worker.Outage, errors.New("as ordered"))
	case modeltest.Later:
		return nil, &worker.Error{Class: worker.Retriable, Err: errors.New("later"), RetryAfter: time.Duration(o.Seconds) * time.Second}
	case modeltest.Hang:
		<-ctx.Done()
		return nil, ctx.Err()
	case modeltest.Die:
		panic(text)
	case modeltest.Null:
		return nil, nil
	}
	return modeltest.AnswerTo(in.Value), nil
}

func (b *backend) batch(ctx context.Context, inputs []pipeline.Input) ([]pipeline.Result, error) {
	var results []pipeline.Result
	for _, in := range inputs {
		v, err := b.each(ctx, in)
		text, _ := in.Value.(string)
		switch modeltest.Read(text).Kind {
		case modeltest.Short:
			continue
		case modeltest.Extra:
			results = append(results, pipeline.Result{Value: "one more"})
		}
		results = append(results, pipeline.Result{Value: v, Err: err})
	}
	return results, ctx.Err()
}

func open(t *testing.T, cfg func(*backend) Config) modeltest.Subject {
	b := &backend{}
	model := func(timeout time.Duration) pipeline.Model {
		c := cfg(b)
		c.Timeout = timeout
		m, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	return modeltest.Subject{Model: model(0), Impatient: model(20 * time.Millisecond), IDs: b.seen, Cannot: map[string]string{
		string(modeltest.Garbage): "a Go function cannot return what its type does not allow",
	}}
}

func TestSuite(t *testing.T) {
	t.Run("batch", func(t *testing.T) {
		modeltest.Run(t, func(t *testing.T) modeltest.Subject {
			return open(t, func(b *backend) Config { return Config{Batch: b.batch} })
		})
	})
	for _, concurrency := range []int{0, 4} {
		t.Run(fmt.Sprint("each by ", concurrency), func(t *testing.T) {
			modeltest.Run(t, func(t *testing.T) modeltest.Subject {
				s := open(t, func(b *backend) Config { return Config{Each: b.each, Concurrency: concurrency} })
				for _, kind := range []modeltest.Kind{modeltest.Short, modeltest.Extra} {
					s.Cannot[string(kind)] = "a function for one record returns one result"
				}
				return s
			})
		})
	}
}

func newModel(t *testing.T, cfg Config) pipeline.Model {
	t.Helper()
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestConfigErrors(t *testing.T) {
	each := func(context.Context, pipeline.Input) (any, error) { return nil, nil }
	batch := func(context.Context, []pipeline.Input) ([]pipeline.Result, error) { return nil, nil }
	for want, cfg := range map[string]Config{
		"exactly one": {Each: each, Batch: batch},
		"register":    {},
		"timeout":     {Each: each, Timeout: -1},
		"concurrency": {Each: each, Concurrency: -1},
		"grace":       {Each: each, Grace: -1},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want an error that says %q", err, want)
		}
	}
}

func TestAPanicIsThatRecordsErrorAndSaysWhere(t *testing.T) {
	m := newModel(t, Config{Each: func(_ context.Context, in pipeline.Input) (any, error) {
		var none map[string]int
		if in.ID == "bad" {
			none["x"] = 1 // panics in the runtime, which is not where to look
		}
		return 1, nil
	}})
	results, err := m.Predict(t.Context(), []pipeline.Input{{ID: "a"}, {ID: "bad"}, {ID: "b"}})
	if err != nil || results[0].Value != 1.0 || results[2].Value != 1.0 {
		t.Fatalf("%v, %v", results, err)
	}
	var p *PanicError
	if !errors.As(results[1].Err, &p) || !strings.Contains(p.Error(), "nil map") || !strings.Contains(p.Error(), "gofunc_test.go:") || p.Stack == "" {
		t.Errorf("error %v", results[1].Err)
	}
}

// A program built with -trimpath has other paths.
func TestWhereAPanicWasInATrimmedProgram(t *testing.T) {
	stack := "goroutine 7 [running]:\nruntime/debug.Stack()\n\truntime/debug/stack.go:26 +0x5e\npanic({0x1, 0x2})\n\truntime/panic.go:860 +0x13a\n" +
		"runtime.mapassign_faststr(...)\n\tinternal/runtime/maps/runtime_faststr.go:263 +0x1\nexample.org/shop.tag(0x1)\n\texample.org/shop/tag.go:12 +0x45\n"
	if got := (&PanicError{Stack: stack}).where(); got != "example.org/shop/tag.go:12" {
		t.Errorf("where: %s", got)
	}
}

func TestGoexitEndsTheFunctionAndNotItsCaller(t *testing.T) {
	for name, cfg := range map[string]Config{
		"each":             {Each: func(context.Context, pipeline.Input) (any, error) { runtime.Goexit(); return nil, nil }},
		"each in parallel": {Concurrency: 2, Each: func(context.Context, pipeline.Input) (any, error) { runtime.Goexit(); return nil, nil }},
		"batch":            {Batch: func(context.Context, []pipeline.Input) ([]pipeline.Result, error) { runtime.Goexit(); return nil, nil }},
	} {
		results, err := newModel(t, cfg).Predict(t.Context(), make([]pipeline.Input, 3))
		if err == nil {
			for _, r := range results {
				if r.Err == nil {
					t.Errorf("%s: a record without a result has no error", name)
				}
			}
		} else if worker.ClassOf(err) != worker.Retriable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestResultsBecomePlain(t *testing.T) {
	type label struct {
		Name  string `json:"name"`
		Score int    `json:"score"`
	}
	m := newModel(t, Config{Each: func(_ context.Context, in pipeline.Input) (any, error) {
		if in.ID == "bad" {
			return func() {}, nil
		}
		return []label{{"help", 3}}, nil
	}})
	results, err := m.Predict(t.Context(), []pipeline.Input{{}, {ID: "bad"}})
	if err != nil || !reflect.DeepEqual(results[0].Value, []any{map[string]any{"name": "help", "score": 3.0}}) {
		t.Errorf("%v, %v", results, err)
	}
	if worker.ClassOf(results[1].Err) != worker.Poison {
		t.Errorf("a result that JSON cannot say: %v", results[1])
	}
}

func TestCloseWaitsForAFunctionThatIgnoresItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		m := newModel(t, Config{Grace: time.Minute, Each: func(context.Context, pipeline.Input) (any, error) { <-release; return nil, nil }})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := m.Predict(ctx, make([]pipeline.Input, 1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Predict: %v", err)
		}
		start := time.Now()
		if err := m.Close(); err == nil || time.Since(start) != time.Minute {
			t.Errorf("Close: %v after %s, want an error after the grace", err, time.Since(start))
		}
		close(release)
		if err := m.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}
