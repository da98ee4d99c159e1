// Package jsonvalue moves record values to JSON and back for the model
// protocols: what encoding/json decodes to, and nothing else.
package jsonvalue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/leatdev/leat/worker"
)

// Encode returns v as one line of JSON, without a newline at its end. []byte
// becomes base64, as in encoding/json. What JSON cannot say (text that is not
// UTF-8, NaN, infinities) is an error of class poison: it would fail each time.
func Encode(v any) ([]byte, error) {
	if err := checkText(v); err != nil {
		return nil, worker.NewError(worker.Poison, err)
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, worker.NewError(worker.Poison, fmt.Errorf("value cannot be written as JSON: %w", err))
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// errText says why a text is refused: encoding/json would replace the bad
// bytes in silence and the model would judge another text than the record's.
var errText = errors.New("value holds text that is not UTF-8, which JSON cannot carry; declare the topic's format as bytes and send it as base64")

func checkText(v any) error {
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) {
			return errText
		}
	case []any:
		for _, e := range v {
			if err := checkText(e); err != nil {
				return err
			}
		}
	case map[string]any:
		for k, e := range v {
			if !utf8.ValidString(k) {
				return errText
			}
			if err := checkText(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// Decode reads exactly one JSON value.
func Decode(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not UTF-8")
	}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, err
	}
	return v, nil
}

// Plain returns v as a value of the kinds that pipeline.Input.Value lists: as
// it is when it is one, else what its JSON decodes to (structs, integers, maps
// of other types). The error is of class poison.
func Plain(v any) (any, error) {
	if _, ok := v.([]byte); ok || isPlain(v) {
		return v, nil
	}
	data, err := Encode(v)
	if err != nil {
		return nil, err
	}
	return Decode(data)
}

func isPlain(v any) bool {
	switch v := v.(type) {
	case nil, string, float64, bool:
		return true
	case []any:
		for _, e := range v {
			if !isPlain(e) {
				return false
			}
		}
		return true
	case map[string]any:
		for _, e := range v {
			if !isPlain(e) {
				return false
			}
		}
		return true
	}
	return false
}
