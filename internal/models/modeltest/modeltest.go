// Package modeltest is the one suite that every model protocol passes, over a
// backend of its own that is honest: a real server, a real child process. The
// suite speaks in texts; a backend reads each with Read and does what it says.
package modeltest

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/leatdev/leat/pipeline"
)

// Subject is one model with its backend running.
type Subject struct {
	// Model is under test. The suite closes it.
	Model pipeline.Model
	// Impatient is a second model of the same backend that gives a call up after
	// a few hundredths of a second. The suite closes it.
	Impatient pipeline.Model
	// Want is the honest answer to a value; nil means AnswerTo.
	Want func(value any) any
	// Whole says that the records of a call stand or fall together. Such a call
	// may fail for one bad record; its parts, called again, must not.
	Whole bool
	// IDs returns the event ids that the backend has been sent so far, one per
	// record, in no particular order.
	IDs func() []string
	// Secrets may be in no error. The backend knows them from what the model
	// sends and puts them into its refusals.
	Secrets []string
	// Alive counts what the model may leave behind outside this process: children.
	Alive func() int
	// Cannot names checks and Kinds that do not apply, each with the reason,
	// with which the check is skipped.
	Cannot map[string]string

	closing *sync.Once
}

// T is the part of *testing.T that the checks use, so that the suite itself
// can be tested on models that are wrong.
type T interface {
	Helper()
	Context() context.Context
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Names of checks for Subject.Cannot, besides the Kinds.
const (
	CheckIDs     = "ids"     // each record's id reaches the backend
	CheckValues  = "values"  // values of any kind go there and back
	CheckEmpty   = "empty"   // the empty text is answered
	CheckTimeout = "timeout" // the model gives up by itself
)

type check struct {
	name string
	// needs is a key of Subject.Cannot; empty when every model passes the check.
	needs string
	run   func(t T, s Subject)
}

func checks() []check {
	list := []check{
		{"nothing in nothing out", "", nothing},
		{"results are in the order of the inputs", "", order},
		{"calls at once do not mix", "", concurrent},
		{"ids reach the backend", CheckIDs, ids},
		{"huge text", "", huge},
		{"unicode", "", unicodeTexts},
		{"empty text", CheckEmpty, empty},
		{"values of every kind", CheckValues, values},
		{"null results", string(Null), nullResults},
		{"an ended context is obeyed", "", endedContext},
		{"a context that ends under way is obeyed", "", contextEnds},
		{"the model gives up by itself", CheckTimeout, timeout},
		{"the wait that is asked for is handed on", string(Later), later},
		{"close leaves nothing", "", closeLeavesNothing},
	}
	for _, kind := range []Kind{Poison, Retriable, Outage} {
		list = append(list,
			check{"class of one " + string(kind[1:]), string(kind), func(t T, s Subject) { classed(t, s, kind) }},
			check{"one record's " + string(kind[1:]) + " is its own", string(kind), func(t T, s Subject) { ownError(t, s, kind) }})
	}
	for _, kind := range []Kind{Garbage, Short, Extra, Die} {
		list = append(list, check{"after " + string(kind[1:]), string(kind), func(t T, s Subject) { badReply(t, s, kind) }})
	}
	return list
}

// Run runs the suite; open makes a fresh Subject for each check. Checks that
// the Subject cannot take are skipped by name.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			for key := range s.Cannot {
				if !slices.ContainsFunc(checks(), func(c check) bool { return c.needs == key }) {
					t.Fatalf("Subject.Cannot: no check needs %q", key)
				}
			}
			s.closing = new(sync.Once)
			defer s.close(t)
			if reason := s.Cannot[c.needs]; c.needs != "" && reason != "" {
				t.Skipf("does not apply: %s", reason)
			}
			c.run(t, s)
		})
	}
}

// close closes the models, once: a check may have done it already.
func (s Subject) close(t T) {
	t.Helper()
	s.closing.Do(func() {
		for _, m := range []pipeline.Model{s.Model, s.Impatient} {
			if m == nil {
				continue
			}
			if err := m.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
	})
}

func (s Subject) want(value any) any {
	if s.Want != nil {
		return s.Want(value)
	}
	return AnswerTo(value)
}

// right checks that a result is the honest answer to its input.
func (s Subject) right(t T, in pipeline.Input, got pipeline.Result) {
	t.Helper()
	if got.Err != nil {
		t.Errorf("record %s: %v", in.ID, s.clean(t, got.Err))
		return
	}
	if want := s.want(in.Value); !reflect.DeepEqual(got.Value, want) {
		t.Errorf("record %s: result %s, want %s", in.ID, short(got.Value), short(want))
	}
}

// patience bounds waits for something that must happen; no check measures time.
const patience = 20 * time.Second
