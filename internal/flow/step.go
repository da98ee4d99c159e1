package flow

import (
	"errors"

	"github.com/leatdev/leat/event"
	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
	"github.com/twmb/franz-go/pkg/kgo"
)

// step is a step of a pipeline with its model.
type step struct {
	p     *pipeline.Pipeline
	s     *pipeline.Step
	model pipeline.Model // nil when none is called
	maker event.Maker
	// in is the format of all it reads, out that of what it writes.
	in, out pipeline.Format
	// announces says that a join waits for what comes through this step.
	announces bool
}

func newStep(p *pipeline.Pipeline, s *pipeline.Step, model pipeline.Model) *step {
	st := &step{p: p, s: s, model: model, maker: event.Maker{Pipeline: p.Name, Step: s.Name}, out: p.Topic(s.To).Format, announces: p.Announces(s)}
	if s.Join == nil {
		st.in = p.Topic(s.From[0]).Format
	}
	if spec := p.Model(s.Model); spec != nil {
		st.maker.Model, st.maker.ModelVersion = spec.Name, spec.Version
	}
	return st
}

// concurrency is how many calls run at once if the step does not say: as many as
// the model takes.
func concurrency(p *pipeline.Pipeline, s *pipeline.Step) int {
	const some = 4
	spec := p.Model(s.Model)
	switch {
	case s.Concurrency > 0:
		return s.Concurrency
	case spec == nil:
		return 1 // no call to wait for
	case spec.Concurrency > 0:
		return spec.Concurrency
	case spec.Protocol == pipeline.Exec:
		return max(1, spec.Processes)
	}
	return some
}

// workerConfig is what a step's worker is told, but for the cluster.
func (st *step) workerConfig() worker.Config {
	s := st.s
	return worker.Config{
		Group:       st.p.Group(s),
		Topics:      append(append([]string{}, s.From...), st.p.Redrive(s)),
		Start:       start(s.Start),
		Order:       worker.Order(s.Order),
		Handler:     worker.HandlerFunc(st.handle),
		Batch:       worker.Batch{Max: s.Batch.Max, Wait: s.Batch.Wait},
		Concurrency: concurrency(st.p, s),
		MaxInFlight: window(st.p, s), MaxInFlightBytes: windowBytes,
		Retry: worker.Retry{Attempts: s.Retry.Attempts, Min: s.Retry.Min, Max: s.Retry.Max},
		DeadLetter: worker.DeadLetter{
			Topic: s.DLQ, Pipeline: st.p.Name, Step: s.Name, Model: s.Model,
			Announce: func(d worker.DeadLettered) []*kgo.Record {
				return st.announcement(d.Message, event.Position(d.Topic, d.Partition, d.Offset))
			},
		},
	}
}

func start(s pipeline.Start) worker.Start {
	switch {
	case s.Latest:
		return worker.Latest()
	case !s.At.IsZero():
		return worker.At(s.At)
	}
	return worker.Earliest()
}

// result is the record that the step makes of m: m's key, headers and event
// time, an id of its own, and who made it. A nil value is a tombstone.
func (st *step) result(m *worker.Message, value []byte) *kgo.Record {
	hs := event.SetHeader(event.Derive(m.Record, m.Identity, st.maker), HeaderRoot, rootPosition(st.p, m.Identity, m.Headers))
	if value != nil {
		hs = event.SetHeader(hs, "content-type", contentTypes[st.out])
	}
	return &kgo.Record{Topic: st.s.To, Key: m.Key, Value: value, Headers: hs, Timestamp: m.Timestamp}
}

// env is what the step's expressions see of m.
func env(m *worker.Message, value any) pipeline.Env {
	return pipeline.Env{
		Value: value, Key: string(m.Key), Headers: headers(m.Record),
		Topic: m.Identity.Topic, Partition: int(m.Identity.Partition), Offset: m.Identity.Offset,
		Time: m.Timestamp.UTC(), ID: m.Identity.ID,
	}
}

func headers(r *kgo.Record) map[string]string {
	out := make(map[string]string, len(r.Headers))
	for _, h := range r.Headers {
		out[h.Key] = string(h.Value)
	}
	return out
}

// atStage notes where an error happened, unless that is known already.
func atStage(err error, stage string) error {
	var e *worker.Error
	if errors.As(err, &e) && e.Stage != "" {
		return err
	}
	w := &worker.Error{Class: worker.ClassOf(err), Err: err, Stage: stage}
	if e != nil {
		w.Err, w.RetryAfter = e.Err, e.RetryAfter
	}
	return w
}
