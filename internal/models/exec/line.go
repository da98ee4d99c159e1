package exec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/leatdev/leat/internal/models/jsonvalue"
	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

// request is the line of one record; its answer must carry the same id.
type request struct {
	id   string
	line []byte // with its newline
}

// requests makes the lines of the inputs and tells whose they are. An input
// that JSON cannot say gets its error at once.
func requests(inputs []pipeline.Input, results []pipeline.Result) (lines []request, at []int) {
	for i, in := range inputs {
		id, err := jsonvalue.Encode(in.ID)
		if err != nil {
			results[i].Err = err
			continue
		}
		value, err := jsonvalue.Encode(in.Value)
		if err != nil {
			results[i].Err = err
			continue
		}
		line := slices.Concat([]byte(`{"id":`), id, []byte(`,"value":`), value, []byte("}\n"))
		lines, at = append(lines, request{id: in.ID, line: line}), append(at, i)
	}
	return lines, at
}

// answer is a child's line: the id and either a result or an error.
type answer struct {
	ID     *string         `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *string         `json:"error"`
	Class  string          `json:"class"`
}

// classes that a child may give an error; none means retriable, as everywhere.
var classes = map[string]worker.Class{
	"": worker.Retriable, "retriable": worker.Retriable, "poison": worker.Poison, "outage": worker.Outage,
}

// readAnswer reads the line that answers the request with this id. Its error
// means that the child does not keep to the protocol and cannot be trusted
// with the next line.
func readAnswer(line []byte, id string) (pipeline.Result, error) {
	if !utf8.Valid(line) {
		return pipeline.Result{}, errors.New("a line on standard output is not UTF-8")
	}
	var a answer
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		return pipeline.Result{}, fmt.Errorf("a line on standard output is not an answer (%w); print nothing but answers there and everything else to standard error", err)
	}
	class, known := classes[a.Class]
	_, err := dec.Token()
	switch {
	case err != io.EOF:
		return pipeline.Result{}, errors.New("a line on standard output holds more than one answer")
	case a.ID == nil:
		return pipeline.Result{}, fmt.Errorf("an answer has no id; it must repeat that of its request, %q", id)
	case *a.ID != id:
		return pipeline.Result{}, fmt.Errorf("an answer has the id %q where that of the request, %q, is due; answer every line once and in order", *a.ID, id)
	case (a.Result != nil) == (a.Error != nil):
		return pipeline.Result{}, errors.New("an answer must have either a result or an error")
	case !known || a.Class != "" && a.Error == nil:
		return pipeline.Result{}, fmt.Errorf("an answer has the class %q; errors have poison, retriable or outage", a.Class)
	case a.Error != nil:
		return pipeline.Result{Err: &worker.Error{Class: class, Stage: "call", Err: errors.New(*a.Error)}}, nil
	}
	value, err := jsonvalue.Decode(a.Result)
	if err != nil {
		return pipeline.Result{}, fmt.Errorf("an answer's result is %w", err)
	}
	return pipeline.Result{Value: value}, nil
}
