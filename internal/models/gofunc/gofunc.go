// Package gofunc is the model protocol `go`: functions that a Go program
// registers, called in its own process.
package gofunc

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/leatdev/leat/internal/models/fanout"
	"github.com/leatdev/leat/internal/models/jsonvalue"
	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

// Batch is a model as a function: one Result per Input, in order, or an error
// for all. It may be called from several goroutines at once and must return
// soon after ctx ends.
type Batch func(ctx context.Context, inputs []pipeline.Input) ([]pipeline.Result, error)

// Each is the simple form: the result of one record. Errors carry a class
// (worker.NewError) or count as retriable.
type Each func(ctx context.Context, input pipeline.Input) (any, error)

// Config declares one go model: exactly one of Batch and Each.
type Config struct {
	Batch Batch
	Each  Each
	// Concurrency is how many records of one Predict Each is called for at once;
	// 0 means 1. It is not used with Batch.
	Concurrency int
	// Timeout ends the function's context; 0 means no limit. One Predict has one.
	Timeout time.Duration
	// Grace is how long Close waits for functions that have not returned though
	// their context has ended; 0 means 5s.
	Grace time.Duration
}

const defaultGrace = 5 * time.Second

type model struct {
	cfg     Config
	running sync.WaitGroup
}

// New makes the model. Its error names the option that is wrong.
func New(cfg Config) (pipeline.Model, error) {
	switch {
	case (cfg.Batch == nil) == (cfg.Each == nil):
		return nil, errors.New("protocol go: register exactly one function, for batches or for each record")
	case cfg.Concurrency < 0:
		return nil, fmt.Errorf("concurrency: %d is negative; leave it out for 1", cfg.Concurrency)
	case cfg.Timeout < 0:
		return nil, fmt.Errorf("timeout: %s is negative; leave it out for no limit", cfg.Timeout)
	case cfg.Grace < 0:
		return nil, fmt.Errorf("grace: %s is negative; leave it out for %s", cfg.Grace, defaultGrace)
	}
	if cfg.Grace == 0 {
		cfg.Grace = defaultGrace
	}
	return &model{cfg: cfg}, nil
}

// Close waits for functions that were given up but still run. One that does
// not return within the grace is an error: nothing can end it.
func (m *model) Close() error {
	done := make(chan struct{})
	go func() { m.running.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-time.After(m.cfg.Grace):
		return fmt.Errorf("a model function still runs %s after its context ended; return when ctx.Done() is closed", m.cfg.Grace)
	}
}

var errExited = failed(worker.Retriable, errors.New("the model function called runtime.Goexit; return an error instead"))

type outcome struct {
	results []pipeline.Result
	err     error
}

// Predict runs the function in a goroutine of its own, so that it can return
// when ctx ends even if the function does not, and so that a function which
// calls runtime.Goexit ends itself and not the worker.
func (m *model) Predict(ctx context.Context, inputs []pipeline.Input) ([]pipeline.Result, error) {
	if len(inputs) == 0 {
		return nil, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, failed(worker.Retriable, fmt.Errorf("given up before the call: %w", err))
	}
	fctx, cancel := ctx, context.CancelFunc(func() {})
	if m.cfg.Timeout > 0 {
		fctx, cancel = context.WithTimeout(ctx, m.cfg.Timeout)
	}
	done := make(chan outcome, 1)
	m.running.Go(func() {
		defer cancel()
		out := outcome{err: errExited}
		defer func() { done <- out }()
		out.results, out.err = m.call(fctx, inputs)
	})
	var out outcome
	select {
	case out = <-done:
	case <-fctx.Done():
		// It may have returned at the same moment.
		select {
		case out = <-done:
		default:
			out.err = fctx.Err()
		}
	}
	switch {
	case out.err == nil:
		return out.results, nil
	case ctx.Err() != nil:
		return nil, failed(worker.Retriable, fmt.Errorf("cut short: %w", ctx.Err()))
	case errors.Is(out.err, context.DeadlineExceeded) && fctx.Err() != nil:
		return nil, failed(worker.Retriable, fmt.Errorf("the model function did not return within %s", m.cfg.Timeout))
	}
	return nil, out.err
}

func (m *model) call(ctx context.Context, inputs []pipeline.Input) ([]pipeline.Result, error) {
	if m.cfg.Each != nil {
		results := make([]pipeline.Result, len(inputs))
		for i := range results { // what a Goexit leaves behind must not look like the result null
			results[i].Err = errExited
		}
		fanout.Each(len(inputs), m.cfg.Concurrency, func(i int) { results[i] = m.each(ctx, inputs[i]) })
		return results, ctx.Err()
	}
	results, err := m.batch(ctx, inputs)
	if err != nil {
		return nil, err
	}
	if len(results) != len(inputs) {
		return nil, failed(worker.Retriable, fmt.Errorf("the model function returned %d results for %d inputs; return one for each, in order", len(results), len(inputs)))
	}
	for i := range results {
		results[i] = plain(results[i].Value, results[i].Err)
	}
	return results, nil
}

func (m *model) batch(ctx context.Context, inputs []pipeline.Input) (results []pipeline.Result, err error) {
	defer func() {
		if r := recover(); r != nil {
			results, err = nil, panicked(r)
		}
	}()
	return m.cfg.Batch(ctx, inputs)
}

func (m *model) each(ctx context.Context, in pipeline.Input) (result pipeline.Result) {
	defer func() {
		if r := recover(); r != nil {
			result = pipeline.Result{Err: panicked(r)}
		}
	}()
	return plain(m.cfg.Each(ctx, in))
}

// plain gives a result the kinds that JSON has: functions may return structs.
func plain(value any, err error) pipeline.Result {
	if err != nil {
		return pipeline.Result{Err: err}
	}
	value, err = jsonvalue.Plain(value)
	return pipeline.Result{Value: value, Err: err}
}

// PanicError is a panic of a model function. It is retriable, as a crash is in
// the other protocols: a record that always causes it uses its attempts up.
type PanicError struct {
	// Value is what the function panicked with.
	Value any
	// Stack is the goroutine's stack, for a dead letter's stack trace.
	Stack string
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("the model function panicked: %v (%s)", e.Value, e.where())
}

// where is the line that panicked: the first frame after the runtime's own.
func (e *PanicError) where() string {
	_, after, found := strings.Cut(e.Stack, "\npanic")
	if !found {
		return "no stack"
	}
	// A frame is two lines: its function, then its file. The runtime is told by the names
	// of its functions: its files have another path in a program built with -trimpath.
	// Of the first frame's function, panic itself, only the arguments are left.
	var function string
	for line := range strings.Lines(after) {
		place, indented := strings.CutPrefix(line, "\t")
		if !indented {
			function = line
			continue
		}
		if file, _, ok := strings.Cut(place, " +0x"); ok && !strings.HasPrefix(function, "(") && !strings.HasPrefix(function, "runtime.") {
			return file
		}
	}
	return "no stack"
}

func panicked(value any) error {
	return failed(worker.Retriable, &PanicError{Value: value, Stack: string(debug.Stack())})
}

func failed(class worker.Class, err error) error {
	return &worker.Error{Class: class, Stage: "call", Err: err}
}
