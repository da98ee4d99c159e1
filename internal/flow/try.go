package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TryInput is the one record that Try takes through a step.
type TryInput struct {
	// Step is a step's name, or pipeline.step when several pipelines have it.
	Step    string
	Value   []byte // nil is a tombstone
	Key     []byte
	Headers map[string]string
	// Topic is one of the step's inputs; the first when empty.
	Topic string
}

// TryResult is what became of it.
type TryResult struct {
	// Topic, Key, Value and Headers are those of the record that would be written;
	// Topic is empty when there is none.
	Topic   string            `json:"topic,omitempty"`
	Key     string            `json:"key,omitempty"`
	Value   []byte            `json:"-"`
	Headers map[string]string `json:"headers,omitempty"`
	// Skipped says that `when` declined the record.
	Skipped bool `json:"skipped,omitempty"`
	// Err is why the record would fail; its class (worker.ClassOf) says what would
	// follow.
	Err error `json:"-"`
	// DeadLetter is where it would go then, if its class is poison.
	DeadLetter string `json:"deadLetter,omitempty"`
	// TookMs is the time of the step with its model call, in milliseconds.
	TookMs float64 `json:"tookMs"`
}

// Try takes one record through one step with its real model, and no cluster:
// nothing is read and nothing written. The error is about the question (an
// unknown step, a model that cannot be made); what the record meets is in the
// result.
func (f *Flow) Try(ctx context.Context, in TryInput) (*TryResult, error) {
	p, s, err := f.find(in.Step)
	if err != nil {
		return nil, err
	}
	if s.Join != nil {
		return nil, fmt.Errorf("step %s is a join: it needs several records, and one has no row", s.Name)
	}
	if in.Topic == "" {
		in.Topic = s.From[0]
	} else if !slices.Contains(s.From, in.Topic) {
		return nil, fmt.Errorf("step %s does not read %s; it reads %s", s.Name, in.Topic, strings.Join(s.From, ", "))
	}
	var model pipeline.Model
	if spec := p.Model(s.Model); spec != nil {
		// Only this model: the secrets of others need not be at hand.
		only := *p
		only.Models = []*pipeline.ModelSpec{spec}
		if err := pipeline.Resolve([]*pipeline.Pipeline{&only}, f.cfg.LookupEnv); err != nil {
			return nil, err
		}
		if model, err = f.model(spec); err != nil {
			return nil, fmt.Errorf("%s: model %s: %w", spec.Pos, spec.Name, err)
		}
		defer func() { _ = model.Close() }() // its answer is in hand
	}
	return f.try(ctx, newStep(p, s, model), in), nil
}

func (f *Flow) try(ctx context.Context, st *step, in TryInput) *TryResult {
	rec := &kgo.Record{Topic: in.Topic, Key: in.Key, Value: in.Value, Timestamp: time.Now()}
	for k, v := range in.Headers {
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: k, Value: []byte(v)})
	}
	m := &worker.Message{Record: rec, Identity: event.Identify(rec)}
	res := &TryResult{}
	began := time.Now()
	res.Topic, res.Value, res.Skipped, res.Err = st.one(ctx, m)
	res.TookMs = float64(time.Since(began).Microseconds()) / 1000
	switch {
	case res.Err != nil && worker.ClassOf(res.Err) == worker.Poison:
		res.DeadLetter = st.s.DLQ
	case res.Err == nil && !res.Skipped:
		out := st.result(m, res.Value)
		res.Key, res.Headers = string(out.Key), headers(out)
	}
	return res
}

// one takes a single message through the step.
func (st *step) one(ctx context.Context, m *worker.Message) (topic string, value []byte, skipped bool, err error) {
	if m.Value == nil {
		return st.s.To, nil, false, nil
	}
	e, in, pass, err := st.prepare(m)
	if err != nil || !pass {
		return "", nil, err == nil, err
	}
	results, err := st.predict(ctx, []pipeline.Input{in})
	if err != nil {
		return "", nil, false, err
	}
	if value, err = st.finish(e, results[0]); err != nil {
		return "", nil, false, err
	}
	return st.s.To, value, false, nil
}

// find returns the step of a name.
func (f *Flow) find(name string) (*pipeline.Pipeline, *pipeline.Step, error) {
	var p *pipeline.Pipeline
	var s *pipeline.Step
	var known []string
	for _, q := range f.pipelines {
		for _, t := range q.Steps {
			known = append(known, t.Name)
			if name != t.Name && name != q.Group(t) {
				continue
			}
			if s != nil {
				return nil, nil, fmt.Errorf("several pipelines have a step %s: say %s or %s", name, p.Group(s), q.Group(t))
			}
			p, s = q, t
		}
	}
	if s == nil {
		if name == "" {
			return nil, nil, errors.New("say which step: " + strings.Join(known, ", "))
		}
		return nil, nil, fmt.Errorf("there is no step %s; there are %s", name, strings.Join(known, ", "))
	}
	return p, s, nil
}
