// Package exec is the model protocol `exec`: long-lived child processes that
// read one JSON line per record from standard input and write one JSON line
// per answer to standard output. docs/models.md shows the lines and a child in
// ten lines of Python.
package exec

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/leatdev/leat/internal/models/redact"
	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

// Config declares one exec model.
type Config struct {
	// Name is the model's, for errors and logs.
	Name string
	// Command is the program and its arguments; it is not given to a shell.
	Command []string
	// Env is added to this process's environment. Its values are secrets: no
	// error and no log shows one of four bytes or more.
	Env map[string]string
	// Dir is where the children run; empty means this process's directory.
	Dir string
	// Processes is how many children there are, each used by one call at a
	// time; 0 means 1. They are started when they are first needed.
	Processes int
	// Timeout bounds one call, a batch being one; 0 means 30s. A child that does
	// not keep it is killed, as it may be stuck.
	Timeout time.Duration
	// Start is added to the time limit until a new child's first answer, while
	// it loads its model; 0 means 1m.
	Start time.Duration
	// Grace is how long a child has to end after its input is closed, and again
	// after SIGTERM, before it is killed; 0 means 5s.
	Grace time.Duration
	// Backoff is the wait before a child that failed is replaced; it doubles up
	// to MaxBackoff until there is an answer. 0 means 100ms and 10s.
	Backoff, MaxBackoff time.Duration
	// MaxLine bounds an answer's line in bytes; 0 means 16 MiB.
	MaxLine int
	// Logger takes what the children write to standard error, line by line, and
	// why they end; nil means slog.Default().
	Logger *slog.Logger
}

// slot is the place of one child. Whoever took it from Model.free owns it.
type slot struct {
	child    *child // nil when none runs
	failures int    // in a row, without an answer
}

type model struct {
	cfg     Config
	log     *slog.Logger
	redact  *redact.Redactor
	free    chan *slot
	closing chan struct{} // closed by Close

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup // calls under way and slots that wait for their back-off
}

// New makes the model; it starts no child. Its errors name the option that is wrong.
func New(cfg Config) (pipeline.Model, error) {
	if len(cfg.Command) == 0 || cfg.Command[0] == "" {
		return nil, errors.New("command: is empty; give the program and its arguments, such as [python3, tagger.py]")
	}
	for name, value := range cfg.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(value, 0) {
			return nil, fmt.Errorf("env: %q cannot be set; names have no '=', values no zero byte", name)
		}
	}
	for _, o := range []struct {
		name string
		bad  bool
	}{{"processes", cfg.Processes < 0}, {"timeout", cfg.Timeout < 0}, {"start", cfg.Start < 0}, {"grace", cfg.Grace < 0},
		{"backoff", cfg.Backoff < 0 || cfg.MaxBackoff < 0}, {"the bound of a line", cfg.MaxLine < 0}} {
		if o.bad {
			return nil, fmt.Errorf("%s: is negative; leave it out for the default", o.name)
		}
	}
	cfg.Processes = orDefault(cfg.Processes, 1)
	cfg.Timeout = orDefault(cfg.Timeout, 30*time.Second)
	cfg.Start = orDefault(cfg.Start, time.Minute)
	cfg.Grace = orDefault(cfg.Grace, 5*time.Second)
	cfg.Backoff = orDefault(cfg.Backoff, 100*time.Millisecond)
	cfg.MaxBackoff = max(cfg.Backoff, orDefault(cfg.MaxBackoff, 10*time.Second))
	cfg.MaxLine = orDefault(cfg.MaxLine, 16<<20)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	var secrets []string
	for _, v := range cfg.Env {
		secrets = append(secrets, v)
	}
	m := &model{
		cfg:     cfg,
		log:     cfg.Logger.With("model", cfg.Name),
		redact:  redact.New(secrets...),
		free:    make(chan *slot, cfg.Processes),
		closing: make(chan struct{}),
	}
	for range cfg.Processes {
		m.free <- &slot{}
	}
	return m, nil
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// Predict sends the inputs to one child, one line each without waiting in
// between, and reads as many answers, in order. A record's own error is its
// result's; when the child fails, the call does.
func (m *model) Predict(ctx context.Context, inputs []pipeline.Input) ([]pipeline.Result, error) {
	if len(inputs) == 0 {
		return nil, nil
	}
	if !m.begin() {
		return nil, m.failed(worker.Retriable, errClosed)
	}
	defer m.calls.Done()
	results := make([]pipeline.Result, len(inputs))
	lines, at := requests(inputs, results)
	if len(lines) == 0 {
		return results, nil
	}
	var s *slot
	select {
	case s = <-m.free:
	case <-ctx.Done():
		return nil, m.failed(worker.Retriable, fmt.Errorf("given up while waiting for a child: %w", ctx.Err()))
	case <-m.closing:
		return nil, m.failed(worker.Retriable, errClosed)
	}
	answers, err := m.call(ctx, s, lines)
	m.release(s, ctx.Err() != nil)
	if err != nil {
		return nil, err
	}
	for j, answer := range answers {
		results[at[j]] = answer
	}
	return results, nil
}

var errClosed = errors.New("the model is closed")

func (m *model) begin() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.calls.Add(1)
	return true
}

// release gives a slot back, after its back-off if its child failed: until
// then calls go to the other children.
func (m *model) release(s *slot, cut bool) {
	if s.failures == 0 || cut {
		m.free <- s
		return
	}
	m.calls.Add(1) // this call's own is not yet done, so Close has not passed its Wait
	go func() {
		defer m.calls.Done()
		timer := time.NewTimer(m.backoff(s.failures))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-m.closing:
		}
		m.free <- s
	}()
}

// backoff is the wait after so many failures in a row.
func (m *model) backoff(failures int) time.Duration {
	switch {
	case failures == 0:
		return 0
	case failures > 30: // the doubling would run over
		return m.cfg.MaxBackoff
	}
	return min(m.cfg.MaxBackoff, m.cfg.Backoff<<(failures-1))
}

// Close ends the calls under way and the children: their input is closed, then
// they get SIGTERM, then SIGKILL, with Config.Grace in between. It returns when
// all are gone.
func (m *model) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	m.mu.Unlock()
	close(m.closing)
	m.calls.Wait()
	var wg sync.WaitGroup
	for range m.cfg.Processes {
		if s := <-m.free; s.child != nil {
			wg.Go(func() { s.child.end(m.cfg.Grace) })
		}
	}
	wg.Wait()
	return nil
}

func (m *model) failed(class worker.Class, err error) error {
	return &worker.Error{Class: class, Stage: "call", Err: fmt.Errorf("exec %s: %w", m.cfg.Name, err)}
}

// environment is this process's with the declared one after it: of a name that
// is there twice, os/exec takes the last.
func environment(base []string, extra map[string]string) []string {
	env := slices.Clone(base)
	for name, value := range extra {
		env = append(env, name+"="+value)
	}
	return env
}
