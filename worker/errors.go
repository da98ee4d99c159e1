package worker

import (
	"errors"
	"fmt"
	"time"
)

// Class says who is to blame for a failure, and so what the worker does about it.
type Class int

const (
	// Retriable is a failure of the moment that this one record met: time-outs,
	// network errors, HTTP 408, 425, 429 and 5xx. It is tried again with
	// back-off; when the attempts are used up the record is dead-lettered.
	Retriable Class = iota + 1
	// Outage is a failure that every record would meet: connection refused,
	// 401, 403, 404. The worker pauses and probes; no attempt is used up and
	// nothing is dead-lettered.
	Outage
	// Poison is a record that can never succeed: undecodable, wrong schema,
	// HTTP 400, 413, 415, 422, or the handler says so. It is dead-lettered at once.
	Poison
	// Fatal is a mistake in the configuration: the worker stops with the error.
	Fatal
)

// String returns the class as it is written in metrics, logs and dead-letter headers.
func (c Class) String() string {
	switch c {
	case Retriable:
		return "retriable"
	case Outage:
		return "outage"
	case Poison:
		return "poison"
	case Fatal:
		return "fatal"
	}
	return "unknown"
}

// Error is a failure with its class. Handlers and models return it (wrapped or
// not); an error without a class counts as Retriable.
type Error struct {
	Class Class
	// Err is what happened, for people.
	Err error
	// RetryAfter is the earliest next try the other side asked for
	// (HTTP Retry-After); zero when it did not say.
	RetryAfter time.Duration
	// Stage is where it happened: decode, validate, process, call, output, produce.
	Stage string
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Class, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

// NewError wraps err with a class. It returns nil when err is nil.
func NewError(class Class, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Class: class, Err: err}
}

// ClassOf returns the class of err: that of the outermost *Error in its chain,
// else Retriable. It returns 0 for nil.
func ClassOf(err error) Class {
	if err == nil {
		return 0
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return Retriable
}
