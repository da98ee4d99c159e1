// Package http is the model protocol `http`: records as JSON, by POST, to any
// URL. The three shapes are in docs/models.md.
package http

import (
	"context"
	"fmt"

	"github.com/leatdev/leat/internal/models/fanout"
	"github.com/leatdev/leat/internal/models/httpcall"
	"github.com/leatdev/leat/internal/models/jsonvalue"
	"github.com/leatdev/leat/pipeline"
)

// Shape is how records lie in a request's body.
type Shape string

const (
	// Single sends one record per call: its value is the body, the reply's body
	// is the result, 204 is the result null. The records of one Predict are
	// called in parallel, as far as Concurrency allows.
	Single Shape = "single"
	// List sends a JSON array of the values and takes an array of the same length.
	List Shape = "list"
	// V1 sends {"instances": [...]} and takes {"predictions": [...]} of the same
	// length: the "row" format of TensorFlow Serving's REST API and KServe's v1 protocol.
	V1 Shape = "v1"
)

// Config declares one http model.
type Config struct {
	httpcall.Config
	// Shape is how records are sent; empty means Single.
	Shape Shape
}

type model struct {
	caller *httpcall.Caller
	shape  Shape
}

// New makes the model; it opens no connection. Its errors name the option that
// is wrong.
func New(cfg Config) (pipeline.Model, error) {
	switch cfg.Shape {
	case "":
		cfg.Shape = Single
	case Single, List, V1:
	default:
		return nil, fmt.Errorf("shape: %q is not known; use single, list or v1", cfg.Shape)
	}
	caller, err := httpcall.New(cfg.Config)
	if err != nil {
		return nil, err
	}
	return &model{caller: caller, shape: cfg.Shape}, nil
}

func (m *model) Close() error { return m.caller.Close() }

func (m *model) Predict(ctx context.Context, inputs []pipeline.Input) ([]pipeline.Result, error) {
	if len(inputs) == 0 {
		return nil, nil
	}
	results := make([]pipeline.Result, len(inputs))
	if m.shape == Single {
		fanout.Each(len(inputs), m.caller.Concurrency(), func(i int) { results[i] = m.one(ctx, inputs[i]) })
		return results, nil
	}
	// A value that JSON cannot say is that record's own error; the others go on without it.
	var sent []pipeline.Input
	var values [][]byte
	var at []int
	for i, in := range inputs {
		body, err := jsonvalue.Encode(in.Value)
		if err != nil {
			results[i].Err = err
			continue
		}
		sent, values, at = append(sent, in), append(values, body), append(at, i)
	}
	if len(sent) == 0 {
		return results, nil
	}
	answers, err := m.many(ctx, sent, values)
	if err != nil {
		return nil, err
	}
	for j, answer := range answers {
		results[at[j]].Value = answer
	}
	return results, nil
}
