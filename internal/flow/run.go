package flow

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

// StepStatus is one step that runs, or ran. Its JSON form is stable.
type StepStatus struct {
	Pipeline string        `json:"pipeline"`
	Step     string        `json:"step"`
	Worker   worker.Status `json:"worker"`
	// Join is there for joins.
	Join *JoinStatus `json:"join,omitempty"`
	// Error is why the step has stopped by itself; the others go on.
	Error string `json:"error,omitempty"`
}

// running is one step at work.
type running struct {
	p      *pipeline.Pipeline
	s      *pipeline.Step
	worker *worker.Worker
	joiner *joiner // nil but for joins
	err    error   // under Flow.mu
}

// Ready is closed when Run has prepared the topics and all steps are at work.
func (f *Flow) Ready() <-chan struct{} { return f.ready }

// Status tells of every step; it is empty before Ready. It may be called at any
// time from any goroutine.
func (f *Flow) Status() []StepStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]StepStatus, 0, len(f.steps))
	for _, r := range f.steps {
		s := StepStatus{Pipeline: r.p.Name, Step: r.s.Name, Worker: r.worker.Status()}
		if r.joiner != nil {
			s.Join = r.joiner.snapshot()
		}
		if r.err != nil {
			s.Error = r.err.Error()
		}
		out = append(out, s)
	}
	return out
}

// Collectors are the metrics of all steps, for a Prometheus registry; there are
// none before Ready.
func (f *Flow) Collectors() []prometheus.Collector {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []prometheus.Collector
	for _, r := range f.steps {
		out = append(out, r.worker.Collector())
		if r.joiner != nil {
			out = append(out, r.joiner)
		}
	}
	return out
}

// Run checks the pipelines, creates what topics lack, and runs every step until
// ctx ends; then all of them drain. What is wrong with the configuration (a
// secret that is not set, a model that cannot be made, unequal partition counts)
// is returned at once. A step that stops by itself is shown in Status while the
// others go on, and its error is returned at the end. Run may be called once.
func (f *Flow) Run(ctx context.Context) error {
	models, err := f.models()
	if err != nil {
		return err
	}
	defer func() {
		for name, m := range models {
			if err := m.Close(); err != nil {
				f.cfg.Logger.Warn("a model did not end well", "model", name, "error", err)
			}
		}
	}()
	report, err := f.Prepare(ctx)
	if err != nil {
		return err
	}
	for _, d := range report.Differences {
		f.cfg.Logger.Warn("a topic is not as it is declared; it is left as it is", "topic", d.Topic, "what", d.What, "declared", d.Declared, "actual", d.Actual)
	}
	steps, err := f.build(models, report)
	defer func() {
		for _, r := range steps {
			if r.joiner != nil {
				r.joiner.state.close()
			}
		}
	}()
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.steps = steps
	f.mu.Unlock()
	var wg sync.WaitGroup
	for _, r := range steps {
		wg.Go(func() { f.runStep(ctx, r) })
	}
	close(f.ready)
	wg.Wait()
	var errs []error
	for _, r := range steps {
		if r.err != nil {
			errs = append(errs, fmt.Errorf("step %s: %w", r.p.Group(r.s), r.err))
		}
	}
	return errors.Join(errs...)
}

func (f *Flow) runStep(ctx context.Context, r *running) {
	stop := func() {}
	if r.joiner != nil {
		// A draining worker still gives partitions back, and the join settles what it
		// has decided: it ends after the worker.
		jctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		var wg sync.WaitGroup
		wg.Go(func() { r.joiner.run(jctx) })
		stop = func() { cancel(); wg.Wait() }
	}
	err := r.worker.Run(ctx)
	stop()
	if err != nil {
		f.cfg.Logger.Error("a step has stopped; the others go on", "pipeline", r.p.Name, "step", r.s.Name, "error", err)
	}
	f.mu.Lock()
	r.err = err
	f.mu.Unlock()
}

// models makes the models of all pipelines, by pipeline.model. All that is wrong
// is said at once.
func (f *Flow) models() (map[string]pipeline.Model, error) {
	if err := pipeline.Resolve(f.pipelines, f.cfg.LookupEnv); err != nil {
		return nil, err
	}
	models := map[string]pipeline.Model{}
	var problems pipeline.Problems
	for _, p := range f.pipelines {
		for _, spec := range p.Models {
			m, err := f.model(spec)
			if err != nil {
				problems = append(problems, pipeline.Problem{Pos: spec.Pos, Text: fmt.Sprintf("model %s: %v", spec.Name, err)})
				continue
			}
			models[p.Name+"."+spec.Name] = m
		}
	}
	if len(problems) > 0 {
		for _, m := range models {
			_ = m.Close() // never used
		}
		return nil, problems
	}
	return models, nil
}

func (f *Flow) model(spec *pipeline.ModelSpec) (pipeline.Model, error) {
	construct, ok := f.cfg.Protocols[spec.Protocol]
	if !ok {
		return nil, fmt.Errorf("protocol %s is not known to this program", spec.Protocol)
	}
	return construct(spec)
}

// build makes the workers of all steps. It returns those it made even with an
// error.
func (f *Flow) build(models map[string]pipeline.Model, report *Report) ([]*running, error) {
	var steps []*running
	for _, p := range f.pipelines {
		for _, s := range p.Steps {
			r := &running{p: p, s: s}
			var cfg worker.Config
			if s.Join != nil {
				state, err := newRowState(f, p, s, report.maxBytes(p.Rows(s)))
				if err != nil {
					return steps, err
				}
				r.joiner = newJoiner(p, s, state, f.cfg.Logger)
				cfg = r.joiner.workerConfig()
			} else {
				cfg = newStep(p, s, models[p.Name+"."+s.Model]).workerConfig()
			}
			steps = append(steps, r)
			cfg.Seeds = f.cfg.Seeds
			cfg.ClientOpts = append(append(cfg.ClientOpts, kgo.SessionTimeout(sessionTimeout)), f.cfg.ClientOpts...)
			cfg.Logger = f.cfg.Logger
			w, err := worker.New(cfg)
			if err != nil {
				return steps, err
			}
			r.worker = w
			if r.joiner != nil {
				r.joiner.status = w.Status
			}
		}
	}
	return steps, nil
}

// sessionTimeout is how long the partitions of a process that was killed stay
// unread. Kafka's own 45 s is longer than most joins want to wait.
const sessionTimeout = 10 * time.Second

func (r *Report) maxBytes(topic string) int64 {
	for _, t := range r.Topics {
		if t.Name == topic {
			return max(t.maxBytes, kafkaMaxBytes)
		}
	}
	return kafkaMaxBytes
}
