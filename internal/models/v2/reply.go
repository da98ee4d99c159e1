package v2

import (
	"errors"
	"fmt"

	"encoding/json"

	"github.com/leatdev/leat/internal/models/jsonvalue"
)

type reply struct {
	ID      *string  `json:"id"`
	Outputs []output `json:"outputs"`
	Error   string   `json:"error"`
}

type output struct {
	Name  string          `json:"name"`
	Shape []int           `json:"shape"`
	Data  json.RawMessage `json:"data"`
}

// readReply splits a reply into the results of n rows: with a single output
// its part of the row, with several an object of them by name. Only the batch
// dimension is taken away: of the shape [n] a row is a scalar, of [n,1] a list
// of one, whatever the values are.
func readReply(body []byte, id string, n int) ([]any, error) {
	var r reply
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, fmt.Errorf("reply is not one of the Open Inference Protocol (%w)", err)
	}
	switch {
	case r.Error != "":
		return nil, errors.New("the server answered with success and an error")
	case r.ID != nil && *r.ID != "" && id != "" && *r.ID != id:
		return nil, fmt.Errorf("reply has the id %q, the request had %q: it is the answer to another one", *r.ID, id)
	case len(r.Outputs) == 0:
		return nil, errors.New("reply has no outputs")
	}
	byName := make(map[string][]any, len(r.Outputs))
	for _, o := range r.Outputs {
		rows, err := o.rows(n)
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", o.Name, err)
		}
		if byName[o.Name] != nil {
			return nil, fmt.Errorf("output %q comes twice", o.Name)
		}
		byName[o.Name] = rows
	}
	if len(r.Outputs) == 1 {
		return byName[r.Outputs[0].Name], nil
	}
	results := make([]any, n)
	for i := range results {
		row := make(map[string]any, len(byName))
		for name, rows := range byName {
			row[name] = rows[i]
		}
		results[i] = row
	}
	return results, nil
}

// rows cuts an output's data along its first dimension.
func (o output) rows(n int) ([]any, error) {
	if len(o.Shape) == 0 || o.Shape[0] != n {
		return nil, fmt.Errorf("its shape is %v for %d records; the first dimension must be the batch's. For a model that takes one record a call, set batch: {max: 1}", o.Shape, n)
	}
	// An element takes more than a byte, so no honest shape is larger than its
	// data; a dishonest one must not decide how much memory is taken, nor may
	// one that ends in 0.
	per, size := 1, 1
	for _, d := range o.Shape[1:] {
		if d < 0 || max(1, d) > max(1024, len(o.Data))/size {
			return nil, fmt.Errorf("its shape %v does not fit its data", o.Shape)
		}
		per, size = per*d, size*max(1, d)
	}
	value, err := jsonvalue.Decode(o.Data)
	if err != nil {
		return nil, errors.New("it has no data in JSON")
	}
	data, ok := value.([]any)
	if !ok {
		return nil, errors.New("its data is not a list")
	}
	// The protocol allows data to be nested in the shape or flat.
	elements := flattened(make([]any, 0, len(data)), data)
	if len(elements)/n != per || len(elements)%n != 0 {
		return nil, fmt.Errorf("its shape %v does not fit its %d elements", o.Shape, len(elements))
	}
	rows := make([]any, n)
	for i := range rows {
		rows[i] = nested(elements[i*per:(i+1)*per], o.Shape[1:])
	}
	return rows, nil
}

func flattened(dst, data []any) []any {
	for _, e := range data {
		if list, ok := e.([]any); ok {
			dst = flattened(dst, list)
		} else {
			dst = append(dst, e)
		}
	}
	return dst
}

// nested gives elements the shape, whose product their number is.
func nested(elements []any, shape []int) any {
	if len(shape) == 0 {
		return elements[0]
	}
	list := make([]any, shape[0])
	for i := range list {
		size := len(elements) / shape[0]
		list[i] = nested(elements[i*size:(i+1)*size], shape[1:])
	}
	return list
}
