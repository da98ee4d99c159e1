package http

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/leatdev/leat/internal/models/httpcall"
	"github.com/leatdev/leat/internal/models/jsonvalue"
	"github.com/leatdev/leat/pipeline"
)

const statusNoContent = 204

// one calls for a single record in the shape Single.
func (m *model) one(ctx context.Context, in pipeline.Input) pipeline.Result {
	body, err := jsonvalue.Encode(in.Value)
	if err != nil {
		return pipeline.Result{Err: err}
	}
	status, reply, err := m.caller.Post(ctx, body, httpcall.RecordHeaders([]pipeline.Input{in}))
	if err != nil {
		return pipeline.Result{Err: err}
	}
	if status == statusNoContent {
		return pipeline.Result{}
	}
	value, err := jsonvalue.Decode(reply)
	if err != nil {
		return pipeline.Result{Err: m.caller.BadReply(fmt.Sprintf("reply is not one JSON value (%v)", err), reply)}
	}
	return pipeline.Result{Value: value}
}

// many calls once for all records in the shapes List and V1.
func (m *model) many(ctx context.Context, inputs []pipeline.Input, values [][]byte) ([]any, error) {
	array := append(append([]byte{'['}, bytes.Join(values, []byte{','})...), ']')
	if m.shape == V1 {
		array = append(append([]byte(`{"instances":`), array...), '}')
	}
	_, reply, err := m.caller.Post(ctx, array, httpcall.RecordHeaders(inputs))
	if err != nil {
		return nil, err
	}
	answers, err := m.decode(reply)
	if err != nil {
		return nil, m.caller.BadReply(err.Error(), reply)
	}
	if len(answers) != len(inputs) {
		// Which answer belongs to which record is anybody's guess.
		return nil, m.caller.BadReply(fmt.Sprintf("%d answers for %d records; a model of shape %s answers each record of a call, in order", len(answers), len(inputs), m.shape), reply)
	}
	return answers, nil
}

func (m *model) decode(reply []byte) ([]any, error) {
	value, err := jsonvalue.Decode(reply)
	if err != nil {
		return nil, fmt.Errorf("reply is not one JSON value (%w)", err)
	}
	if m.shape == List {
		if list, ok := value.([]any); ok {
			return list, nil
		}
		return nil, errors.New("reply is not a JSON array, as shape list wants it")
	}
	object, _ := value.(map[string]any)
	if predictions, ok := object["predictions"].([]any); ok {
		return predictions, nil
	}
	return nil, errors.New(`reply has no array "predictions", as shape v1 wants it`)
}
