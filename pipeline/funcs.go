package pipeline

import "context"

// Funcs are the functions that a Go program registers as models of protocol go,
// by the name that the declaration calls them: its `model`, else the model's own
// name.
type Funcs map[string]Func

// Func is a model as a function: exactly one of its fields is set. Functions may
// be called from several goroutines at once and must return soon after ctx ends.
type Func struct {
	// Each makes the result of one record.
	Each func(ctx context.Context, input Input) (any, error)
	// Batch makes one Result per Input, in order, or fails for all of them.
	Batch func(ctx context.Context, inputs []Input) ([]Result, error)
}
