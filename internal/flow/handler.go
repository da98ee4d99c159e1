package flow

import (
	"context"
	"fmt"

	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
	"github.com/twmb/franz-go/pkg/kgo"
)

// handle takes a batch through the step: decode, when, input, one call of the
// model for all that are left, output. It implements worker.HandlerFunc.
func (st *step) handle(ctx context.Context, ms []*worker.Message) ([]worker.Outcome, error) {
	outcomes := make([]worker.Outcome, len(ms))
	var inputs []pipeline.Input
	var envs []pipeline.Env
	var at []int
	for i, m := range ms {
		if m.Value == nil {
			// A tombstone says that a key is gone. No model has an opinion on that,
			// and whoever keeps a table of results wants to hear it.
			outcomes[i] = worker.Done(st.result(m, nil))
			continue
		}
		e, in, pass, err := st.prepare(m)
		switch {
		case err != nil:
			outcomes[i] = worker.Failed(err)
		case !pass:
			outcomes[i] = worker.Filtered(st.announcement(m, "")...)
		default:
			inputs, envs, at = append(inputs, in), append(envs, e), append(at, i)
		}
	}
	results, err := st.predict(ctx, inputs)
	if err != nil {
		return nil, err
	}
	for j, i := range at {
		value, err := st.finish(envs[j], results[j])
		if err != nil {
			outcomes[i] = worker.Failed(err)
			continue
		}
		outcomes[i] = worker.Done(st.result(ms[i], value))
	}
	return outcomes, nil
}

// prepare reads a message and makes what the model is given. pass is false when
// `when` declines it.
func (st *step) prepare(m *worker.Message) (e pipeline.Env, in pipeline.Input, pass bool, err error) {
	value, err := decode(st.in, m.Value)
	if err != nil {
		return e, in, false, err
	}
	e = env(m, value)
	if st.s.When != nil {
		if pass, err := st.s.When.Test(e); err != nil || !pass {
			return e, in, false, evaluation("when", err)
		}
	}
	in = pipeline.Input{
		ID: m.Identity.ID, IdempotencyKey: m.IdempotencyKey(st.p.Group(st.s)),
		Key: m.Key, Value: value, Headers: e.Headers,
	}
	if st.s.Input != nil {
		if in.Value, err = st.s.Input.Eval(e); err != nil {
			return e, in, false, evaluation("input", err)
		}
	}
	return e, in, true, nil
}

// predict calls the model, if there is one and something to ask.
func (st *step) predict(ctx context.Context, inputs []pipeline.Input) ([]pipeline.Result, error) {
	if st.model == nil || len(inputs) == 0 {
		results := make([]pipeline.Result, len(inputs))
		for i := range inputs {
			results[i].Value = inputs[i].Value
		}
		return results, nil
	}
	if st.s.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, st.s.Timeout)
		defer cancel()
	}
	results, err := st.model.Predict(ctx, inputs)
	if err != nil {
		return nil, atStage(err, "call")
	}
	if len(results) != len(inputs) {
		return nil, worker.NewError(worker.Fatal, fmt.Errorf("model %s answered %d inputs with %d results; it must give exactly one each, in their order", st.s.Model, len(inputs), len(results)))
	}
	return results, nil
}

// finish makes the value that is written of a model's result.
func (st *step) finish(e pipeline.Env, r pipeline.Result) ([]byte, error) {
	if r.Err != nil {
		return nil, atStage(r.Err, "call")
	}
	value := r.Value
	if st.s.Output != nil {
		var err error
		if value, err = st.s.Output.Eval(pipeline.OutputEnv{Env: e, Result: r.Value}); err != nil {
			return nil, evaluation("output", err)
		}
	}
	return encode(st.out, value)
}

// evaluation makes the failure of an expression the record's own: a repeat would
// meet it again.
func evaluation(stage string, err error) error {
	if err == nil {
		return nil
	}
	return poison(stage, err)
}

// announcement tells the joins behind the step that it makes nothing of m:
// because of a dead letter at that position, or, when that is empty, because
// `when` declined it.
func (st *step) announcement(m *worker.Message, deadLetter string) []*kgo.Record {
	if !st.announces {
		return nil
	}
	return []*kgo.Record{outcome{Step: st.s.Name, Event: m.Identity.Root, DeadLetter: deadLetter}.record(st.p, m.Key, rootPosition(st.p, m.Identity, m.Headers))}
}
