package pipeline

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"
)

// Env is what an expression sees of a record. Names in expressions are those of
// the tags.
type Env struct {
	Value     any               `expr:"value"`   // decoded as the topic's format says
	Key       string            `expr:"key"`     // empty when there is none
	Headers   map[string]string `expr:"headers"` // the last one of a name
	Topic     string            `expr:"topic"`
	Partition int               `expr:"partition"`
	Offset    int64             `expr:"offset"`
	Time      time.Time         `expr:"time"` // event time
	ID        string            `expr:"id"`   // the event's id
}

// OutputEnv is what an `output` expression sees: the record and the model's result.
type OutputEnv struct {
	Env
	Result any `expr:"result"`
}

// TensorEnv is what the value of a v2 input tensor sees: what the model is given.
type TensorEnv struct {
	Value   any               `expr:"value"`
	Key     string            `expr:"key"`
	Headers map[string]string `expr:"headers"`
	ID      string            `expr:"id"`
}

// Expr is a compiled expression (expr-lang). It is safe for concurrent use.
type Expr struct {
	Pos
	source  string
	program *vm.Program
}

// String returns the expression as it was written.
func (e *Expr) String() string {
	if e == nil {
		return ""
	}
	return e.source
}

// MarshalJSON writes the expression as it was written.
func (e *Expr) MarshalJSON() ([]byte, error) { return json.Marshal(e.String()) }

// Eval evaluates against env, an Env, OutputEnv or TensorEnv as the place of the
// expression demands. The result is of the kinds that encoding/json decodes to,
// or []byte.
func (e *Expr) Eval(env any) (any, error) {
	v, err := expr.Run(e.program, env)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", e.Pos, firstLine(err))
	}
	v, err = plain(v)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", e.Pos, e.source, err)
	}
	return v, nil
}

// Test evaluates a condition. What is neither true nor false is an error.
func (e *Expr) Test(env any) (bool, error) {
	v, err := e.Eval(env)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("%s: `%s` is %s, neither true nor false", e.Pos, e.source, kindOf(v))
	}
	return b, nil
}

func compile(source string, env any, condition bool) (*vm.Program, error) {
	// now() is refused: an expression that reads the clock would answer a repeat
	// of the same record differently.
	opts := []expr.Option{expr.Env(env), expr.DisableBuiltin("now")}
	if condition {
		opts = append(opts, expr.AsBool())
	}
	return expr.Compile(source, opts...)
}

// compileError splits an error of the compiler into its text and the column (in
// characters, from 0) in the expression.
func compileError(err error, env any) (text string, line, col int) {
	var fe *file.Error
	if !errors.As(err, &fe) {
		return firstLine(err), 1, 0
	}
	text = fe.Message
	if name, ok := strings.CutPrefix(text, "unknown name "); ok {
		text = "unknown name " + quote(name) + meant(name, names(env))
	}
	return text, fe.Line, fe.Column
}

// names are those that an expression may use.
func names(env any) []string {
	all := []string{"value", "key", "headers", "id"}
	switch env.(type) {
	case Env:
		return append(all, "topic", "partition", "offset", "time")
	case OutputEnv:
		return append(all, "topic", "partition", "offset", "time", "result")
	}
	return all
}

func firstLine(err error) string {
	var fe *file.Error
	if errors.As(err, &fe) {
		return fe.Message
	}
	s := err.Error()
	for i, c := range s {
		if c == '\n' {
			return s[:i]
		}
	}
	return s
}

// plain turns what expressions make (integers, times, typed slices) into what
// encoding/json decodes to.
func plain(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, string, float64, []byte:
		return v, nil
	case int:
		return float64(v), nil
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			p, err := plainInside(e)
			if err != nil {
				return nil, err
			}
			out[i] = p
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			p, err := plainInside(e)
			if err != nil {
				return nil, err
			}
			out[k] = p
		}
		return out, nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("a value that JSON cannot say: %w", err)
	}
	var out any
	if err := json.Unmarshal(data, &out); err != nil {
		return nil, err
	}
	return out, nil
}

// plainInside is plain for the parts of a value, where bytes become base64 as in
// encoding/json.
func plainInside(v any) (any, error) {
	if b, ok := v.([]byte); ok {
		return base64.StdEncoding.EncodeToString(b), nil
	}
	return plain(v)
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a text"
	case float64:
		return "a number"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	case []byte:
		return "bytes"
	}
	return fmt.Sprintf("%T", v)
}
