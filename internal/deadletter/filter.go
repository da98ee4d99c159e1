package deadletter

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
)

// view is what a filter expression sees of a letter.
type view struct {
	Value     any               `expr:"value"`     // decoded JSON, else text
	Key       string            `expr:"key"`       // empty without one
	Headers   map[string]string `expr:"headers"`   // the last of each name, as text
	Topic     string            `expr:"topic"`     // of the source
	Partition int               `expr:"partition"` // of the source, -1 when not known
	Offset    int               `expr:"offset"`    // of the source, -1 when not known
	Time      time.Time         `expr:"time"`      // when it failed first
	Class     string            `expr:"class"`
	Reason    string            `expr:"reason"` // the failure's message
	Step      string            `expr:"step"`   // <pipeline>.<step>
}

// filter decides which letters a redrive takes.
type filter struct{ program *vm.Program }

// CheckFilter tells what is wrong with an expression for RedriveOptions.Where; nil
// is nothing.
func CheckFilter(where string) error {
	_, err := newFilter(where)
	return err
}

// newFilter compiles an expression (expr-lang) that must be true of the letters
// wanted; an empty one takes all.
func newFilter(where string) (*filter, error) {
	if where == "" {
		return &filter{}, nil
	}
	p, err := expr.Compile(where, expr.Env(view{}), expr.AsBool())
	if err != nil {
		return nil, fmt.Errorf("filter %q: %w (names: value, key, headers, topic, partition, offset, time, class, reason, step)", where, err)
	}
	return &filter{p}, nil
}

// match tells whether a letter is wanted. An expression that fails on a letter (a
// member of a value that has none) does not want it and says why.
func (f *filter) match(l *Letter) (bool, error) {
	if f.program == nil {
		return true, nil
	}
	out, err := expr.Run(f.program, viewOf(l))
	if err != nil {
		return false, fmt.Errorf("the filter fails on %s: %w", l.ID(), err)
	}
	return out.(bool), nil
}

func viewOf(l *Letter) view {
	v := view{
		Key: clean(l.Record.Key), Headers: map[string]string{},
		Topic: l.Source.Topic, Partition: int(l.Source.Partition), Offset: int(l.Source.Offset),
		Time: l.failedAt(), Class: l.Class, Reason: l.Message, Step: l.stepName(),
	}
	for _, h := range l.Record.Headers {
		v.Headers[h.Key] = clean(h.Value)
	}
	if json.Unmarshal(l.Record.Value, &v.Value) != nil {
		v.Value = clean(l.Record.Value)
	}
	return v
}
