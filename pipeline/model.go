package pipeline

import "context"

// Model turns N inputs into N results. Built-in protocols and strangers' own
// models implement this one interface; `internal/models/modeltest` holds the
// suite that each of them passes.
//
// Predict may be called from several goroutines at once (as many as the
// model's concurrency says). It must return when ctx ends.
type Model interface {
	// Predict returns exactly one Result per Input, in the inputs' order, or an
	// error when the call failed as a whole. Errors, of the call or of one
	// Result, carry a class (worker.NewError); one without counts as retriable.
	Predict(ctx context.Context, inputs []Input) ([]Result, error)
	// Close ends the model's connections or child processes and returns when
	// they are gone. No Predict is called after it.
	Close() error
}

// Input is what a model is given of one record.
type Input struct {
	// ID is the event's id, stable over repeats. Protocols that carry a request
	// id send it.
	ID string
	// IdempotencyKey names this call of this step for this record
	// (topic/partition/offset/step), stable over retries and restarts.
	IdempotencyKey string
	// Key is the record's key; nil when it has none.
	Key []byte
	// Value is the record's value after the step's `input` expression: what
	// encoding/json decodes to (map[string]any, []any, string, float64, bool,
	// nil), or string for format text, []byte for format bytes.
	Value any
	// Headers are the record's headers by name, the last one of a name.
	Headers map[string]string
}

// Result is a model's answer to one Input: a value of the kinds listed at
// Input.Value, or the error that this one input met.
type Result struct {
	Value any
	Err   error
}
