package modeltest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

// sound is a model that is right in everything, and a base for wrong ones.
type sound struct {
	mu  sync.Mutex
	ids []string
	// spoil changes what Predict returns.
	spoil func(in []pipeline.Input, out []pipeline.Result, err error) ([]pipeline.Result, error)
}

func (m *sound) Close() error { return nil }

func (m *sound) seen() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.ids)
}

func (m *sound) Predict(ctx context.Context, in []pipeline.Input) ([]pipeline.Result, error) {
	m.mu.Lock()
	for _, i := range in {
		m.ids = append(m.ids, i.ID)
	}
	m.mu.Unlock()
	out := make([]pipeline.Result, len(in))
	for i := range in {
		out[i] = m.one(ctx, in[i].Value)
	}
	if m.spoil != nil {
		return m.spoil(in, out, nil)
	}
	return out, nil
}

func (m *sound) one(ctx context.Context, v any) pipeline.Result {
	fail := func(c worker.Class) pipeline.Result {
		return pipeline.Result{Err: worker.NewError(c, errors.New("as ordered"))}
	}
	text, _ := v.(string)
	switch o := Read(text); o.Kind {
	case Plain:
		return pipeline.Result{Value: AnswerTo(v)}
	case Null:
		return pipeline.Result{}
	case Poison, Outage:
		return fail(classOf(o.Kind))
	case Later:
		return pipeline.Result{Err: &worker.Error{Class: worker.Retriable, Err: errors.New("later"), RetryAfter: time.Duration(o.Seconds) * time.Second}}
	case Hang:
		own, cancel := context.WithTimeout(ctx, 60*time.Millisecond)
		defer cancel()
		<-own.Done()
		if err := ctx.Err(); err != nil {
			return pipeline.Result{Err: worker.NewError(worker.Retriable, err)}
		}
	}
	return fail(worker.Retriable)
}

func subject(m *sound) Subject {
	return Subject{Model: m, Impatient: m, IDs: m.seen, Secrets: []string{"hunter22"}, closing: new(sync.Once)}
}

func TestSuite(t *testing.T) {
	Run(t, func(t *testing.T) Subject { return subject(&sound{}) })
}

// recorder is a T that notes failures instead of failing.
type recorder struct {
	ctx  context.Context
	mu   sync.Mutex
	said []string
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Errorf(f string, a ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, fmt.Sprintf(f, a...))
}
func (r *recorder) Fatalf(f string, a ...any) { r.Errorf(f, a...); runtime.Goexit() }

// complaints runs all checks on a model and returns what each says.
func complaints(t *testing.T, only string, s func() Subject) map[string][]string {
	found := map[string][]string{}
	for _, c := range checks() {
		if only != "" && c.name != only {
			continue
		}
		r := &recorder{ctx: t.Context()}
		done := make(chan struct{})
		go func() { // Fatalf ends its goroutine
			defer close(done)
			c.run(r, s())
		}()
		<-done
		if len(r.said) > 0 {
			found[c.name] = r.said
		}
	}
	return found
}

func TestWrongModelsAreFoundOut(t *testing.T) {
	type spoil = func([]pipeline.Input, []pipeline.Result, error) ([]pipeline.Result, error)
	reclass := func(c worker.Class) spoil {
		return func(_ []pipeline.Input, out []pipeline.Result, _ error) ([]pipeline.Result, error) {
			for i := range out {
				if out[i].Err != nil {
					out[i].Err = &worker.Error{Class: c, Err: out[i].Err}
				}
			}
			return out, nil
		}
	}
	wrong := map[string]struct {
		spoil  spoil
		checks []string // that must complain
	}{
		"results reversed": {func(_ []pipeline.Input, out []pipeline.Result, _ error) ([]pipeline.Result, error) {
			slices.Reverse(out)
			return out, nil
		}, []string{"results are in the order of the inputs", "calls at once do not mix", "one record's poison is its own", "huge text", "unicode"}},
		"one result less": {func(_ []pipeline.Input, out []pipeline.Result, _ error) ([]pipeline.Result, error) {
			return out[:max(0, len(out)-1)], nil
		}, []string{"results are in the order of the inputs", "calls at once do not mix", "class of one poison"}},
		"one result more": {func(_ []pipeline.Input, out []pipeline.Result, _ error) ([]pipeline.Result, error) {
			return append(out, pipeline.Result{}), nil
		}, []string{"nothing in nothing out", "results are in the order of the inputs"}},
		"everything is poison": {reclass(worker.Poison), []string{"class of one retriable", "class of one outage", "an ended context is obeyed",
			"a context that ends under way is obeyed", "the model gives up by itself", "the wait that is asked for is handed on", "after garbage", "after die"}},
		"everything is retriable": {reclass(worker.Retriable), []string{"class of one poison", "class of one outage", "one record's outage is its own"}},
		"the secret is shown": {func(_ []pipeline.Input, out []pipeline.Result, _ error) ([]pipeline.Result, error) {
			for i := range out {
				if out[i].Err != nil {
					out[i].Err = worker.NewError(worker.ClassOf(out[i].Err), fmt.Errorf("key hunter22: %w", out[i].Err))
				}
			}
			return out, nil
		}, []string{"class of one poison", "one record's retriable is its own", "an ended context is obeyed", "after short"}},
		"a bad record takes the call along": {func(_ []pipeline.Input, out []pipeline.Result, _ error) ([]pipeline.Result, error) {
			for _, r := range out {
				if r.Err != nil {
					return nil, r.Err
				}
			}
			return out, nil
		}, []string{"one record's poison is its own", "one record's retriable is its own"}},
		"errors become answers": {func(in []pipeline.Input, out []pipeline.Result, _ error) ([]pipeline.Result, error) {
			for i := range out {
				out[i] = pipeline.Result{Value: AnswerTo(in[i].Value)}
			}
			return out, nil
		}, []string{"class of one poison", "null results", "after garbage", "after extra", "the model gives up by itself", "an ended context is obeyed"}},
		"text is trimmed": {func(in []pipeline.Input, out []pipeline.Result, _ error) ([]pipeline.Result, error) {
			for i := range out {
				if s, ok := in[i].Value.(string); ok && out[i].Value != nil {
					out[i].Value = AnswerTo(strings.TrimSpace(s))
				}
			}
			return out, nil
		}, []string{"unicode", "huge text"}},
		"an error and a value": {func(_ []pipeline.Input, out []pipeline.Result, _ error) ([]pipeline.Result, error) {
			for i := range out {
				out[i].Value = "something"
			}
			return out, nil
		}, []string{"one record's poison is its own", "null results", "values of every kind", "empty text"}},
	}
	for name, w := range wrong {
		t.Run(name, func(t *testing.T) {
			for _, c := range w.checks {
				if len(complaints(t, c, func() Subject { return subject(&sound{spoil: w.spoil}) })) == 0 {
					t.Errorf("the check %q does not notice", c)
				}
			}
		})
	}
}

func TestALeftGoroutineIsFoundOut(t *testing.T) {
	if stack := leftGoroutines(); stack != "" {
		t.Fatalf("left before the test: %s", stack)
	}
	stop, started := make(chan struct{}), make(chan struct{})
	go leftOver(started, stop)
	<-started
	if leftGoroutines() == "" {
		t.Error("a goroutine of this folder is not noticed")
	}
	close(stop)
	eventually(t, leftGoroutines)
}

func leftOver(started, stop chan struct{}) {
	close(started)
	<-stop
}

func TestLostIDsAndLeftChildrenAreFoundOut(t *testing.T) {
	found := complaints(t, "", func() Subject {
		s := subject(&sound{})
		s.IDs = func() []string { return []string{"another"} }
		s.Alive = func() int { return 2 }
		return s
	})
	for _, c := range []string{"ids reach the backend", "close leaves nothing", "nothing in nothing out"} {
		if len(found[c]) == 0 {
			t.Errorf("the check %q does not notice", c)
		}
	}
	if len(found) != 3 {
		t.Errorf("unexpected complaints: %v", found)
	}
}
