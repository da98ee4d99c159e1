package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/leatdev/leat/internal/models/jsonvalue"
	"github.com/leatdev/leat/pipeline"
	"github.com/leatdev/leat/worker"
)

// decode reads a record's value as the topic's format says. A failure is the
// record's: it will never be readable.
func decode(f pipeline.Format, data []byte) (any, error) {
	switch f {
	case pipeline.PlainText:
		if !utf8.Valid(data) {
			return nil, poison("decode", errors.New("the value is not UTF-8, as format text demands"))
		}
		return string(data), nil
	case pipeline.Bytes:
		return data, nil
	}
	v, err := jsonvalue.Decode(data)
	if err != nil {
		return nil, poison("decode", fmt.Errorf("the value is not JSON: %w", err))
	}
	return v, nil
}

// encode writes a result as the topic's format says.
func encode(f pipeline.Format, v any) ([]byte, error) {
	switch f {
	case pipeline.PlainText:
		if s, ok := v.(string); ok && utf8.ValidString(s) {
			return []byte(s), nil
		}
		return nil, poison("output", fmt.Errorf("the result is %T, but the topic's format is text; an `output` can make a text of it", v))
	case pipeline.Bytes:
		switch v := v.(type) {
		case []byte:
			return v, nil
		case string:
			return []byte(v), nil
		}
		return nil, poison("output", fmt.Errorf("the result is %T, but the topic's format is bytes; an `output` can make a text of it", v))
	}
	data, err := jsonvalue.Encode(v)
	if err != nil {
		return nil, poison("output", err)
	}
	return data, nil
}

// deepest is how many levels of lists and objects encoding/json reads. JSON that is
// so deep has at least twice as many bytes.
const deepest = 10_000

// inRow returns a part's value as it stands in a row: JSON as it came, text as a
// string, bytes as base64, a null value as null. A row is one level deeper than its
// parts, and one that could not be read back would be forgotten by a restart.
func inRow(f pipeline.Format, data []byte) (json.RawMessage, error) {
	if data == nil {
		return json.RawMessage("null"), nil
	}
	if f == pipeline.JSON {
		if !utf8.Valid(data) {
			return nil, poison("decode", errors.New("the value is not JSON: not UTF-8"))
		}
		var raw json.RawMessage
		if err := json.Unmarshal(data, &raw); err != nil {
			return nil, poison("decode", fmt.Errorf("the value is not JSON: %w", err))
		}
		if len(data) >= 2*deepest && !json.Valid(slices.Concat([]byte("["), data, []byte("]"))) {
			return nil, poison("decode", fmt.Errorf("the value is nested too deeply for a row: %d levels are one too many", deepest))
		}
		return raw, nil
	}
	v, err := decode(f, data)
	if err != nil {
		return nil, err
	}
	return jsonvalue.Encode(v)
}

var contentTypes = map[pipeline.Format]string{
	pipeline.JSON: "application/json", pipeline.PlainText: "text/plain; charset=utf-8", pipeline.Bytes: "application/octet-stream",
}

func poison(stage string, err error) error {
	return &worker.Error{Class: worker.Poison, Stage: stage, Err: err}
}
