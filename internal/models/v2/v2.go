// Package v2 is the model protocol `v2`: the Open Inference Protocol over REST
// (kserve/open-inference-protocol, inference_rest.md), as MLServer, Triton and
// KServe serve it. Records become rows of named tensors; docs/models.md shows both ways.
package v2

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/leatdev/leat/internal/models/httpcall"
	"github.com/leatdev/leat/internal/models/jsonvalue"
	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

// Config declares one v2 model.
type Config struct {
	// Config.URL is the server's, without /v2.
	httpcall.Config
	// Model is the model's name on the server, Version its version; empty lets
	// the server choose.
	Model, Version string
	// Inputs are the tensors that the model takes, at least one.
	Inputs []Input
	// Parameters are sent with every request: strings, numbers, booleans.
	Parameters map[string]any
}

// Input declares one tensor.
type Input struct {
	// Name of the tensor in the model's signature.
	Name string
	// Datatype is BOOL, UINT8 to UINT64, INT8 to INT64, FP16, FP32, FP64 or BYTES (text).
	Datatype string
	// Shape is that of one record, without the batch dimension; one dimension
	// may be -1, which the value decides. nil takes the value's own shape.
	Shape []int
	// Value takes the tensor's value out of a record: a scalar, or lists of
	// lists of them. Its errors are the record's: poison, if they bring no class.
	Value func(pipeline.Input) (any, error)
}

// Model speaks to one model of one server.
type Model struct {
	caller *httpcall.Caller // of the server
	infers *httpcall.Caller
	readys []*httpcall.Caller // of the server and of the model
	cfg    Config
}

var _ pipeline.Model = (*Model)(nil)

// New makes the model; it opens no connection. Its errors name the option that
// is wrong.
func New(cfg Config) (pipeline.Model, error) {
	if cfg.Model == "" || cfg.Model == "." || cfg.Model == ".." {
		return nil, fmt.Errorf("model: %q is no model name; give the name under which the server lists it", cfg.Model)
	}
	if cfg.Version == "." || cfg.Version == ".." {
		return nil, fmt.Errorf("version: %q is no version", cfg.Version)
	}
	if len(cfg.Inputs) == 0 {
		return nil, fmt.Errorf("inputs: model %s needs at least one, such as {text: {datatype: BYTES, value: value.text}}", cfg.Model)
	}
	for i, in := range cfg.Inputs {
		if err := in.check(); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(cfg.Inputs[:i], func(o Input) bool { return o.Name == in.Name }) {
			return nil, fmt.Errorf("inputs: %s is given twice", in.Name)
		}
	}
	for name, v := range cfg.Parameters {
		switch v.(type) {
		case string, bool, float64, int, int64:
		default:
			return nil, fmt.Errorf("parameters: %s is a %T; the protocol has strings, numbers and booleans", name, v)
		}
	}
	// The server's own pages show URLs with /v2: take both.
	if base, ok := strings.CutSuffix(strings.TrimRight(cfg.URL, "/"), "/v2"); ok {
		cfg.URL = base
	}
	caller, err := httpcall.New(cfg.Config)
	if err != nil {
		return nil, err
	}
	path := []string{"v2", "models", cfg.Model}
	if cfg.Version != "" {
		path = append(path, "versions", cfg.Version)
	}
	model := caller.At(path...)
	return &Model{
		caller: caller,
		infers: model.At("infer"),
		readys: []*httpcall.Caller{caller.At("v2", "health", "ready"), model.At("ready")},
		cfg:    cfg,
	}, nil
}

// Close closes the idle connections.
func (m *Model) Close() error { return m.caller.Close() }

// Ready asks whether the server and this model are ready, for probes. What
// stands in the way is an outage.
func (m *Model) Ready(ctx context.Context) error {
	for _, ready := range m.readys {
		if _, err := ready.Get(ctx); err != nil {
			if e := (*worker.Error)(nil); errors.As(err, &e) {
				err = e.Err // its class is that of a call
			}
			return worker.NewError(worker.Outage, fmt.Errorf("model %s is not ready: %w", m.cfg.Model, err))
		}
	}
	return nil
}

// row is one record's part of every input tensor.
type row struct {
	at      int // among the inputs of Predict
	tensors []flat
}

// Predict sends the inputs as rows of one request; rows of different shapes
// cannot lie in one tensor and go in a request each shape. It fails whole when
// a request of several rows does.
func (m *Model) Predict(ctx context.Context, inputs []pipeline.Input) ([]pipeline.Result, error) {
	results := make([]pipeline.Result, len(inputs))
	groups, order := map[string][]row{}, []string(nil)
	for i, in := range inputs {
		r, shape, err := m.row(i, in)
		if err != nil {
			results[i].Err = err
			continue
		}
		if groups[shape] == nil {
			order = append(order, shape)
		}
		groups[shape] = append(groups[shape], r)
	}
	for _, shape := range order {
		rows := groups[shape]
		values, err := m.infer(ctx, inputs, rows)
		switch {
		case err != nil && (len(rows) > 1 || len(order) == 1):
			return nil, err
		case err != nil:
			results[rows[0].at].Err = err
		default:
			for j, r := range rows {
				results[r.at].Value = values[j]
			}
		}
	}
	return results, nil
}

// row makes a record's row and a text that equals that of rows of the same shape.
func (m *Model) row(at int, in pipeline.Input) (row, string, error) {
	r := row{at: at}
	var shapes strings.Builder
	for _, t := range m.cfg.Inputs {
		value, err := t.Value(in)
		if err != nil {
			return r, "", inputError(t.Name, err)
		}
		f, err := t.flatten(value)
		if err != nil {
			return r, "", inputError(t.Name, err)
		}
		r.tensors = append(r.tensors, f)
		fmt.Fprint(&shapes, f.shape)
	}
	return r, shapes.String(), nil
}

// infer makes one request for rows of one shape and returns a result for each.
func (m *Model) infer(ctx context.Context, inputs []pipeline.Input, rows []row) ([]any, error) {
	sent := make([]pipeline.Input, len(rows))
	for i, r := range rows {
		sent[i] = inputs[r.at]
	}
	id := requestID(sent)
	body, err := m.request(id, rows)
	if err != nil {
		return nil, err
	}
	_, reply, err := m.infers.Post(ctx, body, httpcall.RecordHeaders(sent))
	if err != nil {
		return nil, err
	}
	values, err := readReply(reply, id, len(rows))
	if err != nil {
		return nil, m.infers.BadReply(err.Error(), reply)
	}
	return values, nil
}

// requestID is the event's id, or the first one's and how many follow it.
func requestID(inputs []pipeline.Input) string {
	if len(inputs) == 1 {
		return inputs[0].ID
	}
	return fmt.Sprintf("%s+%d", inputs[0].ID, len(inputs)-1)
}

func (m *Model) request(id string, rows []row) ([]byte, error) {
	body := []byte("{")
	if id != "" {
		quoted, err := jsonvalue.Encode(id)
		if err != nil {
			return nil, err
		}
		body = append(append(append(body, `"id":`...), quoted...), ',')
	}
	if len(m.cfg.Parameters) > 0 {
		parameters, err := jsonvalue.Encode(m.cfg.Parameters)
		if err != nil {
			return nil, err
		}
		body = append(append(append(body, `"parameters":`...), parameters...), ',')
	}
	body = append(body, `"inputs":[`...)
	for i, t := range m.cfg.Inputs {
		if i > 0 {
			body = append(body, ',')
		}
		body = t.appendTensor(body, rows, i)
	}
	return append(body, "]}"...), nil
}

func inputError(name string, err error) error {
	class := worker.Poison
	if e := (*worker.Error)(nil); errors.As(err, &e) {
		class = e.Class
	}
	return &worker.Error{Class: class, Stage: "call", Err: fmt.Errorf("input %s: %w", name, err)}
}
